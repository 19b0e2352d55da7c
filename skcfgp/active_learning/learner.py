"""`ActiveLearner`: modAL's, made to work on current releases and to learn row by row."""

import numpy as np
from modAL.models import ActiveLearner as _ModALActiveLearner
from sklearn.utils import check_consistent_length
from sklearn.utils.validation import has_fit_parameter

from ..gaussian_process.common import last_step, last_step_input
from ..query import recommended
from ..query._modal import patch_modal, stack_rows

__all__ = ["ActiveLearner"]

patch_modal()


class ActiveLearner(_ModALActiveLearner):
    """An active learner: an estimator, a query strategy and the labels so far.

    modAL's ``ActiveLearner`` with these differences: `teach` uses the estimator's ``partial_fit``
    where it has one, so that hyper-parameters stay and a new label costs little; crystals are
    accepted as well as arrays; ``clone`` and ``repr`` work.

    Parameters
    ----------
    estimator : estimator
        Regressor whose ``predict(X, return_std=True)`` gives a standard deviation, such as
        `skcfgp.GaussianProcessRegressor`, or a ``Pipeline`` that ends in one. It is fitted in
        place.
    query_strategy : callable, default=skcfgp.query.recommended
        ``(learner, X_pool, n_instances=1, ...) -> (indices, scores)``.
    X_training : array-like of shape (n_samples, ...), default=None
        Initial rows; the estimator is fitted on them at once.
    y_training : array-like of shape (n_samples,), default=None
    bootstrap_init : bool, default=False
        Fit the initial rows on a bootstrap sample of them.
    on_transformed : bool, default=False
        Whether strategies of modAL that look at the features get those that a ``Pipeline``
        computes.
    force_all_finite : bool, default=True
        Whether labels must be finite.

    Attributes
    ----------
    estimator : estimator
        The fitted estimator.
    X_training, y_training : array-like
        Everything that was learnt, in order.
    selected : ndarray of bool, of shape (n_samples,)
        Which of these came by `teach`, after the initial rows. An estimator whose ``fit`` takes
        ``selected``, such as `skcfgp.CalibratedRegressor`, is told.

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
        estimator,
        query_strategy=recommended,
        X_training=None,
        y_training=None,
        bootstrap_init=False,
        on_transformed=False,
        force_all_finite=True,
    ):
        self.bootstrap_init = bootstrap_init
        self._n_taught = 0
        super().__init__(
            estimator,
            query_strategy=query_strategy,
            X_training=X_training,
            y_training=y_training,
            bootstrap_init=bootstrap_init,
            on_transformed=on_transformed,
        )
        self.force_all_finite = force_all_finite  # modAL would pass it on to `fit`

    def teach(self, X, y, bootstrap=False, only_new=False, **fit_kwargs):
        """Learn the labels of rows that were queried.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
            Feature vectors or crystals, as the estimator takes them.
        y : array-like of shape (n_samples,)
        bootstrap : bool, default=False
            Fit on a bootstrap sample of all rows. This and `fit_kwargs` always call ``fit``.
        only_new : bool, default=False
            Fit on these rows alone, and forget the others' influence on the estimator.
        **fit_kwargs
            Passed to ``fit``.

        Notes
        -----
        In a ``Pipeline`` the transformers stay as they were fitted, and the last step learns. To
        fit everything anew, call ``learner.fit(learner.X_training, learner.y_training)``.
        """
        y = self._check_rows(X, y)
        if only_new:
            fit_kwargs = self._tell_selected(np.ones(len(y), dtype=bool), bootstrap) | fit_kwargs
            self._fit_on_new(X, y, bootstrap=bootstrap, **fit_kwargs)
            return
        if self.X_training is None:
            self._fit_to(X, y, 0, bootstrap, fit_kwargs)
            return
        try:  # before the estimator learns what cannot be kept
            known = stack_rows([self.X_training, X]), stack_rows([self.y_training, y])
        except ValueError as error:
            raise ValueError(
                f"the new rows have other features than those learnt before: {error}."
            ) from error
        n_taught = self._n_taught + len(y)
        if bootstrap or fit_kwargs or not self._learn(X, y):
            self._fit_to(*known, n_taught, bootstrap, fit_kwargs)
        else:
            (self.X_training, self.y_training), self._n_taught = known, n_taught

    def fit(self, X, y, bootstrap=False, **fit_kwargs):
        """Forget everything learnt so far and fit the estimator.

        Parameters
        ----------
        X : array-like of shape (n_samples, ...)
        y : array-like of shape (n_samples,)
        bootstrap : bool, default=False
        **fit_kwargs
            Passed to the estimator's ``fit``.

        Returns
        -------
        self : ActiveLearner
        """
        y = self._check_rows(X, y)
        n_taught = self._n_taught if X is self.X_training else 0
        return self._fit_to(X, y, n_taught, bootstrap, fit_kwargs)

    @property
    def selected(self):
        """Which of the rows learnt came by `teach`, after the initial ones."""
        n_labels = 0 if self.y_training is None else len(self.y_training)
        return np.arange(n_labels) >= n_labels - self._n_taught

    def __repr__(self, N_CHAR_MAX=700):
        strategy = getattr(self.query_strategy, "__name__", repr(self.query_strategy))
        n_labels = 0 if self.y_training is None else len(self.y_training)
        return (
            f"{type(self).__name__}({self.estimator.__repr__(N_CHAR_MAX)}, "
            f"query_strategy={strategy}, {n_labels} labels)"
        )

    def _fit_to(self, X, y, n_taught, bootstrap, fit_kwargs):
        """Fit the estimator to these rows alone; if that fails, nothing is forgotten."""
        before = self.X_training, self.y_training, self._n_taught
        self.X_training, self.y_training, self._n_taught = X, y, n_taught
        try:
            return self._fit_to_known(bootstrap=bootstrap, **fit_kwargs)
        except BaseException:
            self.X_training, self.y_training, self._n_taught = before
            raise

    def _fit_to_known(self, bootstrap=False, **fit_kwargs):
        fit_kwargs = self._tell_selected(self.selected, bootstrap) | fit_kwargs
        return super()._fit_to_known(bootstrap=bootstrap, **fit_kwargs)

    def _tell_selected(self, selected, bootstrap):
        """Return what tells the estimator, or the last step of a ``Pipeline``, which rows."""
        model, prefix = last_step(self.estimator), ""
        if model is not self.estimator:
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

    def _check_rows(self, X, y):
        check_consistent_length(X, y)
        values = np.asarray(y, dtype=float)
        if self.force_all_finite and not np.isfinite(values).all():
            raise ValueError(
                f"the labels must be finite numbers, got {values[~np.isfinite(values)][0]} at "
                f"position {np.flatnonzero(~np.isfinite(values))[0]}."
            )
        return y
