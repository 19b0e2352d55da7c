"""The command ``skcfgp screen``: which crystals meet a condition, and who to ask next."""

from pathlib import Path

import click

__all__ = ["screen"]


@click.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path, exists=True))
@click.option("--below", type=float, help="The value is below this.")
@click.option("--above", type=float, help="The value is above this.")
@click.option("--between", type=float, nargs=2, help="The value is between these two.")
@click.option(
    "--cut",
    type=float,
    default=0.5,
    show_default=True,
    help="Probability from which a crystal counts as found.",
)
@click.option("--edge-cases", type=int, default=5, show_default=True, help="How many to name.")
@click.option("--rescale", is_flag=True, help="As in 'campaign predict'; of a campaign only.")
@click.option(
    "--weights", default="formation_energy_1800", show_default=True, help="Network, for files."
)
@click.option(
    "--train",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="As in 'predict', for files. Default: the bundled formation energies, in eV/atom.",
)
@click.option("--target", help="Column of --train with the values, if there are several.")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Table, .csv or .json."
)
def screen(files, below, above, between, cut, edge_cases, rescale, weights, train, target, out):
    """Find the crystals that probably meet a condition.

    FILES is the folder of a campaign, or files and folders of crystals. Prints how many crystals
    are expected to meet the condition, how many of them a cut finds and misses, and the edge cases:
    the crystals whose label would remove most of the expected number of wrong decisions.

    \b
    Examples:
      skcfgp screen oxides --between 1.1 1.7
      skcfgp screen crystals/ --below 0.0 --cut 0.9 --out stable.csv
    """  # noqa: D301  click looks for the backspace
    from .campaign.tables import write_table
    from .screening_rules import Condition
    from .screening_rules import screen as find

    condition = Condition.of(below=below, above=above, between=between)
    found, unit = _screen(files, condition, cut, rescale, weights, train, target, find)
    click.echo(str(found))
    if found.n_unknown:
        click.echo(f"{found.n_unknown} crystals have no prediction and are in none of the numbers.")
    if edge_cases and len(found.edge_cases):
        click.echo("Edge cases, worth a label:")
    for row in found.edge_cases.head(edge_cases).itertuples():
        click.echo(
            f"  {row.id}  {row.formula}  {row.prediction:.4f} +- {row.std:.4f} {unit}, "
            f"p = {row.p_meets:.2f}"
        )
    if out is not None:
        write_table(found.table, out)
        click.echo(f"wrote {len(found.table)} rows to {out}")


def _screen(files, condition, cut, rescale, weights, train, target, find):
    from .campaign.store import FILE_NAME

    if len(files) == 1 and (files[0] / FILE_NAME).exists():
        from .campaign import Campaign

        campaign = Campaign(files[0])
        table = campaign.export(rescale=rescale)
        return find(table, condition, cut), campaign.state().settings["unit"]
    if rescale:
        raise ValueError("--rescale is for a campaign: files have no labels to compare with.")
    import pandas as pd

    from .prediction import predict_files, read_labelled

    labelled = None if train is None else read_labelled(train, target)
    table = pd.DataFrame(predict_files(files, labelled, weights, "set2set"))
    for name in ("prediction", "std"):
        table[name] = pd.to_numeric(table[name])
    return find(table, condition, cut), table["unit"].iloc[0]
