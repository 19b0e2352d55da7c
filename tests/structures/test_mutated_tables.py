"""Damaged tables and inputs: each is accepted or refused by name, whole rows are kept, and fast."""

import json
import random
import time
import traceback

import pandas as pd
import pytest
from click.testing import CliRunner

from skcfgp.cli import main
from skcfgp.structures.labels import read_labelled
from skcfgp.structures.tables import read_table

pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.parametrize("part", range(6)),
]
SECONDS = 10


def flip(data, rng):
    """Change some bytes."""
    data = bytearray(data)
    for _ in range(rng.randint(1, 8)):
        data[rng.randrange(len(data))] = rng.randrange(256)
    return bytes(data)


def cut(data, rng):
    return data[: rng.randrange(len(data))]


def swap_lines(data, rng):
    lines = data.split(b"\n")
    i, j = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[i], lines[j] = lines[j], lines[i]
    return b"\n".join(lines)


def swap_fields(data, rng):
    lines = data.split(b"\n")
    i = rng.randrange(len(lines))
    fields = lines[i].split(b",")
    rng.shuffle(fields)
    lines[i] = b",".join(fields)
    return b"\n".join(lines)


def put(data, rng):
    """Put in what tables have had: huge numbers, other encodings, quotes, nesting."""
    odd = [b"1e999", b"9" * 400, b"nan", b"-0", b'"', b"\r", b"\xff", b"\xe2\x80\xa8", b"\0", b"{"]
    odd += [
        b"[" * 3000,
        b"=1+1",
        b";",
        b"null",
        b"NaCl" * 500,
        b'{"structure": [[]]}',
        b"\xef\xbb\xbf",
    ]
    position = rng.randrange(len(data))
    return data[:position] + rng.choice(odd) + data[position:]


def recode(data, rng):
    return data.decode("utf-8", "replace").encode(
        rng.choice(["utf-16", "latin-1", "utf-7"]), "replace"
    )


CHANGES = [flip, flip, cut, swap_lines, swap_fields, put, put, recode]


@pytest.fixture(scope="module")
def originals(tmp_path_factory, rock_salt):
    """A table of ten rows in each form; the first column of each row is text that is only there."""
    folder = tmp_path_factory.mktemp("tables")
    structure = json.dumps(rock_salt.as_dict())
    table = pd.DataFrame(
        {
            "id": [f"name-{i}" for i in range(10)],
            "structure": [structure if i % 2 else "" for i in range(10)],
            "formula": ["NaCl", "KCl", "Fe0.5Ni0.5", "Ca(OH)2", "LiF"] * 2,
            "value": [0.5 * i for i in range(10)],
        }
    )
    table.to_csv(folder / "t.csv", index=False)
    table.to_csv(folder / "semicolon.csv", index=False, sep=";")
    table.to_parquet(folder / "t.parquet")
    table.to_json(folder / "t.jsonl", orient="records", lines=True)
    table.to_json(folder / "t.json", orient="split")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def mutants(originals, n, part):
    """Yield name and content of damaged files, the same ones each time."""
    for number in range(part, n, 6):
        rng = random.Random(number)
        name = rng.choice(sorted(originals))
        data = originals[name]
        for change in rng.choices(CHANGES, k=rng.randint(1, 2)):
            data = change(data, rng) or b" "
        yield number, name, data


def test_mutated_tables_are_accepted_or_refused_by_name(originals, tmp_path, nightly, part):
    for number, name, data in mutants(originals, 200 if nightly else 6, part):
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(data)
        start = time.monotonic()
        told = None
        try:
            rows, refused = read_table(path)
            found = read_labelled(path, formulas=True)
        except ValueError as error:
            told = str(error)
        if told is None:
            kept = len(found.ids) + len(found.refused) + len(found.failed) + len(found.repeated)
            assert kept == len(rows) + len(refused), (number, name)
            assert all(refusal.id and refusal.reason for refusal in found.refused)
        else:
            assert path.stem in told, (number, name)
        assert time.monotonic() - start < SECONDS, (number, name)


def test_rows_that_are_whole_are_kept(originals, tmp_path, nightly, part):
    """A byte that is changed outside of quotes and line ends costs the line it is in, at most."""
    data = originals["t.jsonl"]
    for number in range(part, 60 if nightly else 6, 6):
        rng = random.Random(number)
        lines = data.split(b"\n")
        bad = rng.randrange(10)
        broken = flip(lines[bad], rng).replace(b"\n", b"?").replace(b"\r", b"?")
        path = tmp_path / f"{number}.jsonl"
        path.write_bytes(b"\n".join([*lines[:bad], broken or b"?", *lines[bad + 1 :]]))
        rows, refused = read_table(path)
        assert len(rows) + len(refused) == 10
        names = {f"name-{i}" for i in range(10) if i != bad}
        assert names <= {fields["id"] for _, fields in rows}


@pytest.fixture(scope="module")
def inputs(tmp_path_factory, rock_salt, originals):
    """Files of crystals of each format, and tables."""
    folder = tmp_path_factory.mktemp("inputs")
    rock_salt.to(str(folder / "a.cif"), fmt="cif")
    rock_salt.to(str(folder / "b.vasp"), fmt="poscar")
    (folder / "c.json").write_text(json.dumps(rock_salt.as_dict()))
    rock_salt.to_ase_atoms().write(str(folder / "d.extxyz"), format="extxyz")
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())} | originals


def test_mutated_inputs_through_the_command(inputs, tmp_path, nightly, part):
    """Exit code 0 or 1, no traceback, and the good crystal beside the damaged file is predicted."""
    train = tmp_path / "train.csv"
    rows = [f"t{i},{formula},{i}" for i, formula in enumerate(["NaCl", "KCl", "LiF", "KI"] * 4)]
    train.write_text("\n".join(["id,formula,value", *rows]))
    good = tmp_path / "good.csv"
    good.write_text("id,formula\ngood,NaBr\n")
    for number, name, data in mutants(inputs, 60 if nightly else 6, part):
        path = tmp_path / f"{number}-{name}"
        path.write_bytes(data)
        start = time.monotonic()
        arguments = ["predict", path, good, "--train", train, "--recipe", "composition"]
        result = CliRunner().invoke(main, [str(argument) for argument in arguments])
        told = "".join(traceback.format_exception(result.exception)) if result.exception else ""
        assert result.exit_code in (0, 1), (number, name, told)
        assert not result.exception or isinstance(result.exception, SystemExit), told
        lines = result.stdout.splitlines()
        assert lines[0].startswith("id,formula,prediction"), (number, name, result.output)
        assert lines[-1].startswith("good,NaBr,"), (number, name)
        assert time.monotonic() - start < SECONDS, (number, name)
