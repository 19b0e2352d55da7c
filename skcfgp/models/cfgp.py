"""`make_cfgp`: the pipelines from crystals to a mean and a standard deviation.

The name is that of the convolution-fed Gaussian process of Tran et al. (2020), which the paper
follows. The recommended pipeline gives the process composition beside the latent vectors, each with
a length scale of its own, and chooses these by how well each label is predicted from the others.
"""

from sklearn.gaussian_process.kernels import WhiteKernel
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from ..calibration import CalibratedRegressor
from ..features import CompositionFeaturizer, CrystalReader, MEGNetFeaturizer
from ..gaussian_process.regressor import GaussianProcessRegressor
from ..kernels import Laplacian, OnColumns

__all__ = ["PAPER_KERNEL", "RECIPES", "make_cfgp"]

RECIPES = ("recommended", "paper", "paper values")

#: The hyper-parameters that the paper prints for 7,800 oxides, in eV/atom; not to be moved.
PAPER_KERNEL = Laplacian(0.4281, 2.3997, "fixed", "fixed")


def make_cfgp(
    weights="Eform_MP_2019",
    *,
    recipe="recommended",
    groups=("mean", "deviation", "cell"),
    calibrated=False,
    random_state=None,
):
    """Make a pipeline of a MEGNet and a Gaussian process.

    Parameters
    ----------
    weights : str, Path or None, default="Eform_MP_2019"
        The network, as in `MEGNetFeaturizer`.
    recipe : {"recommended", "paper", "paper values"}, default="recommended"
        - ``"recommended"``: the 96 numbers that go into the readout (``layer="set2set"``) and
          composition, both standardised; the product of a `Laplacian` of each, on L1 distance for
          composition, plus white noise; hyper-parameters by leave-one-out predictions.
        - ``"paper"``: the 32 activations of the first readout layer; one `Laplacian`;
          hyper-parameters by marginal likelihood, from a = l = 1.
        - ``"paper values"``: the same with the amplitude and the length that the paper prints, for
          formation energies in eV/atom.
    groups : str or sequence of str, default=("mean", "deviation", "cell")
        What the recommended pipeline knows of the composition, as in `CompositionFeaturizer`. The
        kernel depends on the number of these columns, so choose them here, not by ``set_params``.
    calibrated : bool, default=False
        Put the process in a `CalibratedRegressor`, which corrects the standard deviation by the
        leave-one-out errors, also of the 20 nearest labelled crystals. The mean stays.
    random_state : int, RandomState or None, default=None
        Controls the training of the network and the restarts of the search.

    Returns
    -------
    sklearn.pipeline.Pipeline
        With the steps ``"crystals"``, ``"features"`` and ``"gp"``, whose parameters can be set.
        ``"gp"`` is the process, or the `CalibratedRegressor` around it. If the network was trained
        on some of the labels, say which ones it has not seen: ``fit(X, y, gp__unseen=mask)``.

    Raises
    ------
    ValueError
        If the recipe or a group is not one of these; in ``fit``, if `groups` were changed by
        ``set_params``.

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
    if recipe == "recommended":
        composition = CompositionFeaturizer(groups)
        width = len(composition.fit(None).get_feature_names_out())
        check = FunctionTransformer(
            check_width, kw_args={"width": width}, feature_names_out="one-to-one"
        )
        megnet = MEGNetFeaturizer(weights, layer="set2set", random_state=random_state)
        features = FeatureUnion(
            [
                ("composition", make_pipeline(composition, StandardScaler(), check)),
                ("megnet", make_pipeline(megnet, StandardScaler())),
            ]
        )
        gp = GaussianProcessRegressor(
            block_kernel(width),
            normalize_y=True,
            objective="leave_one_out",
            random_state=random_state,
        )
    else:
        features = MEGNetFeaturizer(weights, layer="readout_0", random_state=random_state)
        kernel = Laplacian() if recipe == "paper" else PAPER_KERNEL
        gp = GaussianProcessRegressor(kernel, random_state=random_state)
    if calibrated:
        gp = CalibratedRegressor(gp, n_neighbors=20, cv="leave_one_out")
    return Pipeline([("crystals", CrystalReader()), ("features", features), ("gp", gp)])


def block_kernel(n_composition):
    """Return the kernel of the recommended pipeline, with composition in the first columns."""
    composition = Laplacian(1.0, 100.0, length_scale_bounds=(1e-2, 1e6), metric="cityblock")
    latent = Laplacian(1.0, 10.0, "fixed", (1e-2, 1e6))  # one amplitude is enough for a product
    return OnColumns(composition, slice(n_composition)) * OnColumns(
        latent, slice(n_composition, None)
    ) + WhiteKernel(1e-2, (1e-6, 1e1))


def check_width(X, width):
    """Return X; refuse other composition columns than those that the kernel was made for."""
    if X.shape[1] != width:
        raise ValueError(
            f"the composition has {X.shape[1]} columns, and the kernel of the process takes the "
            f"first {width} for it. Choose the groups when the pipeline is made: "
            "make_cfgp(groups=...)."
        )
    return X
