"""The Python blocks of the pages run as they stand, each page from its top."""

import re
from pathlib import Path
from textwrap import dedent

import pytest

DOCS = Path(__file__).parents[1] / "docs"
# A block inside a list is a fragment.
BLOCK = re.compile(r"^\.\. code-block:: python\n\n((?: +.*\n|\n)+)", re.MULTILINE)


def blocks(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    return [dedent(found[1]) for found in BLOCK.finditer(text)]


# The block of the campaign page needs the campaign that its commands have made.
PAGES = sorted(path.name for path in DOCS.glob("*.rst") if blocks(path.name))
PAGES.remove("campaign.rst")


@pytest.mark.network
@pytest.mark.parametrize("page", PAGES)
def test_blocks_run(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    namespace = {"__name__": "__main__"}
    for number, block in enumerate(blocks(page)):
        exec(compile(block, f"{page}, block {number}", "exec"), namespace)


def test_every_block_of_python_is_found():
    for page in DOCS.glob("*.rst"):
        marks = page.read_text(encoding="utf-8").count("\n.. code-block:: python\n")
        assert len(blocks(page.name)) == marks, page.name
