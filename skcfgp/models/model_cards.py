"""The card of a saved model: what a person who is sent the folder needs to know.

It is Markdown, with the headings of skops' cards.
"""

METHODS = {
    None: "None: the standard deviation of the process itself.",
    "student_t": "Student-t, with the width and the tails of the errors on left-out labels.",
    "std_scaling": "Gaussian, with a standard deviation scaled by errors on left-out labels.",
    "isotonic": "Quantiles of the errors on left-out labels.",
    "conformal": "Conformal intervals, from errors on left-out labels.",
}

ERRORS = {
    "mae": "mean absolute error",
    "mae_log10": "mean absolute error of log10",
    "median_absolute_error": "median absolute error",
    "rmse": "root mean square error",
    "r2": "R2",
    "inside_50_percent": "within the 50 % interval",
    "inside_95_percent": "within the 95 % interval",
}


def card_text(content):
    """Write the card from what ``model.json`` holds."""
    about, unit = content["about"], content["about"]["unit"]
    target = about["target"] or "the target"
    named = [*about["estimates"], *about["columns"]]
    needs = "formulas or crystals" if about["formulas"] else "crystals"
    needs += f" in a table with the columns {', '.join(named)}" if named else ""
    lines = [
        f"# A model of {target}" + (f" ({unit})" if unit else ""),
        "",
        "## Model description",
        "",
        f"It predicts {target}{f', in {unit},' if unit else ''} of {needs}, with error bars.",
        f"It was made by skcfgp {content['skcfgp']} on {content['saved']}.",
        "",
        *_table(_settings(content)),
        "",
        "### How to use it",
        "",
        "```sh",
        f"skcfgp predict {'new.csv' if named else 'crystals/'} --model FOLDER",
        "```",
        "",
        "```python",
        "from skcfgp import load_model",
        "",
        'model = load_model("FOLDER")',
        "mean, std = model.predict(crystals, return_std=True)",
        "```",
        "",
        "Opening the folder runs no code that is in it. It holds text and numbers, with checksums,",
        "which find damage and do not prove who made it.",
        "",
        "### Limits",
        "",
        "Crystals unlike those that it learnt get large error bars, and a prediction near the mean",
        "of the labels. Wrong labels make wrong predictions.",
        "",
        "## Evaluation",
        "",
        *_evaluation(content),
        "",
        "## Versions",
        "",
        "Other versions, or another kind of processor, may change the last digits.",
        "",
        *_table(content["versions"]),
        "",
    ]
    return "\n".join(lines)


def _settings(content):
    about, found = content["about"], {}
    found["recipe"] = about["recipe"] or "a pipeline of its own"
    if content["networks"]:
        found["network"] = "; ".join(
            network["name"] or "in this folder" for network in content["networks"]
        )
        found["digest of the network"] = "; ".join(n["digest"] for n in content["networks"])
        found["layer"] = about["layer"]
    found["what is learnt"] = "the decimal logarithm" if about["log"] else "the value"
    found |= {name: ", ".join(about[name]) for name in ("estimates", "columns") if about[name]}
    if "n_labels" in about:
        found["labels"] = f"{about['n_labels']:,}"
        found["standard errors of labels"] = "known" if about["has_label_std"] else "not given"
        found["kernel"] = about["kernel"]
    found["calibration"] = METHODS[about["calibration"]]
    return found


def errors_of(errors, unit):
    """Write errors in words, with their unit, as a dict."""
    found = {}
    for name, value in errors.items():
        if name.startswith("inside"):
            found[ERRORS[name]] = f"{value:.1%}"
        else:
            has_unit = unit and name not in ("r2", "mae_log10")
            found[ERRORS.get(name, name)] = f"{value:.4g}" + (f" {unit}" if has_unit else "")
    return found


def _evaluation(content):
    found = content["evaluation"]
    if not found:
        return ["There is none."]
    return [f"On {found['on']}:", "", *_table(errors_of(found["errors"], content["about"]["unit"]))]


def _table(rows):
    """Write a table of two columns; a bar would end a cell."""
    cells = [(str(key), str(value).replace("|", "\\|")) for key, value in rows.items()]
    return ["| | |", "|---|---|", *(f"| {key} | {value} |" for key, value in cells)]
