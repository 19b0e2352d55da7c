"""Crystals of the Materials Project, by its own client, ``mp-api``, in chunks.

The client needs a key, which is taken only from the environment: everybody on the machine can read
a command line.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

from .remote import TEMPORARY, TransientError, cached, retry
from .typing import FilePath

if TYPE_CHECKING:
    import pandas as pd


#: Environment variable with the key.
KEY = "MP_API_KEY"

#: Crystals that are asked for at a time.
CHUNK = 100


def read_materials_project(
    query: Mapping[str, Any],
    *,
    fields: Sequence[str] = (),
    cache_dir: FilePath | None = None,
    max_crystals: int | None = None,
    attempts: int = 6,
) -> pd.DataFrame:
    """Read the crystals of the Materials Project that meet a query.

    The key for its interface must be in the environment variable ``MP_API_KEY``; everybody can have
    one at https://materialsproject.org/api. Needs ``pip install 'skcfgp[materials-project]'``.

    Parameters
    ----------
    query : dict
        Search terms of ``MPRester().materials.summary.search``, as in
        ``{"elements": ["Ga", "N"], "num_elements": 2, "energy_above_hull": (0, 0.05)}``.
    fields : sequence of str, default=()
        Columns beside the crystal, such as ``"formation_energy_per_atom"`` (eV/atom) or
        ``"band_gap"`` (eV), by their names there.
    cache_dir : str, Path or None, default=None
        Folder of answers. The same query takes them from there, also after an interruption; remove
        the folder to ask again. The key is not in it.
    max_crystals : int, default=None
        Largest number of crystals.
    attempts : int, default=6
        Number of attempts if there is no answer or a temporary error.

    Returns
    -------
    pandas.DataFrame
        Columns ``structure`` (a `skcfgp.structures.Crystal`; the record of the database, or None,
        where that is not one) and `fields`, by ``material_id``. `skcfgp.campaign.Campaign.init`
        and `skcfgp.structures.check_structures` take it.

    Raises
    ------
    OSError
        If the Materials Project cannot be reached; what was read is in the cache.
    ValueError
        If there is no key, or the query or the key is refused.
    ImportError
        If ``mp-api`` is not installed.

    See Also
    --------
    skcfgp.structures.read_optimade : Other databases, and this one without a key.
    """
    import pandas as pd

    if not query:
        raise ValueError("the query is empty: name a search term, such as {'elements': ['N']}.")
    ask = _Client(cache_dir, attempts)
    ids = [document["material_id"] for document in ask(fields=["material_id"], **query)]
    ids = list(dict.fromkeys(ids))[:max_crystals]
    fields = [name for name in fields if name != "structure"]
    found: dict[str, Any] = {}
    for start in range(0, len(ids), CHUNK):
        some = ids[start : start + CHUNK]
        documents = ask(fields=["material_id", "structure", *fields], material_ids=some)
        found |= {document["material_id"]: document for document in documents}
    columns = {"structure": [_crystal(found.get(id_, {}).get("structure"), id_) for id_ in ids]}
    columns |= {name: [found.get(id_, {}).get(name) for id_ in ids] for name in fields}
    return pd.DataFrame(columns, index=pd.Index(ids, name="material_id", dtype=object))


def _crystal(record, id_):
    """Build a crystal; what cannot be used stays as it is, and is refused by name later."""
    from .checking import as_crystal

    try:
        return as_crystal(record, id_)
    except (TypeError, ValueError):
        return record


class _Client:
    """``mp-api``'s search in the summaries, with a cache and retries."""

    def __init__(self, cache_dir, attempts):
        self.cache_dir = cache_dir
        self.attempts = attempts
        self._search = None

    def __call__(self, **terms):
        """Return documents, from the cache if they are there."""
        ask = partial(self._ask, terms)
        return cached(
            self.cache_dir,
            json.dumps(terms, sort_keys=True),
            lambda: retry(ask, self.attempts, "the Materials Project"),
        )

    def _ask(self, terms):
        key = os.environ.get(KEY, "").strip()
        if not key:
            raise ValueError(
                f"there is no key for the Materials Project: get one at "
                f"https://materialsproject.org/api and put it into the environment variable {KEY}."
            )
        try:
            from mp_api.client import MPRester
            from mp_api.client.core import MPRestError
            from requests import RequestException
        except ImportError as error:
            raise ImportError(
                "the Materials Project needs its client, which needs Python 3.11: pip install "
                f"'skcfgp[materials-project]' ({error})."
            ) from error
        try:
            if self._search is None:
                client = MPRester(key, use_document_model=False, mute_progress_bars=True)
                self._search = client.materials.summary.search
            return self._search(**terms)
        except (MPRestError, RequestException) as error:
            problem = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).replace(key, "...")
            if _is_temporary(error, RequestException):
                raise TransientError(problem) from error
            raise ValueError(f"the Materials Project refused: {problem}") from error


def _is_temporary(error, network_error):
    """Tell a failure of network or server from a refusal; the client has one class for both."""
    if isinstance(error, network_error) or isinstance(error.__context__, network_error):
        return True
    status = re.search(r"status code (\d{3})", str(error))
    return status is not None and int(status[1]) in TEMPORARY
