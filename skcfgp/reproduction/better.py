"""Row 8: what other choices than the paper's gain, in labels and in the error."""

import numpy as np

from ..active_learning.simulation import simulate
from ..models.cfgp import make_cfgp
from ..query import integrated_variance, random_sampling, recommended
from .learning import METRICS, compare, first_at, mean_curves
from .settings import cycles_of_paper
from .trials import load_trial, trial_names

#: Labels after which a campaign that begins without any is looked at, besides as many as `train`.
FEW = 100


def integrated(settings, data, results):
    """Stage: integrated variance on the recommended pipeline, beside the paper's whole way."""
    name, records = trial_names(settings)[0], []
    trial, n = load_trial(data, results, name), cycles_of_paper(len(data.pool))
    gp, y, scale = trial.process("recommended")
    options = {"n_cycles": n, "query_strategy": integrated_variance, **trial.sets}
    run = simulate(gp, trial.X("recommended"), y, **options)
    curves = results[f"active_{name}"]["curves"]
    for metric in METRICS:
        curve = scale * run[metric].to_numpy()
        _, random = mean_curves(curves, metric, recipe="recommended")
        paper, _ = mean_curves(curves, metric, recipe="paper")
        found = {"trial": name, "metric": metric} | compare(curve, random, n)
        found |= {"followed": float(paper[n]), "won": float(paper[n] - curve[n])}
        started = 0 if curve[0] <= paper[n] else None  # without one label of the pool
        enough = {"integrated": first_at(curve, paper[n]), "chance": first_at(random, paper[n])}
        found |= {key: value if started is None else started for key, value in enough.items()}
        records.append(found)
    return {"records": {"integrated": records}, "curve": run[[*METRICS]].to_numpy() * scale}


def from_nothing(settings, data, results):
    """Stage: no label and no network to begin with: a design, then integrated variance.

    The features are composition, the candidates are the initial set and the pool.
    """
    candidates, n = np.concatenate([data.train, data.pool]), len(data.train)
    cfgp = make_cfgp(recipe="composition", random_state=settings.random_state)
    Z = cfgp[:-1].fit(data.structures[candidates]).transform(data.structures)
    sets = {"initial": [], "pool": candidates, "test": data.test, "n_cycles": n}
    states = [int(state) for state in settings.random_state + 100 * np.arange(settings.orders)]
    curves = []
    for query, state in [(recommended, None), *((random_sampling, state) for state in states)]:
        run = simulate(cfgp[-1], Z, data.y, query_strategy=query, random_state=state, **sets)
        curves.append(run["mae_test"].to_numpy())
    chosen, random, records = curves[0], np.mean(curves[1:], axis=0), []
    for moment, labels in (("few labels", min(FEW, n)), ("as many as the initial set", n)):
        found = {"moment": moment, "labels": labels}
        records.append(found | compare(chosen, random, labels))
    return {"records": {"from_nothing": records}, "curves": np.array(curves)}
