"""The Gaussian process of a campaign, as a function of its features and labels.

The hyper-parameters are found on the first m labels in their order of arrival, where m grows by a
tenth at a time. So they follow from the labels alone: whoever asks again, after a crash or on
another machine, gets the same model, and between two searches a new label costs little.
"""

import functools
import hashlib
import json
import math

import numpy as np

from .features import make_parts

__all__ = ["MIN_LABELS", "MIN_SEARCH", "fit_process", "on_one_thread", "searched_labels"]

#: With fewer labels there is no spread to scale a model by.
MIN_LABELS = 2

#: With fewer labels the hyper-parameters are those of the scale of the data.
MIN_SEARCH = 20

#: A search on more labels takes them evenly from all.
MAX_SEARCH = 800


def on_one_thread(function):
    """Let BLAS use one thread, so that sums are the same to the last bit at every call.

    With several threads the order of a sum depends on how many are there, and on a busy machine
    they wait for each other.
    """

    @functools.wraps(function)
    def on_one(*args, **kwargs):
        import scipy.linalg  # noqa: F401  only a library that is loaded can be limited
        from threadpoolctl import threadpool_limits

        with threadpool_limits(1, "blas"):
            return function(*args, **kwargs)

    return on_one


def searched_labels(n_labels):
    """Tell on how many labels the hyper-parameters are found, when there are so many.

    Parameters
    ----------
    n_labels : int

    Returns
    -------
    int
        0 if they are not searched for. It grows by a tenth at a time.

    Examples
    --------
    >>> from skcfgp.campaign.model import searched_labels
    >>> [searched_labels(n) for n in (19, 20, 21, 22, 100)]
    [0, 20, 20, 22, 94]
    """
    if n_labels < MIN_SEARCH:
        return 0
    m = MIN_SEARCH
    while (larger := m + m // 10) <= n_labels:
        m = larger
    return m


def scale_features(features, standardise):
    """Standardise, if asked to, the columns over all crystals of the campaign, labelled or not."""
    if not standardise:
        return features
    from sklearn.preprocessing import StandardScaler

    return StandardScaler().fit_transform(features)


@on_one_thread
def fit_process(features, rows, y, settings, connection, keep=False):
    """Fit the process to labels.

    Parameters
    ----------
    features : ndarray of shape (n_crystals, n_features)
        Scaled, of all crystals of the campaign.
    rows : list of int
        Labelled crystals, in the order of arrival.
    y : list of float
    settings : dict
        Of the campaign.
    connection : sqlite3.Connection
        To the file of the campaign, for hyper-parameters that were found before.
    keep : bool, default=False
        Whether to write those that were found now there; this needs a transaction.

    Returns
    -------
    GaussianProcessRegressor
    """
    _, _, gp = make_parts(settings["recipe"], settings["weights"])
    X, y = features[rows], np.array(y, dtype=float)
    kernel = gp.kernel
    if kernel.theta.size:
        m = searched_labels(len(y))
        key = _key(features.shape, rows[:m], y[:m], settings["recipe"])
        theta = _recall(connection, key) if m else _scale_of_data(kernel, features)
        if theta is None:
            theta = _search(gp, X[:m], y[:m])
            if keep:
                row = [key, json.dumps(theta)]
                connection.execute("INSERT OR IGNORE INTO fits VALUES (?, ?)", row)
        kernel = kernel.clone_with_theta(np.array(theta))
    return gp.set_params(kernel=kernel, optimizer=None).fit(X, y)


def _search(gp, X, y):
    from sklearn import clone

    step = math.ceil(len(y) / MAX_SEARCH)
    return clone(gp).fit(X[::step], y[::step]).kernel_.theta.tolist()


def _scale_of_data(kernel, features):
    """Lengths that are median distances, and unit variance."""
    from ..gaussian_process.covariance import covariance_of

    some = features[:: math.ceil(len(features) / 500)]
    covariance = covariance_of(kernel, some)
    return np.clip(covariance.start(1.0), *kernel.bounds.T).tolist()


def _key(shape, rows, y, recipe):
    content = json.dumps([list(shape), list(map(int, rows)), y.tolist(), recipe])
    return hashlib.blake2b(content.encode(), digest_size=16).hexdigest()


def _recall(connection, key):
    row = connection.execute("SELECT theta FROM fits WHERE labels = ?", [key]).fetchone()
    return None if row is None else json.loads(row[0])
