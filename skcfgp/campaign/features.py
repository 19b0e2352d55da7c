"""From crystals to the numbers that a campaign keeps: what does not depend on any label."""

import numpy as np

__all__ = ["RECIPES", "compute_features", "make_parts"]

RECIPES = ("recommended", "paper", "paper values", "composition")


def make_parts(recipe, weights):
    """Split a recipe into what works on crystals and what learns from labels.

    Parameters
    ----------
    recipe : {"recommended", "paper", "paper values", "composition"}
        The first three are those of `skcfgp.make_cfgp`; the last one needs no network: statistics
        of the composition, volume per atom and density.
    weights : str or Path
        The network, see `skcfgp.MEGNetFeaturizer`.

    Returns
    -------
    extractors : list of transformers
        Crystals to numbers.
    standardise : bool
        Whether the numbers are standardised.
    gp : GaussianProcessRegressor
    """
    if recipe not in RECIPES:
        raise ValueError(f"recipe must be one of {RECIPES}, got {recipe!r}.")
    if recipe == "composition":
        from sklearn.gaussian_process.kernels import WhiteKernel

        from ..features.composition import CompositionFeaturizer
        from ..gaussian_process.regressor import GaussianProcessRegressor
        from ..kernels import Laplacian

        laplacian = Laplacian(1.0, 100.0, length_scale_bounds=(1e-2, 1e6), metric="cityblock")
        gp = GaussianProcessRegressor(
            laplacian + WhiteKernel(1e-2, (1e-6, 1e1)), normalize_y=True, objective="leave_one_out"
        )
        return [CompositionFeaturizer()], True, gp
    from ..models.cfgp import make_cfgp

    cfgp = make_cfgp(weights, recipe=recipe, random_state=0)
    features = cfgp["features"]
    if recipe == "recommended":
        extractors = [features["composition"][0], features["megnet"][0]]
    else:
        extractors = [features]
    return extractors, recipe == "recommended", cfgp["gp"]


def compute_features(pool, recipe, weights):
    """Compute the features of crystals; those that cannot be used move to ``pool.refused``.

    Parameters
    ----------
    pool : Pool
    recipe, weights : str
        See `make_parts`.

    Returns
    -------
    features : ndarray of shape (n_samples, n_features)
        Of the crystals that are left in `pool`.
    digest : str or None
        Of the network; None if there is none.
    """
    from ..structures import InvalidStructureError, object_array

    extractors, _, _ = make_parts(recipe, weights)
    pool.check_not_empty()
    structures, reasons, digest = object_array(pool.structures), {}, None
    for extractor in extractors:
        extractor.fit(structures)
        try:
            extractor.transform(structures)
        except InvalidStructureError as error:
            reasons |= {failure.index: failure.reason for failure in error.failures}
        if hasattr(extractor, "network_"):
            digest = extractor.network_.digest()
    pool.refuse_rows(reasons)
    pool.check_not_empty()
    structures = object_array(pool.structures)
    columns = [extractor.transform(structures).astype(np.float64) for extractor in extractors]
    return np.hstack(columns), digest
