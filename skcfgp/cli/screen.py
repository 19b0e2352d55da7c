"""The command ``skcfgp screen``: which crystals meet a condition, and which to label next."""

from pathlib import Path

import click

from .predict import columns_of, fit_model, model_options

__all__ = ["screen"]

#: Number of unusable crystals that are named.
SHOWN = 10


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--below", type=float, help="Upper bound of the value.")
@click.option("--above", type=float, help="Lower bound of the value.")
@click.option("--between", type=float, nargs=2, help="Both bounds of the value.")
@click.option(
    "--cut",
    type=float,
    default=0.5,
    show_default=True,
    help="Probability from which a crystal counts as found.",
)
@click.option(
    "--edge-cases",
    type=click.IntRange(min=0),
    default=5,
    show_default=True,
    help="Number of edge cases to print.",
)
@click.option("--rescale", is_flag=True, help="As in 'campaign predict'; only for a campaign.")
@model_options
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Table, .csv or .json; or a folder, for a pool that does not fit into memory.",
)
@click.option(
    "--top",
    type=click.IntRange(min=1),
    default=100,
    show_default=True,
    help="Number of crystals in top.csv of --out FOLDER: the most probable or, without a "
    "condition, those with the largest std.",
)
@click.option(
    "--workers", type=click.IntRange(min=1), help="Number of local processes.  [default: 1]"
)
@click.option("--scheduler", help="Address of a Dask cluster, such as tcp://10.0.0.1:8786.")
@click.option(
    "--chunk-size",
    type=click.IntRange(min=1),
    default=500,
    show_default=True,
    help="Number of crystals in a part of --out FOLDER.",
)
def screen(
    files,
    below,
    above,
    between,
    cut,
    edge_cases,
    rescale,
    out,
    top,
    workers,
    scheduler,
    chunk_size,
    **model,
):
    """Find the crystals that probably meet a condition.

    FILES is the folder of a campaign, or files and folders of crystals. Prints how many crystals
    are expected to meet the condition, how many of them a cut finds and misses, and the edge cases:
    the crystals whose label would remove most of the expected number of wrong decisions.

    With --out FOLDER the pool, one file or folder, is predicted in chunks, by several processes or
    on a Dask cluster if asked, and the predictions are written there as Parquet; the same command
    continues a run that was stopped. A condition is not needed then.

    \b
    Examples:
      skcfgp screen oxides --between 1.1 1.7
      skcfgp screen crystals/ --below 0.0 --cut 0.9 --out stable.csv
      skcfgp screen pool.parquet --below 0.0 --out predictions --workers 4 --top 1000
    """  # noqa: D301  click looks for the backspace
    from ..campaign.tables import write_table
    from ..screening import Condition

    in_folder = out is not None and out.suffix.lower() not in (".csv", ".json")
    condition = None
    if not in_folder or below is not None or above is not None or between is not None:
        condition = Condition.of(below=below, above=above, between=between)
    if not in_folder and (workers or scheduler):
        raise click.UsageError("--workers and --scheduler need --out FOLDER.")
    is_campaign = _is_campaign(files)
    if rescale and not is_campaign:
        raise click.UsageError("--rescale needs a campaign: files have no labels to compare with.")
    if columns_of(model) and (is_campaign or in_folder):
        raise click.UsageError(
            "--estimates and --columns are for tables of crystals: FILES are .csv, and --out is a "
            "table."
        )
    if in_folder:
        if is_campaign or len(files) != 1:
            raise click.UsageError("--out FOLDER takes one pool: a file or a folder of crystals.")
        predictions, unit = _predict_pool(
            files[0], out, model, chunk_size, scheduler=scheduler, n_workers=workers or 1
        )
        path = out / "top.csv"
        write_table(predictions.top(top, condition or "std"), path)
        click.echo(f"wrote the first {top} to {path}")
        if condition is None:
            return
        found = predictions.screen(condition, cut, max(1, edge_cases))
    else:
        from ..screening import screen as screen_table

        table, unit = _campaign_table(files[0], rescale) if is_campaign else _table(files, model)
        found = screen_table(table, condition, cut)
    click.echo(str(found))
    if found.n_unknown:
        click.echo(f"{found.n_unknown} crystals have no prediction and are in none of the numbers.")
    if edge_cases and len(found.edge_cases):
        click.echo("Edge cases, worth a label:")
    for row in found.edge_cases.head(edge_cases).itertuples():
        click.echo(
            f"  {row.id}  {row.formula}  {row.prediction:.4f} +- {row.std:.4f} {unit}, "
            f"p = {row.p_meets:.2f}"
        )
    if out is not None and not in_folder:
        write_table(found.table, out)
        click.echo(f"wrote {len(found.table)} rows to {out}")


def _is_campaign(files):
    from ..campaign.store import FILE_NAME

    return len(files) == 1 and (files[0] / FILE_NAME).exists()


def _campaign_table(folder, rescale):
    from ..campaign import Campaign

    campaign = Campaign(folder)
    return campaign.export(rescale=rescale), campaign.state().settings["unit"]


def _table(files, options):
    from ..models.predictor import predict_crystals, read_files

    crystals = read_files(
        files, columns_of(options)
    )  # an unknown format is an error before the work
    model, unit = fit_model(**options)
    return predict_crystals(model, crystals, unit), unit


def _predict_pool(path, out, options, chunk_size, **workers):
    """Predict a pool into a folder, with a progress bar; name what could not be used."""
    from tqdm import tqdm

    from ..screening import Pool, predict_pool

    n = Pool(path).count()  # refuses an unknown format before the work
    model, unit = fit_model(**options)
    with tqdm(total=n, unit="crystal", disable=None) as bar:
        found = predict_pool(
            model, path, out, unit=unit, chunk_size=chunk_size, progress=bar.update, **workers
        )
    failures = 0
    for id_, reason in found.failures():
        failures += 1
        if failures <= SHOWN:
            click.echo(f"not used: {id_}: {reason}", err=True)
    if failures > SHOWN:
        click.echo(f"and {failures - SHOWN} more; see 'error' in the parts.", err=True)
    return found, unit
