"""The ``skcfgp`` command."""

import os
import sys
import warnings
from pathlib import Path

import click

from .. import __version__
from .campaign import campaign
from .interrupts import interruptible
from .predict import predict
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
    _make_folder(out)  # before two minutes of work, not after
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


@main.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("skcfgp-reproduction"),
    show_default=True,
    help="Folder for report, table, figures and what is finished; a run that was interrupted goes "
    "on there.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV with a column 'file' (paths, relative to the CSV) or 'structure' (JSON or CIF) and "
    "one with the values; 'split' may say train, pool or test. Default: the bundled data.",
)
@click.option("--target", help="Column of --data with the values, if there are several.")
@click.option("--megnet", help="Published network of that property, to compare with.")
@click.option("--seeds", type=click.IntRange(min=1), help="Initial sets.  [default: 5]")
@click.option("--epochs", type=click.IntRange(min=1), help="Of a new network.  [default: 180]")
@click.option("--retrain", is_flag=True, help="Give each seed its own split and network.")
@click.option("--quick", is_flag=True, help="Fewer crystals, seeds and epochs: two minutes.")
def reproduce(out, data, target, megnet, quick, retrain, **changes):
    """Run the paper's experiment, from labels to figures, and judge its claims.

    Writes report.md: the table of claims with the paper's values, ours and whether they held, for
    the pipeline of the paper beside the recommended one, and the paper's figures. A quarter of an
    hour without --retrain, an hour with it; downloads nothing. With --data a network is trained
    first, on the initial set alone.
    """
    _make_folder(out)
    from ..reproduction import Settings, read_data, reproduce

    changes = {name: value for name, value in changes.items() if value is not None}
    make = Settings.quick if quick else Settings
    settings = make(retrain=retrain, **changes)
    if data is not None:
        data = read_data(data, target, published=megnet, random_state=settings.random_state)
    command = " ".join(["skcfgp", *sys.argv[1:]])
    report = reproduce(out, data=data, settings=settings, command=command, progress=click.echo)
    click.echo(f"\n{report.summary()}\nwrote {out / 'report.md'}")


def _make_folder(path):
    try:
        path.mkdir(parents=True, exist_ok=True)
        probe = path / f".skcfgp-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise click.ClickException(
            f"the folder {path} cannot be written to: {error.strerror}."
        ) from error
