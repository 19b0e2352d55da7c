"""The model of a campaign: its recipe, its features and its hyper-parameters.

The hyper-parameters are found on the first m labels in their order of arrival, where m grows by a
tenth at a time. So they follow from the labels alone: after a crash, or on
another machine, the model is the same, and between two searches a new label costs little.
"""

import hashlib
import json
import math

import numpy as np

#: With fewer labels the lengths are median distances, and nothing is searched for. From ten labels
#: on the search by leave-one-out predictions has the smaller errors, see docs/active_learning.rst;
#: so it begins where the design of the first labels ends.
MIN_SEARCH = 10

#: A search on more labels takes them evenly from all.
MAX_SEARCH = 800


def make_model(settings, calibrated=False):
    """Make the pipeline of a campaign by `skcfgp.make_cfgp`."""
    from ..models.cfgp import make_cfgp

    recipe, groups = settings["recipe"], None
    if recipe == "composition" and "goal" not in settings:  # of an older version
        groups = ("mean", "deviation", "cell")
    named = {name: settings.get(name, ()) for name in ("estimates", "columns")}
    options = {"recipe": recipe, "groups": groups, "calibrated": calibrated, "random_state": 0}
    return make_cfgp(settings["weights"], **options, **named)


def takes_formulas(settings):
    """Tell whether the model of a campaign needs no structure."""
    return settings["recipe"] == "composition" and "goal" in settings  # older ones know the cell


def compute_features(pool, settings):
    """Compute the features of crystals, not standardised; move what has none to ``pool.refused``.

    The named columns of the pool's tables come last, as in `skcfgp.make_cfgp`.

    Returns the features of the crystals that are left, whether the process wants them standardised,
    and the digest of the network, if there is one.
    """
    from sklearn.pipeline import make_union
    from sklearn.preprocessing import StandardScaler

    from ..features import CompositionFeaturizer, MEGNetFeaturizer
    from ..models.predictor import featurize
    from ..structures import Structures, object_array
    from .crystals import numbers_of

    parts = make_model(settings)[:-1].get_params().values()
    numbers = numbers_of(pool, [*settings.get("columns", ()), *settings.get("estimates", ())])
    pool.check_not_empty()
    # The campaign standardises over all its crystals, also those that come later; so not here.
    standardise = any(isinstance(part, StandardScaler) for part in parts)
    featurizers = make_union(
        *(part for part in parts if isinstance(part, CompositionFeaturizer | MEGNetFeaturizer))
    )
    crystals = Structures(object_array(pool.structures), object_array(pool.ids), [])
    X, errors = featurize(featurizers.fit(crystals.structures), crystals)
    left = np.setdiff1d(np.arange(len(X)), list(errors)).astype(int)
    pool.refuse_rows(errors)
    pool.check_not_empty()
    networks = [part.network_ for part in parts if hasattr(part, "network_")]
    digest = networks[0].digest() if networks else None
    return np.hstack([X[left].astype(np.float64), numbers[left]]), standardise, digest


def check_network(settings, digest):
    """Refuse another network than that with which a campaign was begun."""
    if digest != settings["network_digest"]:
        raise ValueError(
            f"the network {settings['weights']!r} has changed since this campaign was begun "
            f"(digest {digest}, not {settings['network_digest']}): features of two networks "
            "cannot be mixed. Begin a new campaign with the labels of this one ('export')."
        )


def searched_labels(n_labels):
    """Return the number of first labels on which the hyper-parameters are found; 0 for no search.

    >>> from skcfgp.campaign.model import searched_labels
    >>> [searched_labels(n) for n in (9, 10, 20, 21, 22, 100)]
    [0, 10, 20, 20, 22, 94]
    """
    if n_labels < MIN_SEARCH:
        return 0
    m = MIN_SEARCH
    while (larger := m + m // 10) <= n_labels:
        m = larger
    return m


def choose_kernel(gp, X, rows, y, recipe, fits, y_std=None):
    """Return the kernel of a process with its hyper-parameters, given labels of rows of `X`.

    `y_std` are standard errors of the labels; `fits` holds hyper-parameters that were found before,
    and what is found now is added to it.
    """
    if not gp.kernel.theta.size:
        return gp.kernel
    if not (m := searched_labels(len(y))):
        return gp.kernel.clone_with_theta(_scale_of_data(gp.kernel, X))
    some = slice(0, m, math.ceil(m / MAX_SEARCH))
    content = [list(X.shape), rows[:m], y[:m].tolist(), recipe]
    if y_std is not None:
        content, y_std = [*content, y_std[:m].tolist()], y_std[some]
    return _searched(gp, X[rows[some]], y[some], y_std, content, fits)


def searched_kernel(gp, X, y, recipe, fits, y_std=None):
    """Return the kernel of a process as its own search finds it on all labels; see above."""
    if not gp.kernel.theta.size:
        return gp.kernel
    known = [] if y_std is None else [y_std.tolist()]
    return _searched(gp, X, y, y_std, ["all", X.tolist(), y.tolist(), recipe, *known], fits)


def _searched(gp, X, y, y_std, content, fits):
    key = hashlib.blake2b(json.dumps(content).encode(), digest_size=16).hexdigest()
    if (theta := _theta(fits.get(key), gp.kernel)) is None:
        from sklearn import clone

        theta = clone(gp).fit(X, y, y_std=y_std).kernel_.theta
        fits[key] = json.dumps(theta.tolist())
    return gp.kernel.clone_with_theta(theta)


def _theta(text, kernel):
    """Read hyper-parameters that were kept; None if there are none that can be used."""
    try:
        theta = np.array(json.loads(text), dtype=float)
    except (TypeError, ValueError):
        return None
    return theta if theta.shape == kernel.theta.shape and np.isfinite(theta).all() else None


def _scale_of_data(kernel, X):
    """Lengths that are median distances, and unit variance."""
    from ..gaussian_process.covariance import covariance_of

    covariance = covariance_of(kernel, X[:: math.ceil(len(X) / 500)])
    return np.clip(covariance.start(1.0), *kernel.bounds.T)
