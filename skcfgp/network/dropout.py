"""Dropout, as a network with some of its weights at zero.

A unit is dropped by setting the weights that make it, or those that read it, to zero. What remains
is a network like any other, for all crystals alike: a crystal's prediction by it depends neither on
the batch nor on the choice of the cell. Units are dropped where megnet drops them: in the sites,
bonds and state that come out of each block, and in the pooled vector before the first readout
layer.
"""

import numpy as np

__all__ = ["count_units", "thin", "thinned_networks"]


def count_units(weights):
    """Count the units that can be dropped.

    Parameters
    ----------
    weights : dict of str to array or tensor

    Returns
    -------
    int
    """
    return sum(int(weights[name].shape[0]) for name in _names(weights))


def thin(weights, mask):
    """Multiply each unit by its entry of the mask.

    Parameters
    ----------
    weights : dict of str to array or tensor
    mask : array or tensor of shape (n_units,)
        0 for a unit that is dropped, 1 / (1 - rate) for one that stays.

    Returns
    -------
    dict of str to array or tensor
    """
    thinned, start = dict(weights), 0
    for name in _names(weights):
        part = mask[start : start + weights[name].shape[0]]
        start += weights[name].shape[0]
        if name == "readout_0/kernel":  # its rows read the pooled vector
            thinned[name] = weights[name] * part[:, None]
        else:  # the last layer of an update is linear, so its columns make the units
            kernel = name.replace("/bias_", "/weight_")
            thinned[name], thinned[kernel] = weights[name] * part, weights[kernel] * part
    return thinned


def thinned_networks(network, rate, n_networks, random_state=None):
    """Draw networks in which each unit is dropped with a probability.

    Parameters
    ----------
    network : MEGNet
        It is not changed.
    rate : float
        Probability that a unit is dropped, in [0, 1).
    n_networks : int
    random_state : int, RandomState or None

    Yields
    ------
    MEGNet
    """
    from sklearn.utils import check_random_state

    rng = check_random_state(random_state)
    n_units = count_units(network.weights)
    for _ in range(n_networks):
        thinned = network.copy()
        mask = (rng.uniform(size=n_units) >= rate) / (1.0 - rate)
        thinned.weights = thin(thinned.weights, mask.astype(np.float32))
        yield thinned


def _names(weights):
    """One weight for each group of units, in an order that does not depend on the file."""
    last = ("/bias_e_2", "/bias_v_2", "/bias_u_2")
    return sorted(name for name in weights if name.endswith(last) or name == "readout_0/kernel")
