"""Output files and folders of the commands, tested before the work."""

import os

import click


def make_folder(path):
    """Create a folder and check that it is writable, before any work is done."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        _probe(path)
    except OSError as error:
        raise click.ClickException(
            f"the folder {path} cannot be written to: {error.strerror}."
        ) from error


def check_output(path, suffixes=(".csv", ".json")):
    """Check the name of a table to be written and that its folder is writable."""
    if path.suffix.lower() not in suffixes:
        raise click.UsageError(
            f"the name of a table must end in {' or '.join(suffixes)}, got {path.name!r}."
        )
    if path.is_dir():
        raise click.UsageError(f"{path} is a folder; name a file for the table.")
    try:
        if path.exists():
            with path.open("ab"):
                pass
        _probe(path.parent)
    except OSError as error:
        raise click.ClickException(f"{path} cannot be written: {error.strerror}.") from error


def _probe(folder):
    probe = folder / f".skcfgp-{os.getpid()}"
    probe.touch()
    probe.unlink()
