"""The command ``skcfgp predict``: crystals in files to a table."""

import csv
import sys
from pathlib import Path

import click

__all__ = ["predict"]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option(
    "--weights",
    help="Network: a published name, a bundled name or a path. Default: formation_energy_1800, or "
    "Eform_MP_2019 with --train.",
)
@click.option(
    "--layer",
    type=click.Choice(["set2set", "readout_0", "readout_1"]),
    default="set2set",
    show_default=True,
    help="Layer of the network that gives the latent vectors.",
)
@click.option(
    "--train",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV of your labelled crystals: a column 'file' (paths, relative to the CSV) and one with "
    "the values. Default: the bundled formation energies.",
)
@click.option("--target", help="Column of --train with the values, if there are several.")
@click.option("--unit", default="", help="Unit of the values in --train, for the output.")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Default: print.")
def predict(files, weights, layer, train, target, unit, out):
    """Predict your own crystals, with error bars.

    FILES are CIF, POSCAR, XYZ, JSON or ASE database files, or folders of them. A crystal that
    cannot be used keeps its row, with the reason in the column "error", and makes the exit code 1.

    \b
    Examples:
      skcfgp predict crystals/ --out predictions.csv
      skcfgp predict new/*.cif --train labelled.csv --unit GPa
    """  # noqa: D301  click looks for the backspace
    from ..models.predictor import predict_files
    from ..structures.tables import read_labelled

    weights = weights or ("Eform_MP_2019" if train else "formation_energy_1800")
    rows = predict_files(files, read_labelled(train, target), weights, layer, unit)
    if out is None:
        _write_csv(rows, sys.stdout)
    else:
        with out.open("w", newline="", encoding="utf-8") as file:
            _write_csv(rows, file)
    failed = sum(bool(row["error"]) for row in rows)
    if failed:
        raise click.ClickException(
            f"{failed} of {len(rows)} crystals could not be used; see 'error'."
        )


def _write_csv(rows, file):
    writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
