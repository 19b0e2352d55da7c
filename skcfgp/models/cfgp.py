"""`make_cfgp`: the pipelines from crystals to a mean and a standard deviation.

The name is that of the convolution-fed Gaussian process of Tran et al. (2020), which the paper
follows. The recommended pipeline gives the process composition beside the latent vectors, each with
a length scale of its own, and chooses these by how well each label is predicted from the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from sklearn.compose import ColumnTransformer
from sklearn.gaussian_process.kernels import ConstantKernel, DotProduct, WhiteKernel
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ..calibration import CalibratedRegressor, MonotoneTargetRegressor
from ..features import CompositionFeaturizer, CrystalReader, MEGNetFeaturizer, TableReader
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..kernels import Laplacian, OnColumns
from ..structures.typing import FilePath, OnError, RandomState
from .pipeline import CrystalPipeline

RECIPES = ("recommended", "paper", "paper values", "composition")

#: What the recipes with composition know of it; a formula has no cell.
GROUPS = {
    "recommended": ("mean", "deviation", "cell"),
    "composition": ("mean", "deviation"),
}

#: The hyper-parameters that the paper prints for 7,800 oxides, in eV/atom; not to be moved.
PAPER_KERNEL = Laplacian(0.4281, 2.3997, "fixed", "fixed")


def make_cfgp(
    weights: FilePath | None = "Eform_MP_2019",
    *,
    recipe: Literal["recommended", "paper", "paper values", "composition"] = "recommended",
    groups: str | Sequence[str] | None = None,
    estimates: str | Sequence[str] = (),
    columns: str | Sequence[str] = (),
    calibrated: bool = False,
    log_target: bool = False,
    on_error: OnError = "raise",
    random_state: RandomState = None,
) -> CrystalPipeline:
    """Make a pipeline of a MEGNet and a Gaussian process.

    Parameters
    ----------
    weights : str, Path or None, default="Eform_MP_2019"
        The network, as in `MEGNetFeaturizer`.
    recipe : {"recommended", "paper", "paper values", "composition"}, default="recommended"
        - ``"recommended"``: the 96 numbers that go into the readout (``layer="set2set"``) and
          composition, both standardised; the product of a `Laplacian` of each, on L1 distance for
          composition, plus white noise; hyper-parameters by leave-one-out predictions.
        - ``"paper"``: the 32 activations of the first readout layer; one `Laplacian`;
          hyper-parameters by marginal likelihood, from a = l = 1.
        - ``"paper values"``: the same with the amplitude and the length that the paper prints, for
          formation energies in eV/atom.
        - ``"composition"``: composition alone, standardised, and one `Laplacian` on L1 distance
          plus white noise; hyper-parameters by leave-one-out predictions. It has no network, and
          takes formulas without a structure: text, or pymatgen's ``Composition``.
    groups : str or sequence of str, default=None
        What the pipeline knows of the composition, as in `CompositionFeaturizer`. By default
        ``("mean", "deviation", "cell")``, without the cell for the recipe ``"composition"``; the
        recipes of the paper use none. The kernel depends on the number of these columns, so choose
        them here, not by ``set_params``.
    estimates : str or sequence of str, default=()
        Columns of X that estimate the target cheaply: another property, a cheaper functional, a
        universal potential (see `skcfgp.features.CalculatorFeaturizer`), an old model. Each adds a
        term to the kernel that is linear in the standardised column, so the process learns how the
        target follows from it, and the crystals explain the rest. Take the logarithm of an estimate
        where that of the target is learnt. Only for the recommended recipe.
    columns : str or sequence of str, default=()
        Columns of X on which the target depends in any other way: temperature, pressure,
        your own descriptors, latent vectors of another network. Standardised, they are one more
        factor of the kernel, a `Laplacian` on L1 distance with a length of its own. Only for the
        recommended recipe. An estimate may be among them too.
    calibrated : bool, default=False
        Whether to put the process in a `CalibratedRegressor`, which predicts a Student-t instead of
        a Gaussian. The leave-one-out errors of all labels and of the 20 nearest ones set its width,
        and the former its tails. The mean stays the same. Use
        `skcfgp.calibration.predict_distribution` for the distributions.
    log_target : bool, default=False
        Whether to learn the decimal logarithm of the target, and predict in its unit, by a
        `skcfgp.calibration.MonotoneTargetRegressor`: for positive quantities over orders of
        magnitude. ``predict`` gives the median; intervals are not symmetric about it.
    on_error : {"raise", "nan"}, default="raise"
        Whether crystals that cannot be used make ``predict`` raise an error, or get NaN as
        prediction and as standard deviation, with one warning that names them.
    random_state : int, RandomState or None, default=None
        Controls the training of the network and the restarts of the search.

    Returns
    -------
    skcfgp.models.CrystalPipeline
        With the steps ``"crystals"``, ``"features"`` and ``"gp"``, whose parameters can be set.
        ``"gp"`` is the process, or the `CalibratedRegressor` around it; with `log_target` it is the
        `MonotoneTargetRegressor` whose ``regressor`` is one of these. If the network was trained on
        some of the labels, say which ones it has not seen: ``fit(X, y, gp__unseen=mask)``. With
        `estimates` or `columns`, X is a DataFrame of these and a column ``structure``.

    Raises
    ------
    ValueError
        If the recipe or a group is not one of these, or a column is named twice or for another
        recipe; in ``fit``, if `groups` were changed by ``set_params``. With `estimates` or
        `columns`, in ``fit`` and ``predict``, if one is missing in X or another column of X holds
        numbers.
    InvalidStructureError
        In ``fit`` and ``predict``, if a crystal cannot be used or a value of a named column is
        missing; ``failures`` has the rows.

    References
    ----------
    .. [1] Tran, Neiswanger, Yoon, Zhang, Xing, Ulissi, "Methods for comparing uncertainty
       quantifications for material property predictions", Mach. Learn.: Sci. Technol. 1, 025006
       (2020). doi:10.1088/2632-2153/ab7e1a
    .. [2] Allotey, Butler, Thiyagalingam, "Entropy-based Active Learning of Graph Neural Network
       Surrogate Models for Materials Properties" (2021).

    Examples
    --------
    >>> from skcfgp import make_cfgp
    >>> make_cfgp(recipe="paper")["gp"].kernel
    Laplacian(amplitude=1, length_scale=1)
    """
    if recipe not in RECIPES:
        raise ValueError(f"recipe must be one of {RECIPES}, got {recipe!r}.")
    estimates, columns = _names(estimates), _names(columns)
    named = list(dict.fromkeys([*columns, *estimates]))
    for names in (estimates, columns):
        _check_names(names, recipe)
    composition = CompositionFeaturizer(GROUPS.get(recipe, ()) if groups is None else groups)
    if groups is not None and recipe not in GROUPS:
        raise ValueError(f"groups are for the recipes {[*GROUPS]}, and recipe is {recipe!r}.")
    if recipe == "recommended":
        width = len(composition.fit([]).get_feature_names_out())
        check = FunctionTransformer(
            check_width, kw_args={"width": width}, feature_names_out="one-to-one"
        )
        megnet = MEGNetFeaturizer(weights, layer="set2set", random_state=random_state)
        blocks = [
            ("composition", make_pipeline(composition, StandardScaler(), check)),
            ("megnet", make_pipeline(megnet, StandardScaler())),
        ]
        features = _beside(blocks, columns, estimates) if named else FeatureUnion(blocks)
        gp = GaussianProcessRegressor(
            block_kernel(width, len(columns), len(estimates)),
            normalize_y=True,
            objective="leave_one_out",
            random_state=random_state,
        )
    elif recipe == "composition":
        features = make_pipeline(composition, StandardScaler())
        gp = GaussianProcessRegressor(
            composition_kernel() + WhiteKernel(1e-2, (1e-6, 1e1)),
            normalize_y=True,
            objective="leave_one_out",
            random_state=random_state,
        )
    else:
        features = MEGNetFeaturizer(weights, layer="readout_0", random_state=random_state)
        kernel = Laplacian() if recipe == "paper" else PAPER_KERNEL
        gp = GaussianProcessRegressor(kernel, random_state=random_state)
    if calibrated:
        gp = CalibratedRegressor(gp, method="student_t", n_neighbors=20, cv="leave_one_out")
    if log_target:
        gp = MonotoneTargetRegressor(gp)
    reader = TableReader(named) if named else CrystalReader(formulas=recipe == "composition")
    steps = [("crystals", reader), ("features", features), ("gp", gp)]
    return CrystalPipeline(steps, on_error=on_error)


def _names(names):
    return [names] if isinstance(names, str) else list(names)


def _check_names(names, recipe):
    """Refuse columns that are named twice, hold crystals, or need another recipe."""
    if len(set(names)) < len(names) or "structure" in names:
        raise ValueError(
            "estimates and columns must name columns of numbers beside the column 'structure', "
            f"each once, got {names}."
        )
    if names and recipe != "recommended":
        raise ValueError(
            f"estimates and columns are for the recommended recipe, and recipe is {recipe!r}."
        )


def _beside(blocks, columns, estimates):
    """Put the blocks that crystals give beside the standardised columns of a table."""
    transformers = [(name, block, "structure") for name, block in blocks]
    numbers = {"columns": columns, "estimates": estimates}
    transformers += [(name, StandardScaler(), some) for name, some in numbers.items() if some]
    return ColumnTransformer(transformers)


def composition_kernel():
    """Return the kernel of standardised composition, of which few columns differ at a time."""
    return Laplacian(1.0, 100.0, length_scale_bounds=(1e-2, 1e6), metric="cityblock")


def block_kernel(n_composition, n_columns=0, n_estimates=0):
    """Return the kernel of the recommended pipeline.

    Composition is in the first columns, then come latent vectors, the user's columns, and
    estimates in the last ones, each with a weight of its own.
    """
    ends = -(n_columns + n_estimates) or None, -n_estimates or None
    latent = Laplacian(1.0, 10.0, "fixed", (1e-2, 1e6))  # one amplitude is enough for a product
    kernel = OnColumns(composition_kernel(), slice(n_composition))
    kernel *= OnColumns(latent, slice(n_composition, ends[0]))
    if n_columns:
        own = Laplacian(1.0, 10.0, "fixed", (1e-2, 1e6), metric="cityblock")
        kernel *= OnColumns(own, slice(*ends))
    for column in range(-n_estimates, 0):
        weight = ConstantKernel(1.0, (1e-6, 1e2))
        kernel += weight * OnColumns(DotProduct(0.0, "fixed"), [column])
    return kernel + WhiteKernel(1e-2, (1e-6, 1e1))


def check_width(X, width):
    """Return X; refuse other composition columns than those that the kernel was made for."""
    if X.shape[1] != width:
        raise ValueError(
            f"the composition has {X.shape[1]} columns, and the kernel of the process takes the "
            f"first {width} for it. Choose the groups when the pipeline is made: "
            "make_cfgp(groups=...)."
        )
    return X
