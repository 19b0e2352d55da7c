"""The model of the commands, and the crystals that they take, from files."""

import warnings
from pathlib import Path

import pandas as pd
from threadpoolctl import threadpool_limits

from ..gaussian_process.common import last_step, last_step_input
from ..structures import Failure, Structures, check_structures, object_array
from ..structures.crystal_tables import check_columns, read_crystals
from ..structures.files import structure_files
from ..structures.ids import Name, all_ids
from ..structures.tables import is_table_file
from .cfgp import make_cfgp
from .persistence import OtherVersionWarning, read_model
from .predictor import unseen_mask

__all__ = ["BUNDLED_MODEL", "fit_bundled", "fit_predictor", "in_parts", "read_files"]

#: Networks of `fit_predictor`: for the user's labels, and for the bundled ones.
PUBLISHED, BUNDLED = "Eform_MP_2019", "formation_energy_1800"

#: The folder of what `fit_bundled` fits; docs/scripts/fit_bundled_model.py writes it.
BUNDLED_MODEL = Path(__file__).parent / "fitted" / "formation_energy"


def read_files(paths, columns=()):
    """Read the crystals in files, folders and tables, with the reasons of those that are unusable.

    A table of formulas gives ``Composition`` objects. With `columns`, all files are tables that
    have these columns, and a DataFrame is returned.
    """
    if columns:
        if others := [path for path in paths if not _has_columns(path)]:
            raise ValueError(
                f"{others[0]} has no columns {list(columns)}: with --estimates or --columns, give "
                "tables of crystals (.csv, .parquet, .json, .jsonl), with a column 'file' or "
                "'structure' and these columns."
            )
        tables = [read_crystals(path, formulas=True) for path in paths]
        for path, table in zip(paths, tables, strict=True):
            check_columns(path.name, table, columns)
        return pd.concat([table.frame(columns) for table in tables])
    parts, files = [], []
    for path in paths:
        if is_table_file(path):
            parts += [_read_plain(files), _read_table(path)]
            files = []
        else:
            files += structure_files(path) if path.is_dir() else [path]
    return _joined([*parts, _read_plain(files)])


def in_parts(crystals, size):
    """Yield what `read_files` returned, at most `size` rows at a time, and once if it is empty."""
    is_frame = not isinstance(crystals, Structures)
    n = len(crystals) if is_frame else len(crystals.ids)
    for start in range(0, max(n, 1), size):
        rows = slice(start, start + size)
        if is_frame:
            yield crystals.iloc[rows]
            continue
        failures = [
            Failure(failure.index - start, failure.id, failure.reason)
            for failure in crystals.failures
            if start <= failure.index < start + size
        ]
        yield Structures(crystals.structures[rows], crystals.ids[rows], failures)


def _has_columns(path):
    return is_table_file(path) or path.suffix.lower() in (".json", ".jsonl")


def _read_plain(files):
    return check_structures(files, on_error="nan", formulas=True)


def _read_table(path):
    """Read a table; one that cannot be used as a whole is one row with the reason."""
    try:
        table = read_crystals(path, formulas=True)
    except (ValueError, OSError) as error:
        return check_structures(pd.Series([error], [path.name], dtype=object), on_error="nan")
    return check_structures(table.frame(), on_error="nan", formulas=True)


def _joined(parts):
    """Put several `Structures` one after another, and tell equal ids apart."""
    parts = [part for part in parts if len(part.ids)]
    if len(parts) == 1:
        return parts[0]
    ids = all_ids([Name(label=str(id_)) for part in parts for id_ in part.ids])
    structures, failures, first = [], [], 0
    for part in parts:
        failures += [
            Failure(first + f.index, ids[first + f.index], f.reason) for f in part.failures
        ]
        structures += list(part.structures)
        first += len(part.ids)
    return Structures(object_array(structures), object_array(ids), failures)


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
