"""The ``skcfgp`` command."""

import io
import os
import shlex
import sys
import warnings
from pathlib import Path

import click

from .. import __version__
from .campaign import campaign
from .fit import fit
from .folders import make_folder
from .interrupts import interruptible
from .predict import predict
from .reproduce import reproduce
from .screen import screen

#: Where a command keeps its arguments, for the message of a fault.
ARGUMENTS = "skcfgp.arguments"


class Fault(click.ClickException):
    """A fault of the program, not of what it was given; 70 is EX_SOFTWARE of ``sysexits.h``."""

    exit_code = 70


class Group(click.Group):
    """Turn a foreseen failure into one line and exit code 1, and any other into one and 70."""

    def resolve_command(self, ctx, args):  # noqa: D102  click's
        ctx.meta[ARGUMENTS] = list(args)
        return super().resolve_command(ctx, args)

    def invoke(self, ctx):  # noqa: D102  click's
        _print_anything()
        try:
            with interruptible(), warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except (click.ClickException, click.Abort, click.exceptions.Exit, BrokenPipeError):
            raise  # click's own, and a reader of the output that has gone
        except Exception as error:
            if os.environ.get("SKCFGP_TRACEBACK"):
                raise
            if (message := _foreseen(error)) is not None:
                raise click.ClickException(message) from error
            raise Fault(_fault(error, ctx.meta.get(ARGUMENTS, []))) from error


def _print_anything():
    """Let a terminal show what it has no letters for as question marks."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _foreseen(error):
    """Return what to say of an error that is not a fault of the program, or None."""
    message = " ".join(str(error).split())
    if isinstance(error, MemoryError):
        return f"there is not enough memory: {message}" if message else "there is not enough memory"
    if isinstance(error, ImportError) and error.name is not None:  # raised by Python
        if not isinstance(error, ModuleNotFoundError) or error.name.startswith("skcfgp"):
            return None
        return f"{message}; 'skcfgp doctor' says how to install what is missing."
    return message if isinstance(error, ValueError | OSError | ImportError) else None


def _fault(error, arguments):
    problem = " ".join(f"{type(error).__name__}: {error}".split())
    return (
        f"this is a fault of the program, in 'skcfgp {shlex.join(map(str, arguments))}' "
        f"({problem[:300]}). Please report it with this line, the output of 'skcfgp doctor' and, "
        "if you can, the file; SKCFGP_TRACEBACK=1 shows where it happened."
    )


def _show_warning(message, category, filename, lineno, file=None, line=None):
    click.echo(f"{category.__name__}: {message}", err=True)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="skcfgp")
@click.option(
    "--verbose",
    is_flag=True,
    help="Show what TensorFlow, oneDNN and CUDA print when a network is trained.",
)
def main(verbose):
    """Properties of crystals with error bars, and which crystal to compute next.

    Set SKCFGP_TRACEBACK=1 to see where an error comes from.

    Exit codes: 0 done; 1 an error, or crystals or rows that cannot be used; 2 wrong usage; 70 a
    fault of the program.
    """
    if verbose:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "0"


@main.command()
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("skcfgp-demo"),
    show_default=True,
    help="Folder for the table and the figures; made if needed.",
)
@click.option("--quiet", is_flag=True, help="Print the table only.")
def demo(out, quiet):
    """Run the main job on the bundled DFT formation energies.

    Predicts 700 unseen crystals with error bars, by the recommended pipeline and by that of the
    paper, and compares 300 cycles of active learning with random choice. Takes less than two
    minutes on two cores and downloads nothing.
    """
    make_folder(out)  # before two minutes of work, not after
    from .demo import run_demo

    result = run_demo(verbose=0 if quiet else 1)
    click.echo("\n" + result.table() + "\n")
    for path in result.write(out):
        click.echo(f"wrote {path}")
    if not quiet:
        click.echo(
            "Next: 'skcfgp predict crystals/' for your own crystals, and 'skcfgp campaign --help' "
            "for which of them to compute first."
        )


@main.command()
def doctor():
    """Check the installation, and say what to do about problems.

    Include the output in a bug report. The exit code is 1 if something is wrong.
    """
    from .doctor import examine, write_report

    findings = examine()
    click.echo(write_report(findings))
    sys.exit(any(finding.advice for finding in findings))


main.add_command(campaign)
main.add_command(fit)
main.add_command(predict)
main.add_command(screen)
main.add_command(reproduce)
