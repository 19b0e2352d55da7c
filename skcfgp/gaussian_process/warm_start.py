"""Find the rows that are new since the previous fit, or fit all rows together."""

import numpy as np
from sklearn import clone


def recipe(gp):
    """Return the settings that determine the hyper-parameters, besides the rows."""
    search = gp.optimizer, gp.n_restarts_optimizer, gp.objective
    return clone(gp.kernel, safe=False), *search, gp.normalize_y


def rows_to_append(gp, fitted_recipe, X, y):
    """Return X, y and noise of the new rows; None if anything but new rows has changed."""
    if recipe(gp) != fitted_recipe:
        return None
    names = list(getattr(gp, "feature_names_in_", [])), list(getattr(X, "columns", []))
    n = len(gp.X_train_)
    old, new = slice(n), slice(n, None)
    try:
        noise = np.broadcast_to(gp.alpha, len(X))
        as_before = (
            names[0] == names[1]
            and np.array_equal(_rows(X, old), gp.X_train_)
            and np.array_equal(_rows(y, old), gp.targets_)
            and np.array_equal(noise[old], gp.noise_)
        )
    except (TypeError, ValueError):  # not rows of numbers: `fit` refuses them
        return None
    return (_rows(X, new), _rows(y, new), noise[new]) if as_before else None


def learnt_anew(gp, X, y, noise, label_std):
    """Return the attributes of a fit on all rows with the hyper-parameters of `gp`."""
    fixed = {"kernel": gp.kernel_, "optimizer": None, "alpha": noise}
    anew = clone(gp).set_params(**fixed).fit(X, y, y_std=label_std)
    keep = ("kernel_", "new_noise_", "feature_names_in_")
    return {k: v for k, v in vars(anew).items() if k.endswith("_") and k not in keep}


def _rows(values, rows):
    return values.iloc[rows] if hasattr(values, "iloc") else values[rows]
