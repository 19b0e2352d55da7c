"""Row 1: how well the target structures the latent space, and its map in the plane."""

import numpy as np
from sklearn.manifold import TSNE
from sklearn.neighbors import NearestNeighbors

from .trials import RECIPES, load_trial, trial_names

__all__ = ["latent_structure", "nearest_neighbour_mae"]

N_SHUFFLES = 20
PERPLEXITY = 30.0


def nearest_neighbour_mae(Z, y):
    """Predict each target by that of the nearest other row.

    Parameters
    ----------
    Z : ndarray of shape (n_samples, n_features)
    y : ndarray of shape (n_samples,)

    Returns
    -------
    float
        Mean absolute error, in the unit of y.
    """
    neighbour = NearestNeighbors(n_neighbors=2).fit(Z).kneighbors(Z, return_distance=False)
    itself = neighbour[:, 0] == np.arange(len(Z))  # not always first among equal rows
    nearest = np.where(itself, neighbour[:, 1], neighbour[:, 0])
    return float(np.abs(y[nearest] - y).mean())


def latent_structure(settings, data, results):
    """Stage: error of the nearest neighbour in latent space, in its map and in a shuffled map.

    Of the crystals of pool and test set: the network has trained on none of them.

    Returns
    -------
    dict
        A value a trial of each of ``layer_<recipe>``, ``map_<recipe>``, ``shuffled_<recipe>``; of
        the first trial ``embedding_<recipe>`` with ``rows`` for the figure.
    """
    out = {f"{kind}_{recipe}": [] for kind in ("layer", "map", "shuffled") for recipe in RECIPES}
    for number, name in enumerate(trial_names(settings)):
        trial = load_trial(data, results, name)
        rows = np.concatenate([trial.pool, trial.test])
        y = data.y[rows]
        rng = np.random.RandomState(settings.random_state + number)
        for recipe in RECIPES:
            Z = trial.X[recipe][rows]
            perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
            plane = TSNE(perplexity=perplexity, random_state=rng).fit_transform(Z)
            shuffled = [nearest_neighbour_mae(plane, rng.permutation(y)) for _ in range(N_SHUFFLES)]
            out[f"layer_{recipe}"].append(nearest_neighbour_mae(Z, y))
            out[f"map_{recipe}"].append(nearest_neighbour_mae(plane, y))
            out[f"shuffled_{recipe}"].append(float(np.mean(shuffled)))
            if not number:
                out[f"embedding_{recipe}"] = plane
        if not number:
            out["rows"] = rows
    return out
