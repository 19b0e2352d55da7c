"""`Campaign`: active learning that goes on for weeks, with labels that take hours."""

from pathlib import Path

from .beginning import begin, insert_more, prepare_more
from .reading import CampaignReader
from .results import Result, check_results, read_results
from .store import Store, append_event
from .telling import RefusedRowsError, Told, tell

__all__ = ["Campaign"]


class Campaign(CampaignReader):
    """A laboratory campaign in a folder.

    All state is in one file, ``campaign.sqlite``. Every method is one transaction: what it returned
    is on the disk. Several people and processes may use one campaign at once.

    Parameters
    ----------
    folder : str or Path
        Made by `Campaign.init`.

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
        folder,
        pool,
        *,
        target,
        unit,
        labelled=None,
        recipe="recommended",
        weights="Eform_MP_2019",
        strategy="integrated_variance",
        random_fraction=0.0,
        cost=None,
        until=(),
        overdue_after=7.0,
        random_state=0,
    ):
        """Begin a campaign.

        Parameters
        ----------
        folder : str or Path
            Made if needed; must not hold a campaign.
        pool : DataFrame, list of paths or other crystals
            See `skcfgp.campaign.inputs.read_pool`. Crystals that cannot be used are listed in
            ``state().refused``.
        target, unit : str
            Name and unit of the property.
        labelled : str, Path, Series or dict, default=None
            Labels that are known: values by id, or a CSV (`skcfgp.campaign.inputs.read_labelled`).
        recipe : {"recommended", "paper", "paper values", "composition"}, default="recommended"
            See `skcfgp.campaign.features.make_parts`.
        weights : str or Path, default="Eform_MP_2019"
            The network, see `skcfgp.MEGNetFeaturizer`.
        strategy : str, default="integrated_variance"
            "integrated_variance", "greedy_max_std", "max_std", "greedy_k_center" or
            "random_sampling", see `skcfgp.query`.
        random_fraction : float, default=0.0
            Part of the suggestions that is drawn at random, in order to measure the gain.
        cost : str, default=None
            What a label costs: a column of `pool`, or ``"nsites^k"`` with a number k. Then crystals
            are chosen by score per cost.
        until : sequence of str, default=()
            Rules, see `skcfgp.campaign.parse_rule`: when one is met, `suggest` says so and
            suggests nothing.
        overdue_after : float, default=7.0
            Days after which a pending crystal is overdue.
        random_state : int, default=0

        Returns
        -------
        Campaign

        Raises
        ------
        FileExistsError
            If there is a campaign.
        ValueError
            If a parameter or a label is not valid, or no crystal can be used.
        """
        settings = {
            "target": str(target),
            "unit": str(unit),
            "recipe": recipe,
            "weights": None if recipe == "composition" else str(weights),
            "strategy": strategy,
            "random_fraction": random_fraction,
            "cost": cost,
            "until": [until] if isinstance(until, str) else list(until),
            "overdue_after": overdue_after,
            "random_state": random_state,
        }
        begin(Store(folder), settings, pool, labelled)
        return cls(folder)

    def add(self, pool):
        """Add crystals to the pool.

        Parameters
        ----------
        pool : DataFrame, list of paths or other crystals
            As in `init`.

        Returns
        -------
        ids : list of str
            That came in.
        refused : list of Refusal

        Raises
        ------
        ValueError
            If the network is not the one that the campaign was begun with, or no crystal can be
            used.
        """
        with self._reading() as (_, state, _events):
            crystals, costs, features = prepare_more(state, pool)
        with self._writing() as (connection, state, _events):
            insert_more(connection, state, crystals, costs, features)
        return crystals.ids, crystals.refused

    def suggest(self, n=1, *, out=None, fmt="cif", anyway=False):
        """Choose the next crystals to label, given what is pending, and mark them pending.

        Parameters
        ----------
        n : int, default=1
        out : str or Path, default=None
            Folder for input files of calculations.
        fmt : {"cif", "poscar"}, default="cif"
        anyway : bool, default=False
            Whether to go on although a rule to stop is met.

        Returns
        -------
        list of dict
            ``id``, ``formula``, ``prediction`` and ``std`` (in the unit of the target; None with
            fewer than two labels), ``arm`` ("strategy" or "random"), ``strategy``, ``score``,
            ``std_rank`` (in the pool), ``neighbours`` (nearest labels with ``id``, ``value`` and
            ``distance`` in kernel lengths), ``cost``, and ``file``, if written.

        Raises
        ------
        StoppedError
            If a rule to stop is met.
        ValueError
            If the pool is not that large.
        """
        from .suggesting import StoppedError, suggest

        with self._writing() as (connection, state, _events):
            engine = self._engine(connection, state, keep=True)
            picks, met = suggest(connection, engine, n, out, fmt, anyway)
        if met:  # after the transaction, which an exception would roll back
            raise StoppedError(f"the campaign has come to its end: {'; '.join(met)}.")
        return picks

    def tell(self, results=None, *, id=None, value=None, unit=None, replace=False, source=None):
        """Take in labels, in any order, some at a time, and the same ones again.

        Parameters
        ----------
        results : str, Path, dict, Series or list of Result, default=None
            A CSV file (see `skcfgp.campaign.results.read_results`), or values by id.
        id, value : str and float, default=None
            One label, instead of `results`.
        unit : str, default=None
            Of the values that come without one, if it is to be checked.
        replace : bool, default=False
            Whether a value may take the place of another one.
        source : str, default=None
            Where they come from, for the history.

        Returns
        -------
        Told

        Raises
        ------
        RefusedRowsError
            If rows are refused: a conflicting value, a wrong unit, NaN, an unknown id. The other
            rows were taken in; its ``told`` says which.
        """
        refused = []
        if (results is None) == (id is None):
            raise ValueError("give either results or id and value.")
        if id is not None:
            results = {id: value}
        if isinstance(results, str | Path):
            source = source or str(results)
            with self._reading() as (_, state, _events):
                target = state.settings["target"]
            results, refused = read_results(results, target)
        elif hasattr(results, "items"):
            results = [Result(None, str(id_), value) for id_, value in results.items()]
        results = [result._replace(unit=result.unit or unit) for result in results]
        return self._tell(results, refused, replace, source)

    def fail(self, id, reason, *, replace=False):
        """Say that there will be no label.

        Parameters
        ----------
        id : str
        reason : str
        replace : bool, default=False
            Whether a label that is there may be taken back.

        Returns
        -------
        Told
        """
        if not str(reason).strip():
            raise ValueError("say why it failed.")
        return self._tell([Result(None, str(id), None, None, str(reason))], [], replace, None)

    def _tell(self, results, refused, replace, source):
        with self._writing() as (connection, state, _events):
            new, failed, repeated, more = check_results(results, state, replace)
            alarm = tell(connection, state, new, failed, source)
        refused = sorted([*refused, *more], key=lambda r: -1 if r.line is None else r.line)
        told = Told([i for i, _ in new], [i for i, _ in failed], repeated, refused, alarm)
        if refused:
            raise RefusedRowsError(told)
        return told

    def release(self, ids):
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
        with self._writing() as (connection, state, _events):
            for id_ in ids:
                if id_ not in state.pending and id_ not in state.failures:
                    known = state.status_of(id_) if id_ in set(state.ids) else "not known"
                    raise ValueError(f"{id_!r} is neither pending nor failed, but {known}.")
            if ids:
                append_event(connection, "release", {"ids": ids})

    def undo(self):
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
        with self._writing() as (connection, _state, events):
            undone = {event.content["event"] for event in events if event.verb == "undo"}
            left = [e for e in events if e.verb == "tell" and e.number not in undone]
            if not left:
                raise ValueError("there is no tell to undo.")
            append_event(connection, "undo", {"event": left[-1].number})
        return left[-1]

    def predict(self, *, rescale=False):
        """Predict all crystals without a label, and put that on record.

        Parameters
        ----------
        rescale : bool, default=False
            Whether to multiply the standard deviations by the root of the mean squared z of the
            labels so far. What goes on record is not multiplied.

        Returns
        -------
        pandas.DataFrame
            Columns ``id``, ``formula``, ``status``, ``prediction``, ``std``, ``unit``.
        """
        from .tables import prediction_table, record_predictions

        with self._writing() as (connection, state, events):
            engine = self._engine(connection, state, keep=True)
            record_predictions(connection, state, events, engine.predict())
            return prediction_table(connection, engine, rescale)
