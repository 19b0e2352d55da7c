"""Write the tables and figures of ``docs/reproduction.rst`` from a full run.

    python docs/scripts/reproduction.py [--out skcfgp-reproduction]

Runs ``skcfgp reproduce --retrain`` in the folder, or goes on with what is there, and writes
``docs/images/reproduction``: figures, and ``results.inc`` with tables and captions. An hour on
one core, most of it the training of networks.
"""

import argparse
import csv
from io import BytesIO
from itertools import groupby
from pathlib import Path

from PIL import Image

from skcfgp.network import use_one_thread
from skcfgp.reproduction import Settings, reproduce

DOCS = Path(__file__).parents[1]
TITLES = {
    "1": "Latent structure",
    "2": "Accuracy",
    "3": "Hyper-parameters",
    "4": "Calibration",
    "5": "Active learning",
    "6": "What the paper leaves to future work",
    "7": "Cost",
}
HEAD = ("", "claim", "paper", "paper's pipeline", "held", "recommended pipeline", "held")
COLUMNS = (
    "row", "claim", "paper", "ours, paper pipeline", "held, paper pipeline",
    "ours, recommended pipeline", "held, recommended pipeline",
)  # fmt: skip


def escape(text):
    for mark in "\\*|`_":
        text = text.replace(mark, "\\" + mark)
    return text


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def tables(rows):
    for group, lines in groupby(rows, key=lambda row: row["row"].split(".")[0]):
        lines = list(lines)
        yield from (TITLES[group], "-" * len(TITLES[group]), "")
        used = [k for k, name in enumerate(COLUMNS) if any(line[name] for line in lines)]
        if not any(line["ours, recommended pipeline"] for line in lines):
            used = [k for k in used if k != 6]
        widths = [(4, 26, 16, 26, 6, 26, 6)[k] for k in used]
        yield from (".. list-table::", "   :header-rows: 1")
        yield f"   :widths: {' '.join(map(str, widths))}"
        yield ""
        for line in [None, *lines]:
            for position, k in enumerate(used):
                text = HEAD[k] if line is None else line[COLUMNS[k]]
                yield f"   {'  -' if position else '* -'} {escape(text)}".rstrip()
        yield ""
        by_criterion = {}
        for line in lines:
            by_criterion.setdefault(line["criterion"], []).append(line["row"])
        for criterion, names in by_criterion.items():
            if criterion:
                yield f"- {', '.join(names)} held if: {escape(criterion)}."
        yield ""


def small_copy(path, target):
    """Copy a picture with 200 colours: less than 200 kB."""
    image = Image.open(BytesIO(path.read_bytes())).convert("RGB")
    image.quantize(200, dither=Image.Dither.NONE).save(target, optimize=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("skcfgp-reproduction"))
    parser.add_argument("--quick", action="store_true")
    arguments = parser.parse_args()
    settings = Settings.quick() if arguments.quick else Settings(retrain=True)
    use_one_thread()
    reproduce(arguments.out, settings=settings)
    images = DOCS / "images" / "reproduction"
    images.mkdir(exist_ok=True)
    lines = [*tables(rows_of(arguments.out / "table.csv")), "Figures", "-------", ""]
    for row in rows_of(arguments.out / "figures" / "captions.csv"):
        small_copy(arguments.out / "figures" / row["file"], images / row["file"])
        lines += [f".. figure:: images/reproduction/{row['file']}", ""]
        lines += [f"   {escape(row['title'])}. {escape(row['caption'])}", ""]
    (images / "results.inc").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
