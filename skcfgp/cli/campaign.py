"""The commands ``skcfgp campaign ...``, which call `skcfgp.campaign.Campaign`."""

import functools
import json
from pathlib import Path
from shlex import quote

import click

from .model import OUT_HELP, SHARED, check_no_effect, check_recipe
from .saved import labels_of_model, settings_of_model
from .values import Goal, WithGoal, json_object

FOLDER = click.argument("folder", metavar="NAME", type=click.Path(path_type=Path))
FILES = click.Path(path_type=Path)
POOL_HELP = (
    "Files or folders of crystals, or tables of them (.csv, .parquet, .json, .jsonl) with a column "
    "'structure', 'file' or, with --recipe composition, 'formula'; may be given several times."
)

#: Headings of the numbers of a suggestion.
NUMBERS = {"prediction": "prediction ({})", "std": "std", "lower": "lower", "upper": "upper"}
LEGEND = (
    "95 % of the values lie between lower and upper. No. 1 of the pool has the largest std. The "
    "correlation is that of two labels: 0 if one says nothing about the other, 1 if everything."
)
NO_MODEL = "A model needs two labels; until there are ten, the choice follows a design."


@click.group()
def campaign():
    """Choose, label and learn crystals, one batch after another.

    NAME is a folder. All data of the campaign are in its file campaign.sqlite, which survives
    crashes.

    \b
    Examples:
      skcfgp campaign init oxides --pool crystals/ --target band_gap --unit eV
      skcfgp campaign suggest oxides -n 10 --out jobs
      skcfgp campaign tell oxides jobs/batch-2.csv
      skcfgp campaign status oxides
      skcfgp campaign report oxides
    """  # noqa: D301  click looks for the backspace


def _opened(command):
    """Give a command the `Campaign` in its folder."""

    @functools.wraps(command)
    def opened(folder, **options):
        from ..campaign import Campaign

        return command(Campaign(folder), **options)

    return FOLDER(opened)


@campaign.command(cls=WithGoal)
@FOLDER
@click.option("--pool", multiple=True, type=FILES, help=POOL_HELP)
@click.option("--optimade", metavar="URL", help="OPTIMADE database to read instead of --pool.")
@click.option("--filter", "question", default="", help="OPTIMADE filter, for --optimade.")
@click.option(
    "--materials-project",
    "query",
    metavar="JSON",
    help="Search terms of mp-api, instead of --pool, such as "
    '\'{"elements": ["Ga", "N"], "num_elements": 2}\'. The key is taken from MP_API_KEY.',
)
@SHARED["train"]
@SHARED["model"]
@click.option("--target", help="Name of the property. Required without --model.")
@click.option("--unit", help="Unit of its values, such as eV/atom. Required without --model.")
@SHARED["log"]
@SHARED["recipe"]
@SHARED["weights"]
@SHARED["estimates"]
@SHARED["columns"]
@click.option(
    "--goal",
    type=Goal(),
    default="explore",
    show_default=True,
    help="What the labels are for: explore (know the property everywhere), maximize, minimize, or "
    "between A B (find out which crystals lie there).",
)
@click.option(
    "--strategy",
    default="recommended",
    show_default=True,
    help="Query strategy: recommended (for the goal), integrated_variance, greedy_max_std, "
    "max_std, greedy_k_center, random_sampling; with a goal also expected_improvement, "
    "upper_confidence_bound, probability_of_improvement, thompson_sampling or level_set.",
)
@click.option(
    "--random-fraction",
    type=float,
    default=0.0,
    show_default=True,
    help="Fraction of the suggestions drawn at random, to measure the gain.",
)
@click.option("--cost", help="Column of the pool's table, or nsites^K: suggest by score per cost.")
@click.option(
    "--until",
    multiple=True,
    help="Rule to stop: 'max-std < X', 'mean-std < X', "
    "'expected-error < X', 'expected-gain < X' (with a goal), 'labels >= N', 'cost >= C', no-gain.",
)
@click.option(
    "--overdue-after",
    type=float,
    default=7.0,
    show_default=True,
    help="Days until a label is overdue.",
)
@click.option(
    "--random-state", type=int, default=0, show_default=True, help="Seed of the random draws."
)
def init(folder, pool, optimade, question, query, model, **options):
    """Begin a campaign.

    Crystals and labels that cannot be used are listed with the reason, and make the exit code 1;
    the others are in. Without --train the first suggestions are the crystals whose labels say most
    about all others.

    With --model the campaign has the recipe, network, columns, target, unit and logarithm of a
    model of 'skcfgp fit', and the labels of crystals of the pool that the model has learnt.
    """
    from ..campaign import Campaign, Refusal

    if [bool(pool), optimade is not None, query is not None].count(True) != 1:
        raise click.UsageError("give one of --pool, --optimade and --materials-project.")
    if question and optimade is None:
        raise click.UsageError("--filter is for --optimade.")
    options |= {} if model is None else settings_of_model(model)
    for name in ("target", "unit"):
        if not options[name]:
            raise click.UsageError(f"Missing option '--{name}'.")
    check_recipe(options["recipe"])
    if options["strategy"] == "random_sampling":
        check_no_effect(("random_fraction",), "with --strategy random_sampling")
    options = {name: value for name, value in options.items() if value is not None}
    options |= {"labelled": options.pop("train", None)}
    if model is not None and options["labelled"] is None:
        options["labelled"] = labels_of_model(model, [*options["estimates"], *options["columns"]])
    pool = list(pool)
    if optimade is not None:
        from ..structures import read_optimade

        pool = read_optimade(optimade, question, cache_dir=folder / "optimade")
    if query is not None:
        from ..structures import read_materials_project

        pool = read_materials_project(json_object(query), cache_dir=folder / "materials-project")
    state = Campaign.init(folder, pool, **options).state()
    for refused in state.refused:
        click.echo(f"refused: {refused['name']}: {refused['reason']}", err=True)
    for label in state.refused_labels:
        click.echo(f"refused label: {Refusal(**label)}", err=True)
    labels = f" and {len(state.refused_labels)} labels" if state.refused_labels else ""
    click.echo(
        f"{folder}: {len(state.ids)} crystals are in, {len(state.labels)} of them labelled; "
        f"{len(state.refused)}{labels} refused."
    )
    if n := min(10, state.counts()["pool"]):
        click.echo(f"next: skcfgp campaign suggest {quote(str(folder))} -n {n} --out jobs")
    if state.refused or state.refused_labels:
        raise click.exceptions.Exit(1)


@campaign.command()
@_opened
@click.option("--pool", multiple=True, required=True, type=FILES, help=POOL_HELP)
def add(opened, pool):
    """Add crystals to the pool.

    Crystals that cannot be used are listed with the reason, and make the exit code 1.
    """
    ids, refused = opened.add(list(pool))
    for refusal in refused:
        click.echo(f"refused: {refusal}", err=True)
    click.echo(f"{len(ids)} crystals are in; {len(refused)} refused.")
    if refused:
        raise click.exceptions.Exit(1)


@campaign.command()
@_opened
@click.option("-n", type=int, default=1, show_default=True, help="Number of crystals.")
@click.option("--out", "-o", type=FILES, help="Folder for input files of calculations.")
@click.option(
    "--format",
    "fmt",
    type=click.Choice(["cif", "poscar"]),
    default="cif",
    show_default=True,
    help="Format of these files.",
)
@click.option("--anyway", is_flag=True, help="Go on although a rule to stop is met.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def suggest(opened, n, out, fmt, anyway, as_json):
    """Choose the next crystals, and mark them as pending.

    With --out their files are written, with a table of ids and files. Add a column of results to
    this table, and give it to 'tell'. The choice takes into account that pending labels will come.
    """
    from ..campaign import StoppedError
    from ..campaign.wording import what_was_written, why

    if out is None:
        check_no_effect(("fmt",), "without --out")

    try:
        picks = opened.suggest(n, out=out, fmt=fmt, anyway=anyway)
    except StoppedError as error:
        raise click.ClickException(f"{error} Use --anyway to go on.") from error
    if as_json:
        click.echo(json.dumps(picks, indent=1))
        return
    unit = opened.settings["unit"]
    names = () if picks[0]["std"] is None else ("prediction", "std", "lower", "upper")
    rows = [["id", "formula", *(NUMBERS[name].format(unit) for name in names), "why"]]
    for pick in picks:
        numbers = [f"{pick[name]:.4g}" for name in names]
        rows.append([pick["id"], pick["formula"], *numbers, why(pick)])
    _table(rows)
    click.echo(LEGEND if names else NO_MODEL)
    if out is not None:
        for line in what_was_written(picks, opened.store.path.parent, opened.settings):
            click.echo(line)


@campaign.command()
@_opened
@click.argument("results", required=False, type=click.Path(path_type=Path, dir_okay=False))
@click.option("--id", "id_", help="Id of one crystal, instead of a file.")
@click.option("--value", type=float, help="Its value.")
@click.option("--std", type=float, help="Standard error of the value.")
@click.option("--failed", "failed", help="Id of a crystal that failed and will have no value.")
@click.option("--reason", help="Why it failed.")
@click.option("--unit", help="Unit of the values without one; it is checked.")
@click.option("--replace", is_flag=True, help="Replace known values.")
def tell(opened, results, id_, value, std, failed, reason, unit, replace):
    """Take in results, from a table or one by --id and --value.

    The table (CSV, Parquet or JSON) has a column id or file, and one of values, named value or like
    the target. Rows may come in any order, some at a time, and again. A row that is wrong is
    refused, with its line; the others are taken in, and the exit code is 1. Optional columns are
    label_std (standard error of the value), unit, and failed with a reason.
    """
    from ..campaign import RefusedRowsError

    if [results is not None, id_ is not None, failed is not None].count(True) != 1:
        raise click.UsageError("give a file, --id with --value, or --failed with --reason.")
    if (id_ is None) != (value is None) or (failed is None) != (reason is None):
        raise click.UsageError("--id goes with --value, and --failed with --reason.")
    if std is not None and id_ is None:
        raise click.UsageError("--std goes with --id; a file has a column 'label_std' for it.")
    if failed is not None:
        check_no_effect(("unit",), "with --failed, which has no value")
    try:
        if failed is not None:
            told = opened.fail(failed, reason, replace=replace)
        else:
            options = {"std": std, "unit": unit, "replace": replace}
            told = opened.tell(results, id=id_, value=value, **options)
    except RefusedRowsError as error:
        _say_told(error.told)
        raise click.exceptions.Exit(1) from error
    _say_told(told)


def _say_told(told):
    for refusal in told.refused:
        click.echo(f"refused: {refusal}", err=True)
    click.echo(
        f"{len(told.labelled)} labels are in, {len(told.failed)} failures, "
        f"{len(told.repeated)} were known, {len(told.refused)} refused."
    )
    if told.alarm:
        click.echo(f"ALARM: {told.alarm}", err=True)


@campaign.command()
@_opened
@click.argument("ids", nargs=-1, required=True)
def release(opened, ids):
    """Put pending or failed crystals back into the pool."""
    opened.release(ids)
    click.echo(f"{len(ids)} crystals are in the pool again.")


@campaign.command()
@_opened
def undo(opened):
    """Take back the last tell."""
    event = opened.undo()
    ids = [row["id"] for row in (*event.content["rows"], *event.content["failed"])]
    click.echo(
        f"took back event {event.number} of {event.time} by {event.who}: "
        f"{', '.join(ids[:5])}{' ...' if len(ids) > 5 else ''}"
    )


@campaign.command()
@_opened
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(opened, as_json):
    """Show how many labels there are, and how good the model is."""
    from ..campaign.wording import status_lines

    found = opened.status()
    click.echo(json.dumps(found, indent=1) if as_json else "\n".join(status_lines(found)))


def _makes_table(command):
    """Make a command of a function that returns a table, which is printed or written."""

    @functools.wraps(command)
    def written(opened, out, **options):
        from ..campaign.tables import check_table, write_table

        if out is not None:
            check_table(out)  # before the work
        table = command(opened, **options)
        if out is None:
            from ..structures.io import csv_text

            click.echo(csv_text(table), nl=False)
        else:
            write_table(table, out)
            click.echo(f"wrote {len(table)} rows to {out}")

    out = click.option("--out", "-o", type=FILES, help=f"{OUT_HELP}. Default: print.")
    return campaign.command()(_opened(out(written)))


@_makes_table
@SHARED["rescale"]
@SHARED["coverage"]
def predict(opened, **options):
    """Predict all crystals without a label."""
    return opened.predict(**options)


@_makes_table
@SHARED["rescale"]
@SHARED["coverage"]
def export(opened, **options):
    """Write a table of all crystals, labels and predictions."""
    return opened.export(**options)


@_makes_table
@click.option("-n", type=int, help="Number of choices. Default: 10, or what is left in the pool.")
def plan(opened, n):
    """List the next choices, and the uncertainty after each."""
    return opened.plan(n if n is not None else min(10, opened.state().counts()["pool"]))


@campaign.command()
@_opened
@click.option(
    "--out",
    "-o",
    type=FILES,
    help="File for the page. Default: the name of the campaign, with .html.",
)
def report(opened, out):
    """Write a report: one HTML file that works offline."""
    if out is None:
        out = Path(f"{opened.store.path.parent.resolve().name}.html")
    click.echo(f"wrote {opened.report(out)}")


@campaign.command()
@_opened
def history(opened):
    """List all events: who did what, and when (UTC)."""
    from ..campaign.wording import what_happened

    rows = [["event", "time", "who", "what"]]
    for event in opened.history():
        rows.append([str(event.number), event.time, event.who, what_happened(event)])
    _table(rows)


def _table(rows):
    """Print rows in columns."""
    widths = [max(len(row[k]) for row in rows) for k in range(len(rows[0]) - 1)]
    for row in rows:
        cells = [text.ljust(width) for text, width in zip(row, widths, strict=False)]
        click.echo("  ".join([*cells, row[-1]]))
