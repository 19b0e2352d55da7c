"""`Campaign`: active learning in a laboratory, where labels take hours and a run takes weeks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from ..structures.ids import IdFinder
from ..structures.io import check_writable
from ..structures.tables import Refusal
from ..structures.typing import Crystals, DataFrame, FilePath, RandomState, Self, Series
from .beginning import add_crystals, begin
from .monitoring import StoppedError
from .reading import CampaignReader
from .results import Result, TellResult, read_results, results_of
from .store import Event, Store
from .telling import take_in


class Campaign(CampaignReader):
    """A laboratory campaign in a folder.

    All state is in one file, ``campaign.sqlite``. Every method is one transaction: what it returned
    is on the disk. Several people and processes may use one campaign at once.

    Parameters
    ----------
    folder : str or Path
        Folder that `Campaign.init` made.

    Attributes
    ----------
    store : Store
        The file.
    settings : dict
        Arguments of `Campaign.init`, and what follows from them.

    Raises
    ------
    FileNotFoundError
        If there is no campaign.
    ValueError
        If the file is not one of a campaign.

    See Also
    --------
    skcfgp.ActiveLearner : The same loop where labels come from a table.

    Examples
    --------
    >>> import tempfile
    >>> from skcfgp.campaign import Campaign
    >>> from skcfgp.datasets import load_formation_energy
    >>> data = load_formation_energy(split="pool", as_frame=True, structures="arrays")
    >>> folder = tempfile.TemporaryDirectory()
    >>> campaign = Campaign.init(
    ...     folder.name, data.structures[:50], target=data.target_name, unit=data.unit,
    ...     labelled=data.target[:10], recipe="composition")
    >>> pick, = campaign.suggest(1)
    >>> campaign.tell({pick["id"]: data.target[pick["id"]]}).labelled == [pick["id"]]
    True
    >>> campaign.status()["counts"]
    {'labelled': 11, 'pending': 0, 'failed': 0, 'pool': 39}
    >>> folder.cleanup()
    """

    @classmethod
    def init(
        cls,
        folder: FilePath,
        pool: Crystals,
        *,
        target: str,
        unit: str,
        labelled: FilePath | Mapping[str, Any] | Series | Sequence[Result] | None = None,
        log: bool = False,
        recipe: Literal["recommended", "paper", "paper values", "composition"] = "recommended",
        weights: FilePath = "Eform_MP_2019",
        estimates: str | Sequence[str] = (),
        columns: str | Sequence[str] = (),
        goal: str | tuple[str, float, float] = "explore",
        strategy: str = "recommended",
        random_fraction: float = 0.0,
        cost: str | None = None,
        until: str | Sequence[str] = (),
        overdue_after: float = 7.0,
        random_state: RandomState = 0,
    ) -> Self:
        """Begin a campaign.

        Parameters
        ----------
        folder : str or Path
            Folder, made if needed; it must not hold a campaign.
        pool : DataFrame, list of paths or other crystals
            DataFrame with a column ``structure``; or list of files and folders, among them CSV
            files with a column ``file`` of paths relative to the CSV, or ``structure`` of CIF or
            JSON text; or whatever else `skcfgp.structures.check_structures` takes. With the recipe
            "composition" a crystal may be a formula without a structure: a ``Composition``, text,
            or a column ``formula`` or ``composition`` of a table. Crystals that cannot be used are
            listed in ``state().refused``.
        target, unit : str
            Name and unit of the property.
        labelled : str, Path, Series, dict or list of Result, default=None
            Labels that are known: values by id; or a CSV with a column ``id``, one of values, if
            wanted ``label_std`` of their standard errors and, for crystals that are not in the
            pool, a column ``file``. Those that cannot be used are listed in
            ``state().refused_labels``.
        log : bool, default=False
            Whether to learn the decimal logarithm of the labels, for a positive target over orders
            of magnitude, as ``make_cfgp(log_target=True)`` does. Predictions are medians in the
            unit, and so are plans and rules to stop; choices, and the errors of predictions on
            record, are on the scale of the logarithm. A label that is not positive is refused.
        recipe : {"recommended", "paper", "paper values", "composition"}, default="recommended"
            Model: one of `skcfgp.make_cfgp`, or ``"composition"``, which needs no network.
        weights : str or Path, default="Eform_MP_2019"
            Network, see `skcfgp.MEGNetFeaturizer`.
        estimates, columns : str or sequence of str, default=()
            Columns of the pool's tables, of numbers beside the crystals, as in `skcfgp.make_cfgp`.
            A crystal without one of these numbers is refused.
        goal : str or tuple, default="explore"
            What the labels are for: ``"explore"`` (to know the property of all crystals),
            ``"maximize"``, ``"minimize"``, or ``"between A B"``, also as ``("between", A, B)``: to
            find out which crystals lie there, in the unit of the target.
        strategy : str, default="recommended"
            Query strategy, see `skcfgp.query`. "recommended" begins with `initial_design` and goes
            on, from ten labels, with "integrated_variance" to explore, "expected_improvement" for a
            best label, "level_set" for a range. Others are "greedy_max_std", "max_std",
            "greedy_k_center" and "random_sampling"; "upper_confidence_bound",
            "probability_of_improvement" and "thompson_sampling" for a best label.
        random_fraction : float, default=0.0
            Fraction of the suggestions that are drawn at random, in order to measure the gain.
        cost : str, default=None
            Cost of a label: a column of `pool`, or ``"nsites^k"`` with a number k. Then crystals
            are chosen by score per cost.
        until : sequence of str, default=()
            Rules, see `skcfgp.campaign.parse_rule`: when one is met, `suggest` says so and
            suggests nothing.
        overdue_after : float, default=7.0
            Number of days after which a pending crystal is overdue.
        random_state : int, RandomState or None, default=0
            Controls what is drawn at random. The file keeps an integer, so that a suggestion after
            a crash is the one of an uninterrupted run.

        Returns
        -------
        Campaign

        Raises
        ------
        FileExistsError
            If there is a campaign.
        ValueError
            If a parameter is not valid, or no crystal or no label can be used.
        """
        settings = {
            "target": str(target),
            "unit": str(unit),
            "log": log,
            "recipe": recipe,
            "weights": None if recipe == "composition" else str(weights),
            "estimates": [estimates] if isinstance(estimates, str) else list(estimates),
            "columns": [columns] if isinstance(columns, str) else list(columns),
            "goal": goal,
            "strategy": strategy,
            "random_fraction": random_fraction,
            "cost": cost,
            "until": [until] if isinstance(until, str) else list(until),
            "overdue_after": overdue_after,
            "random_state": random_state,
        }
        begin(Store(folder), pool, labelled, settings)
        return cls(folder)

    def add(self, pool: Crystals) -> tuple[list[str], list[Refusal]]:
        """Add crystals to the pool.

        Parameters
        ----------
        pool : DataFrame, list of paths or other crystals
            As in `init`.

        Returns
        -------
        ids : list of str
            Crystals that came in.
        refused : list of Refusal

        Raises
        ------
        ValueError
            If the network is not the one that the campaign was begun with, or no crystal can be
            used.
        """
        return add_crystals(self.store, pool, self.settings)

    def suggest(
        self,
        n: int = 1,
        *,
        out: FilePath | None = None,
        fmt: Literal["cif", "poscar"] = "cif",
        anyway: bool = False,
    ) -> list[dict[str, Any]]:
        """Choose the next crystals to label, given what is pending, and mark them pending.

        Parameters
        ----------
        n : int, default=1
            Number of crystals.
        out : str or Path, default=None
            Folder for input files of calculations, and a table of the batch. A formula has no
            file, and stands in the table alone.
        fmt : {"cif", "poscar"}, default="cif"
            Format of these files.
        anyway : bool, default=False
            Whether to go on although a rule to stop is met.

        Returns
        -------
        list of dict
            ``id``, ``formula``, ``prediction`` and ``std`` (in the unit of the target; None with
            fewer than two labels), ``arm`` ("strategy" or "random"), ``strategy``, ``score``,
            ``std_rank`` (in the pool), ``neighbours`` (nearest labels with ``id``, ``value`` and
            ``distance``, minus the logarithm of the correlation by the kernel), ``cost``, and
            ``file`` and ``table``, the paths of what was written, if anything was.

        Raises
        ------
        StoppedError
            If a rule to stop is met.
        ValueError
            If the pool has fewer than `n` crystals.
        """
        from .engine import record_computed
        from .suggestion import make_suggestion, record_suggestion

        if out is not None:
            check_writable(Path(out) / "batch.csv")
        picks, met = record_computed(
            self.store, record_suggestion, make_suggestion, n, out, fmt, anyway
        )
        if met:  # after the transaction, which an exception would roll back
            raise StoppedError(f"the campaign has come to its end: {'; '.join(met)}.")
        return picks

    def tell(
        self,
        results: FilePath | Mapping[str, Any] | Series | Sequence[Result] | None = None,
        *,
        id: str | None = None,
        value: float | None = None,
        std: float | Mapping[str, float] | Series | None = None,
        unit: str | None = None,
        replace: bool = False,
        source: str | None = None,
    ) -> TellResult:
        """Take in labels, in any order, some at a time, and the same ones again.

        Parameters
        ----------
        results : str, Path, dict, Series or list of Result, default=None
            Values by id, or a CSV with a column ``id`` or ``file``; the values, under the name of
            the target, as ``value`` or as the only other column; optionally ``label_std``, their
            standard errors, ``unit`` and ``failed``, a reason why there is no value.
        id, value : str and float, default=None
            One label, instead of `results`.
        std : float, dict or Series, default=None
            Standard error of the label, in the unit of the target; by id if `results` are values by
            id. The larger it is, the less weight the models give the label.
        unit : str, default=None
            Unit of the values that come without one; it is compared with that of the campaign.
        replace : bool, default=False
            Whether a value or standard error may take the place of another one.
        source : str, default=None
            Origin of the labels, for the history.

        Returns
        -------
        TellResult

        Raises
        ------
        RefusedRowsError
            If rows are refused: a conflicting value, a wrong unit, NaN, a standard error that is
            negative or not finite, an unknown id. The other rows were taken in; its ``told`` says
            which.
        """
        refused = []
        if (results is None) == (id is None):
            raise ValueError("give either results or id and value.")
        if id is not None:
            results, std = {id: value}, {id: std}
        if hasattr(results, "items"):
            results = results_of(results, std)
        elif std is not None:
            raise ValueError("std is for values by id; a file has a column 'label_std' for it.")
        elif isinstance(results, str | Path):
            source = source or str(results)
            results, refused = read_results(results, self.settings["target"])
        results = [result._replace(unit=result.unit or unit) for result in results or ()]
        return take_in(self.store, results, refused, replace, source)

    def fail(self, id: str, reason: str, *, replace: bool = False) -> TellResult:
        """Record that there will be no label.

        Parameters
        ----------
        id : str
        reason : str
        replace : bool, default=False
            Whether a label that is there may be taken back.

        Returns
        -------
        TellResult
        """
        if not str(reason).strip():
            raise ValueError(f"reason must say why {id!r} failed, got {reason!r}.")
        failed = Result(None, str(id), None, None, str(reason))
        return take_in(self.store, [failed], [], replace, None)

    def release(self, ids: str | Sequence[str]) -> None:
        """Put pending or failed crystals back into the pool.

        Parameters
        ----------
        ids : list of str

        Raises
        ------
        ValueError
            If one is neither pending nor failed; then nothing is done.
        """
        ids = [ids] if isinstance(ids, str) else list(ids)
        with self.store.writing() as ledger:
            state = ledger.state
            find = IdFinder(state.ids)
            ids = [find(id_) or id_ for id_ in ids]
            for id_ in ids:
                if id_ not in state.pending and id_ not in state.failures:
                    if id_ not in set(state.ids):
                        raise ValueError(f"there is no crystal {id_!r} in the campaign.")
                    raise ValueError(
                        f"{id_!r} is neither pending nor failed, but {state.status_of(id_)}."
                    )
            if ids:
                ledger.append("release", {"ids": ids})

    def undo(self) -> Event:
        """Take back the last `tell` (or `fail`) that was not taken back.

        Returns
        -------
        Event
            What was undone.

        Raises
        ------
        ValueError
            If there is none.
        """
        with self.store.writing() as ledger:
            undone = {event.content["event"] for event in ledger.events if event.verb == "undo"}
            left = [e for e in ledger.events if e.verb == "tell" and e.number not in undone]
            if not left:
                raise ValueError("there is no tell to undo.")
            ledger.append("undo", {"event": left[-1].number})
        return left[-1]

    def predict(self, *, rescale: bool = False, coverage: float = 0.95) -> DataFrame:
        """Predict all crystals without a label, and put that on record.

        Parameters
        ----------
        rescale : bool, default=False
            Whether to multiply the standard deviations by the factor that makes the labels so far
            most likely. The recorded predictions are not multiplied.
        coverage : float, default=0.95
            Coverage of the intervals.

        Returns
        -------
        pandas.DataFrame
            Columns ``id``, ``formula``, ``status``, ``prediction``, ``std``, ``lower``, ``upper``
            (ends of the central interval), ``df``, ``unit``. Two ``std`` hold a label with a
            probability of 95.45 %, as those of a Gaussian do. Where the logarithm is learnt, the
            prediction is the median, four ``std`` are the width of the interval of 95.45 %, and
            ``std_log10`` is the standard deviation of the logarithm.
        """
        from .engine import record_computed
        from .tables import predict_all, record_predictions

        return record_computed(self.store, record_predictions, predict_all, rescale, coverage)
