"""Files that are written whole or not at all."""

import os
from contextlib import contextmanager

__all__ = ["atomic_write"]


@contextmanager
def atomic_write(path):
    """Yield a temporary path in the same folder; it replaces `path` unless there is an error."""
    part = path.with_name(f"{path.name}.{os.getpid()}.part")
    try:
        try:
            yield part
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise OSError(f"{path} could not be written: {error}") from error
