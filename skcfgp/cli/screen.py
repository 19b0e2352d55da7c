"""The command ``skcfgp screen``: which crystals meet a condition, and who to ask next."""

from pathlib import Path

import click

__all__ = ["screen"]

#: Crystals that could not be used and are named.
SHOWN = 10

OF_POOL = "Crystals in top.csv: the most probable, or without a condition those of largest std."


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--below", type=float, help="The value is below this.")
@click.option("--above", type=float, help="The value is above this.")
@click.option("--between", type=float, nargs=2, help="The value is between these two.")
@click.option(
    "--cut",
    type=float,
    default=0.5,
    show_default=True,
    help="Probability from which a crystal counts as found.",
)
@click.option("--edge-cases", type=int, default=5, show_default=True, help="How many to name.")
@click.option("--rescale", is_flag=True, help="As in 'campaign predict'; of a campaign only.")
@click.option(
    "--weights", default="formation_energy_1800", show_default=True, help="Network, for files."
)
@click.option(
    "--train",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="As in 'predict', for files. Default: the bundled formation energies, in eV/atom.",
)
@click.option("--target", help="Column of --train with the values, if there are several.")
@click.option(
    "--out",
    type=click.Path(path_type=Path),
    help="Table, .csv or .json; or a folder, for a pool that does not fit into memory.",
)
@click.option("--top", type=click.IntRange(min=1), default=100, show_default=True, help=OF_POOL)
@click.option("--workers", type=click.IntRange(min=1), help="Local processes.  [default: 1]")
@click.option("--scheduler", help="Address of a Dask cluster, such as tcp://10.0.0.1:8786.")
@click.option("--chunk-size", type=click.IntRange(min=1), default=500, show_default=True)
def screen(
    files,
    below,
    above,
    between,
    cut,
    edge_cases,
    rescale,
    weights,
    train,
    target,
    out,
    top,
    workers,
    scheduler,
    chunk_size,
):
    """Find the crystals that probably meet a condition.

    FILES is the folder of a campaign, or files and folders of crystals. Prints how many crystals
    are expected to meet the condition, how many of them a cut finds and misses, and the edge cases:
    the crystals whose label would remove most of the expected number of wrong decisions.

    With --out FOLDER the pool, one file or folder, is predicted in chunks, by several processes or
    on a Dask cluster if asked, and the predictions are written there as Parquet; the same command
    goes on with a run that was stopped. A condition is not needed then.

    \b
    Examples:
      skcfgp screen oxides --between 1.1 1.7
      skcfgp screen crystals/ --below 0.0 --cut 0.9 --out stable.csv
      skcfgp screen pool.parquet --below 0.0 --out predictions --workers 4 --top 1000
    """  # noqa: D301  click looks for the backspace
    from ..campaign.tables import write_table
    from ..screening import Condition
    from ..screening import screen as find

    given = below is not None or above is not None or between is not None
    in_folder = out is not None and out.suffix.lower() not in (".csv", ".json")
    condition = None
    if given or not in_folder:
        condition = Condition.of(below=below, above=above, between=between)
    if not in_folder and (workers or scheduler):
        raise click.UsageError("--workers and --scheduler need --out FOLDER.")
    if in_folder:
        if rescale:
            raise ValueError("--rescale is for a campaign: files have no labels to compare with.")
        predictions, unit = _screen_pool(
            files, out, weights, train, target, scheduler, workers or 1, chunk_size
        )
        path = out / "top.csv"
        write_table(predictions.top(top, condition or "std"), path)
        click.echo(f"wrote the first {top} to {path}")
        if condition is None:
            return
        found = predictions.screen(condition, cut, max(1, edge_cases))
    else:
        found, unit = _screen(files, condition, cut, rescale, weights, train, target, find)
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


def _screen_pool(files, out, weights, train, target, scheduler, workers, chunk_size):
    """Predict a pool into a folder; say how far it is, and what could not be used."""
    from tqdm import tqdm

    from ..campaign.store import FILE_NAME
    from ..models.predictor import fit_predictor
    from ..screening import Pool, screen_pool
    from ..structures.tables import read_labelled

    if len(files) != 1 or (files[0] / FILE_NAME).exists():
        raise ValueError("--out FOLDER takes one pool: a file or a folder of crystals.")
    n = Pool(files[0]).count()  # an unknown format is said before the work
    model, unit = fit_predictor(read_labelled(train, target), weights)
    with tqdm(total=n, unit="crystal", disable=None) as bar:
        found = screen_pool(
            model,
            files[0],
            out,
            chunk_size=chunk_size,
            scheduler=scheduler,
            n_workers=workers,
            progress=bar.update,
        )
    failures = 0
    for id_, reason in found.failures():
        failures += 1
        if failures <= SHOWN:
            click.echo(f"not used: {id_}: {reason}", err=True)
    if failures > SHOWN:
        click.echo(f"and {failures - SHOWN} more; see 'error' in the parts.", err=True)
    return found, unit


def _screen(files, condition, cut, rescale, weights, train, target, find):
    from ..campaign.store import FILE_NAME

    if len(files) == 1 and (files[0] / FILE_NAME).exists():
        from ..campaign import Campaign

        campaign = Campaign(files[0])
        table = campaign.export(rescale=rescale)
        return find(table, condition, cut), campaign.state().settings["unit"]
    if rescale:
        raise ValueError("--rescale is for a campaign: files have no labels to compare with.")
    import pandas as pd

    from ..models.predictor import predict_files
    from ..structures.tables import read_labelled

    labelled = read_labelled(train, target)
    table = pd.DataFrame(predict_files(files, labelled, weights, "set2set"))
    for name in ("prediction", "std"):
        table[name] = pd.to_numeric(table[name])
    return find(table, condition, cut), table["unit"].iloc[0]
