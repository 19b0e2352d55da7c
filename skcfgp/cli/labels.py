"""The labels that the commands learn: read from a table, with what is said of its rows."""

import sys

import click

#: Refused rows that are printed.
SHOWN = 20


def read_labels(train, target, unit, recipe, estimates, columns, log, pool=None, **_):
    """Read a table of labelled crystals, and say which rows cannot be used."""
    from ..structures.labels import read_labelled

    found = read_labelled(
        train,
        target,
        columns=[*estimates, *columns],
        unit=unit or None,
        formulas=recipe == "composition",
        log=log,
        pool=pool,
    )
    say_labels(train, found)
    return found


def fit_labels(found, options):
    """Fit the model that the options ask for to what `read_labels` found."""
    from ..models.default import fit_predictor

    names = ("recipe", "weights", "layer", "estimates", "columns", "log")
    options = {name: options[name] for name in names}
    return fit_predictor(training_of(found), **options, say=say_step)[0]


def training_of(found):
    """Return crystals by id, labels and, where they are known, their standard errors."""
    import pandas as pd

    X = found.X
    if not hasattr(X, "columns"):
        X = pd.Series(X, index=pd.Index(found.ids, dtype=object), dtype=object)
    return (X, found.y) if found.label_std is None else (X, found.y, found.label_std)


def say(text):
    """Say something to a person at a terminal, and nothing to a program."""
    if sys.stderr.isatty():
        click.echo(text, err=True)


def say_step(text):
    """Say what takes time."""
    say(f"{text} ...")


def say_labels(path, found):
    """Say which rows of a table of labels were not learnt, or are in doubt."""
    if found.refused:
        click.echo(f"{path}: {len(found.refused)} rows cannot be used:", err=True)
        say_refused(found.refused)
    for ids, what in ((found.failed, "have no value"), (found.repeated, "are there twice")):
        if ids:
            shown = ", ".join(ids[:5]) + (", ..." if len(ids) > 5 else "")
            click.echo(f"{path}: {len(ids)} crystals {what}: {shown}", err=True)
    for doubt in found.doubts[:SHOWN]:
        click.echo(f"{path}: labels contradict each other: {doubt}.", err=True)
    if len(found.doubts) > SHOWN:
        click.echo(f"and {len(found.doubts) - SHOWN} more contradictions.", err=True)


def say_refused(refused):
    """Print refusals as a table: line, id and reason."""
    rows = [("line", "id", "reason")]
    for refusal in refused[:SHOWN]:
        line = "-" if refusal.line is None else str(refusal.line)
        rows.append((line, refusal.id, " ".join(refusal.reason.split())))
    widths = [max(len(row[column]) for row in rows) for column in (0, 1)]
    for line, id_, reason in rows:
        click.echo(f"  {line:>{widths[0]}}  {id_:<{widths[1]}}  {reason}", err=True)
    if len(refused) > SHOWN:
        click.echo(f"  and {len(refused) - SHOWN} more.", err=True)
