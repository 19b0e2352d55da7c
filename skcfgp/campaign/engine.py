"""What the model of a campaign says at one moment: predictions, choices and reasons.

What is predicted is what `Predictor` says. What is chosen is chosen by a process whose
hyper-parameters stay between two searches, so that a plan of n choices is what n rounds of one
choice would be.
"""

import copy
import math
from functools import cached_property

import numpy as np

from ..structures.threads import one_blas_thread
from .choosing import choose, draw, strategy_of
from .goals import outlook, parse_goal
from .keeping import read_arrays
from .model import choose_kernel, make_model, searched_labels
from .monitoring import expected_error, measured_gain
from .prediction import Predictor
from .scale import gain_in_unit, in_unit, learnt, learnt_goal, learnt_std

#: Times that something is computed while others may write; after that they wait for it.
ATTEMPTS = 3

#: With fewer labels there is no spread to scale a model by.
MIN_LABELS = 2

N_NEIGHBOURS = 3

_OPEN = ("pool", "pending")

#: Crystals over which ``"integrated_variance"`` averages, and among which it chooses; if there are
#: more, they are drawn. With fewer than `N_LEAST` of these left in the pool, it chooses among all.
N_TARGETS, N_LOOKED_AT, N_LEAST = 600, 5000, 1000


class Engine:
    """The model after all labels; it reads what it needs from a `Ledger`, and then no more."""

    def __init__(self, ledger):
        self.state = ledger.state
        self.features, self.cost = read_arrays(ledger)
        self.fits = dict(ledger.connection.execute("SELECT labels, theta FROM fits"))
        self.row = {id_: row for row, id_ in enumerate(self.state.ids)}
        #: Campaigns of older versions have none, and go on as they began.
        goal = self.state.settings.get("goal")
        self.goal = None if goal is None else learnt_goal(parse_goal(goal), self.state.settings)

    def keep_fits(self, connection):
        """Write the hyper-parameters that were found, in a transaction."""
        connection.executemany("INSERT OR IGNORE INTO fits VALUES (?, ?)", self.fits.items())

    @cached_property
    def X(self):
        """Features of all crystals, standardised over all of them if the recipe says so."""
        if not self.state.settings["standardise"]:
            return self.features
        from sklearn.preprocessing import StandardScaler

        return StandardScaler().fit_transform(self.features)

    @property
    def can_predict(self):
        """Whether there are enough labels."""
        return len(self.state.labels) >= MIN_LABELS

    def rows(self, ids):
        """Return the rows of crystals."""
        return [self.row[id_] for id_ in ids]

    @cached_property
    def targets(self):
        """Rows of the crystals whose mean variance matters.

        The same ones from beginning to end, whatever is labelled, so that a plan of n choices is
        what n rounds of one choice would be.
        """
        from sklearn.utils import check_random_state

        rng = check_random_state(self.seed)
        return np.sort(rng.permutation(len(self.row))[:N_TARGETS])

    def looked_at(self, pool, strategy, n):
        """Return the rows of a pool that a strategy chooses n from.

        In a large one they are drawn anew whenever hyper-parameters are searched for, so that a
        plan of n choices is what n rounds of one choice would be.
        """
        if strategy != "integrated_variance" or len(self.row) <= N_LOOKED_AT:
            return np.array(pool, dtype=int)
        rng = np.random.RandomState([self.seed, searched_labels(len(self.state.labels))])
        some = np.intersect1d(pool, rng.permutation(len(self.row))[:N_LOOKED_AT])
        return some if len(some) >= max(n, N_LEAST) else np.array(pool, dtype=int)

    @property
    def seed(self):
        """Seed of what is drawn at random."""
        return self.state.settings["random_state"] % 2**32  # older versions took larger ones

    @cached_property
    def y(self):
        """What is learnt of all labels, in the order of arrival."""
        return learnt([*self.state.labels.values()], self.state.settings)

    @cached_property
    def y_std(self):
        """Standard errors of all labels, 0 where there is none; None if no label has one."""
        if not self.state.label_std:
            return None
        std = [self.state.label_std.get(id_, 0.0) for id_ in self.state.labels]
        return learnt_std([*self.state.labels.values()], std, self.state.settings)

    @cached_property
    def learner(self):
        """An `ActiveLearner` that has learnt all labels."""
        from ..active_learning import ActiveLearner

        settings, rows = self.state.settings, self.rows(self.state.labels)
        gp = make_model(settings)[-1]
        if not self.can_predict:
            learner = ActiveLearner(gp)
            learner.X_training = self.X[rows] if rows else None
            return learner
        recipe, y_std = settings["recipe"], self.y_std
        kernel = choose_kernel(gp, self.X, rows, self.y, recipe, self.fits, y_std)
        gp.set_params(kernel=kernel, optimizer=None)
        return ActiveLearner(gp).fit(self.X[rows], self.y, y_std=y_std)

    @cached_property
    @one_blas_thread()
    def gp(self):
        """The process, fitted to all labels."""
        if not self.can_predict:
            raise ValueError(
                f"a prediction needs {MIN_LABELS} labels, and there are {len(self.state.labels)}. "
                "Tell the campaign more results first."
            )
        return self.learner.estimator

    @cached_property
    @one_blas_thread()
    def predictor(self):
        """The model of the predictions; None without labels, and in campaigns of older versions."""
        if self.goal is None or not self.can_predict:
            return None
        rows, settings = self.rows(self.state.labels), self.state.settings
        return Predictor(self.features, rows, self.y, settings, self.fits, self.y_std)

    @property
    def df(self):
        """Degrees of freedom of the predictive distributions; None if they are Gaussian."""
        return None if self.predictor is None else self.predictor.df

    def predict(self, rows):
        """Predict mean and standard deviation of what is learnt of crystals, by row."""
        if self.predictor is not None:
            return self.predictor.predict(rows)
        gp = self.gp  # raises without a model
        return gp.predict(self.X[rows], return_std=True) if len(rows) else (np.empty(0),) * 2

    @one_blas_thread()
    def outlook(self):
        """Say what is to be expected of the crystals without a label; see `goals.outlook`."""
        if self.predictor is None:
            return None
        open_ = self.rows(id_ for id_ in self.state.ids if self.state.status_of(id_) in _OPEN)
        learner, X = self.predictor.learner, self.predictor.X[open_]
        found = outlook(self.goal, learner, X, self.seed)
        if found is not None and self.goal.mode is not None:
            best = self.y.max() if self.goal.mode == "max" else self.y.min()
            found["expected_gain"] = gain_in_unit(
                found["expected_gain"], best, self.goal.mode, self.state.settings
            )
        return found

    def given(self, rows):
        """Return a learner that has the labels of more rows, whatever these labels will be.

        With the hyper-parameters fixed they do not matter for the variances. The second result is
        what a standard deviation of its process is to be multiplied by: the unit of a process that
        standardises the labels depends on them.
        """
        if not len(rows):
            return self.learner, 1.0
        if not self.can_predict:
            learner, known = copy.copy(self.learner), self.learner.X_training
            learner.X_training = self.X[rows] if known is None else np.vstack([known, self.X[rows]])
            return learner, 1.0
        learner = copy.deepcopy(self.learner)
        learner.teach(self.X[rows], self.gp.predict(self.X[rows]))
        unit = self.gp.y_scale_[0] / learner.estimator.y_scale_[0]
        if self.y_std is not None:  # the noise stays what it was in the unit of the process
            y_std = np.concatenate([self.y_std / unit, np.zeros(len(rows))])
            learner.fit(learner.X_training, learner.y_training, y_std=y_std)
        return learner, unit

    @cached_property
    @one_blas_thread()
    def predictions(self):
        """Predictions of everything that has no label: rows, means and standard deviations."""
        rows = np.setdiff1d(np.arange(len(self.row)), self.rows(self.state.labels))
        return rows, *self.predict(rows)

    @one_blas_thread()
    def suggest(self, n, n_random=0):
        """Choose crystals, given the pending ones; those drawn at random stand last.

        The second result is the curve: the standard deviation of what is looked at or pending; None
        without a model.
        """
        pending, strategy = self.rows(self.state.pending), strategy_of(self)
        pool = self.looked_at(self.rows(self.state.pool), strategy, n)
        if strategy == "random_sampling":
            n_random = n
        drawn, draw_scores = draw(self, n_random) if n_random else ([], [])
        rows, scores = [], []
        if n > n_random:
            left = np.setdiff1d(pool, drawn)
            rows, scores = choose(self, strategy, n - n_random, left, [*pending, *drawn])
        chosen, scores = [*rows, *drawn], [*scores, *draw_scores]
        open_, (mean, std) = (
            np.union1d(pool, pending).astype(int),
            np.full((2, len(self.row)), np.nan),
        )
        if self.can_predict:
            predicted = np.union1d(open_, chosen).astype(int)
            mean[predicted], std[predicted] = self.predict(predicted)
        picks = [
            {
                "id": self.state.ids[row],
                "arm": "random" if row in drawn else "strategy",
                "strategy": "random_sampling" if row in drawn else strategy,
                "score": float(score) if math.isfinite(score) else None,
                "prediction": float(mean[row]) if self.can_predict else None,
                "std": float(std[row]) if self.can_predict else None,
                "std_rank": int(1 + np.sum(std[pool] > std[row])) if self.can_predict else None,
                "neighbours": near,
            }
            for row, score, near in zip(chosen, scores, self._neighbours(chosen), strict=True)
        ]
        if not self.can_predict:
            return picks, None
        left = self._std_in_unit(mean[open_], std[open_])
        return picks, {"n_labels": len(self.state.labels)} | _spread(left)

    @one_blas_thread()
    def plan(self, n):
        """List the next choices, with the uncertainty remaining after each, in the target's unit.

        Each has ``row``, ``std`` (when its turn comes), and ``max_std``, ``mean_std`` and
        ``expected_error`` of what is left in the pool.
        """
        from ..gaussian_process import PoolPosterior

        pending, strategy = self.rows(self.state.pending), strategy_of(self)
        pool = self.looked_at(self.rows(self.state.pool), strategy, n)
        if strategy == "random_sampling":
            rows, _ = draw(self, n)
        else:  # max_std in rounds of one
            strategy = "greedy_max_std" if strategy == "max_std" else strategy
            rows, _ = choose(self, strategy, n, pool, pending)
        if not self.can_predict:
            return [{"row": row} for row in rows]
        learner, unit = self.given(pending)
        unit = unit * self._unit_of_std(pool)
        posterior = PoolPosterior(learner.estimator, self.X[pool])
        place = {row: i for i, row in enumerate(pool)}
        left, result, mean = np.ones(len(pool), dtype=bool), [], self.predict(pool)[0]
        for row in rows:
            std = float(self._std_in_unit(mean, posterior.std * unit)[place[row]])
            posterior.condition_on(place[row])
            left[place[row]] = False
            after = _spread(self._std_in_unit(mean, posterior.std * unit)[left])
            if left.any():
                after["expected_error"] = expected_error(after["mean_std"], self.state.estimates)
            result.append({"row": row, "std": std} | after)
        return result

    def _std_in_unit(self, mean, std):
        """Return standard deviations of the target, of predictions of what is learnt of it."""
        return in_unit(mean, std, self.df, self.state.settings)["std"]

    def _unit_of_std(self, rows):
        """Return what standard deviations of the process that chooses are multiplied by."""
        if self.predictor is None:
            return np.ones(len(rows))
        std = self.gp.predict(self.X[rows], return_std=True)[1]
        return self.predict(rows)[1] / np.maximum(std, np.finfo(float).tiny)

    @one_blas_thread()
    def gain(self):
        """Measure the gain over random choice; see `measured_gain`."""
        arms = {None: [], "strategy": [], "random": []}
        y, y_std = np.full(len(self.row), np.nan), np.zeros(len(self.row))
        for id_ in self.state.labels:
            arms[self.state.arms.get(id_)].append(self.row[id_])
        rows = self.rows(self.state.labels)
        y[rows], y_std[rows] = self.y, 0.0 if self.y_std is None else self.y_std
        arms = arms[None], arms["strategy"], arms["random"]
        return measured_gain(self.gp, self.X, y, *arms, y_std=y_std)

    def _neighbours(self, rows):
        """Nearest labelled crystals of each row: id, value and distance.

        The distance is -ln of the correlation: d / l for a Laplacian, their sum for a product of
        two. Without a model it is that of the features.
        """
        if not self.state.labels or not rows:
            return [[] for _ in rows]
        X, labelled, ids = self.X, self.rows(self.state.labels), list(self.state.labels)
        if self.can_predict:
            kernel = self.gp.kernel_
            itself = np.array([kernel(X[[row]], X[[row]])[0, 0] for row in rows])
            correlation = kernel(X[rows], X[labelled]) / itself[:, None]
            distances = -np.log(np.clip(correlation, 1e-300, 1.0))
        else:
            distances = np.array([np.linalg.norm(X[labelled] - X[row], axis=1) for row in rows])
        return [
            [
                {"id": ids[i], "value": self.state.labels[ids[i]], "distance": float(distance[i])}
                for i in np.argsort(distance, kind="stable")[:N_NEIGHBOURS]
            ]
            for distance in distances
        ]


def _spread(std):
    """Return the largest and the mean standard deviation; None if there is none."""
    if not len(std):
        return {"max_std": None, "mean_std": None}
    return {"max_std": float(np.max(std)), "mean_std": float(np.mean(std))}


def record_computed(store, record, compute, *args):
    """Compute while others may write; record it if nobody did, else compute again."""
    for _ in range(ATTEMPTS):
        with store.reading() as ledger:
            engine = Engine(ledger)
            found = compute(ledger, engine, *args)
        with store.writing() as ledger:
            engine.keep_fits(ledger.connection)
            if ledger.n_events == engine.state.n_events:
                return record(ledger, found)
    with store.writing() as ledger:
        return record(ledger, compute(ledger, Engine(ledger), *args))
