"""Check every link inside the built pages: the file is there, and so is the place in it.

python docs/scripts/check_links.py docs/_build
"""

import re
import sys
from functools import cache
from pathlib import Path
from urllib.parse import unquote


@cache
def read(page):
    return page.read_text(encoding="utf-8")


def broken_links(root):
    pages = [page for page in root.rglob("*.html") if "_static" not in page.parts]
    if not pages:
        raise SystemExit(f"there are no pages in {root}.")
    for page in pages:
        for link in re.findall(r'(?:href|src)="([^"]+)"', read(page)):
            if re.match(r"[a-z]+:|//", link):  # elsewhere
                continue
            path, _, place = link.partition("#")
            place = place.partition(":~:")[0]  # what comes after it are words to look for
            target = (page.parent / unquote(path.partition("?")[0])).resolve() if path else page
            if not target.exists() or (
                place and target.suffix == ".html" and f'id="{place}"' not in read(target)
            ):
                yield f"{page.relative_to(root)}: {link}"


if __name__ == "__main__":
    if broken := list(broken_links(Path(sys.argv[1]).resolve())):
        raise SystemExit("\n".join(broken))
