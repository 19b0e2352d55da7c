"""Crystals from any database that speaks OPTIMADE, page by page.

Pages are kept in a folder if one is named, so that a download that was interrupted goes on where it
stopped, and one that came to its end needs no network. Nothing but the standard library is needed.
"""

import hashlib
import json
import time
import urllib.error
import urllib.parse
import urllib.request
from http.client import HTTPException
from pathlib import Path

import numpy as np

from .structures import Failure, Structures, check_structures, object_array
from .whole_file import whole_file

__all__ = ["read_optimade", "structure_from_optimade"]

FIELDS = "id,lattice_vectors,cartesian_site_positions,species_at_sites,species,dimension_types"

#: Answers after which it is worth asking again.
TEMPORARY = (408, 425, 429, 500, 502, 503, 504)

#: Seconds before the second attempt; before each further one twice as long.
FIRST_WAIT = 1.0


def read_optimade(
    url, filter="", *, cache_dir=None, max_crystals=None, page_limit=None, attempts=6, timeout=60.0
):
    """Read the crystals of a database that meet a filter.

    Parameters
    ----------
    url : str
        Base URL of the database, with or without the version: ``https://example.org/optimade``.
    filter : str, default=""
        In the language of OPTIMADE: ``'elements HAS ALL "Ga","N" AND nelements=2'``.
    cache_dir : str, Path or None, default=None
        Folder of pages that were read. The same question asked again takes them from there, also
        after an interruption; remove the folder to ask the database again.
    max_crystals : int, default=None
        Stop after so many.
    page_limit : int, default=None
        Crystals a page; a database refuses more than it allows. None leaves it to the database.
    attempts : int, default=6
        How often to ask for a page when there is no answer or a temporary error.
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
        If the database refuses the question, or its answer is not OPTIMADE's.

    References
    ----------
    .. [1] Andersen et al., "OPTIMADE, an API for exchanging materials data", Sci. Data 8, 217
       (2021). doi:10.1038/s41597-021-00974-z
    """
    query = {"response_fields": FIELDS}
    if page_limit is not None:
        query["page_limit"] = page_limit
    if filter:
        query["filter"] = filter
    page_url = f"{_versioned(url)}/structures?{urllib.parse.urlencode(query)}"
    ids, found, seen = [], [], set()
    while page_url and (max_crystals is None or len(ids) < max_crystals):
        if page_url in seen:
            raise ValueError(f"{url}: its pages go round in a circle, at {page_url}.")
        seen.add(page_url)
        page = _page(page_url, cache_dir, attempts, timeout)
        for entry in page["data"]:
            ids.append(str(entry.get("id")))
            try:
                found.append(structure_from_optimade(entry["attributes"]))
            except Exception as error:  # what others' databases hold can be anything
                found.append(error)
        page_url = _next(page, page_url)
    ids, found = ids[:max_crystals], found[:max_crystals]
    errors = {i: item for i, item in enumerate(found) if isinstance(item, Exception)}
    good = [i for i in range(len(found)) if i not in errors]
    checked = check_structures([found[i] for i in good], on_error="collect")
    failures = [Failure(i, ids[i], str(error)) for i, error in errors.items()]
    failures += [Failure(good[f.index], ids[good[f.index]], f.reason) for f in checked.failures]
    structures = object_array([None] * len(ids))
    for i, structure in zip(good, checked.structures, strict=True):
        structures[i] = structure
    return Structures(structures, object_array(ids), sorted(failures, key=lambda f: f.index))


def structure_from_optimade(attributes):
    """Build a structure from the attributes of an OPTIMADE entry.

    Parameters
    ----------
    attributes : dict
        With ``lattice_vectors`` and ``cartesian_site_positions`` in angstrom, ``species`` and
        ``species_at_sites``.

    Returns
    -------
    pymatgen.core.Structure

    Raises
    ------
    ValueError
        If it is not an ordered crystal, periodic in three directions.
    """
    from pymatgen.core import Lattice, Structure

    dimensions = attributes.get("dimension_types")
    if dimensions is not None and list(dimensions) != [1, 1, 1]:
        raise ValueError(f"it is not periodic in three directions: {dimensions}.")
    for name in ("lattice_vectors", "cartesian_site_positions", "species_at_sites", "species"):
        if not attributes.get(name):
            raise ValueError(f"it has no {name}.")
    symbols = {}
    for kind in attributes["species"]:
        symbols[kind["name"]] = kind["chemical_symbols"]
    wrong = [n for n in set(attributes["species_at_sites"]) if len(symbols.get(n, ())) != 1]
    wrong += [n for n, s in symbols.items() if set(s) & {"X", "vacancy"} and n not in wrong]
    if wrong:
        raise ValueError(f"it is disordered, or a site is not known: {min(wrong)!r}.")
    return Structure(
        Lattice(np.array(attributes["lattice_vectors"], dtype=float)),
        [symbols[name][0] for name in attributes["species_at_sites"]],
        np.array(attributes["cartesian_site_positions"], dtype=float),
        coords_are_cartesian=True,
    )


def _versioned(url):
    url = url.rstrip("/")
    if urllib.parse.urlsplit(url).scheme not in ("http", "https"):
        raise ValueError(f"expected a URL that begins with http:// or https://, got {url!r}.")
    return url if url.rsplit("/", 1)[-1].startswith("v1") else f"{url}/v1"


def _next(page, url):
    """Return the URL of the next page, or None."""
    link = page.get("links", {}).get("next")
    link = link.get("href") if isinstance(link, dict) else link
    if not link:
        return None
    link = urllib.parse.urljoin(url, link)
    return link if urllib.parse.urlsplit(link).scheme in ("http", "https") else None


def _page(url, cache_dir, attempts, timeout):
    """Read a page, from the cache if it is there."""
    path = None
    if cache_dir is not None:
        name = hashlib.blake2b(url.encode(), digest_size=16).hexdigest()
        path = Path(cache_dir).expanduser() / f"{name}.json"
        if path.exists():
            return json.loads(path.read_text(encoding="utf-8"))
    text = _fetch(url, attempts, timeout)
    try:
        page = json.loads(text)
        if not isinstance(page["data"], list):
            raise KeyError("data")
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{url} is no answer in the form of OPTIMADE: {text[:100]!r}") from error
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        with whole_file(path) as part:
            part.write_bytes(text)
    return page


def _fetch(url, attempts, timeout):
    wait = FIRST_WAIT
    request = urllib.request.Request(url, headers={"User-Agent": "skcfgp"})
    for attempt in range(1, attempts + 1):
        try:
            with urllib.request.urlopen(request, timeout=timeout) as answer:
                return answer.read()
        except urllib.error.HTTPError as error:
            with error:  # it holds a connection
                detail = _detail(error)
            if error.code not in TEMPORARY:
                raise ValueError(f"{url} was refused: {error.code}, {detail}") from error
            problem, asked = error, error.headers.get("Retry-After", "")
            wait = max(wait, min(float(asked), 300.0)) if asked.isdigit() else wait
        except (OSError, HTTPException) as error:
            problem = error
        if attempt < attempts:
            time.sleep(wait)
            wait *= 2
    raise OSError(
        f"{url} could not be read in {attempts} attempts: {problem}. What was read before is in "
        "the cache, if one was named."
    ) from problem


def _detail(error):
    """Say what the database says of its refusal."""
    try:
        return "; ".join(e.get("detail", "") for e in json.loads(error.read())["errors"])
    except (ValueError, KeyError, TypeError, OSError):
        return error.reason
