"""What ``--model`` says: the options that a saved model answers, and that none contradicts."""

import click
from click.core import ParameterSource

#: Options that a saved model answers, by the names of their parameters.
ANSWERED = ("target", "unit", "recipe", "weights", "layer", "estimates", "columns", "log")


def check_agrees(model, names=ANSWERED):
    """Refuse options that were given and say something else than the model."""
    context = click.get_current_context()
    flags = {parameter.name: parameter.opts[0] for parameter in context.command.params}
    answers = answers_of(model)
    for name in names:
        if context.get_parameter_source(name) is not ParameterSource.COMMANDLINE:
            continue
        given = context.params[name]
        if given != answers[name]:
            raise click.UsageError(
                f"{flags[name]} {_shown(given)} contradicts the model in {model}, where it is "
                f"{_shown(answers[name])}. Leave it out, or fit another model."
            )


def check_takes_crystals(path, model):
    """Refuse a model whose first step takes numbers."""
    from sklearn.pipeline import FeatureUnion, Pipeline

    from ..features.base import CrystalInputMixin

    first = model[0] if isinstance(model, Pipeline) else model
    if not isinstance(first, CrystalInputMixin | FeatureUnion):
        raise click.UsageError(
            f"the model in {path} begins with {type(first).__name__} and takes no crystals. Fit "
            "one with 'skcfgp fit', or save one of make_cfgp."
        )


def settings_of_model(model):
    """Return the options of a campaign that predicts as a model does; UsageError if none does."""
    from ..models.cfgp import make_cfgp
    from ..models.kept_networks import network_path
    from ..models.model_facts import facts_of

    answers = {name: value for name, value in answers_of(model).items() if value != ""}
    check_agrees(model, [name for name in ANSWERED if name in answers])
    recipe = answers["recipe"]
    if recipe is None:
        raise click.UsageError(
            f"the model in {model} has no recipe that a campaign knows. Begin without --model, and "
            "name --target, --unit, --recipe and --weights."
        )
    if (own := facts_of(make_cfgp(recipe=recipe))["layer"]) != answers["layer"]:
        raise click.UsageError(
            f"the model in {model} uses the layer {answers['layer']!r}, and a campaign that of its "
            f"recipe, {own!r}. Begin without --model, or fit a model without --layer."
        )
    if recipe != "composition" and answers["weights"] is None:
        answers["weights"] = str(network_path(model.absolute(), 0))
    return {name: value for name, value in answers.items() if name not in ("layer", "formulas")}


def labels_of_model(model, columns):
    """Return what a model learnt, for the crystals that are in the pool too; say what is not."""
    from ..models.persistence import training_labels

    found = None if columns else training_labels(model)
    why = "they belong to crystals and columns" if columns else "it holds no digests of crystals"
    if found is None:
        click.echo(f"the labels of the model are not taken, since {why}: use --labelled.", err=True)
        return None
    click.echo(
        f"the model learnt {len(found.y)} labels; those of crystals in the pool are taken. For the "
        "others use --labelled.",
        err=True,
    )
    return found


def answers_of(model):
    """Return what a model says of the options that it answers, and whether it takes formulas."""
    from ..models.persistence import model_card

    card = model_card(model)
    networks = [network["name"] for network in card["networks"]]
    answers = {name: card.get(name) for name in (*ANSWERED, "formulas")}
    return answers | {"weights": (networks or [None])[0]}


def _shown(value):
    if isinstance(value, list):
        return ", ".join(value) or "none"
    return {True: "yes", False: "no", None: "none", "": "none"}.get(value, str(value))
