"""Crystals from any database that speaks OPTIMADE, page by page."""

from __future__ import annotations

import json
import urllib.error
import urllib.parse
import urllib.request
from functools import partial
from http.client import HTTPException
from typing import TYPE_CHECKING, Any

from .entries import crystal_from_optimade
from .ids import Name, own_id
from .outcomes import named_structures, reason_of
from .remote import TEMPORARY, TransientError, cached, retry
from .typing import FilePath

if TYPE_CHECKING:
    from .outcomes import Structures


FIELDS = (
    "id,lattice_vectors,cartesian_site_positions,species_at_sites,species,dimension_types,"
    "nperiodic_dimensions,nsites,structure_features,assemblies,elements,nelements,"
    "chemical_formula_reduced,chemical_formula_anonymous,chemical_formula_hill,"
    "chemical_formula_descriptive"
)


def read_optimade(
    url: str,
    filter: str = "",
    *,
    cache_dir: FilePath | None = None,
    max_crystals: int | None = None,
    page_limit: int | None = None,
    attempts: int = 6,
    timeout: float = 60.0,
) -> Structures:
    """Read the crystals of a database that meet a filter.

    Parameters
    ----------
    url : str
        Base URL of the database, with or without the version: ``https://example.org/optimade``.
    filter : str, default=""
        Filter in the language of OPTIMADE, such as ``'elements HAS ALL "Ga","N" AND nelements=2'``.
    cache_dir : str, Path or None, default=None
        Folder of pages that were read. The same query takes them from there, also after an
        interruption; remove the folder to ask the database again.
    max_crystals : int, default=None
        Largest number of crystals.
    page_limit : int, default=None
        Number of crystals on a page; by default the database decides. It refuses more than it
        allows.
    attempts : int, default=6
        Number of attempts for a page if there is no answer or a temporary error.
    timeout : float, default=60.0
        Seconds to wait for an answer.

    Returns
    -------
    skcfgp.structures.Structures
        With the ids of the database. Crystals that cannot be used (disordered, or not periodic in
        three directions) are among its ``failures``.

    Raises
    ------
    OSError
        If the database cannot be reached; what was read is in the cache.
    ValueError
        If the database refuses the query, or its answer is not OPTIMADE's.

    References
    ----------
    .. [1] Andersen et al., "OPTIMADE, an API for exchanging materials data", Sci. Data 8, 217
       (2021). doi:10.1038/s41597-021-00974-z
    """
    query: dict[str, Any] = {"response_fields": FIELDS}
    if page_limit is not None:
        query["page_limit"] = page_limit
    if filter:
        query["filter"] = filter
    page_url = f"{_versioned(url)}/structures?{urllib.parse.urlencode(query)}"
    names: list[Name] = []
    found: list[Any] = []
    seen: set[str] = set()
    while page_url and (max_crystals is None or len(names) < max_crystals):
        if page_url in seen:
            raise ValueError(f"{url}: its pages go round in a circle, at {page_url}.")
        seen.add(page_url)
        page = cached(cache_dir, page_url, partial(_page, page_url, attempts, timeout))
        for entry in page["data"][: None if max_crystals is None else max_crystals - len(names)]:
            names.append(Name(len(names), own_id(entry)))
            try:
                found.append(crystal_from_optimade(entry.get("attributes")))
            except Exception as error:  # whatever an entry does, it costs no other
                found.append(reason_of(error))
        page_url = _next(page, page_url)
    return named_structures(names, found)


def _versioned(url):
    url = _on_the_web(url).rstrip("/")
    return url if url.rsplit("/", 1)[-1].startswith("v1") else f"{url}/v1"


def _on_the_web(url):
    """Refuse a URL that is not of the web, also one that a database names."""
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"expected a URL that begins with http:// or https://, got {url!r}.")
    return url


def _next(page, url):
    """Return the URL of the next page, or None."""
    link = (page.get("links") or {}).get("next")
    link = link.get("href") if isinstance(link, dict) else link
    return _on_the_web(urllib.parse.urljoin(url, link)) if link else None


def _page(url, attempts, timeout):
    text = retry(partial(_fetch, url, timeout), attempts, url)
    try:
        page = json.loads(text)
        if not all(isinstance(entry, dict) for entry in page["data"]):
            raise TypeError("an entry is not an object")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{url} is not an answer in the form of OPTIMADE: {text[:100]!r}"
        ) from error
    return page


def _fetch(url, timeout):
    request = urllib.request.Request(url, headers={"User-Agent": "skcfgp"})
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return answer.read()
    except urllib.error.HTTPError as error:
        with error:  # it holds a connection
            detail = _detail(error)
        if error.code not in TEMPORARY:
            raise ValueError(f"{url} was refused: {error.code}, {detail}") from error
        asked = error.headers.get("Retry-After", "")
        wait = min(float(asked), 300.0) if asked.isdigit() else 0.0
        raise TransientError(error, wait) from error
    except (OSError, HTTPException) as error:
        raise TransientError(error) from error


def _detail(error):
    """Return the reason that the database gives for its refusal."""
    try:
        return "; ".join(e.get("detail", "") for e in json.loads(error.read())["errors"])
    except (ValueError, KeyError, TypeError, OSError):
        return error.reason
