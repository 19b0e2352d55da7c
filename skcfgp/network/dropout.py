"""Dropout, as a network with some of its weights set to zero.

A unit is dropped by zeroing the weights that compute it or read it. The result is an ordinary
network, the same for all crystals: a prediction depends neither on the batch nor on the choice of
the cell. As in megnet, the units are those of the output of each block (sites, bonds and state) and
of the pooled vector before the first readout layer.
"""

import numpy as np
from sklearn.utils import check_random_state


def count_units(weights):
    """Count the units that can be dropped."""
    return sum(int(weights[name].shape[0]) for name in _names(weights))


def thin(weights, mask):
    """Multiply each unit by its entry of the mask: 0 if it is dropped, else 1 / (1 - rate)."""
    thinned, start = dict(weights), 0
    for name in _names(weights):
        part = mask[start : start + weights[name].shape[0]]
        start += weights[name].shape[0]
        if name == "readout_0/kernel":  # its rows read the pooled vector
            thinned[name] = weights[name] * part[:, None]
        else:  # the last layer of an update is linear: each column computes a unit
            kernel = name.replace("/bias_", "/weight_")
            thinned[name], thinned[kernel] = weights[name] * part, weights[kernel] * part
    return thinned


def thinned_networks(network, rate, n_networks, random_state=None):
    """Yield copies of the network in which each unit is dropped with the probability `rate`."""
    rng = check_random_state(random_state)
    n_units = count_units(network.weights)
    for _ in range(n_networks):
        thinned = network.copy()
        mask = (rng.uniform(size=n_units) >= rate) / (1.0 - rate)
        thinned.weights = thin(thinned.weights, mask.astype(np.float32))
        yield thinned


def _names(weights):
    """Name one weight of each group of units, in a fixed order."""
    last = ("/bias_e_2", "/bias_v_2", "/bias_u_2")
    return sorted(name for name in weights if name.endswith(last) or name == "readout_0/kernel")
