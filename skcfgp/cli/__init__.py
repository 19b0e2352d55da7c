"""The ``skcfgp`` command."""

import os
import sys
import warnings
from pathlib import Path

import click

from .. import __version__
from .campaign import campaign
from .folders import make_folder
from .interrupts import interruptible
from .predict import predict
from .reproduce import reproduce
from .screen import screen


class Group(click.Group):
    """Turn a foreseen failure into one line and exit code 1; others keep their traceback."""

    def invoke(self, ctx):  # noqa: D102  click's
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow's greetings
        try:
            with interruptible(), warnings.catch_warnings():
                warnings.showwarning = _show_warning
                return super().invoke(ctx)
        except (ValueError, OSError, ImportError) as error:
            message = " ".join(str(error).split())
            if isinstance(error, ImportError) and error.name is not None:  # raised by Python
                if not isinstance(error, ModuleNotFoundError) or error.name.startswith("skcfgp"):
                    raise
                message += "; 'skcfgp doctor' says how to install what is missing."
            if os.environ.get("SKCFGP_TRACEBACK"):
                raise
            raise click.ClickException(message) from error


def _show_warning(message, category, filename, lineno, file=None, line=None):
    click.echo(f"{category.__name__}: {message}", err=True)


@click.group(cls=Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="skcfgp")
def main():
    """Properties of crystals with error bars, and which crystal to compute next.

    Set SKCFGP_TRACEBACK=1 to see where an error comes from.
    """


@main.command()
@click.option(
    "--out",
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


@main.command()
def doctor():
    """Say what is installed, whether it works, and what to do if not.

    Put what it prints into a bug report. Exit code 1 if something is wrong.
    """
    from .doctor import examine, write_report

    findings = examine()
    click.echo(write_report(findings))
    sys.exit(any(finding.advice for finding in findings))


main.add_command(campaign)
main.add_command(predict)
main.add_command(screen)
main.add_command(reproduce)
