"""The Python blocks of the pages run as they stand, each page from its top."""

import re
import shlex
from pathlib import Path
from textwrap import dedent

import pytest
from click.testing import CliRunner

from skcfgp.cli import main

DOCS = Path(__file__).parents[1] / "docs"
# A block inside a list is a fragment.
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?: +.*\n|\n)+)", re.MULTILINE)


def blocks(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    return [dedent(found[1]) for found in BLOCK.finditer(text)]


# The blocks of these pages need what their commands have made.
PAGES = sorted(path.name for path in DOCS.glob("*.rst") if blocks(path.name))
PAGES.remove("campaign.rst")
PAGES.remove("tutorial.rst")


@pytest.mark.network
@pytest.mark.parametrize("page", PAGES)
def test_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for number, block in enumerate(blocks(page)):
        if "import skops" in block:
            pytest.importorskip("skops")
        exec(compile(block, f"{page}, block {number}", "exec"), namespace)


STEP = re.compile(r"^\.\. code-block:: (python|console)\n\n((?: +.*\n|\n)+)", re.MULTILINE)


@pytest.mark.network
def test_the_tutorial_runs_from_its_first_line_to_its_last(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for kind, block in STEP.findall((DOCS / "tutorial.rst").read_text(encoding="utf-8")):
        if kind == "python":
            namespace = {"__name__": "__main__"}  # each is a file of its own
            exec(compile(dedent(block), "tutorial.rst", "exec"), namespace)
            continue
        command, *shown = dedent(block).strip().splitlines()
        program, *arguments = shlex.split(command.removeprefix("$ "))
        assert program == "skcfgp"
        done = CliRunner().invoke(main, arguments)
        assert done.exit_code == 0, done.output
        assert set(shown) <= set(done.output.splitlines())
    assert namespace["inside"].mean() > 0.9
    assert Path("moduli.html").stat().st_size > 10_000


def test_every_block_of_python_is_found():
    for page in DOCS.glob("*.rst"):
        marks = page.read_text(encoding="utf-8").count("\n.. code-block:: python\n")
        assert len(blocks(page.name)) == marks, page.name
