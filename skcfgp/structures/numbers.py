"""Numbers in the fields of tables and records: which texts are one, and which ones are refused."""

import math

from .keys import is_missing

#: Larger values mark what is missing, and the fourth powers that a choice needs overflow.
LARGEST = 1e30


def is_numeric(value):
    """Tell whether a field is a finite number, or the text of one."""
    if is_missing(value) or isinstance(value, list | dict | bool):
        return False
    try:
        return math.isfinite(_float(value))
    except (TypeError, ValueError, OverflowError):
        return False


def _float(value):
    """Return a number; Python alone would read 1_5 as 15."""
    if isinstance(value, str) and "_" in value:
        raise ValueError("an underscore")
    return float(value)


def read_number(value, what="value"):
    """Return a finite number of a field; ValueError says what is there instead."""
    if is_missing(value):
        raise ValueError(f"there is no {what}")
    try:
        if isinstance(value, bool):
            raise TypeError("a truth value")
        number = _float(value)
    except (TypeError, ValueError, OverflowError):
        hint = ""
        if isinstance(value, str) and value.count(",") == 1 and is_numeric(value.replace(",", ".")):
            hint = "; write a point for the decimals, and nothing between thousands"
        raise ValueError(f"the {what} {value!r:.60} is not a number{hint}") from None
    if not math.isfinite(number):
        raise ValueError(f"the {what} {value!r} is not finite")
    if abs(number) > LARGEST:
        raise ValueError(f"the {what} {value!r} is larger than {LARGEST:g}; take a larger unit")
    return number


def read_value(value, log=False):
    """Return the value of a label; positive if its logarithm is learnt."""
    number = read_number(value)
    if log and number <= 0:
        raise ValueError(f"the value {value!r} is not positive and has no logarithm")
    return number


def read_std(value):
    """Return the standard error of a label; None if the field is empty."""
    if is_missing(value):
        return None
    number = read_number(value, "label_std")
    if number < 0:
        raise ValueError(f"the label_std {value!r} is negative")
    return number
