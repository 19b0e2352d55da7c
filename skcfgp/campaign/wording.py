"""What a person reads: reasons, estimates and history in words."""

import math
import shlex

from .scale import learnt_unit

_REASONS = {
    "initial_design": "tells most about the others, before there are labels to learn from",
    "integrated_variance": "tells most about the others",
    "expected_improvement": "expected to exceed the best label by most",
    "probability_of_improvement": "most likely to be better than the best label",
    "upper_confidence_bound": "could be the best",
    "thompson_sampling": "the best in a draw from what is believed",
    "level_set": "its side of the limit is least certain",
    "greedy_max_std": "largest std, given those before",
    "max_std": "largest std",
    "greedy_k_center": "furthest from the labels",
    "random_sampling": "drawn at random",
}


def why(pick):
    """Say why a crystal was suggested."""
    parts = [_REASONS.get(pick["strategy"], pick["strategy"])]
    if pick["std_rank"] is not None:
        parts.append(f"std is no. {pick['std_rank']} of the pool")
    if pick["neighbours"]:
        near = [f"{n['id']} ({n['value']:.4g})" for n in pick["neighbours"]]
        text = f"nearest labels {', '.join(near)}"
        if pick["std"] is not None:  # else the distance is that of features
            correlation = math.exp(-pick["neighbours"][0]["distance"])
            text += f", correlation with the first {correlation:.2f}"
        parts.append(text)
    return "; ".join(parts)


def what_happened(event):
    """Say what an event did."""
    content = event.content
    if event.verb == "init":
        return f"init with {len(content['labelled'])} labels"
    if event.verb == "suggest":
        return f"suggest {', '.join(pick['id'] for pick in content['picks']) or 'nothing: stop'}"
    if event.verb == "tell":
        parts = [_label(row) for row in content["rows"]]
        parts += [f"{row['id']} failed: {row['reason']}" for row in content["failed"]]
        return f"tell {', '.join(parts)}"
    if event.verb == "release":
        return f"release {', '.join(content['ids'])}"
    if event.verb == "undo":
        return f"undo event {content['event']}"
    return event.verb


def what_was_written(picks, name, settings):
    """Say what a suggestion wrote, and what to do with it: a formula has no file."""
    n_files, table = sum("file" in pick for pick in picks), picks[0]["table"]
    n_formulas = len(picks) - n_files
    files = f"{n_files} files and " if n_files else ""
    yield f"wrote {files}the table {table}" + (
        f"; {n_formulas} are formulas, without a structure to write" if n_formulas else ""
    )
    command = shlex.join(["skcfgp", "campaign", "tell", str(name), str(table)])
    command = command if "'" in command else f"'{command}'"
    yield (
        f"next: add a column {settings['target']!r} with the results in {settings['unit']}, and "
        f"run {command}"
    )


def _label(row):
    text = f"{row['id']} = {row['value']!r}"
    return f"{text} +- {row['label_std']!r}" if "label_std" in row else text


def status_lines(found):
    """Say where a campaign stands."""
    unit, counts = learnt_unit(found["settings"]), found["counts"]
    yield (
        ", ".join(f"{counts[name]} {name}" for name in ("labelled", "pending", "failed"))
        + f", {counts['pool']} in the pool; {found['total']} in all, {found['refused']} refused"
    )
    for arm, row in _kinds(found["estimates"]):
        low, high = row["coverage_interval"]
        levels = ", ".join(f"{share:.0%}" for share in row.get("levels", ()))
        yield (
            f"{arm}: of {row['n']} predictions before their label: MAE {row['mae']:.4g} {unit}, "
            f"{row['coverage']:.0%} within 2 std ({low:.0%} to {high:.0%}; 95 % is right)"
            + (f"; {levels} in the intervals of 50, 80 and 95 %" if levels else "")
        )
    if found["curve"]:
        curve = found["curve"]
        yield (
            f"at the last suggestion, with {curve['n_labels']} labels: largest std "
            f"{curve['max_std']:.4g}, mean {curve['mean_std']:.4g} {found['settings']['unit']}"
        )
    if gain := found["gain"]:
        low, high = gain["interval"]
        yield (
            f"gain over random choice: MAE lower by {gain['gain']:.4g} {unit} (95 % interval "
            f"{low:.4g} to {high:.4g}, {gain['n']} crystals, {gain['n_taught']} "
            "labels of each kind)"
        )
    yield from goal_lines(found["best"], found["outlook"], found["settings"])
    if found["spent"] is not None:
        yield f"cost of what was suggested: {found['spent']:g}"
    if found["overdue"]:
        days = found["settings"]["overdue_after"]
        yield f"overdue for more than {days:g} days: {', '.join(found['overdue'])}"
    for rule in found["stop"]:
        yield f"STOP: {rule}"
    if found["alarm"]:
        yield f"ALARM: {found['alarm']}"


def goal_lines(best, outlook, settings):
    """Say how far a campaign is from its goal; nothing if that is to explore."""
    if best:
        yield f"best so far: {best['id']}, {best['value']:.6g} {settings['unit']}"
    if outlook and "p_better" in outlook:
        yield (
            f"at the last suggestion: the chance that something better is left is "
            f"{outlook['p_better']:.0%}; the next label is expected to gain "
            f"{outlook['expected_gain']:.3g} {settings['unit']}"
        )
    elif outlook:
        yield (
            f"at the last suggestion: {outlook['expected_left']:.1f} crystals without a label are "
            f"expected to lie there; the next label takes away {outlook['expected_gain']:.2f} "
            "wrong decisions at most"
        )


def estimate_rows(estimates):
    """Make a table of `State.estimates`."""
    return [
        [
            arm,
            row["n"],
            row["mae"],
            f"{row['coverage']:.1%}",
            "{:.1%} to {:.1%}".format(*row["coverage_interval"]),
            ", ".join(f"{share:.0%}" for share in row.get("levels", ())),
        ]
        for arm, row in _kinds(estimates)
    ]


def _kinds(estimates):
    """Return the rows of `State.estimates`, only that of all if all crystals are of one kind."""
    n = {row["n"] for row in estimates.values()}
    return list(estimates.items())[: 1 if len(n) == 1 else None]
