"""How crystals come into a campaign: at its beginning, and later."""

from .crystals import insert_crystals
from .settings import check_settings, costs_of, versions
from .store import append_event

__all__ = ["begin", "insert_more", "prepare_more"]


def begin(store, settings, pool, labelled=None):
    """Begin a campaign; see `Campaign.init`."""
    from .features import compute_features, make_parts
    from .inputs import read_labelled, read_pool

    check_settings(settings)
    if store.path.exists():  # said before the work
        with store.writing(create=True) as connection:
            _refuse_second(connection, store)
    recipe, weights = settings["recipe"], settings["weights"]
    crystals, labels = read_pool(pool), []
    if labelled is not None:
        labels = read_labelled(labelled, crystals, settings["target"], settings["unit"])
    costs = costs_of(crystals, settings["cost"])
    settings["standardise"] = make_parts(recipe, weights)[1]
    features, settings["network_digest"] = compute_features(crystals, recipe, weights)
    came_in = set(crystals.ids)
    if lost := [id_ for id_, _ in labels if id_ not in came_in]:
        reasons = {refusal.id: refusal.reason for refusal in crystals.refused}
        raise ValueError(
            f"{len(lost)} labelled crystals cannot be used; the first is {lost[0]}: "
            f"{reasons.get(lost[0])}"
        )
    content = {
        "settings": settings,
        "labelled": [{"id": id_, "value": value} for id_, value in labels],
        "refused": _listed(crystals),
        "versions": versions(),
    }
    with store.writing(create=True) as connection:
        _refuse_second(connection, store)
        number = append_event(connection, "init", content)
        insert_crystals(connection, number, crystals, costs, features)


def prepare_more(state, pool):
    """Read more crystals and compute their features; see `Campaign.add`.

    Returns
    -------
    crystals : Pool
    costs : dict of str to float
    features : ndarray of shape (n_crystals, n_features)
    """
    from .features import compute_features
    from .inputs import read_pool

    settings = state.settings
    crystals = read_pool(pool, state.ids)
    costs = costs_of(crystals, settings["cost"])
    features, digest = compute_features(crystals, settings["recipe"], settings["weights"])
    if digest != settings["network_digest"]:
        raise ValueError(
            f"the network {settings['weights']!r} has changed since this campaign was begun "
            f"(digest {digest}, not {settings['network_digest']}): features of two networks cannot "
            "be mixed. Begin a new campaign with the labels of this one ('export')."
        )
    return crystals, costs, features


def insert_more(connection, state, crystals, costs, features):
    """Add crystals that `prepare_more` prepared, in a transaction, to the state of now."""
    if taken := set(state.ids) & set(crystals.ids):
        raise ValueError(f"somebody else added {min(taken)!r} meanwhile; try again.")
    content = {"refused": _listed(crystals), "versions": versions()}
    number = append_event(connection, "add", content)
    insert_crystals(connection, number, crystals, costs, features, len(state.ids))


def _listed(crystals):
    return [{"name": refusal.id, "reason": refusal.reason} for refusal in crystals.refused]


def _refuse_second(connection, store):
    (n,) = connection.execute("SELECT COUNT(*) FROM events").fetchone()
    if n:
        raise FileExistsError(f"there is a campaign in {store.path.parent} already.")
