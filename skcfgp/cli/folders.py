"""Folders that a command writes its results to."""

import os

import click

__all__ = ["make_folder"]


def make_folder(path):
    """Make a folder, and make sure that it can be written to: before the work, not after it."""
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".skcfgp-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise click.ClickException(
            f"the folder {path} cannot be written to: {error.strerror}."
        ) from error
