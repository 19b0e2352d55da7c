"""What becomes of crystals that come in: those that can be used, and why the others cannot."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from .ids import all_ids, is_number
from .io import escaped
from .typing import ObjectArray

#: Failures that an error message names.
SHOWN = 10

#: The reason of a row that holds None, which stands for a crystal that was refused before.
MISSING = "it is missing (None)."


class Failure(NamedTuple):
    """A row that could not be used.

    Attributes
    ----------
    index : int
        Position of the row.
    id : object
        Id of the crystal.
    reason : str
        What is wrong and, where there is a remedy, what to do.
    """

    index: int  # type: ignore[assignment]  # in place of that of a tuple
    id: object
    reason: str

    def __str__(self):
        name = f"at position {self.index}" if is_number(self.id) else f"{self.id!r}"
        return f"Crystal {name}: {self.reason}"


class InvalidStructureError(ValueError):
    """Crystals cannot be used; the message and ``failures`` name all of them.

    Parameters
    ----------
    failures : list of Failure

    Attributes
    ----------
    failures : list of Failure
        Position, id and reason of each crystal that cannot be used.
    """

    def __init__(self, failures: list[Failure]) -> None:
        super().__init__(failures)
        self.failures = failures

    def __str__(self):
        lines = [str(failure) for failure in self.failures[:SHOWN]]
        if len(self.failures) == 1:
            return lines[0]
        if len(self.failures) > SHOWN:
            lines.append(f"... and {len(self.failures) - SHOWN} more, listed in `failures`.")
        return "\n  ".join([f"{len(self.failures)} crystals cannot be used:", *lines])


class InvalidStructureWarning(UserWarning):
    """Crystals cannot be used, and their rows are missing or NaN."""


class Structures(NamedTuple):
    """Crystals with their ids, as `check_structures` returns them.

    Attributes
    ----------
    structures : ndarray of shape (n_samples,), dtype object
        A `Crystal` for each row, None where the row failed.
    ids : ndarray of shape (n_samples,), dtype object
        Ids of the crystals.
    failures : list of Failure
        Rows that failed, by position.
    """

    structures: ObjectArray
    ids: ObjectArray
    failures: list[Failure]


def named_structures(names, found):
    """Make `Structures` of names, and of a crystal, a formula or the reason of a failure each.

    The id of a crystal becomes the ``material_id`` among its properties, unless it is a number.
    """
    from .crystal import Crystal  # loads pymatgen

    ids, crystals, failures = all_ids(names), [], []
    for index, (id_, item) in enumerate(zip(ids, found, strict=True)):
        if isinstance(item, str):
            failures.append(Failure(index, id_, item))
            item = None
        elif isinstance(item, Crystal):
            item = named(item, id_)
        crystals.append(item)
    _say_isotopes(crystals, ids)
    return Structures(object_array(crystals), object_array(ids), failures)


def named(crystal, id_):
    """Return the crystal with its id among its properties."""
    if is_number(id_) or crystal.properties.get("material_id") == id_:
        return crystal
    return crystal.with_properties(crystal.properties | {"material_id": id_})


def object_array(values: Sequence[Any]) -> ObjectArray:
    """Make a 1-D array of objects, whatever they are; np.array() would look inside a Structure."""
    array = np.empty(len(values), dtype=object)
    for i, value in enumerate(values):
        array[i] = value
    return array


def reason_of(error):
    """Return why a crystal cannot be used; what is not foreseen has the name of its class."""
    text = escaped(" ".join(str(error).split()))
    if isinstance(error, ValueError | TypeError | OSError) and text:
        return text
    return f"it cannot be read ({type(error).__name__}{': ' * bool(text)}{text[:100]})."


def _say_isotopes(crystals, ids):
    """Warn of the crystals of which deuterium or tritium was read as hydrogen."""
    heavy = [
        str(id_)
        for id_, crystal in zip(ids, crystals, strict=True)
        if "isotopes" in (getattr(crystal, "properties", None) or ())
    ]
    if heavy:
        shown = ", ".join(heavy[:SHOWN]) + (", ..." if len(heavy) > SHOWN else "")
        warnings.warn(
            f"deuterium and tritium are taken for hydrogen in {len(heavy)} crystals: {shown}.",
            stacklevel=5,
        )
