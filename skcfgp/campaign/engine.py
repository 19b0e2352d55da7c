"""What the model of a campaign says at one moment: predictions, choices and reasons."""

import copy
import math
from functools import cached_property
from pathlib import Path

import numpy as np

from .crystals import details, read_arrays, read_structures
from .jobs import Batch, job_names
from .model import choose_kernel, make_model, one_blas_thread
from .monitoring import expected_error, measured_gain, rules_met
from .settings import WITHOUT_MODEL, versions

__all__ = ["MIN_LABELS", "Engine", "check_n", "make_suggestion", "record_suggestion"]

#: With fewer labels there is no spread to scale a model by.
MIN_LABELS = 2

N_NEIGHBOURS = 3

#: Crystals over which ``"integrated_variance"`` averages; if there are more, they are drawn.
N_TARGETS = 600


class Engine:
    """The model after all labels; it reads what it needs from a `Ledger`, and then no more."""

    def __init__(self, ledger):
        self.state = ledger.state
        self.features, self.cost = read_arrays(ledger)
        self.fits = dict(ledger.connection.execute("SELECT labels, theta FROM fits"))
        self.row = {id_: row for row, id_ in enumerate(self.state.ids)}

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

        rng = check_random_state(self._seed)
        return np.sort(rng.permutation(len(self.row))[:N_TARGETS])

    @property
    def _seed(self):
        return self.state.settings["random_state"] % 2**32  # older versions took larger ones

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
        y = np.array(list(self.state.labels.values()), dtype=float)
        kernel = choose_kernel(gp, self.X, rows, y, settings["recipe"], self.fits)
        gp.set_params(kernel=kernel, optimizer=None)
        return ActiveLearner(gp, X_training=self.X[rows], y_training=y)

    @cached_property
    @one_blas_thread()
    def gp(self):
        """The process, fitted to all labels."""
        if not self.can_predict:
            raise ValueError(
                f"a prediction needs {MIN_LABELS} labels, and there are {len(self.state.labels)}."
            )
        return self.learner.estimator

    def _given(self, rows):
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
        return learner, self.gp.y_scale_[0] / learner.estimator.y_scale_[0]

    def _choose(self, strategy, n, pool, given):
        """Choose rows of a pool, given rows whose label is to come; return them and their scores.

        The crystals of a batch are chosen each given those before, except by ``"max_std"``.
        """
        from .. import query

        learner, unit = self._given(given)
        if self.state.settings["cost"] and strategy not in WITHOUT_MODEL:
            choice = self._choose_by_cost(learner.estimator, strategy, n, pool)
        else:
            average = strategy == "integrated_variance"
            options = {"X_target": self.X[self.targets]} if average else {}
            choice = getattr(query, strategy)(learner, self.X[pool], n, **options)
        power = {"integrated_variance": 2, "greedy_k_center": 0}.get(strategy, 1)
        scores = np.asarray(choice[1]) * unit**power
        return np.asarray(pool)[choice[0]].tolist(), scores.tolist()

    def _choose_by_cost(self, gp, strategy, n, pool):
        """Choose one after the other by score per unit of cost."""
        from ..gaussian_process import PoolPosterior
        from ..gaussian_process.greedy import first_of_largest

        posterior = PoolPosterior(gp, self.X[[*pool, *self.targets]])
        candidates, targets = slice(len(pool)), slice(len(pool), None)
        chosen, scores = [], []
        for _ in range(n):
            score = posterior.std[candidates]
            if strategy == "integrated_variance":
                score = posterior.variance_reduction(candidates, targets)
            score = score / self.cost[pool]
            score[chosen] = -np.inf
            chosen.append(first_of_largest(score))
            scores.append(score[chosen[-1]])
            if strategy != "max_std":
                posterior.condition_on(chosen[-1])
        return chosen, scores

    def _strategy(self):
        """Name the strategy that is asked now; `query.recommended` takes the same for a process."""
        strategy = self.state.settings["strategy"]
        if not self.can_predict and strategy not in WITHOUT_MODEL:
            return "greedy_k_center"
        return "integrated_variance" if strategy == "recommended" else strategy

    def _draw(self, n):
        """Draw rows of the pool at random; the draw follows from how many were suggested."""
        from ..query import random_sampling

        rng = np.random.RandomState([self._seed, self.state.n_suggested])
        pool = self.rows(self.state.pool)
        chosen, probability = random_sampling(None, self.X[pool], n, random_state=rng)
        return np.asarray(pool)[chosen].tolist(), probability.tolist()

    @cached_property
    @one_blas_thread()
    def predictions(self):
        """Predictions of everything that has no label: rows, means and standard deviations."""
        rows = np.setdiff1d(np.arange(len(self.row)), self.rows(self.state.labels))
        mean, std = self.gp.predict(self.X[rows], return_std=True) if len(rows) else ([], [])
        return rows, np.asarray(mean), np.asarray(std)

    @one_blas_thread()
    def suggest(self, n, n_random=0):
        """Choose crystals, given the pending ones; those drawn at random stand last.

        The second result is the curve: the standard deviation of what is in the pool or pending;
        None without a model.
        """
        pool, pending = self.rows(self.state.pool), self.rows(self.state.pending)
        strategy = self._strategy()
        if strategy == "random_sampling":
            n_random = n
        drawn, draw_scores = self._draw(n_random) if n_random else ([], [])
        rows, scores = [], []
        if n > n_random:
            left = np.setdiff1d(pool, drawn)
            rows, scores = self._choose(strategy, n - n_random, left, [*pending, *drawn])
        mean, std = np.full((2, len(self.row)), np.nan)
        if self.can_predict:
            skip = {*self.state.labels, *self.state.failures}
            open_ = [row for id_, row in self.row.items() if id_ not in skip]
            mean[open_], std[open_] = self.gp.predict(self.X[open_], return_std=True)
        chosen, scores = [*rows, *drawn], [*scores, *draw_scores]
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
        return picks, {"n_labels": len(self.state.labels)} | _spread(std[open_])

    @one_blas_thread()
    def plan(self, n):
        """List the next choices, with the uncertainty remaining after each.

        Each has ``row``, ``std`` (when its turn comes), and ``max_std``, ``mean_std`` and
        ``expected_error`` of what is left in the pool.
        """
        from ..gaussian_process import PoolPosterior

        self.gp  # noqa: B018  raises without a model
        pool, pending = self.rows(self.state.pool), self.rows(self.state.pending)
        strategy = self._strategy()
        if strategy == "random_sampling":
            rows, _ = self._draw(n)
        else:  # max_std in rounds of one
            strategy = "greedy_max_std" if strategy == "max_std" else strategy
            rows, _ = self._choose(strategy, n, pool, pending)
        learner, unit = self._given(pending)
        posterior = PoolPosterior(learner.estimator, self.X[pool])
        place = {row: i for i, row in enumerate(pool)}
        left, result = np.ones(len(pool), dtype=bool), []
        for row in rows:
            std = float(posterior.std[place[row]]) * unit
            posterior.condition_on(place[row])
            left[place[row]] = False
            after = _spread(posterior.std[left] * unit)
            if left.any():
                after["expected_error"] = expected_error(after["mean_std"], self.state.estimates)
            result.append({"row": row, "std": std} | after)
        return result

    @one_blas_thread()
    def gain(self):
        """Measure the gain over random choice; see `measured_gain`."""
        arms = {None: [], "strategy": [], "random": []}
        y = np.full(len(self.row), np.nan)
        for id_, value in self.state.labels.items():
            arms[self.state.arms.get(id_)].append(self.row[id_])
            y[self.row[id_]] = value
        return measured_gain(self.gp, self.X, y, arms[None], arms["strategy"], arms["random"])

    def _neighbours(self, rows):
        """Nearest labelled crystals of each row: id, value and distance in kernel lengths.

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


def check_n(n, state):
    """Raise if the pool has not that many crystals."""
    n_pool = state.counts()["pool"]
    if not n_pool:
        raise ValueError("the pool is empty: there is nothing left to suggest.")
    if not 1 <= n <= n_pool:
        raise ValueError(
            f"the pool has {n_pool} crystals left: n must be between 1 and that, got {n}."
        )


def make_suggestion(ledger, engine, n, out, fmt, anyway):
    """Choose what `Campaign.suggest` returns, and what is to be recorded and written then.

    The result is the picks, the rules to stop that are met, the content of the event (None if there
    is none) and the `Batch` of files (None without a folder).
    """
    state, settings = engine.state, engine.state.settings
    check_n(n, state)
    if not anyway and (met := rules_met(ledger)):  # those that need no model
        return [], met, None, None
    quota = math.floor(settings["random_fraction"] * (state.n_suggested + n) + 1e-9)
    picks, curve = engine.suggest(n, min(n, max(0, quota - state.n_random)))
    gain = engine.gain() if curve else None
    met = [] if anyway else rules_met(ledger, curve, gain or state.gain)
    picks = [] if met else picks
    content = {"picks": picks, "curve": curve, "gain": gain, "model": None, "versions": versions()}
    if curve:
        kernel = engine.gp.kernel_
        content["model"] = {"kernel": repr(kernel), "theta": kernel.theta.tolist()}
    if met and curve in state.curve[-1:]:  # an end is put on record once
        content = None
    known, batch = details(ledger.connection), None
    picks = [{"id": pick["id"], **known[pick["id"]]} | pick for pick in picks]
    if out is not None:
        batch, names = Batch(Path(out), fmt, state.n_events + 1), job_names(state.ids)
        structures = read_structures(ledger, [pick["id"] for pick in picks])
        for pick, structure in zip(picks, structures, strict=True):
            pick["file"] = str(batch.add(names[pick["id"]], pick, structure))
    return picks, met, content, batch


def record_suggestion(ledger, suggestion):
    """Record what `make_suggestion` found and write its files, in a transaction."""
    picks, met, content, batch = suggestion
    if content is not None:
        ledger.append("suggest", content)
    if batch is not None:
        batch.write()
    return picks, met


def _spread(std):
    """Return the largest and the mean standard deviation; None if there is none."""
    if not len(std):
        return {"max_std": None, "mean_std": None}
    return {"max_std": float(np.max(std)), "mean_std": float(np.mean(std))}
