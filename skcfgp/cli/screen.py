"""The command ``skcfgp screen``: which crystals meet a condition, and which to label next."""

import functools
from pathlib import Path

import click

from .folders import check_output, make_folder
from .model import (
    MODEL_NAMES,
    SHARED,
    check_model_options,
    check_no_effect,
    columns_of,
    fit_model,
    model_options,
    predict_found,
    read_crystals,
    say_unused,
    unusable,
)

IN_FOLDER = "without --out FOLDER"


class Bound(click.ParamType):
    """A number, with or without its unit after it: ``300`` or ``"300 GPa"``."""

    name = "number"

    def convert(self, value, param, ctx):
        """Return the number and the unit, or None."""
        if isinstance(value, tuple):
            return value
        number, _, unit = str(value).strip().partition(" ")
        try:
            return float(number), unit.strip() or None
        except ValueError:
            self.fail(f"{value!r} is not a number, with or without a unit: '300 GPa'.", param, ctx)


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--below", type=Bound(), help="Upper bound of the value, such as 0 or '300 GPa'.")
@click.option("--above", type=Bound(), help="Lower bound of the value.")
@click.option("--between", type=Bound(), nargs=2, help="Both bounds of the value.")
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
@SHARED["rescale"]
@model_options
@click.option(
    "--out",
    "-o",
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
def screen(files, below, above, between, cut, edge_cases, rescale, out, coverage, **options):
    """Find the crystals that probably meet a condition.

    FILES is the folder of a campaign, or files, folders and tables of crystals. Prints how many
    crystals are expected to meet the condition, how many of them a cut finds and misses, and the
    edge cases: the crystals whose label would remove most of the expected number of wrong
    decisions.

    A bound is in the unit of the predictions: that of the campaign, of --train or, without either,
    eV/atom. With its own unit, as in --above '300 GPa', it is checked.

    With --out FOLDER the pool, one file or folder, is predicted in chunks, by several processes or
    on a Dask cluster, and the predictions are written there as Parquet; the same command
    resumes a run that was stopped. A condition is then optional.

    \b
    Examples:
      skcfgp screen oxides --between 1.1 1.7
      skcfgp screen crystals/ --below 0.0 --cut 0.9 --out stable.csv
      skcfgp screen pool.parquet --below 0.0 --out predictions --workers 4 --top 1000
    """  # noqa: D301  click looks for the backspace
    pool = {name: options.pop(name) for name in ("top", "workers", "scheduler", "chunk_size")}
    in_folder = out is not None and out.suffix.lower() not in (".csv", ".json")
    is_campaign = _is_campaign(files)
    condition, unit = _condition(in_folder, below, above, between)
    _check_options(options, condition, in_folder, is_campaign, out, pool["scheduler"])
    if in_folder and (is_campaign or len(files) != 1):
        raise click.UsageError("--out FOLDER takes one pool: a file or a folder of crystals.")
    if not (is_campaign or options["train"] or options["model"]):
        _check_bundled(condition, unit)
    if in_folder:
        make_folder(out)
    elif out is not None:
        check_output(out)
    if in_folder:
        _screen_pool(files[0], out, condition, unit, cut, edge_cases, coverage, options, pool)
        return
    if is_campaign:
        table, n_refused = None, 0
        options = {"cut": cut, "rescale": rescale, "coverage": coverage}
        found, known_unit = _screen_campaign(files[0], condition, unit, options)
    else:
        from ..screening import screen as screen_table
        from .predict import keep_in

        table, known_unit, n_refused = predict_found(
            read_crystals(files, options),
            options,
            coverage,
            keep_in(out),
            functools.partial(_check_unit, unit),
        )
        found = screen_table(table, condition, cut)
    _say(found, edge_cases, condition, known_unit)
    if out is not None:
        from .predict import write

        write(found.table, out)
    if table is not None:
        unusable(int((table["error"] != "").sum()), len(table), n_refused)


def _condition(in_folder, below, above, between):
    """Make the condition of the bounds; return it, or None, with the unit that they were given."""
    from ..screening import Condition

    given = [bound for bound in (below, above, *(between or ())) if bound is not None]
    if in_folder and not given:
        return None, None
    if sum(bound is not None for bound in (below, above, between)) != 1:
        raise click.UsageError("give one of --below, --above and --between.")
    units = {unit for _, unit in given if unit}
    if len(units) > 1:
        raise click.UsageError(f"the bounds have different units: {' and '.join(sorted(units))}.")
    values = {name: value and value[0] for name, value in (("below", below), ("above", above))}
    values["between"] = between and [value for value, _ in between]
    return Condition.of(**values), next(iter(units), None)


def _check_options(options, condition, in_folder, is_campaign, out, scheduler):
    """Refuse options that have no effect, before the work."""
    if not in_folder:
        check_no_effect(("top", "workers", "scheduler", "chunk_size"), IN_FOLDER)
    if out is None:
        check_no_effect(("coverage",), "without --out, since no interval is printed")
    if condition is None:
        check_no_effect(("cut", "edge_cases"), "without a condition")
    if scheduler is not None:
        check_no_effect(("workers",), "with --scheduler, which has its own workers")
    if is_campaign:
        check_no_effect(MODEL_NAMES, "on a campaign, which has its own model")
        return
    check_no_effect(("rescale",), "on files, which have no labels to compare with")
    check_model_options(options)


def _check_unit(unit, known):
    """Refuse a bound in another unit than that of the predictions."""
    if unit and unit != known:
        has = f"are in {known}" if known else "have no unit; name it with --unit"
        raise click.UsageError(f"the bound is in {unit}, and the predictions {has}.")


def _check_bundled(condition, unit):
    """Refuse a condition that cannot be meant for formation energies."""
    from ..datasets import load_formation_energy

    data = load_formation_energy(structures="arrays")
    _check_unit(unit, data.unit)
    low, high = data.target.min(), data.target.max()
    width = high - low
    bounds = () if condition is None else (condition.low, condition.high)
    for bound in bounds:
        if abs(bound) != float("inf") and not low - width <= bound <= high + width:
            raise click.UsageError(
                f"{bound:g} is no formation energy in {data.unit}, which is what is predicted "
                f"without --train (known are {low:.1f} to {high:.1f}). For another property give "
                "labels with --train."
            )


def _is_campaign(files):
    from ..campaign.store import FILE_NAME

    return len(files) == 1 and (files[0] / FILE_NAME).exists()


def _screen_campaign(folder, condition, unit, options):
    from ..campaign import Campaign

    campaign = Campaign(folder)
    known = campaign.state().settings["unit"]
    _check_unit(unit, known)
    limits = {"between": (condition.low, condition.high)}
    return campaign.screen(**limits, **options), known


def _screen_pool(path, out, condition, unit, cut, edge_cases, coverage, options, pool):
    """Predict a pool into a folder, and screen what is there."""
    from ..campaign.tables import write_table

    predictions, known, n_refused = _predict_pool(path, out, unit, coverage, options, pool)
    write_table(predictions.top(pool["top"], condition or "std"), out / "top.csv")
    click.echo(f"wrote the first {pool['top']} to {out / 'top.csv'}")
    if condition is not None:
        _say(predictions.screen(condition, cut, max(1, edge_cases)), edge_cases, condition, known)
    n_failed = say_unused(predictions.failures())
    unusable(n_failed, sum(len(part) for part in predictions.parts()), n_refused)


def _predict_pool(path, out, unit, coverage, options, pool):
    """Predict a pool into a folder, with a progress bar."""
    from tqdm import tqdm

    from ..screening import Pool, predict_pool

    crystals = Pool(path, columns_of(options))
    n = crystals.count()  # refuses an unknown format before the work
    check_unit = functools.partial(_check_unit, unit)
    model, known, n_refused = fit_model(**options, pool=crystals.named, check_unit=check_unit)
    with tqdm(total=n, unit="crystal", disable=None) as bar:
        found = predict_pool(
            model,
            path,
            out,
            unit=known,
            coverage=coverage,
            columns=columns_of(options),
            chunk_size=pool["chunk_size"],
            scheduler=pool["scheduler"],
            n_workers=pool["workers"] or 1,
            progress=bar.update,
        )
    return found, known, n_refused


def _say(found, edge_cases, condition, unit):
    """Print the numbers of a screening and its edge cases."""
    click.echo(f"{condition} {unit}".rstrip() + f": {found}")
    if found.n_unknown:
        click.echo(f"{found.n_unknown} crystals have no prediction and are in none of the numbers.")
    doubtful = found.edge_cases["p_meets"].between(0.005, 0.995)
    edge = found.edge_cases[doubtful].head(edge_cases)
    if len(edge):
        click.echo("Edge cases, worth a label (std, and p, the probability to meet the condition):")
    for row in edge.itertuples():
        value = f"{row.prediction:.4g} +- {row.std:.4g} {unit}".rstrip()
        click.echo(f"  {row.id}  {row.formula}  {value}, p = {row.p_meets:.2f}")
