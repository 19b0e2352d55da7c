"""What the query strategies share."""

from sklearn.pipeline import Pipeline


def check_pool(X_pool, n_instances):
    """Refuse a pool that is too small; return its size."""
    n_pool = X_pool.shape[0] if hasattr(X_pool, "shape") else len(X_pool)
    if n_pool == 0:
        raise ValueError("the pool is empty: there is nothing left to query.")
    if not 1 <= n_instances <= n_pool:
        raise ValueError(
            f"n_instances must be between 1 and the size of the pool, {n_pool}, got {n_instances}."
        )
    return n_pool


def last_step(learner, X_pool):
    """Return the model that gives the standard deviation and the features that it works on."""
    model = getattr(learner, "estimator", None)
    if not isinstance(model, Pipeline):
        return model, X_pool
    return model[-1], model[:-1].transform(X_pool) if len(model) > 1 else X_pool
