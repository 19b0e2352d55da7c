"""What a person reads: reasons, estimates and history in words."""

__all__ = ["estimate_rows", "status_lines", "what_happened", "why"]

_REASONS = {
    "integrated_variance": "tells most about the others",
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
        unit = " kernel lengths" if pick["std"] is not None else ""
        near = [f"{n['id']} ({n['value']:.4g})" for n in pick["neighbours"]]
        distance = pick["neighbours"][0]["distance"]
        parts.append(f"nearest labels {', '.join(near)}, at {distance:.2g}{unit}")
    return "; ".join(parts)


def what_happened(event):
    """Say what an event did."""
    content = event.content
    if event.verb == "init":
        return f"init with {len(content['labelled'])} labels"
    if event.verb == "suggest":
        return f"suggest {', '.join(pick['id'] for pick in content['picks']) or 'nothing: stop'}"
    if event.verb == "tell":
        parts = [f"{row['id']} = {row['value']!r}" for row in content["rows"]]
        parts += [f"{row['id']} failed: {row['reason']}" for row in content["failed"]]
        return f"tell {', '.join(parts)}"
    if event.verb == "release":
        return f"release {', '.join(content['ids'])}"
    if event.verb == "undo":
        return f"undo event {content['event']}"
    return event.verb


def status_lines(found):
    """Say where a campaign stands."""
    unit, counts = found["settings"]["unit"], found["counts"]
    yield (
        ", ".join(f"{counts[name]} {name}" for name in ("labelled", "pending", "failed"))
        + f", {counts['pool']} in the pool; {found['total']} in all, {found['refused']} refused"
    )
    for arm, row in found["estimates"].items():
        low, high = row["coverage_interval"]
        z_low, z_high = row["mean_squared_z_interval"]
        yield (
            f"{arm}: of {row['n']} predictions before their label: MAE {row['mae']:.4g} {unit}, "
            f"{row['coverage']:.0%} within 2 std ({low:.0%} to {high:.0%}; 95 % is right), "
            f"mean squared z {row['mean_squared_z']:.2f} ({z_low:.2f} to {z_high:.2f}; 1 is right)"
        )
    if found["curve"]:
        curve = found["curve"]
        yield (
            f"at the last suggestion, with {curve['n_labels']} labels: largest std "
            f"{curve['max_std']:.4g}, mean {curve['mean_std']:.4g} {unit}"
        )
    if gain := found["gain"]:
        low, high = gain["interval"]
        yield (
            f"gain over random choice: MAE lower by {gain['gain']:.4g} {unit} (95 % interval "
            f"{low:.4g} to {high:.4g}, {gain['n']} crystals, {gain['n_taught']} "
            "labels of each kind)"
        )
    if found["spent"] is not None:
        yield f"cost of what was suggested: {found['spent']:g}"
    if found["overdue"]:
        days = found["settings"]["overdue_after"]
        yield f"overdue for more than {days:g} days: {', '.join(found['overdue'])}"
    for rule in found["stop"]:
        yield f"STOP: {rule}"
    if found["alarm"]:
        yield f"ALARM: {found['alarm']}"


def estimate_rows(estimates):
    """Make a table of `State.estimates`."""
    return [
        [
            arm,
            row["n"],
            row["mae"],
            f"{row['coverage']:.1%}",
            "{:.1%} to {:.1%}".format(*row["coverage_interval"]),
            row["mean_squared_z"],
            "{:.2f} to {:.2f}".format(*row["mean_squared_z_interval"]),
        ]
        for arm, row in estimates.items()
    ]
