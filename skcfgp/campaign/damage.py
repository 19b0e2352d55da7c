"""What the file of a campaign must hold, so that one that was edited or cut is refused in one line.

The content of an event is JSON that this package wrote; a person may have changed it since. It is
checked when it is read, against `CONTENTS`, and the error names the file, the event and the field.
"""

import json
import sys
from datetime import datetime

import numpy as np

from .goals import parse_goal
from .monitoring import stored_rule
from .settings import RECIPES, STRATEGIES

#: Reals, and None too.
REAL, MAYBE = "a finite number", "a finite number or null"
PAIR, TEXT, MAYBE_TEXT = "two finite numbers", "a text", "a text or null"
WHOLE, RULE, GOAL = "a whole number", "a rule to stop", "a goal"
ERROR = "a positive finite number"

_CURVE = {"n_labels": WHOLE, "max_std": MAYBE, "mean_std": MAYBE}
_GAIN = {
    "gain": REAL,
    "interval": PAIR,
    "n": WHOLE,
    "n_taught": WHOLE,
    "mae_random": REAL,
    "mae_strategy": REAL,
}
_ESTIMATE = {
    "n": WHOLE,
    "mae": REAL,
    "coverage": REAL,
    "coverage_interval": PAIR,
    "mean_squared_z": REAL,
    "mean_squared_z_interval": PAIR,
    "levels?": [REAL],
    "pit?": {"location": REAL, "spread": REAL},
    "factor?": REAL,
}
_OUTLOOK = {"expected_gain": REAL, "p_better?": REAL, "expected_left?": REAL}
_COMPARISON = {"prediction": REAL, "std": REAL, "arm": MAYBE_TEXT, "df?": MAYBE}
_COMPARISON |= {"label_std?": ERROR}
_LABEL = {"id": TEXT, "value": REAL, "label_std?": ERROR}
_REFUSED = [{"name": TEXT, "reason": TEXT}]
_NEIGHBOUR = {"id": TEXT, "value": REAL, "distance": REAL}

#: The fields of each verb. A dict holds at least these fields, but for those with "?", which came
#: later; a list holds any number of one kind; a pair with None may be null, one with "*" is a dict
#: of any names; other tuples list the values.
CONTENTS = {
    "init": {
        "settings": {
            "target": TEXT,
            "unit": TEXT,
            "recipe": RECIPES,
            "weights": MAYBE_TEXT,
            "strategy": STRATEGIES,
            "goal?": GOAL,
            "estimates?": [TEXT],
            "columns?": [TEXT],
            "log?": bool,
            "random_fraction": REAL,
            "cost": MAYBE_TEXT,
            "until": [RULE],
            "overdue_after": REAL,
            "random_state": WHOLE,
            "standardise": bool,
            "network_digest": MAYBE_TEXT,
        },
        "labelled": [_LABEL],
        "refused": _REFUSED,
        "refused_labels?": [{"line": MAYBE, "id": TEXT, "reason": TEXT}],
    },
    "add": {"refused": _REFUSED},
    "suggest": {
        "picks": [
            {
                "id": TEXT,
                "arm": TEXT,
                "strategy": TEXT,
                "score": MAYBE,
                "prediction": MAYBE,
                "std": MAYBE,
                "std_rank": MAYBE,
                "neighbours": [_NEIGHBOUR],
            }
        ],
        "curve": (_CURVE, None),
        "gain": (_GAIN, None),
        "outlook?": (_OUTLOOK, None),
        "df?": MAYBE,
    },
    "tell": {
        "rows": [_LABEL | {"comparison": (_COMPARISON, None)}],
        "failed": [{"id": TEXT, "reason": TEXT}],
        "estimates": (_ESTIMATE, "*"),
    },
    "release": {"ids": [TEXT]},
    "predict": {"df?": MAYBE},
    "undo": {"event": WHOLE},
}


class DamagedCampaignError(ValueError):
    """The file of a campaign was changed by something else, or cut."""

    def __init__(self, path, where, problem):
        super().__init__(
            f"{path} is damaged: {where}: {problem}. Put back a copy of the file; nothing was "
            "changed."
        )


def event_content(path, number, time, verb, text):
    """Read the content of an event.

    Raises
    ------
    DamagedCampaignError
        If it is not what the verb has.
    """
    where = f"event {number}"
    if verb not in CONTENTS:
        raise DamagedCampaignError(path, where, f"there is no verb {verb!r}")
    where = f"event {number} ({verb})"
    try:
        datetime.fromisoformat(time)
    except (TypeError, ValueError):
        problem = f"the field 'time' must be a time, got {time!r}"
        raise DamagedCampaignError(path, where, problem) from None
    try:
        content = json.loads(text)
    except (TypeError, ValueError, RecursionError) as error:
        raise DamagedCampaignError(path, where, "its content is not JSON") from error
    if problem := _problem(content, CONTENTS[verb], ""):
        raise DamagedCampaignError(path, where, problem)
    return content


def check_order(path, events, ids_by_event):
    """Raise unless events are numbered, begin with one 'init' and name crystals that are there."""
    known = set()
    for number, event in enumerate(events, 1):
        where = f"event {event.number} ({event.verb})"
        if event.number != number:
            raise DamagedCampaignError(path, where, f"event {number} is missing")
        if (event.verb == "init") != (number == 1):
            raise DamagedCampaignError(path, where, "'init' must be the first event, and no other")
        known.update(ids_by_event.get(number, ()))
        for field, id_ in _ids(event.content):
            if id_ not in known:
                problem = f"the field {field!r} names {id_!r}, and there is no such crystal"
                raise DamagedCampaignError(path, where, problem)
        undone = event.content.get("event")
        if event.verb == "undo" and not (0 < undone < number and events[undone - 1].verb == "tell"):
            problem = f"the field 'event' must be the number of a 'tell' before, got {undone}"
            raise DamagedCampaignError(path, where, problem)


def _ids(content):
    for field in ("labelled", "picks", "rows", "failed"):
        for row in content.get(field, ()):
            yield field, row["id"]
    for id_ in content.get("ids", ()):
        yield "ids", id_


def feature_rows(path, ids, vectors):
    """Return the features of all crystals as one array; raise unless each has as many."""
    if len(vectors) != len(ids):
        problem = f"there are {len(vectors)} for {len(ids)} crystals"
        raise DamagedCampaignError(path, "the table 'features'", problem)
    for id_, vector in zip(ids, vectors, strict=True):
        if not isinstance(vector, bytes) or len(vector) % 8 or len(vector) != len(vectors[0]):
            raise DamagedCampaignError(path, f"the features of {id_!r}", "they were cut")
    features = np.frombuffer(b"".join(vectors), dtype="<f8").reshape(len(vectors), -1)
    if not np.isfinite(features).all():
        row = ids[np.flatnonzero(~np.isfinite(features).all(axis=1))[0]]
        raise DamagedCampaignError(path, f"the features of {row!r}", "they are not finite")
    return features


def _problem(value, kind, name):
    """Say what is wrong with a field; None if nothing is."""
    if kind in (RECIPES, STRATEGIES):
        return None if value in kind else _expected(name, f"one of {kind}", value)
    if isinstance(kind, tuple):
        kind, other = kind
        if other == "*":
            kind = dict.fromkeys(value, kind) if isinstance(value, dict) else {}
        elif value is None:
            return None
    if isinstance(kind, dict):
        if not isinstance(value, dict):
            return _expected(name, "an object", value)
        for field, inner in kind.items():
            optional, field = field.endswith("?"), field.removesuffix("?")
            path = f"{name}.{field}" if name else field
            if optional and field not in value:
                continue
            if field not in value:
                return f"the field {path!r} is missing"
            if found := _problem(value[field], inner, path):
                return found
        return None
    if isinstance(kind, list):
        if not isinstance(value, list):
            return _expected(name, "a list", value)
        found = (_problem(item, kind[0], f"{name}[{i}]") for i, item in enumerate(value))
        return next(filter(None, found), None)
    return None if _IS[kind](value) else _expected(name, _WORDS.get(kind, kind), value)


def _is_goal(value):
    try:
        return isinstance(value, str) and bool(parse_goal(value))
    except ValueError:
        return False


def _expected(name, what, value):
    return f"the field {name or 'content'!r} must be {what}, got {repr(value)[:60]}"


def _is_real(value):
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    return abs(value) <= sys.float_info.max  # not so of NaN, nor of integers of 400 digits


_IS = {
    REAL: _is_real,
    MAYBE: lambda value: value is None or _is_real(value),
    TEXT: lambda value: isinstance(value, str),
    MAYBE_TEXT: lambda value: value is None or isinstance(value, str),
    PAIR: lambda value: isinstance(value, list) and len(value) == 2 and all(map(_is_real, value)),
    ERROR: lambda value: _is_real(value) and value > 0,
    WHOLE: lambda value: isinstance(value, int) and not isinstance(value, bool),
    RULE: lambda value: isinstance(value, str) and stored_rule(value) is not None,
    GOAL: _is_goal,
    bool: lambda value: isinstance(value, bool),
}
_WORDS = {bool: "true or false"}
