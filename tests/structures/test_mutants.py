"""Damaged files between two good ones: what is accepted is what the file tells, and no row is lost.

A CIF with its sum formula and a POSCAR with elements in its rows tell their content twice, so that
one fault is always seen: what is accepted has the composition of before. The other formats tell it
once; what is accepted has the atoms that a reader without any check finds.
"""

import io
import json
import random
import re
import sqlite3
import time
import warnings
from collections import Counter

import numpy as np
from ase.data import chemical_symbols
from ase.db import connect
from ase.io import read, write
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar

from skcfgp.structures import check_structures

KINDS = ["cif", "symmetric.cif", "vasp", "extxyz", "json", "jsonl", "db"]
HUGE = ["1e308", "-1e400", "99999999999999999999", "1e6", "nan", "-0", "0", "1" * 5000, "0x1F"]


def contents(structures, folder):
    """Each kind of file, of one crystal or of all, with the compositions in it."""
    one = structures[0]
    atoms = [structure.to_ase_atoms() for structure in structures]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield "cif", str(CifWriter(one)).encode()
        yield "symmetric.cif", str(CifWriter(one, symprec=0.01)).encode()
    yield "vasp", Poscar(one, sort_structure=True).get_str().encode()
    for frame in atoms:
        frame.info.clear()
    write(folder / "x.extxyz", atoms, format="extxyz")
    yield "extxyz", (folder / "x.extxyz").read_bytes()
    records = [{"id": f"r{i}", "structure": s.as_dict()} for i, s in enumerate(structures)]
    yield "json", json.dumps(records).encode()
    yield "jsonl", "\n".join(map(json.dumps, records)).encode()
    with connect(folder / "x.db", use_lock_file=False) as database:
        for frame in atoms:
            database.write(frame)
    yield "db", (folder / "x.db").read_bytes()


def mutant_of(content, is_text, rng):
    """Change one thing."""
    way = rng.choice(
        ["flip", "cut", "delete", "insert", *is_text * ["swap", "huge", "line", "code"]]
    )
    place = rng.randrange(len(content))
    if way == "flip":
        return (
            content[:place]
            + bytes([content[place] ^ (1 << rng.randrange(8))])
            + content[place + 1 :]
        )
    if way == "cut":
        return content[:place]
    if way == "delete":
        return content[:place] + content[place + rng.randint(1, 9) :]
    if way == "insert":
        return content[:place] + rng.randbytes(rng.randint(1, 4)) + content[place:]
    if way == "code":
        return content.decode().encode(rng.choice(["utf-16", "utf-8-sig", "utf-32", "utf-16-be"]))
    lines = content.split(b"\n")
    row = rng.randrange(len(lines))
    if way == "line":
        lines[row : row + 1] = rng.choice([[], 2 * [lines[row]]])
    words = re.split(rb"([\s,:]+)", lines[row]) if way != "line" else [b""]
    if way == "swap" and len(words) > 2:
        i, j = rng.sample(range(0, len(words), 2), 2)
        words[i], words[j] = words[j], words[i]
    numbers = [i for i, word in enumerate(words) if re.fullmatch(rb"-?\d+\.?\d*", word)]
    if way == "huge" and numbers:
        words[rng.choice(numbers)] = rng.choice(HUGE).encode()
    if way != "line":
        lines[row] = b"".join(words)
    return b"\n".join(lines)


def told(kind, path, id_, position):
    """Count the elements of a crystal in the plainest way, or None if it cannot be told."""
    try:
        if kind == "db":
            with sqlite3.connect(path) as connection:
                query = "SELECT numbers FROM systems WHERE id = ?"
                blob = connection.execute(query, (int(id_),)).fetchone()[0]
            connection.close()
            return Counter(chemical_symbols[z] for z in np.frombuffer(blob, "<i4"))
        text = path.read_bytes()
        text = text.decode(
            "utf-16" if text[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig", "replace"
        )
        if kind == "extxyz":
            frame = read(io.StringIO(text), ":", format="extxyz")[position]
            return Counter(frame.get_chemical_symbols())
        rows = json.loads(text) if kind == "json" else map(json.loads, text.split("\n"))
        record = next(r for r in rows if str(r.get("id")) == id_)["structure"]
        return Counter(site["species"][0]["element"] for site in record["sites"])
    except Exception:  # a reader without any check fails in many ways
        return None


def test_mutants(crystals, tmp_path, nightly):
    rng = random.Random(1)
    structures = [s for s in crystals[0] if len(s.symbol_set) > 1 and len(s) < 13][:3]
    files = dict(contents(structures, tmp_path))
    assert list(files) == KINDS
    good = tmp_path / "good.vasp"
    good.write_bytes(files["vasp"])
    expected = structures[0].composition.reduced_composition
    accepted = Counter()
    for number in range(1000 if nightly else 30):
        kind = KINDS[number % len(KINDS)]
        content = mutant_of(files[kind], kind != "db", rng)
        path = tmp_path / f"mutant.{kind}"
        path.write_bytes(content)
        start = time.perf_counter()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deuterium
            found = check_structures([good, path, good], on_error="nan")
        assert time.perf_counter() - start < 10, content
        first, *rows, last = zip(found.ids, found.structures, strict=True)
        assert first[1].composition == last[1].composition == structures[0].composition
        assert rows, content
        reasons = {failure.index: failure.reason for failure in found.failures}
        for row, (id_, crystal) in enumerate(rows, 1):
            if crystal is None:
                assert len(reasons[row]) > 10, content
                assert not re.match(r"it cannot be read|list index|'_", reasons[row]), (
                    content,
                    reasons,
                )
                continue
            accepted[kind] += 1
            if kind in ("cif", "symmetric.cif", "vasp"):
                assert crystal.composition.reduced_composition == expected, content
            elif (plain := told(kind, path, id_, row - 1)) is not None:
                atoms = Counter(e.symbol for e in crystal.to_structure().species)
                assert atoms == plain, content
    assert set(accepted) == set(KINDS) or not nightly
