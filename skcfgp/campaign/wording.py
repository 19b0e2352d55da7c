"""What a person reads: reasons, estimates and history in words."""

__all__ = ["estimate_rows", "what_happened", "why"]

_REASONS = {
    "integrated_variance": "tells most about the others",
    "greedy_max_std": "largest std, given those before",
    "max_std": "largest std",
    "greedy_k_center": "furthest from the labels",
    "random_sampling": "drawn at random",
}


def why(pick):
    """Say why a crystal was suggested.

    Parameters
    ----------
    pick : dict
        Of `Campaign.suggest`.

    Returns
    -------
    str
    """
    parts = [_REASONS[pick["strategy"]]]
    if pick["std_rank"] is not None:
        parts.append(f"std is no. {pick['std_rank']} of the pool")
    if pick["neighbours"]:
        unit = " kernel lengths" if pick["std"] is not None else ""
        near = [f"{n['id']} ({n['value']:.4g})" for n in pick["neighbours"]]
        distance = pick["neighbours"][0]["distance"]
        parts.append(f"nearest labels {', '.join(near)}, at {distance:.2g}{unit}")
    return "; ".join(parts)


def what_happened(event):
    """Say what an event did.

    Parameters
    ----------
    event : Event

    Returns
    -------
    str
    """
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


def estimate_rows(estimates):
    """Make a table of `State.estimates`.

    Returns
    -------
    list of list
        Arm, n, MAE, coverage, its interval, mean squared z, its interval.
    """
    return [
        [
            arm,
            of["n"],
            of["mae"],
            f"{of['coverage']:.1%}",
            "{:.1%} to {:.1%}".format(*of["coverage_interval"]),
            of["mean_squared_z"],
            "{:.2f} to {:.2f}".format(*of["mean_squared_z_interval"]),
        ]
        for arm, of in estimates.items()
    ]
