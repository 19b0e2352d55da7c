"""What the model of a campaign says at one moment: predictions, choices and reasons."""

import math
from functools import cached_property

import numpy as np

from .model import MIN_LABELS, fit_process, on_one_thread, scale_features
from .monitoring import measured_gain
from .selection import WITHOUT_MODEL, choose
from .stopping import expected_error, spread

__all__ = ["Engine"]

N_NEIGHBOURS = 3

#: Crystals over which ``"integrated_variance"`` averages; of more a random part is taken.
N_TARGETS = 600


class Engine:
    """The model after the labels of a state.

    Parameters
    ----------
    state : State
    features : ndarray of shape (n_crystals, n_features)
        Raw, in the order of ``state.ids``.
    cost : ndarray of shape (n_crystals,)
    connection : sqlite3.Connection
        Open until the process is fitted.
    keep : bool, default=False
        See `fit_process`.
    """

    def __init__(self, state, features, cost, connection, keep=False):
        self.state = state
        self.cost = cost
        self.connection, self.keep = connection, keep
        self._features = features
        self.row = {id_: row for row, id_ in enumerate(state.ids)}

    @cached_property
    def X(self):
        """Features of all crystals, scaled."""
        return scale_features(self._features, self.state.settings["standardise"])

    @property
    def labelled(self):
        """Rows of the labelled crystals, in the order of arrival."""
        return [self.row[id_] for id_ in self.state.labels]

    @cached_property
    def open(self):
        """Rows of the crystals that are in the pool or pending."""
        skip = {*self.state.labels, *self.state.failures}
        return np.array([row for id_, row in self.row.items() if id_ not in skip], dtype=int)

    @cached_property
    def targets(self):
        """Rows of the crystals whose mean variance matters.

        The same ones from beginning to end, whatever is labelled, so that a plan of n choices is
        what n rounds of one choice would be.
        """
        rng = np.random.default_rng(self.state.settings["random_state"])
        return np.sort(rng.permutation(len(self.row))[:N_TARGETS])

    @cached_property
    def points(self):
        """Rows that the posterior is over: `open`, and then the other `targets`."""
        return np.concatenate([self.open, np.setdiff1d(self.targets, self.open)])

    @property
    def can_predict(self):
        """Whether there are enough labels."""
        return len(self.state.labels) >= MIN_LABELS

    @cached_property
    def gp(self):
        """The process, fitted to all labels."""
        if not self.can_predict:
            raise ValueError(
                f"a prediction needs {MIN_LABELS} labels, and there are {len(self.state.labels)}."
            )
        y = list(self.state.labels.values())
        settings = self.state.settings
        return fit_process(self.X, self.labelled, y, settings, self.connection, self.keep)

    @cached_property
    def _place(self):
        """Position in `points` of each of its rows."""
        return {row: i for i, row in enumerate(self.points)}

    def places(self, rows):
        """Return positions in `points` of rows."""
        return np.array([self._place[row] for row in rows], dtype=int)

    def rows(self, ids):
        """Return the rows of crystals."""
        return [self.row[id_] for id_ in ids]

    def posterior(self):
        """Return a new posterior over `points`."""
        from ..gaussian_process import PoolPosterior

        return PoolPosterior(self.gp, self.X[self.points])

    def condition(self, posterior, rows):
        """Condition a posterior on rows whose label is to come."""
        for place in self.places(rows):
            posterior.condition_on(place)

    def choose(self, strategy, n, pool, given, seed, posterior=None):
        """Choose rows of a pool by a strategy, given rows whose label is to come.

        Parameters
        ----------
        strategy : str
        n : int
        pool, given : list of int
            Rows.
        seed : list of int
        posterior : PoolPosterior, default=None
            That of no such rows, if it is there already; it is changed.

        Returns
        -------
        rows : list of int
        scores : list of float
        """
        if strategy in WITHOUT_MODEL:
            taken = [*self.labelled, *given]
            return choose(strategy, n, np.asarray(pool), X=self.X, taken=taken, seed=seed)
        posterior = posterior or self.posterior()
        self.condition(posterior, given)
        chosen, scores = choose(
            strategy,
            n,
            self.places(pool),
            posterior=posterior,
            targets=self.places(self.targets),
            cost=self.cost[self.points],
        )
        return self.points[chosen].tolist(), scores

    @on_one_thread
    def predict(self):
        """Predict everything that has no label.

        Returns
        -------
        rows : ndarray of int
        mean, std : ndarray of shape (n_rows,)
        """
        rows = np.setdiff1d(np.arange(len(self.row)), self.labelled)
        mean, std = self.gp.predict(self.X[rows], return_std=True) if len(rows) else ([], [])
        return rows, np.asarray(mean), np.asarray(std)

    @on_one_thread
    def suggest(self, n, strategy, n_random, seed):
        """Choose crystals, given the pending ones.

        Returns
        -------
        picks : list of dict
            In the order of the choice, those drawn at random last.
        curve : dict or None
            Standard deviation of what is in the pool or pending.
        """
        pool, pending = self.rows(self.state.pool), self.rows(self.state.pending)
        drawn, draw_scores = choose("random_sampling", n_random, np.array(pool), seed=seed)
        left = np.setdiff1d(pool, drawn)
        if not self.can_predict and strategy not in WITHOUT_MODEL:
            strategy = "greedy_k_center"
        posterior = self.posterior() if self.can_predict else None
        if posterior is not None:
            mean, std = posterior.mean, posterior.std
        rows, scores = [], []
        if n > len(drawn):
            given = [*pending, *drawn]
            rows, scores = self.choose(strategy, n - len(drawn), left, given, [*seed, 1], posterior)
        picks = self._describe([*rows, *drawn], [*scores, *draw_scores], len(drawn), strategy)
        if posterior is None:
            return picks, None
        in_pool = std[self.places(pool)]
        for pick, i in zip(picks, self.places([*rows, *drawn]), strict=True):
            pick["prediction"], pick["std"] = float(mean[i]), float(std[i])
            pick["std_rank"] = int(1 + np.sum(in_pool > std[i]))
        return picks, {"n_labels": len(self.state.labels)} | spread(std[: len(self.open)])

    @on_one_thread
    def plan(self, n, strategy, seed):
        """List the next choices, with what is left to know after each.

        Returns
        -------
        list of dict
            ``row``, ``std`` (when its turn comes), ``max_std``, ``mean_std`` and
            ``expected_error`` of what is left in the pool.
        """
        pool, pending = self.rows(self.state.pool), self.rows(self.state.pending)
        if strategy == "max_std":  # in rounds of one
            strategy = "greedy_max_std"
        rows, _ = self.choose(strategy, n, pool, pending, seed)
        posterior, left, result = self.posterior(), set(pool), []
        self.condition(posterior, pending)
        for row in rows:
            (place,) = self.places([row])
            std = float(posterior.std[place])
            posterior.condition_on(place)
            left.remove(row)
            after = spread(posterior.std[self.places(left)])
            if left:
                after["expected_error"] = expected_error(after["mean_std"], self.state.estimates)
            result.append({"row": row, "std": std} | after)
        return result

    @on_one_thread
    def gain(self):
        """Measure the gain over random choice; see `measured_gain`."""
        arms = {None: [], "strategy": [], "random": []}
        y = np.full(len(self.row), np.nan)
        for id_, value in self.state.labels.items():
            arms[self.state.arms.get(id_)].append(self.row[id_])
            y[self.row[id_]] = value
        return measured_gain(self.gp, self.X, y, arms[None], arms["strategy"], arms["random"])

    def _describe(self, rows, scores, n_drawn, strategy):
        strategies = [strategy] * (len(rows) - n_drawn) + ["random_sampling"] * n_drawn
        return [
            {
                "id": self.state.ids[row],
                "arm": "random" if of == "random_sampling" else "strategy",
                "strategy": of,
                "score": float(score) if math.isfinite(score) else None,
                "prediction": None,
                "std": None,
                "std_rank": None,
                "neighbours": near,
            }
            for row, score, of, near in zip(
                rows, scores, strategies, self._neighbours(rows), strict=True
            )
        ]

    def _neighbours(self, rows):
        """Nearest labelled crystals of each row: id, value and distance in kernel lengths.

        The distance is -ln of the correlation: d / l for a Laplacian, their sum for a product of
        two. Without a model it is that of the features.
        """
        if not self.state.labels or not rows:
            return [[] for _ in rows]
        X, labelled, ids = self.X, self.labelled, list(self.state.labels)
        if self.can_predict:
            kernel = self.gp.kernel_
            itself = np.array([kernel(X[[row]], X[[row]])[0, 0] for row in rows])
            correlation = kernel(X[rows], X[labelled]) / itself[:, None]
            distance = -np.log(np.clip(correlation, 1e-300, 1.0))
        else:
            distance = np.array([np.linalg.norm(X[labelled] - X[row], axis=1) for row in rows])
        return [
            [
                {"id": ids[i], "value": self.state.labels[ids[i]], "distance": float(of[i])}
                for i in np.argsort(of, kind="stable")[:N_NEIGHBOURS]
            ]
            for of in distance
        ]
