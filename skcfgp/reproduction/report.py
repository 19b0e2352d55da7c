"""`Report`: the table, the figures and what held, as files."""

import csv

import numpy as np

from .. import __version__
from .claims import NO, PARTLY, YES
from .figures import draw_figures
from .table import make_table
from .trials import RECIPES, trial_names

__all__ = ["Report"]

HEAD = """# The paper, reproduced

Allotey, Butler, Thiyagalingam, "Entropy-based Active Learning of Graph Neural Network Surrogate
Models for Materials Properties", J. Chem. Phys. 155, 174116 (2021), doi:10.1063/5.0065694.
"""

NOTES = """## How to read it

- Values are means over seeds, with the lowest and the highest, unless they say otherwise. The
  criterion of each row was fixed before the run. "partly" is what the criterion calls so; where it
  does not say, it was met in the mean over seeds, and in row 4.1 in some of them.
- The paper's values are those of 10,455 oxides. Here they stand beside other data and less of it:
  an absolute error is not expected to agree, a ratio may.
- The error on the remaining pool is the paper's protocol for Section V. It flatters a query that
  takes hard crystals out of the exam; the fixed test set does not.
- A label that the network has trained on makes its vectors look better than they are. So initial
  sets, pools and tests keep to what the network has or has not seen.
"""


class Report:
    """What a run found.

    Parameters
    ----------
    data : Data
    settings : Settings
    results : dict
        Of all stages.
    command : str

    Attributes
    ----------
    claims : list of Claim
        The lines of the table.
    """

    def __init__(self, data, settings, results, command):
        self.data = data
        self.settings = settings
        self.results = results
        self.command = command
        self.claims = make_table(data, results, trial_names(settings))

    def count(self, verdict, recipe="paper"):
        """Count the claims with a verdict.

        Parameters
        ----------
        verdict : {"yes", "partly", "no"}
        recipe : str, default="paper"

        Returns
        -------
        int
        """
        return sum(claim.held.get(recipe) == verdict for claim in self.claims)

    def summary(self):
        """Say in a few lines what held.

        Returns
        -------
        str
        """
        lines = []
        for recipe in RECIPES:
            counts = ", ".join(f"{v} {self.count(v, recipe)}" for v in (YES, PARTLY, NO))
            lines.append(f"Held, {recipe} pipeline: {counts}.")
        return "\n".join(lines)

    def write(self, folder):
        """Write ``report.md``, ``table.csv``, ``learning_curves.csv`` and ``figures/``.

        Parameters
        ----------
        folder : Path
            It exists.
        """
        figures = folder / "figures"
        figures.mkdir(exist_ok=True)
        captions = draw_figures(self.data, self.settings, self.results, figures)
        rows = [claim.to_dict() for claim in self.claims]
        _write_csv(folder / "table.csv", rows)
        _write_csv(
            figures / "captions.csv",
            [dict(zip(("file", "title", "caption"), row, strict=True)) for row in captions],
        )
        self._write_curves(folder / "learning_curves.csv")
        (folder / "report.md").write_text(self.text(rows, captions), encoding="utf-8")

    def text(self, rows, captions):
        """Write the report as Markdown.

        Parameters
        ----------
        rows : list of dict
            Of the table.
        captions : list of (str, str, str)

        Returns
        -------
        str
        """
        parts = [HEAD, self._about(), "## Claims", _markdown(rows), "", self.summary(), ""]
        parts += [NOTES, "## Figures", ""]
        for name, title, caption in captions:
            parts += [f"### {title}", "", f"![{title}](figures/{name})", "", caption, ""]
        parts += self._verdicts(), self._warnings()
        return "\n".join(parts)

    def _about(self):
        data, settings = self.data, self.settings
        seconds = sum(result["seconds"] for result in self.results.values())
        seeds = (
            "each seed but the first has its own draw of initial set and pool and its own network"
            if settings.retrain
            else "all seeds share one network, and the initial set of each is nine tenths of what "
            "that network was given, drawn at random: a label that a network has seen may not be "
            "in the pool"
        )
        network = data.network or f"trained in this run, {settings.epochs} epochs"
        text = (
            f"Data: {data.name}, {data.target_name} in {data.unit or 'the unit of the file'}; "
            f"initial set {len(data.train):,}, pool {len(data.pool):,}, test set "
            f"{len(data.test):,}. Network: {network}. {settings.seeds} initial sets: {seeds}; "
            f"{settings.orders} random orders of each. random_state {settings.random_state}. "
            f"skcfgp {__version__}. Computing time {seconds / 60:.0f} min.\n\n"
            f"    {self.command}\n"
        )
        if settings.n_initial is not None:
            text = (
                "This is a small run, to see that everything works; its numbers are rough.\n\n"
                + text
            )
        for id_, reason in data.left_out[:20]:
            text += f"\n- left out: {id_}: {reason}"
        if len(data.left_out) > 20:
            text += f"\n- and {len(data.left_out) - 20} more"
        return text

    def _verdicts(self):
        lines = []
        titles = {YES: "What held", PARTLY: "What held in part", NO: "What did not"}
        for wanted, title in titles.items():
            lines += [f"## {title}", ""]
            for claim in self.claims:
                recipes = [recipe for recipe in RECIPES if claim.held.get(recipe) == wanted]
                if recipes:
                    both = " and ".join(recipes)
                    lines.append(f"- {claim.row} {claim.text} ({both} pipeline).")
            lines.append("")
        return "\n".join(lines)

    def _warnings(self):
        lines = ["## Warnings of the stages", ""]
        for name, result in self.results.items():
            lines += [f"- {name}: {' '.join(message.split())}" for message in result["warnings"]]
        return "\n".join([*lines, "" if len(lines) > 2 else "None.\n"])

    def _write_curves(self, path):
        rows = []
        for name in trial_names(self.settings):
            run = self.results[f"active_{name}"]
            for key, curves in run.items():
                if key.startswith(("max_std_", "random_")):
                    strategy, recipe, metric = _parse(key)
                    for order, curve in enumerate(np.atleast_2d(curves)):
                        row = {"seed": name, "pipeline": recipe, "strategy": strategy}
                        row |= {"order": order, "metric": metric}
                        for k in range(0, len(curve), max(1, len(curve) // 200)):
                            rows.append(
                                row | {"n_labelled": run["n_initial"] + k, "mae": f"{curve[k]:.6g}"}
                            )
        _write_csv(path, rows)


def _parse(key):
    strategy = "max_std" if key.startswith("max_std_") else "random"
    recipe, metric = key.removeprefix(f"{strategy}_").split("_", 1)
    return strategy, recipe, metric


def _markdown(rows):
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + " --- |" * len(head)]
    for row in rows:
        cells = (str(row[name]).replace("|", "\\|") for name in head)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _write_csv(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, fieldnames=list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
