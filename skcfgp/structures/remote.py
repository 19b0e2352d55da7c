"""Asking a database: again if it has no answer, and never twice for the same one."""

import hashlib
import json
import time
from pathlib import Path

from .io import atomic_write

#: Status codes after which it is worth asking again.
TEMPORARY = (408, 425, 429, 500, 502, 503, 504)

#: Seconds before the second attempt; doubled before each further one.
INITIAL_DELAY = 1.0


class TransientError(Exception):
    """There was no answer this time; `wait` is for how many seconds not to ask again."""

    def __init__(self, problem, wait=0.0):
        super().__init__(str(problem))
        self.wait = wait


def retry(ask, attempts, name):
    """Call `ask` until it raises no `TransientError`, at most `attempts` times."""
    wait = INITIAL_DELAY
    for attempt in range(1, attempts + 1):
        try:
            return ask()
        except TransientError as error:
            problem = error
        if attempt < attempts:
            wait = max(wait, problem.wait)
            time.sleep(wait)
            wait *= 2
    raise OSError(
        f"{name} could not be read in {attempts} attempts: {problem}. What was read before is in "
        "the cache, if one was named."
    ) from problem


def cached(cache_dir, question, ask):
    """Take an answer (plain JSON values) from a folder if it is there, else ask and keep it."""
    if cache_dir is None:
        return ask()
    name = hashlib.blake2b(question.encode(), digest_size=16).hexdigest()
    path = Path(cache_dir).expanduser() / f"{name}.json"
    if path.exists():
        return json.loads(path.read_text(encoding="utf-8"))
    answer = ask()
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_write(path) as part:
        part.write_text(json.dumps(answer), encoding="utf-8")
    return answer
