"""Print requirements of pyproject.toml, one on a line, for a leg of the tests.

python .github/requirements.py --oldest               the lowest version of each that has one
python .github/requirements.py --without NAME ...     all with the test extra, but not these
"""

import argparse
import re
from pathlib import Path

from packaging.requirements import Requirement

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10
    import tomli as tomllib

#: Extras that the tests without TensorFlow need.
EXTRAS = ("test", "dask")

#: Extras of which the oldest versions are tried: the newest pyarrow takes no numpy 1.
OLDEST = ("dask",)


def main():
    """Print the lines that the options ask for."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--oldest", action="store_true")
    parser.add_argument("--without", nargs="*", default=[])
    chosen = parser.parse_args()
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    lines = list(project["dependencies"])
    for extra in OLDEST if chosen.oldest else EXTRAS:
        lines += project["optional-dependencies"][extra]
    for requirement in map(Requirement, lines):
        if requirement.name in (*chosen.without, "skcfgp"):
            continue
        if chosen.oldest:
            lowest = re.fullmatch(r">=([\d.]+)", str(requirement.specifier))
            print(f"{requirement.name}=={lowest[1]}.*")
        else:
            print(requirement)


if __name__ == "__main__":
    main()
