"""`ActiveLearner`: modAL's, made to work on current releases and to learn row by row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from modAL.models import ActiveLearner as _ModALActiveLearner
from sklearn import get_config
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import has_fit_parameter

from ..gaussian_process.common import last_step, last_step_input
from ..query import recommended
from ..query.modal import OneQuery, stack_rows
from ..structures.typing import ArrayLike, Estimator, Rows, Self


class ActiveLearner(OneQuery, _ModALActiveLearner):
    """An active learner: an estimator, a query strategy and the labels so far.

    modAL's ``ActiveLearner`` with these differences: `teach` uses the estimator's ``partial_fit``
    where it has one, so that hyper-parameters stay and a new label costs little; crystals are
    accepted as well as arrays; ``clone`` and ``repr`` work; and it may begin without a label.
    `skcfgp.query.recommended`, `skcfgp.query.integrated_variance` and the strategies that look for
    the best label then choose by `skcfgp.query.initial_design`; ``recommended`` continues the
    design until there are ten labels.

    Parameters
    ----------
    estimator : estimator
        Regressor whose ``predict(X, return_std=True)`` gives a standard deviation, such as
        `skcfgp.GaussianProcessRegressor`, or a ``Pipeline`` that ends in one. It is fitted in
        place.
    query_strategy : callable, default=skcfgp.query.recommended
        Strategy ``(learner, X_pool, n_instances=1, ...) -> (indices, scores)``.
    X_training : array-like of shape (n_samples, ...), default=None
        Initial rows; the estimator is fitted on them at once.
    y_training : array-like of shape (n_samples,), default=None
        Labels of the initial rows.
    bootstrap_init : bool, default=False
        Whether to fit the initial rows on a bootstrap sample of them.
    on_transformed : bool, default=False
        Whether strategies of modAL that look at the features get those that a ``Pipeline``
        computes.
    force_all_finite : bool, default=True
        Whether labels must be finite.
    selected : array-like of bool, of shape (n_samples,), default=None
        Which of the initial rows were chosen by a query, so that ``clone`` keeps it. By default,
        none.
    refit_growth : float, default=None
        Growth of the number of labels after which `teach` fits the estimator to all of them again,
        with its hyper-parameters and the transformers of a ``Pipeline``: with 1.5, whenever their
        number has grown by half. By default 1.5 if the first labels came by `teach`, otherwise
        infinite.

    Attributes
    ----------
    estimator : estimator
        The fitted estimator.
    X_training, y_training : array-like
        Everything that was learnt, in order.
    selected : ndarray of bool, of shape (n_samples,), or None
        Which of these were chosen by a query: those that came by `teach`, after the initial rows.
        An estimator whose ``fit`` takes ``selected``, such as `skcfgp.CalibratedRegressor`, is
        told. None before the first label.

    Examples
    --------
    >>> import numpy as np
    >>> from skcfgp import ActiveLearner, GaussianProcessRegressor
    >>> from skcfgp.kernels import Laplacian
    >>> pool = np.linspace(0, 10, 101)[:, None]
    >>> gp = GaussianProcessRegressor(Laplacian(length_scale=5.0), optimizer=None)
    >>> learner = ActiveLearner(gp, X_training=pool[:2], y_training=np.sin(pool[:2, 0]))
    >>> index, x = learner.query(pool)
    >>> index, x
    (array([68]), array([[6.8]]))
    >>> learner.teach(x, np.sin(x[:, 0]))
    >>> len(learner.y_training)
    3
    """

    def __init__(
        self,
        estimator: Estimator,
        query_strategy: Callable[..., Any] = recommended,
        X_training: Rows | None = None,
        y_training: ArrayLike | None = None,
        bootstrap_init: bool = False,
        on_transformed: bool = False,
        force_all_finite: bool = True,
        selected: ArrayLike | None = None,
        refit_growth: float | None = None,
    ) -> None:
        self.bootstrap_init, self.refit_growth = bootstrap_init, refit_growth
        self._n_at_fit, self._began_empty = 0, True
        super().__init__(estimator, query_strategy=query_strategy, on_transformed=on_transformed)
        self.force_all_finite = force_all_finite
        self.X_training, self.y_training, self.selected = X_training, y_training, selected
        if X_training is not None:
            self.fit(X_training, y_training, bootstrap_init, selected=selected)  # type: ignore[arg-type]

    def teach(
        self,
        X: Rows,
        y: ArrayLike,
        bootstrap: bool = False,
        only_new: bool = False,
        **fit_kwargs: Any,
    ) -> None:
        """Learn the labels of rows that were queried.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Feature vectors or crystals, as the estimator takes them.
        y : array-like of shape (n_samples,)
            Labels.
        bootstrap : bool, default=False
            Whether to fit on a bootstrap sample of all rows. This and `fit_kwargs` always call
            ``fit``.
        only_new : bool, default=False
            Whether to fit the estimator on these rows alone.
        **fit_kwargs
            Passed to ``fit``.

        Raises
        ------
        ValueError
            If a label is not finite, X and y differ in length, or the rows have other features than
            those learnt before. Nothing is learnt then.

        Notes
        -----
        In a ``Pipeline`` the transformers stay as they were fitted, and the last step learns, until
        `refit_growth` is reached. To fit everything again before that, call
        ``learner.fit(learner.X_training, learner.y_training, selected=learner.selected)``.

        One thread at a time may teach a learner; several that share one need a ``threading.Lock``
        around `teach`. Queries and predictions change nothing.
        """
        y = self._check_rows(X, y)
        if only_new:
            known = self.X_training, self.y_training, self.selected
            self.fit(X, y, bootstrap, selected=np.ones(len(y), dtype=bool), **fit_kwargs)
            self.X_training, self.y_training, self.selected = known
            return
        if self.X_training is None:
            self.fit(X, y, bootstrap=bootstrap, **fit_kwargs)
            self._began_empty = True
            return
        try:  # before the estimator learns what cannot be kept
            X_known, y_known = stack_rows([self.X_training, X]), stack_rows([self.y_training, y])
        except ValueError as error:
            raise ValueError(
                f"the new rows have other features than those learnt before: {error}."
            ) from error
        selected = np.append(np.asarray(self.selected), np.ones(len(y), dtype=bool))
        grown = len(selected) >= self._growth() * self._n_at_fit
        if bootstrap or fit_kwargs or grown or not self._learn(X, y):
            began_empty = self._began_empty
            self.fit(X_known, y_known, bootstrap=bootstrap, selected=selected, **fit_kwargs)
            self._began_empty = began_empty
        else:
            self.X_training, self.y_training, self.selected = X_known, y_known, selected

    def fit(
        self,
        X: Rows,
        y: ArrayLike,
        bootstrap: bool = False,
        *,
        selected: ArrayLike | None = None,
        **fit_kwargs: Any,
    ) -> Self:
        """Forget everything learnt so far and fit the estimator; if that fails, forget nothing.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Feature vectors or crystals, as the estimator takes them.
        y : array-like of shape (n_samples,)
            Labels.
        bootstrap : bool, default=False
            Whether to fit on a bootstrap sample of the rows.
        selected : array-like of bool, of shape (n_samples,), default=None
            Which rows were chosen by a query. By default, none: all count as initial rows. To fit
            again on what was taught, pass ``learner.selected``.
        **fit_kwargs
            Passed to the estimator's ``fit``.

        Returns
        -------
        self : ActiveLearner

        Raises
        ------
        ValueError
            If a label is not finite, or X, y and `selected` differ in length.
        """
        y = self._check_rows(X, y)
        selected = np.zeros(len(y), dtype=bool) if selected is None else np.asarray(selected)
        if selected.dtype != bool:  # `clone` wants the array that it gave
            selected = selected.astype(bool)
        check_consistent_length(y, selected)
        before = self.X_training, self.y_training, self.selected
        self.X_training, self.y_training, self.selected = X, y, selected
        try:
            self._fit_to_known(bootstrap=bootstrap, **fit_kwargs)
            self._n_at_fit, self._began_empty = len(y), False
            return self
        except BaseException:
            self.X_training, self.y_training, self.selected = before
            raise

    def __repr__(self, N_CHAR_MAX=700):
        strategy = getattr(self.query_strategy, "__name__", repr(self.query_strategy))
        n_labels = 0 if self.y_training is None else len(self.y_training)
        return (
            f"{type(self).__name__}({self.estimator.__repr__(N_CHAR_MAX)}, "
            f"query_strategy={strategy}, {n_labels} labels)"
        )

    def _add_training_data(self, X, y):
        """Take in rows that a committee is taught."""
        super()._add_training_data(X, y)
        old = np.zeros(0, dtype=bool) if self.selected is None else self.selected
        new = np.full(len(y), self.selected is not None)
        self.selected = np.append(old, new)

    def _fit_to_known(self, bootstrap=False, **fit_kwargs):
        fit_kwargs = self._tell_selected(self.selected, bootstrap) | fit_kwargs
        return super()._fit_to_known(bootstrap=bootstrap, **fit_kwargs)

    def _tell_selected(self, selected, bootstrap):
        """Return the fit parameters that tell the last step which rows a query chose."""
        model, prefix = last_step(self.estimator), ""
        if model is not self.estimator and not get_config()["enable_metadata_routing"]:
            prefix = f"{self.estimator.steps[-1][0]}__"
        takes = selected.any() and not bootstrap and has_fit_parameter(model, "selected")
        return {f"{prefix}selected": selected} if takes else {}

    def _learn(self, X, y):
        """Let the estimator learn the new rows alone, if it can; tell whether it could."""
        model = last_step(self.estimator)
        if not hasattr(model, "partial_fit"):
            return False
        model.partial_fit(last_step_input(self.estimator, X), y)
        return True

    def _growth(self):
        """Growth of the number of labels after which everything is fitted again."""
        if self.refit_growth is not None:
            return self.refit_growth
        return 1.5 if self._began_empty else np.inf

    def _check_rows(self, X, y):
        check_consistent_length(X, y)
        values = np.asarray(y, dtype=float)
        if self.force_all_finite and not np.isfinite(values).all():
            raise ValueError(
                f"the labels must be finite numbers, got {values[~np.isfinite(values)][0]} at "
                f"position {np.flatnonzero(~np.isfinite(values))[0]}."
            )
        return y
