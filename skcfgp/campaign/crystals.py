"""The crystals of a campaign, as they come in from files and tables."""

import math
import re
import unicodedata
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pymatgen.core import Composition

from ..structures import Structures, check_structures
from ..structures.compositions import check_same_compound, digest_of, is_formula
from ..structures.crystal_tables import read_crystals
from ..structures.files import is_structure_file
from ..structures.ids import IdFinder, Name, all_ids, own_id, path_in
from ..structures.keys import FORMULA_KEYS, MATERIAL_KEYS, PATH_KEYS
from ..structures.numbers import is_numeric
from ..structures.tables import Refusal, as_pandas
from .results import check_results, find_value_column, result_of_row, results_of
from .state import State

#: Bounds of a cost, this and its inverse, so that sums and quotients are finite.
LARGEST_COST = 1e30


@dataclass
class Pool:
    """Crystals that can be used, and why the others cannot; `taken` are ids of crystals before.

    With `formulas` a crystal may be a ``Composition``, of which no structure is known.
    """

    ids: list = field(default_factory=list)
    structures: list = field(default_factory=list)
    columns: list = field(default_factory=list)  # of the tables that they came from
    refused: list = field(default_factory=list)
    taken: set = field(default_factory=set)
    refused_labels: list = field(default_factory=list)
    label_std: dict = field(default_factory=dict)  # standard errors of labels, by id
    failed: dict = field(default_factory=dict)  # reasons why there is no label, by id
    find: IdFinder = field(default_factory=lambda: IdFinder(()))  # among the ids before
    formulas: bool = False

    def append(self, id_, structure, columns=None, line=None):
        """Add a crystal; its id becomes text, and one that is there already is refused."""
        id_ = str(id_)
        if not _is_name(id_):
            self.refuse(id_, "an id must be Unicode text on one line", line)
        elif id_ in self.taken or self.find(id_) is not None:
            self.refuse(id_, "there are two crystals of this id; give this one another", line)
        else:
            self.taken.add(id_)
            self.ids.append(id_)
            self.structures.append(structure)
            self.columns.append(columns or {})

    def refuse(self, id_, reason, line=None):
        """List what cannot be used."""
        self.refused.append(Refusal(line, str(id_), " ".join(reason.split())))

    def refuse_rows(self, reasons):
        """Move crystals that came in, by position, to what cannot be used."""
        for row in sorted(reasons):
            self.refuse(self.ids[row], reasons[row])
        for name in ("ids", "structures", "columns"):
            left = [x for row, x in enumerate(getattr(self, name)) if row not in reasons]
            setattr(self, name, left)

    def check_not_empty(self):
        """Raise if no crystal can be used, and say why."""
        if not self.ids:
            reasons = "".join(f"\n  {refusal}" for refusal in self.refused[:20])
            raise ValueError(f"there is no crystal that can be used.{reasons}")


def _is_name(id_):
    """Tell whether a file and a table can hold an id: text without line ends or outer blanks."""
    return (
        bool(id_)
        and id_ == id_.strip()
        and not {unicodedata.category(letter) for letter in id_} & {"Cc", "Cs", "Zl", "Zp"}
    )


def read_pool(source, known=(), *, formulas=False, columns=()):
    """Read crystals into a `Pool`; `known` are ids that are taken.

    The source is a DataFrame with a column ``structure``; or a list of files, folders and tables of
    crystals; or whatever else `check_structures` takes. With `formulas` a crystal may be a formula,
    in a column ``formula`` or ``composition`` of a table. With `columns` a file of JSON is a table.
    """
    pool = Pool(taken=set(known), find=IdFinder(known), formulas=formulas)
    source = [source] if isinstance(source, str | Path) else as_pandas(source)
    if (column := _crystal_column(source)) is not None:
        _read_frame(source, column, pool)
    elif isinstance(source, list | tuple) and all(isinstance(s, str | Path) for s in source):
        paths = [s if _is_formula(s) else Path(s).expanduser() for s in source]
        _read_files(paths, columns, pool)
    else:
        _append_found(pool, _check(source, pool))
    return pool


def _crystal_column(source):
    """Return the column of a DataFrame that holds the crystals, where it has others beside it."""
    columns = getattr(source, "columns", ())
    if "structure" in columns:
        return "structure"
    if not hasattr(source, "iloc") or {*MATERIAL_KEYS, *PATH_KEYS} & set(columns):
        return None
    return next((name for name in FORMULA_KEYS if name in columns), None)


def _is_formula(item):
    """Tell a formula from the name of a file; a ``Path`` is the latter."""
    if not is_formula(item):
        return False
    return not is_structure_file(Path(item)) and not Path(item).expanduser().exists()


def _read_files(paths, columns, pool):
    """Read files, folders and tables of crystals, as ``skcfgp predict`` does."""
    from ..models.reading import read_files

    found = read_files(paths, columns, pool.taken)
    crystals = found.crystals
    if not pool.formulas:
        crystals = check_structures(crystals, on_error="nan")
    _append_found(pool, crystals, found.fields, found.lines)


def read_labelled(source, pool, target, unit, log=False):
    """Read the labels that are known at the beginning, as values by id.

    The source is a CSV with ids, values and, where the crystals are not in the pool, crystals,
    which are added to it; or values by id; or a list of `Result`. Standard errors of the values are
    in ``pool.label_std``, failures in ``pool.failed``. What cannot be used is listed in
    ``pool.refused_labels``; if nothing can, an error names it.
    """
    if isinstance(source, str | Path):
        path, results, added = Path(source), [], {}
        known = dict(zip(pool.ids, pool.structures, strict=True))
        columns, rows, refused = read_crystals(path, known, formulas=pool.formulas)
        if not rows and not refused:
            raise ValueError(f"{path} holds no labels.")
        value_column = find_value_column(path, columns, target) if rows else None
        for row in rows:
            if row.crystal is not None and row.id not in known:
                content = digest_of(row.crystal)
                if added.get(row.id) != content:
                    added.setdefault(row.id, content)
                    pool.append(row.id, row.crystal, row.fields, row.line)
            elif row.crystal is not None:
                try:
                    check_same_compound(row.crystal, known[row.id])
                except ValueError as error:
                    refused.append(Refusal(row.line, row.id, str(error)))
                    continue
            results.append(result_of_row(row.line, row.id, row.fields, value_column))
    else:
        path, refused = "labelled", []
        results = results_of(source) if hasattr(source, "items") else list(source)
    reasons = {r.id: r.reason for r in pool.refused if r.id not in pool.taken}
    refused += [Refusal(r.line, r.id, reasons[r.id]) for r in results if r.id in reasons]
    results = [result for result in results if result.id not in reasons]
    found = check_results(results, State(ids=pool.ids, settings={"unit": unit, "log": log}))
    refused += found.refused
    if refused and not found.labels:
        lines = "\n".join(f"  {refusal}" for refusal in refused[:20])
        raise ValueError(f"{path}: {len(refused)} rows cannot be used:\n{lines}")
    pool.refused_labels = sorted(refused, key=lambda r: -1 if r.line is None else r.line)
    pool.label_std, pool.failed = found.label_std, found.failed
    return found.labels


def _read_frame(frame, column, pool):
    rows = frame.to_dict("records")
    named = zip(map(own_id, rows), frame.index, strict=True)
    ids = all_ids([Name(label if own is None else None, own) for own, label in named])
    items = [row.pop(column) for row in rows]
    paths = [
        item if isinstance(item, str | Path) else path_in(row)
        for item, row in zip(items, rows, strict=True)
    ]
    if not any(map(bool, paths)):  # each is one crystal
        found = _check(frame, pool)
        return _append_found(pool, Structures(found.structures, ids, found.failures), rows)
    for position, (id_, path, row) in enumerate(zip(ids, paths, rows, strict=True)):
        _append_one(pool, id_, frame.iloc[[position]], path, row)
    return None


def _append_one(pool, id_, frame, path, columns):
    """Add the crystal of a row, which agrees with it; a file there must hold exactly one."""
    found = _check(frame, pool)
    if len(found.ids) != 1:
        pool.refuse(id_, f"{path} holds {len(found.ids)} crystals; one is needed")
    elif found.failures:
        pool.refuse(id_, found.failures[0].reason)
    else:
        pool.append(id_, found.structures[0], columns)


def _append_found(pool, found, fields=None, lines=None):
    reasons = {failure.index: failure.reason for failure in found.failures}
    for row, (id_, structure) in enumerate(zip(found.ids, found.structures, strict=True)):
        line = lines and lines[row]
        if row in reasons:
            pool.refuse(id_, reasons[row], line)
        else:
            pool.append(id_, structure, fields and fields[row], line)


def _check(source, pool):
    return check_structures(source, on_error="nan", formulas=pool.formulas)


def cost_column(cost):
    """Return the column of costs, in a list; an empty one if they are in none."""
    return [] if cost is None or _power_of_sites(cost) else [cost]


def _power_of_sites(cost):
    return re.fullmatch(r"nsites(?:\^|\*\*)(\d+(?:\.\d+)?)", cost.replace(" ", ""))


def costs_of(pool, cost):
    """Return what a label of each crystal costs, by id: 1, or a column, or ``"nsites^k"``.

    Crystals whose cost is not a positive number move to ``pool.refused``.
    """
    if cost is None:
        return dict.fromkeys(pool.ids, 1.0)
    if match := _power_of_sites(cost):
        pool.refuse_rows(
            {
                row: f"a formula has no number of sites, which the cost {cost!r} needs; give a "
                "column of costs"
                for row, crystal in enumerate(pool.structures)
                if isinstance(crystal, Composition)
            }
        )
        power, sizes = float(match[1]), np.array([len(crystal) for crystal in pool.structures])
        if sizes.size and power * math.log(sizes.max()) > math.log(LARGEST_COST):
            raise ValueError(
                f"cost {cost!r} gives more than {LARGEST_COST:g} for a crystal of {sizes.max()} "
                "sites; choose a smaller power, such as 'nsites^3'."
            )
        return dict(zip(pool.ids, (sizes**power).tolist(), strict=True))
    if pool.ids and not any(cost in columns for columns in pool.columns):
        raise ValueError(
            f"no crystal has a column {cost!r}: cost must be a column of the pool's table, or a "
            "model such as 'nsites^3'."
        )
    costs, reasons = {}, {}
    for row, (id_, columns) in enumerate(zip(pool.ids, pool.columns, strict=True)):
        costs[id_] = float(columns[cost]) if is_numeric(columns.get(cost)) else math.nan
        if not 1 / LARGEST_COST <= costs[id_] <= LARGEST_COST:
            reasons[row] = (
                f"its cost is {columns.get(cost)!r}, and must be a positive number, between "
                f"{1 / LARGEST_COST:g} and {LARGEST_COST:g}"
            )
    pool.refuse_rows(reasons)
    return costs


def numbers_of(pool, names):
    """Return the numbers in columns of the pool's tables, of shape (n_crystals, n_names).

    Crystals without a finite number in each move to ``pool.refused``. Of crystals that all lack a
    column, an error says so.
    """
    for name in names:
        if pool.ids and not any(name in columns for columns in pool.columns):
            raise ValueError(f"no crystal has a column {name!r}: the pool's tables must have it.")
    rows, reasons = [], {}
    for row, columns in enumerate(pool.columns):
        if lacking := [name for name in names if not is_numeric(columns.get(name))]:
            reasons[row] = (
                f"its {lacking[0]!r} is {columns.get(lacking[0])!r}, and must be a finite number"
            )
        else:
            rows.append([float(columns[name]) for name in names])
    pool.refuse_rows(reasons)
    return np.array(rows, dtype=float).reshape(len(rows), len(names))


def check_labelled(pool, labels):
    """Refuse labels of crystals that cannot be used."""
    if lost := sorted(set(labels) - set(pool.ids)):
        reasons = {refusal.id: refusal.reason for refusal in pool.refused}
        text = f"{len(lost)} labelled crystals cannot be used; the first is {lost[0]}: "
        raise ValueError(text + reasons[lost[0]])
