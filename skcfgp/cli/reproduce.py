"""``skcfgp reproduce``: the paper's experiment."""

from pathlib import Path

import click

from .folders import make_folder


@click.command()
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("skcfgp-reproduction"),
    show_default=True,
    help="Folder for report, table, figures and finished stages; an interrupted run is resumed "
    "from there.",
)
@click.option(
    "--data",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="CSV with a column 'file' (paths, relative to the CSV) or 'structure' (JSON or CIF) and "
    "one with the values; 'split' may say train, pool or test. Or an .npz of arrays, see the "
    "documentation. Default: the bundled data.",
)
@click.option("--target", help="Column of --data with the values, if there are several.")
@click.option("--megnet", help="Published network of that property, to compare with.")
@click.option("--seeds", type=click.IntRange(min=1), help="Number of initial sets.  [default: 5]")
@click.option(
    "--epochs", type=click.IntRange(min=1), help="Epochs of a new network.  [default: 180]"
)
@click.option(
    "--refit-epochs",
    type=click.IntRange(min=1),
    help="Epochs in which the network learns the enlarged set.  [default: 60]",
)
@click.option(
    "--orders", type=click.IntRange(min=1), help="Random orders of each pool.  [default: 5]"
)
@click.option("--retrain", is_flag=True, help="Give each seed its own split and network.")
@click.option("--vary", is_flag=True, help="Repeat Fig. 5 with one thing changed at a time.")
@click.option("--quick", is_flag=True, help="Fewer crystals, seeds and epochs: two minutes.")
def reproduce(out, data, target, megnet, quick, retrain, vary, **changes):
    """Run the paper's experiment, and check its claims.

    Writes report.md: the claims with the paper's values and ours, whether they held, for the
    pipeline of the paper and the recommended one, and the paper's figures. Takes a quarter of an
    hour without --retrain, an hour with it; downloads nothing. With --data a network is trained
    first, on the initial set alone.
    """
    make_folder(out)
    from .. import reproduction
    from ..network import use_one_thread

    changes = {name: value for name, value in changes.items() if value is not None}
    make = reproduction.Settings.quick if quick else reproduction.Settings
    settings = make(retrain=retrain, vary=vary, **changes)
    use_one_thread()
    options = {"data": data, "target": target, "published": megnet, "settings": settings}
    reproduction.reproduce(out, **options, progress=click.echo)
