"""What ``predict`` and ``screen`` share: the options of the model, and the work with it.

An option that would have no effect is an error.
"""

import dataclasses
from pathlib import Path

import click
from click.core import ParameterSource

from .labels import SHOWN, fit_labels, read_labels, say, say_step
from .saved import answers_of, check_agrees, check_takes_crystals

#: Crystals that are predicted at a time; those that are finished survive an error.
PART = 500

OUT_HELP = "Table, .csv or .json"


def split_names(context, option, values):
    """Split the names of columns, which may be separated by commas."""
    return [name.strip() for value in values for name in value.split(",") if name.strip()]


#: Options that several commands have, by the names of their parameters.
SHARED = {
    "train": click.option(
        "--train",
        "--labelled",
        "train",
        type=click.Path(path_type=Path, exists=True),
        help="Table of labelled crystals (.csv, .parquet, .json, .jsonl), or a folder with "
        "id_prop.csv: a column 'file', 'structure', 'formula' or 'id' (of the other crystals, or "
        "of files beside it), one with the values, and optionally 'label_std', 'unit' and "
        "'failed'.",
    ),
    "model": click.option(
        "--model",
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="Folder of a model that 'skcfgp fit' wrote, instead of --train and what describes it.",
    ),
    "recipe": click.option(
        "--recipe",
        type=click.Choice(["recommended", "paper", "paper values", "composition"]),
        default="recommended",
        show_default=True,
        help="Model; composition has no network, and takes formulas without a structure.",
    ),
    "weights": click.option(
        "--weights",
        help="Network: a published name, a bundled name or a path. Default: Eform_MP_2019, or "
        "formation_energy_1800 for the bundled formation energies.",
    ),
    "estimates": click.option(
        "--estimates",
        multiple=True,
        callback=split_names,
        help="Columns of the tables of crystals that estimate the values cheaply: another "
        "property, a cheaper method. Several with commas.",
    ),
    "columns": click.option(
        "--columns",
        multiple=True,
        callback=split_names,
        help="Columns on which the values depend in another way, such as a temperature.",
    ),
    "log": click.option(
        "--log",
        is_flag=True,
        help="Learn the logarithm of the values, which must be positive, and answer in their "
        "unit; for values over orders of magnitude.",
    ),
    "coverage": click.option(
        "--coverage",
        type=click.FloatRange(0, 1, min_open=True, max_open=True),
        default=0.95,
        show_default=True,
        help="Probability that the value lies between 'lower' and 'upper'.",
    ),
    "rescale": click.option(
        "--rescale",
        is_flag=True,
        help="Multiply the standard deviations of a campaign by the factor that fits its labels "
        "so far best.",
    ),
}

LABEL_OPTIONS = [
    click.option("--target", help="Column with the values, if there are several."),
    click.option("--unit", help="Unit of the values, such as eV/atom."),
    SHARED["recipe"],
    SHARED["weights"],
    click.option(
        "--layer",
        type=click.Choice(["set2set", "readout_0", "readout_1"]),
        help="Layer of the network that gives the latent vectors. Default: that of the recipe.",
    ),
    *(SHARED[name] for name in ("estimates", "columns", "log")),
]

#: Parameters of `model_options`.
MODEL_NAMES = ("train", "model", "target", "unit", "recipe", "weights", "layer", "estimates")
MODEL_NAMES = (*MODEL_NAMES, "columns", "log")

#: Options that say something of the labels in --train.
OF_LABELS = ("target", "unit", "estimates", "columns", "log")


def label_options(command):
    """Add the options of `read_labels` and `fit_labels` to a command."""
    for option in reversed(LABEL_OPTIONS):
        command = option(command)
    return command


def model_options(command):
    """Add the options of `fit_model` to a command."""
    return SHARED["train"](SHARED["model"](label_options(SHARED["coverage"](command))))


def check_no_effect(names, because):
    """Refuse options, by the names of their parameters, that were given and have no effect."""
    context = click.get_current_context()
    flags = {p.name: p.opts[0] for p in context.command.params}
    for name in flags.keys() & names:
        if context.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            raise click.UsageError(f"{flags[name]} has no effect {because}.")


def check_model_options(options):
    """Refuse options of the model that have no effect, before anything is read.

    The options that a saved model answers get its answers.
    """
    if options["model"] is not None:
        check_no_effect(("train",), "with --model, which has learnt its labels")
        check_agrees(options["model"])
        options |= answers_of(options["model"])
        return
    if options["train"] is None:
        check_no_effect(
            OF_LABELS,
            "without --train: the predictions are formation energies in eV/atom, learnt from the "
            "bundled ones",
        )
    check_recipe(options["recipe"])


def check_recipe(recipe):
    """Refuse options that a recipe has no use for."""
    if recipe == "composition":
        check_no_effect(("weights", "layer"), "with --recipe composition, which has no network")
    if recipe != "recommended":
        check_no_effect(("estimates", "columns"), "with another recipe than the recommended one")


def columns_of(options):
    """Return the columns that FILES must have beside the crystals."""
    return [*options["estimates"], *options["columns"]]


def read_crystals(files, options):
    """Read FILES, and say which crystals cannot be used, before the work."""
    from ..models.reading import read_files
    from ..structures import check_structures

    found = read_files(files, columns_of(options))
    takes_formulas = options.get("formulas", options["recipe"] == "composition")
    crystals = check_structures(found.crystals, on_error="nan", formulas=takes_formulas)
    found = dataclasses.replace(found, crystals=crystals)
    say_unused((failure.id, failure.reason) for failure in found.crystals.failures)
    return found


def fit_model(train, model, pool, check_unit=None, **options):
    """Fit the model that the options ask for; --train may name crystals of `pool` by their ids.

    The pool is a function of names, such as `Found.named`. `check_unit` is asked before the fit.
    Returns the model with the unit of its predictions and the number of labels that were refused.
    """
    if model is not None:
        from ..models.persistence import read_model

        loaded, about = read_model(model)
        check_takes_crystals(model, loaded)
        _say_target(about["target"], about["unit"], model)
        if check_unit is not None:
            check_unit(about["unit"])
        return loaded, about["unit"], 0
    if train is None:
        from ..models.default import fit_predictor

        _say_target("formation energies", "eV/atom", "the bundled ones")
        names = ("weights", "layer", "recipe")
        return *fit_predictor(**{name: options[name] for name in names}, say=say_step), 0
    found = read_labels(train, pool=pool, **options)
    if check_unit is not None:
        check_unit(found.unit)
    _say_target(found.target, found.unit, train)
    return fit_labels(found, options), found.unit or "", len(found.refused)


def _say_target(target, unit, source):
    """Say what is predicted, and from what it was learnt."""
    say(f"predictions of {target}{f' in {unit}' if unit else ''}, learnt from {source}")


def say_unused(failures):
    """Print the first of some crystals that cannot be used, with the reasons; return how many."""
    n = 0
    for id_, reason in failures:
        n += 1
        if n <= SHOWN:
            click.echo(f"not used: {id_}: {reason}", err=True)
    if n > SHOWN:
        click.echo(f"and {n - SHOWN} more.", err=True)
    return n


def predict_found(found, options, coverage, keep, check_unit=None):
    """Fit the model and predict what `read_crystals` found, part by part.

    `keep` gets the finished rows if there is an error. Returns the table, the unit and the number
    of labels that were refused. Where no crystal can be used, nothing is fitted.
    """
    import pandas as pd
    from tqdm import tqdm

    from ..models.predictor import predict_crystals

    known = {failure.index for failure in found.crystals.failures}
    model, unit, n_refused = None, options["unit"] or "", 0
    if len(known) < len(found):
        model, unit, n_refused = fit_model(**options, pool=found.named, check_unit=check_unit)
    tables = []
    try:
        with tqdm(total=len(found), unit="crystal", disable=None) as bar:
            for start in range(0, max(len(found), 1), PART):
                part = found.part(start, start + PART)
                tables.append(predict_crystals(model, part, unit, coverage))
                bar.update(len(tables[-1]))
    except BaseException:
        if tables:
            keep(pd.concat(tables, ignore_index=True))
        raise
    table = pd.concat(tables, ignore_index=True)
    failed = table[table["error"] != ""].drop(index=known)
    say_unused(zip(failed["id"], failed["error"], strict=True))
    return table, unit, n_refused


def unusable(n_failed, n_crystals, n_labels=0, table="--train"):
    """Raise the error of a run that could not use everything; it did its work all the same."""
    failed = f"{n_failed} of {n_crystals} crystals could not be used; see 'error'"
    labels = f"{n_labels} rows of {table} could not be used"
    if told := [text for n, text in ((n_failed, failed), (n_labels, labels)) if n]:
        raise click.ClickException(f"{'; '.join(told)}.")
