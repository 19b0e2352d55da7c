"""Which search for the hyper-parameters suits a kernel and an objective."""

from .covariance import is_quick
from .laplacian_search import LaplacianSearch, split_kernel
from .search import HyperparameterSearch

__all__ = ["OBJECTIVES", "choose_search"]

OBJECTIVES = ("marginal_likelihood", "leave_one_out")


def choose_search(regressor, objective, unseen):
    """Choose what to use instead of scikit-learn's search.

    Parameters
    ----------
    regressor : sklearn.gaussian_process.GaussianProcessRegressor
        With its kernel and its optimizer; not fitted.
    objective : str
        Of `OBJECTIVES`.
    unseen : array-like of shape (n_samples,), bool, or None
        Rows whose leave-one-out predictions count; None means all.

    Returns
    -------
    LaplacianSearch, HyperparameterSearch or None
        None for scikit-learn's own.

    Raises
    ------
    ValueError
        If `objective` is not valid, or `unseen` does not go with it.
    """
    if objective not in OBJECTIVES:
        raise ValueError(f"objective must be one of {OBJECTIVES}, got {objective!r}.")
    optimizer, kernel = regressor.optimizer, regressor.kernel
    if objective == "leave_one_out":
        if optimizer is None:
            return None
        return HyperparameterSearch(regressor, objective, unseen, optimizer)
    if unseen is not None:
        raise ValueError(
            "the marginal likelihood is that of all rows: to choose the hyper-parameters on the "
            "unseen ones, set objective='leave_one_out'."
        )
    if optimizer != "fmin_l_bfgs_b":
        return None
    if split_kernel(kernel):
        return LaplacianSearch(regressor)
    return HyperparameterSearch(regressor) if is_quick(kernel) else None
