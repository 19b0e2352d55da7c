"""How crystals come into a campaign: when it begins, and later."""

from ..structures.io import check_writable
from .prequential import compare, std_of
from .results import Checked
from .settings import check_settings, versions


def begin(store, pool, labelled, settings):
    """Begin a campaign; see `Campaign.init`."""
    from .crystals import check_labelled, costs_of, read_labelled, read_pool
    from .keeping import insert_crystals
    from .model import compute_features

    check_settings(settings)
    if store.path.exists():  # raises now, and not after the work
        with store.writing(create=True):
            pass
    check_writable(store.path)
    crystals, labels = read_pool(pool, **_asked(settings)), {}
    unclear = []
    if hasattr(labelled, "digests"):  # what a saved model learnt
        labelled, unclear = _labels_of_equal(labelled, crystals)
    if labelled is not None:
        asked = [settings[name] for name in ("target", "unit", "log")]
        labels = read_labelled(labelled, crystals, *asked)
        crystals.refused_labels += unclear
    costs = costs_of(crystals, settings["cost"])
    features, *found = compute_features(crystals, settings)
    settings["standardise"], settings["network_digest"] = found
    check_labelled(crystals, labels)
    content = {
        "settings": settings,
        "labelled": [
            {"id": id_, "value": value} | std_of(id_, crystals.label_std)
            for id_, value in labels.items()
        ],
        "refused": _listed(crystals.refused),
        "refused_labels": [refusal._asdict() for refusal in crystals.refused_labels],
        "versions": versions(),
    }
    with store.writing(create=True) as ledger:
        number = ledger.append("init", content)
        insert_crystals(ledger.connection, number, crystals, costs, features)
        ids = set(crystals.ids)
        if failed := {id_: why for id_, why in crystals.failed.items() if id_ in ids}:
            ledger.append("tell", compare(ledger, Checked({}, {}, failed, [], [])))


def add_crystals(store, pool, settings):
    """Add crystals to the pool; see `Campaign.add`."""
    from .crystals import costs_of, read_pool
    from .keeping import insert_crystals
    from .model import check_network, compute_features

    with store.reading() as ledger:
        known = ledger.ids
    crystals = read_pool(pool, known, **_asked(settings))
    costs = costs_of(crystals, settings["cost"])
    features, _, digest = compute_features(crystals, settings)
    check_network(settings, digest)
    content = {"refused": _listed(crystals.refused), "versions": versions()}
    with store.writing() as ledger:
        if taken := set(ledger.ids) & set(crystals.ids):
            raise ValueError(f"somebody else added {min(taken)!r} meanwhile; try again.")
        first, number = len(ledger.ids), ledger.append("add", content)
        insert_crystals(ledger.connection, number, crystals, costs, features, first)
    return crystals.ids, crystals.refused


def _asked(settings):
    """Return what the crystals of a campaign may be, and what must be known beside them."""
    from .crystals import cost_column
    from .model import takes_formulas

    columns = [*settings.get("estimates", ()), *settings.get("columns", ())]
    columns += cost_column(settings["cost"])
    return {"formulas": takes_formulas(settings), "columns": columns}


def _labels_of_equal(learnt, crystals):
    """Return results for the crystals of a pool that a model learnt, found by their content.

    Where equal crystals had different labels, the reason comes instead, in a second list.
    """
    from ..structures.compositions import digest_of
    from ..structures.tables import Refusal
    from .results import Result

    y_std = [None] * len(learnt.y) if learnt.y_std is None else learnt.y_std.tolist()
    known = {}
    for label in zip(learnt.digests, learnt.y.tolist(), y_std, strict=True):
        known.setdefault(label[0], set()).add(label[1:])
    results, unclear = [], []
    for id_, crystal in zip(crystals.ids, crystals.structures, strict=True):
        labels = known.get(digest_of(crystal), ())
        if len(labels) > 1:
            values = " and ".join(f"{value:g}" for value, _ in sorted(labels))
            unclear.append(Refusal(None, id_, f"the model learnt {values} for equal crystals"))
        else:
            results += [Result(None, id_, value, label_std=std) for value, std in labels]
    return results, unclear


def _listed(refused):
    return [{"name": refusal.id, "reason": refusal.reason} for refusal in refused]
