"""The command ``skcfgp fit``: learn labels once, and keep the model."""

import time
from pathlib import Path
from shlex import quote

import click

from .labels import fit_labels, read_labels, training_of
from .model import check_recipe, label_options, unusable


@click.command()
@click.argument("labelled", type=click.Path(path_type=Path, exists=True))
@label_options
@click.option(
    "--out",
    "-o",
    type=click.Path(path_type=Path),
    required=True,
    help="Folder of the model. A model that is there is replaced; anything else is not.",
)
def fit(labelled, out, **options):
    """Learn labelled crystals, and keep the model in a folder.

    LABELLED is a table of labelled crystals, as --train of 'skcfgp predict'. Prints how large the
    errors are on each label when it is learnt from the others. The folder can be sent: it holds
    text and numbers, and opening it runs no code. Rows that cannot be used are listed, and make
    the exit code 1.

    \b
    Examples:
      skcfgp fit labelled.csv --unit GPa --out model
      skcfgp predict new/*.cif --model model
      skcfgp screen pool.parquet --model model --above '300 GPa' --out found.csv
    """  # noqa: D301  click looks for the backspace
    check_recipe(options["recipe"])
    from ..models.model_folders import check_model_folder
    from ..models.persistence import save_model

    check_model_folder(out)  # before the work
    found = read_labels(labelled, **options)
    unit, labels = found.unit or "", f"{len(found.y)} labels of {found.target}"
    click.echo(f"{labelled}: {labels}" + (f" in {unit}" if unit else ""), err=True)
    start = time.monotonic()
    model = fit_labels(found, options)
    save_model(model, out, target=found.target, unit=unit, training=training_of(found))
    click.echo(f"learnt in {time.monotonic() - start:.0f} s", err=True)
    for line in summary(out):
        click.echo(line)
    unusable(0, 0, len(found.refused), "LABELLED")


def summary(folder):
    """Yield what was learnt, how good it is, and what was written."""
    from ..models.model_cards import errors_of
    from ..models.persistence import model_card

    card = model_card(folder)
    unit = f" ({card['unit']})" if card["unit"] else ""
    names = [network["name"] or "of its own" for network in card["networks"]]
    recipe = f"recipe {card['recipe']}" + "".join(f", network {name}" for name in names)
    what = "the logarithm of " if card["log"] else ""
    yield f"{card['n_labels']:,} labels of {what}{card['target']}{unit}, {recipe}"
    if card["evaluation"] is not None:
        yield f"on {card['evaluation']['on']}:"
        errors = errors_of(card["evaluation"]["errors"], card["unit"])
        width = max(map(len, errors))
        yield from (f"  {name:{width}}  {value}" for name, value in errors.items())
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    size = sum(path.stat().st_size for path in files)
    names = ", ".join(path.relative_to(folder).as_posix() for path in files)
    yield f"wrote {folder}: {names} ({size / 1000:,.0f} kB)"
    named = [*card["estimates"], *card["columns"]] or card["recipe"] == "composition"
    yield f"next: skcfgp predict {'new.csv' if named else 'crystals/'} --model {quote(str(folder))}"
