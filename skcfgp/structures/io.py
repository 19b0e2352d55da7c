"""Files that are there altogether or not at all."""

import os
from contextlib import contextmanager

__all__ = ["atomic_write"]


@contextmanager
def atomic_write(path):
    """Give the name of a file to write, which takes the place of `path` when it is finished.

    Parameters
    ----------
    path : Path

    Yields
    ------
    Path
        In the same folder. After an error it is gone, and what was at `path` is still there.

    Raises
    ------
    OSError
        If it cannot be written; the message names `path`.
    """
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        try:
            yield part
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(f"{path} could not be written: {error}") from error
