"""The model of the commands."""

import warnings
from pathlib import Path

from threadpoolctl import threadpool_limits

from ..gaussian_process.common import last_step, last_step_input
from .cfgp import make_cfgp
from .persistence import OtherVersionWarning, read_model
from .predictor import unseen_mask

#: Networks of `fit_predictor`: for the user's labels, and for the bundled ones.
PUBLISHED, BUNDLED = "Eform_MP_2019", "formation_energy_1800"

#: The folder of what `fit_bundled` fits; docs/scripts/fit_bundled_model.py writes it.
BUNDLED_MODEL = Path(__file__).parent / "fitted" / "formation_energy"


@threadpool_limits.wrap(limits=1)  # the sums of several threads differ from run to run
def fit_predictor(
    labelled=None,
    weights=None,
    layer=None,
    unit="",
    estimates=(),
    columns=(),
    recipe="recommended",
    log=False,
    say=None,
):
    """Fit a pipeline of `make_cfgp`, calibrated, on one thread: the same numbers in each process.

    Parameters
    ----------
    labelled : (X, y) or (X, y, y_std), default=None
        Crystals and labels to fit, with their standard errors where these are known; X is a
        DataFrame if there are other columns. By default the bundled formation energies, see
        `fit_bundled`, where the model with the default options is loaded.
    weights : str or Path, default=None
        Network, see `skcfgp.MEGNetFeaturizer`. By default ``"Eform_MP_2019"``, or for the bundled
        formation energies ``"formation_energy_1800"``.
    layer : str, default=None
        Layer of the latent vectors; by default that of the recipe.
    unit : str, default=""
        Unit of the labels in `labelled`.
    estimates, columns : sequence of str, default=()
        Columns beside the crystals, as in `skcfgp.make_cfgp`; only with `labelled`.
    recipe : str, default="recommended"
        As in `skcfgp.make_cfgp`.
    log : bool, default=False
        Whether to learn the logarithm of the labels; only with `labelled`.
    say : callable, default=None
        Called with a line of text before each long step.

    Returns
    -------
    model : Pipeline
    unit : str
        Unit of its predictions.

    Raises
    ------
    InvalidStructureError
        If labelled crystals cannot be used. The message names them.
    ValueError
        If there are columns and no labels: the bundled labels have none beside them. If a network
        or layer is named for a recipe without one.
    """
    if labelled is None and log:
        raise ValueError("the bundled formation energies are negative and have no logarithm.")
    if labelled is None and (estimates or columns):
        raise ValueError(
            f"the bundled formation energies have no columns {[*estimates, *columns]}: give "
            "labelled crystals with --train."
        )
    if recipe == "composition" and (weights is not None or layer is not None):
        raise ValueError("the recipe 'composition' has no network: leave out weights and layer.")
    say = say or (lambda text: None)
    if labelled is None:
        usual = (None, BUNDLED), (None, "set2set"), ("recommended",)
        given = zip((weights, layer, recipe), usual, strict=True)
        if all(value in expected for value, expected in given):
            with warnings.catch_warnings():  # its last digits do not matter
                warnings.simplefilter("ignore", OtherVersionWarning)
                model, about = read_model(BUNDLED_MODEL)
            return model, about["unit"]
        say("the bundled formation energies are learnt")
        return fit_bundled(weights, layer, recipe)
    named = {"estimates": estimates, "columns": columns, "log_target": log}
    model = _make(weights or PUBLISHED, layer, recipe, named)
    X, y, *known = labelled
    say(f"features of {len(y)} crystals")
    features = model[:-1].fit_transform(X, y)
    say(f"hyper-parameters and calibration from {len(y)} labels")
    model[-1].fit(features, y, **({"y_std": known[0]} if known else {}))
    return model, unit


@threadpool_limits.wrap(limits=1)
def fit_bundled(weights=None, layer=None, recipe="recommended"):
    """Fit a pipeline to the bundled formation energies; see `fit_predictor`.

    The process and its calibration are fitted to the training part, and the pool adds its labels.
    """
    from ..datasets import load_formation_energy

    model = _make(weights or BUNDLED, layer, recipe, {})
    train, pool = (load_formation_energy(split=s, structures="arrays") for s in ("train", "pool"))
    unseen = {}
    if recipe != "composition":
        unseen["gp__unseen"] = unseen_mask(weights or BUNDLED, train.material_id)
    model.fit(train.structures, train.target, **unseen)
    last_step(model).partial_fit(last_step_input(model, pool.structures), pool.target)
    return model, train.unit


def _make(weights, layer, recipe, named):
    """Make the pipeline, with another layer than that of the recipe if one is named."""
    model = make_cfgp(weights, recipe=recipe, calibrated=True, **named)
    if layer is not None:
        name = "megnet__megnetfeaturizer__layer" if recipe == "recommended" else "layer"
        model.set_params(**{f"features__{name}": layer})
    return model
