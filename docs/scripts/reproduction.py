"""Write the tables and figures of ``docs/reproduction.rst`` from a full run on oxides.

    python docs/scripts/reproduction.py oxides_10455.npz [--out skcfgp-reproduction]
    python docs/scripts/reproduction.py --tables

Runs ``skcfgp reproduce --retrain --seeds 1 --vary`` on the file in the folder, or goes on with what
is there, and writes ``docs/data/reproduction_oxides.json``, the figures of
``docs/images/reproduction`` and the trained network; two to three hours on one core. With
``--tables`` only the tables, ``results.inc``, are made, of the kept records. Beside them are those
of the bundled formation energies by ``skcfgp reproduce --retrain``, an hour on one core, whose
table is kept as ``docs/data/reproduction_flla.csv``.
"""

import argparse
import csv
import json
from dataclasses import asdict
from io import BytesIO
from itertools import groupby
from pathlib import Path

from PIL import Image

from skcfgp.network import load_network, save_network, use_one_thread
from skcfgp.reproduction import Settings, reproduce
from skcfgp.reproduction.records import Run
from skcfgp.reproduction.table import make_table

DOCS = Path(__file__).parents[1]
DATA, IMAGES = DOCS / "data", DOCS / "images" / "reproduction"
SETTINGS = Settings(retrain=True, seeds=1, vary=True)
TITLES = {
    "1": "Latent structure",
    "2": "Accuracy",
    "3": "Hyper-parameters",
    "4": "Calibration",
    "5": "Active learning",
    "6": "What the paper leaves to future work",
    "7": "Cost",
    "8": "What other choices than the paper's gain",
    "9": "What the gain of active learning hangs on",
}
CARD = {
    "name": "oxides_1800",
    "property": "formation_energy_per_atom",
    "unit": "eV/atom",
    "data": "1,800 oxides of the Materials Project, the training part of the paper's scale",
    "licence": "BSD-3-Clause; trained on values of the Materials Project, CC BY 4.0",
}
SCALES = ("10,455 oxides", "3,938 crystals")


def escape(text):
    for mark in "\\*|`_":
        text = text.replace(mark, "\\" + mark)
    return text


def rows_of(path):
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def cell(line, recipe):
    """Return the value and in brackets the verdict of a line of a table."""
    if not line or not (ours := line[f"ours, {recipe} pipeline"]):
        return ""
    verdict = line[f"held, {recipe} pipeline"]
    return escape(ours) + ("" if verdict == "-" else f" (**{verdict}**)")


def tables(oxides, others):
    """Yield the lines of a table of each group of rows, with both scales side by side."""
    others = {line["row"]: line for line in others}
    heads = [f"{scale}, {who}" for scale in SCALES for who in ("paper's pipeline", "recommended")]
    for group, found in groupby(oxides, key=lambda line: line["row"].split(".")[0]):
        lines, table = list(found), []
        for line in lines:
            pair = line, others.get(line["row"])
            cells = [cell(one, recipe) for one in pair for recipe in ("paper", "recommended")]
            table.append([line["row"], escape(line["claim"]), escape(line["paper"]), *cells])
        used = [k for k in range(7) if any(row[k] for row in table)]
        widths = [(4, 24, 14, 20, 20, 20, 20)[k] for k in used]
        yield from (TITLES[group], "-" * len(TITLES[group]), "", ".. list-table::")
        yield from ("   :header-rows: 1", f"   :widths: {' '.join(map(str, widths))}", "")
        for row in [["", "claim", "paper", *heads], *table]:
            for position, k in enumerate(used):
                yield f"   {'  -' if position else '* -'} {row[k]}".rstrip()
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


def copy_run(out):
    """Keep records, captions, pictures and network of a finished run."""
    IMAGES.mkdir(exist_ok=True)
    records = json.loads((out / "records.json").read_text(encoding="utf-8"))
    records["captions"] = rows_of(out / "figures" / "captions.csv")
    text = json.dumps(records, indent=0) + "\n"
    (DATA / "reproduction_oxides.json").write_text(text, encoding="utf-8")
    for row in records["captions"]:
        small_copy(out / "figures" / row["file"], IMAGES / row["file"])
    network = load_network(out / "networks" / "seed_0")
    network.card = CARD | {"training": {"settings": asdict(SETTINGS)}}
    save_network(network, DATA / "oxides_1800")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path, nargs="?", help="the oxides")
    parser.add_argument("--out", type=Path, default=Path("skcfgp-reproduction"))
    parser.add_argument("--tables", action="store_true", help="make the tables of kept records")
    arguments = parser.parse_args()
    if not arguments.tables:
        if arguments.data is None:
            parser.error("name the file of the oxides, or give --tables")
        use_one_thread()
        options = {"target": "formation_energy_per_atom", "published": "Eform_MP_2019"}
        reproduce(arguments.out, data=arguments.data, settings=SETTINGS, **options)
        copy_run(arguments.out)
    kept = json.loads((DATA / "reproduction_oxides.json").read_text(encoding="utf-8"))
    captions = kept.pop("captions")
    others = rows_of(DATA / "reproduction_flla.csv")
    lines = [*tables(make_table(Run(**kept)), others), "Figures", "-------", ""]
    for row in captions:
        lines += [f".. figure:: images/reproduction/{row['file']}", ""]
        lines += [f"   {escape(row['title'])}. {escape(row['caption'])}", ""]
    (IMAGES / "results.inc").write_text("\n".join(lines).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
