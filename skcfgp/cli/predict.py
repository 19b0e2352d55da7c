"""The command ``skcfgp predict``."""

from pathlib import Path

import click

from .folders import check_output
from .model import (
    OUT_HELP,
    check_model_options,
    model_options,
    predict_found,
    read_crystals,
    unusable,
)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@model_options
@click.option("--out", "-o", type=click.Path(path_type=Path), help=f"{OUT_HELP}. Default: print.")
def predict(files, out, coverage, **options):
    """Predict your own crystals, with error bars.

    Without --train and --model the predictions are formation energies in eV/atom, learnt from the
    bundled ones.

    FILES are CIF, POSCAR, XYZ, JSON or ASE database files, folders of them, or tables of crystals:
    CSV or Parquet with a column "file", "structure" or, with --recipe composition, "formula". A
    crystal that cannot be used keeps its row, with the reason in the column "error", and makes the
    exit code 1.

    \b
    Examples:
      skcfgp predict crystals/ --out predictions.csv
      skcfgp predict new/*.cif --train labelled.csv --unit GPa
      skcfgp predict new.csv --train labelled.csv --target n --estimates gap_pbe
      skcfgp predict formulas.csv --train labelled.csv --recipe composition
      skcfgp predict new/*.cif --model folder-of-skcfgp-fit
    """  # noqa: D301  click looks for the backspace
    check_model_options(options)
    if out is not None:
        check_output(out)
    found = read_crystals(files, options)
    table, _, n_refused = predict_found(found, options, coverage, keep_in(out))
    write(table, out)
    unusable(int((table["error"] != "").sum()), len(table), n_refused)


def keep_in(out):
    """Return a function that keeps the finished rows of a run that failed."""

    def keep(table):
        click.echo(f"{len(table)} rows are finished, and are kept:", err=True)
        write(table, out and out.with_stem(f"{out.stem}.unfinished"))

    return keep


def write(table, out):
    """Write a table to a file, or print it; print it too if the file cannot be written."""
    from ..campaign.tables import write_table
    from ..structures.io import csv_text

    if out is None:
        click.echo(csv_text(table), nl=False)
        return
    try:
        write_table(table, out)
    except OSError:
        click.echo(csv_text(table), nl=False)
        raise
    click.echo(f"wrote {len(table)} rows to {out}", err=True)
