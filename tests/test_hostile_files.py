"""Damaged and hostile files by the hundred, on every way in; SKCFGP_NIGHTLY=1 tries all of them.

A mutant lies between two good files. It is read or refused by name, and the good ones never notice.
"""

import json
import random
import re
import shutil
import signal
import sys
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from ase import Atoms
from click.testing import CliRunner
from pymatgen.core import Lattice, Structure
from pymatgen.io.cif import CifWriter
from pymatgen.io.vasp import Poscar

from skcfgp.screening.pool import Pool, read_records
from skcfgp.structures import check_structures, structure_digest
from skcfgp.structures.crystal_tables import read_crystals

resource = pytest.importorskip("resource")  # not on Windows

#: Seconds of computing that one file may take.
SECONDS = 10

#: Bytes by which the tests of a kind of file may raise the memory of this process.
MEMORY = 2e9

NUMBERS = ["1e6", "-1", "0", "1e308", "nan", "inf", "1e-300", "1" * 400, "0.5", "99999999", "1e999"]
TEXTS = ["\x00", "\ufeff", "'", '"', "\r", "\n", "[" * 3000, "{}", "null", "\\udc80", "é", ",", "?"]
WORDS = ["Xx", "Na+", "D", "true", "@module", "1(2)", ".", "loop_", "data_x", "-", "1/0", "x,y,z"]


class Slow(BaseException):
    """A file took too long; not an Exception, which a reader may catch."""


@contextmanager
def bounded():
    """Stop what computes for longer than `SECONDS`; the load of the machine does not count."""

    def stop(number, frame):
        raise Slow

    before = signal.signal(signal.SIGPROF, stop)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, before)


@contextmanager
def refused_by_name(path):
    """Let a ValueError pass that names the file."""
    try:
        yield
    except ValueError as error:
        if str(path) not in str(error):
            raise AssertionError("the file is not named") from error


@contextmanager
def bounded_memory():
    unit = 1 if sys.platform == "darwin" else 1024
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit
    yield
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit - before < MEMORY


def mutate_bytes(rng, content):
    """Flip, drop, double or insert bytes, or cut the file."""
    content = bytearray(content)
    for _ in range(rng.choice([1, 1, 2, 5])):
        place = rng.randrange(len(content) + 1)
        end = min(len(content), place + rng.choice([1, 1, 4, 40, 400]))
        match rng.randrange(5):
            case 0 if place < len(content):
                content[place] ^= 1 << rng.randrange(8)
            case 1:
                del content[place:end]
            case 2:
                content[place:place] = content[place:end]
            case 3:
                content[place:place] = rng.randbytes(rng.choice([1, 4, 100]))
            case _:
                del content[place:]
        content = content or bytearray(b" ")
    return bytes(content)


def mutate_text(rng, content):
    """Change numbers and words, drop, double and swap lines; a third of the time, bytes."""
    if rng.random() < 0.33:
        return mutate_bytes(rng, content)
    text = content.decode("utf-8", "surrogateescape")
    for _ in range(rng.choice([1, 1, 2, 5])):
        kind = rng.randrange(4)
        if kind == 3:
            lines = text.split("\n")
            i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
            lines[i] = rng.choice([lines[j], "", lines[i] * 2])
            text = "\n".join(lines)
            continue
        pattern = (r"-?\d+(?:\.\d+)?", r"[A-Za-z_]+", r"\s|[,:]")[kind]
        places = [match.span() for match in re.finditer(pattern, text)]
        if places:
            start, end = rng.choice(places)
            text = text[:start] + rng.choice((NUMBERS, WORDS, TEXTS)[kind]) + text[end:]
    return text.encode("utf-8", "surrogateescape")


@pytest.fixture(scope="module")
def structures():
    """Two good crystals, and one from which mutants are made."""
    salt = Structure.from_spacegroup(
        "Fm-3m", Lattice.cubic(5.69), ["Na", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]]
    )
    other = Structure(Lattice.cubic(4.12), ["Cs", "Cl"], [[0, 0, 0], [0.5, 0.5, 0.5]])
    seed = Structure(
        Lattice.from_parameters(3.9, 4.1, 5.2, 90, 100, 90),
        ["Ti", "O", "O"],
        [[0, 0, 0], [0.5, 0.5, 0.1], [0.5, 0.0, 0.6]],
    )
    seed.add_site_property("magmom", [1.0, 0.0, 0.0])
    return salt, other, seed


@pytest.fixture(scope="module")
def seeds(structures):
    """The same crystal in each format of text, as a name and bytes."""
    *_, seed = structures
    record = json.dumps(seed.as_dict() | {"material_id": "mp-1"})
    atoms = Atoms(seed.labels, seed.cart_coords, cell=seed.lattice.matrix, pbc=True)
    numbers = {name: value.tolist() for name, value in atoms.todict().items()}
    row = json.dumps({"1": numbers, "ids": [1], "nextid": 2})
    frame = '3\nLattice="{}" Properties=species:S:1:pos:R:3 pbc="T T T"\n{}\n'.format(
        " ".join(map(str, seed.lattice.matrix.ravel())),
        "\n".join(f"{site.label} {' '.join(map(str, site.coords))}" for site in seed),
    )
    return {
        "plain.cif": str(CifWriter(seed)).encode(),
        "symmetric.cif": str(CifWriter(structures[0], symprec=1e-3)).encode(),
        "POSCAR": Poscar(seed).get_str().encode(),
        "x.xyz": frame.encode() * 2,
        "x.json": f"[{record}, {record}]".encode(),
        "x.jsonl": f"{record}\n{record}\n".encode(),
        "ase.json": row.encode(),
    }


@pytest.fixture
def between(structures, tmp_path):
    """Read a file between two good ones, whose rows must stay as they are; return the rest."""
    good = [tmp_path / "first.cif", tmp_path / "last.json"]
    good[0].write_text(str(CifWriter(structures[0])))
    good[1].write_text(json.dumps(structures[1].as_dict()))
    expected = [structure_digest(c) for c in check_structures(good).structures]

    def read(path):
        with bounded():
            found = check_structures([good[0], path, good[1]], on_error="nan")
        rows = len(found.ids)
        assert found.ids[0] == "first"
        assert found.ids[-1] == "last"
        assert [structure_digest(found.structures[i]) for i in (0, -1)] == expected
        assert rows >= 3, "a file has no row"
        refused = {failure.index for failure in found.failures}
        assert refused == {i for i in range(rows) if found.structures[i] is None}
        for failure in found.failures:
            assert failure.reason
            failure.reason.encode()  # which half a surrogate pair does not survive
        for id_ in found.ids:
            str(id_).encode()
        return [crystal for crystal in found.structures[1:-1] if crystal is not None]

    return read


@pytest.mark.filterwarnings("ignore")
@pytest.mark.network
def test_mutants_of_crystals(seeds, between, structures, tmp_path, nightly):
    from skcfgp import MEGNetFeaturizer
    from skcfgp.network import load_network

    rng, network, accepted = random.Random(15), load_network("formation_energy_1800"), []
    names = [*seeds]
    with bounded_memory():
        for k in range(1500 if nightly else 42):
            name = names[k % len(names)]
            path = tmp_path / name
            path.write_bytes(mutate_text(rng, seeds[name]))
            try:
                crystals = between(path)
                with bounded():
                    for crystal in crystals:
                        try:
                            network.graph(crystal)
                        except ValueError:
                            continue
                        accepted.append(crystal)
            except BaseException:
                shutil.copy(path, tmp_path / f"failed-{k}-{name}")
                raise
        featurizer = MEGNetFeaturizer("formation_energy_1800", on_error="nan", verbose=0)
        good = list(structures[:2])
        expected = featurizer.fit_transform(good)
        found = featurizer.transform([good[0], *accepted, good[1]])
        np.testing.assert_allclose(found[[0, -1]], expected, rtol=1e-5, atol=1e-6)
    assert accepted  # a change of a digit is a crystal too
    assert np.isfinite(found).all()


@pytest.mark.filterwarnings("ignore")
def test_mutants_of_ase_databases(structures, between, tmp_path, nightly):
    from ase.db import connect

    *_, seed = structures
    atoms = Atoms(seed.labels, seed.cart_coords, cell=seed.lattice.matrix, pbc=True)
    with connect(str(tmp_path / "seed.db")) as database:
        for k in range(3):
            database.write(atoms, material_id=f"m-{k}", data={"x": [1.0]})
    content, rng = (tmp_path / "seed.db").read_bytes(), random.Random(16)
    start = content.rindex(b"m-0") - 4000  # most of the file is empty or tables of the schema
    with bounded_memory():
        for k in range(300 if nightly else 12):
            mutant = mutate_bytes(rng, content)
            if k % 2:
                mutant = content[:start] + mutate_bytes(rng, content[start:])
            (tmp_path / "x.db").write_bytes(mutant)
            between(tmp_path / "x.db")


@pytest.mark.filterwarnings("ignore")
def test_mutants_of_tables(seeds, structures, tmp_path, nightly):
    pytest.importorskip("pyarrow")
    salt, other, _ = structures
    texts = [str(CifWriter(salt)), seeds["plain.cif"].decode(), json.dumps(other.as_dict())]
    table = pd.DataFrame({"material_id": ["first", "x", "last"], "structure": texts, "y": 1.0})
    table.to_csv(tmp_path / "seed.csv", index=False)
    table.to_parquet(tmp_path / "seed.parquet")
    rng = random.Random(17)
    csv, parquet = ((tmp_path / f"seed.{kind}").read_bytes() for kind in ("csv", "parquet"))
    middle = slice(csv.index(b"\nx,") + 3, csv.index(b"\nlast,"))
    digests = [structure_digest(salt), structure_digest(other)]
    with bounded_memory():
        for k in range(150 if nightly else 6):
            path = tmp_path / "x.csv"
            cell = mutate_text(rng, csv[middle]) if k % 2 else mutate_bytes(rng, csv[middle])
            path.write_bytes(csv[: middle.start] + cell + csv[middle.stop :])
            with bounded(), refused_by_name(path):  # whole, by a quote without an end
                rows = read_crystals(path).rows
                found = {row.id: structure_digest(row.crystal) for row in rows}
                assert found["first"] == digests[0]
                assert found.get("last", digests[1]) == digests[1]
            path = tmp_path / "x.parquet"
            path.write_bytes(mutate_bytes(rng, parquet))
            with bounded(), refused_by_name(path):
                for _, records in Pool(path).chunks(10):
                    read_records(records)


@pytest.mark.network
def test_mutants_of_networks(hdf5_network, tmp_path, monkeypatch, nightly):
    from skcfgp.network import PUBLISHED, load_network, save_network

    network = load_network("formation_energy_1800")
    save_network(network, tmp_path / "seed")
    rng, folder = random.Random(18), tmp_path / "net"
    shutil.copytree(tmp_path / "seed", folder)
    pair = [hdf5_network, Path(f"{hdf5_network}.json")]
    monkeypatch.setenv("SKCFGP_CACHE", str(tmp_path / "cache"))
    checksums = [sha256(path.read_bytes()).hexdigest() for path in pair]
    monkeypatch.setitem(PUBLISHED, "published", ("net.hdf5", *checksums))
    (tmp_path / "cache").mkdir()
    with bounded_memory():
        for k in range(250 if nightly else 12):
            name = ("network.json", "weights.npz")[k % 2]
            mutate = (mutate_text, mutate_bytes)[k % 2]
            content = (tmp_path / "seed" / name).read_bytes()
            (folder / name).write_bytes(mutate(rng, content))
            with bounded(), refused_by_name(folder):
                found = load_network(folder)
                assert found.digest() == network.digest()
                assert (found.target_mean, found.card) == (network.target_mean, network.card)
            (folder / name).write_bytes(content)
        # megnet's files have no checksum in them: loaded by path, numbers are what they are.
        for k in range(250 if nightly else 8):
            copies = [tmp_path / path.name for path in pair]
            for path, copy in zip(pair, copies, strict=True):
                shutil.copy(path, copy)
            mutated = copies[k % 2]
            original = mutated.read_bytes()
            mutated.write_bytes((mutate_bytes, mutate_text)[k % 2](rng, original))
            with bounded(), refused_by_name(copies[0]):
                load_network(copies[0])
            # By name the checksum finds every change.
            for copy in copies:
                shutil.copy(copy, tmp_path / "cache" / copy.name)
            if mutated.read_bytes() != original:
                with pytest.raises(ValueError, match="SHA-256"):
                    load_network("published")


@pytest.mark.filterwarnings("ignore")
@pytest.mark.network
def test_mutants_through_the_command(seeds, structures, tmp_path, monkeypatch, nightly):
    from skcfgp.cli import main

    monkeypatch.delenv("SKCFGP_TRACEBACK", raising=False)
    rng, names = random.Random(19), [*seeds]
    (tmp_path / "first.cif").write_text(str(CifWriter(structures[0])))
    (tmp_path / "last.json").write_text(json.dumps(structures[1].as_dict()))
    out, expected = tmp_path / "out.csv", None
    for k in range(100 if nightly else 2):
        mutant = tmp_path / names[k % len(names)]
        mutant.write_bytes(mutate_text(rng, seeds[mutant.name]))
        files = [tmp_path / "first.cif", mutant, tmp_path / "last.json"]
        result = CliRunner().invoke(main, ["predict", *map(str, files), "--out", str(out)])
        assert "Traceback" not in result.output
        table = pd.read_csv(out, dtype=str, keep_default_na=False)
        assert result.exit_code == int((table["error"] != "").any()), result.output
        assert (table["error"].iloc[[0, -1]] == "").all()
        assert table["id"].iloc[[0, -1]].tolist() == ["first", "last"]
        good = table[["prediction", "std"]].iloc[[0, -1]].astype(float).to_numpy()
        expected = good if expected is None else expected
        np.testing.assert_allclose(good, expected, rtol=1e-4)
