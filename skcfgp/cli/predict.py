"""The command ``skcfgp predict``, and the options of the model that it shares with ``screen``."""

from pathlib import Path

import click

__all__ = ["columns_of", "fit_model", "model_options", "predict", "split_names"]


def split_names(context, option, values):
    """Split the names of columns, which may be separated by commas."""
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


MODEL_OPTIONS = [
    click.option(
        "--train",
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="CSV of your labelled crystals: a column 'file' (paths, relative to the CSV) and one "
        "with the values. Default: the bundled formation energies.",
    ),
    click.option("--target", help="Column of --train with the values, if there are several."),
    click.option("--unit", default="", help="Unit of the values in --train, for the output."),
    click.option(
        "--weights",
        help="Network: a published name, a bundled name or a path. Default: formation_energy_1800, "
        "or Eform_MP_2019 with --train.",
    ),
    click.option(
        "--layer",
        type=click.Choice(["set2set", "readout_0", "readout_1"]),
        default="set2set",
        show_default=True,
        help="Layer of the network that gives the latent vectors.",
    ),
    click.option(
        "--estimates",
        multiple=True,
        callback=split_names,
        help="Columns of --train, and of FILES, that estimate the values cheaply: another "
        "property, a cheaper method. FILES are tables (.csv) then. Several with commas.",
    ),
    click.option(
        "--columns",
        multiple=True,
        callback=split_names,
        help="Columns on which the values depend in another way, such as a temperature.",
    ),
]


def model_options(command):
    """Add the options of `fit_model` to a command."""
    for option in reversed(MODEL_OPTIONS):
        command = option(command)
    return command


def fit_model(train, target, unit, weights, layer, estimates, columns):
    """Fit the model that the options ask for; return it with the unit of its predictions."""
    from ..models.predictor import fit_predictor
    from ..structures.tables import read_labelled

    labelled = read_labelled(train, target, [*estimates, *columns])
    return fit_predictor(labelled, weights, layer, unit, estimates, columns)


def columns_of(options):
    """Return the columns that FILES must have beside the crystals."""
    return [*options["estimates"], *options["columns"]]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@model_options
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Default: print.")
def predict(files, out, **options):
    """Predict your own crystals, with error bars.

    FILES are CIF, POSCAR, XYZ, JSON or ASE database files, or folders of them; with --estimates or
    --columns, CSV tables with a column "file" or "structure". A crystal that cannot be used keeps
    its row, with the reason in the column "error", and makes the exit code 1.

    \b
    Examples:
      skcfgp predict crystals/ --out predictions.csv
      skcfgp predict new/*.cif --train labelled.csv --unit GPa
      skcfgp predict new.csv --train labelled.csv --target n --estimates gap_pbe
    """  # noqa: D301  click looks for the backspace
    from ..models.predictor import predict_crystals, read_files

    crystals = read_files(
        files, columns_of(options)
    )  # an unknown format is an error before the work
    model, unit = fit_model(**options)
    table = predict_crystals(model, crystals, unit)
    from ..structures.io import atomic_write, csv_text

    if out is None:
        click.echo(csv_text(table), nl=False)
    else:
        with atomic_write(out) as path:
            path.write_text(csv_text(table), encoding="utf-8", newline="")
    if failed := int((table["error"] != "").sum()):
        raise click.ClickException(
            f"{failed} of {len(table)} crystals could not be used; see 'error'."
        )
