"""`reproduce`: the stages in order, the table, the figures and the report."""

import json
import platform
from functools import partial
from pathlib import Path

from .. import __version__
from .accuracy import accuracy, enlarged_set
from .active import active_learning
from .calibration import calibration
from .cost import cost
from .data import bundled_data
from .extensions import batches, calibrated_query, kernels, layers
from .hyperparameters import hyperparameters, sensitivity
from .latent_structure import latent_structure
from .networks import train_first
from .scarce import scarce_properties
from .settings import Settings
from .store import Stage, run_stages
from .trials import MAIN, fit_trial, trial_names

__all__ = ["reproduce", "stages_of"]


def stages_of(settings, data, folder):
    """List the stages of a run.

    Parameters
    ----------
    settings : Settings
    data : Data
    folder : Path
        Of the networks.

    Returns
    -------
    list of Stage
    """
    names = trial_names(settings)
    fits = tuple(dict.fromkeys([MAIN, *names]))
    draws = ("retrain", "random_state")
    seeds = ("seeds", *draws)
    stages = []

    def add(name, work, settings=seeds, needs=fits, title=""):
        stages.append(Stage(name, work, settings, needs, title))

    own = range(1, settings.seeds) if settings.retrain else []
    trained = [] if data.network else [0]
    for seed in (*trained, *own):
        work = partial(train_first, seed=seed, folder=folder)
        title = f"training the network of seed {seed}, {settings.epochs} epochs"
        add(f"network_{seed}", work, ("epochs", *(draws if seed else draws[1:])), (), title)
    shared = "network_0" if trained else None
    for name in fits:
        seed = None if name == MAIN else int(name.split("_")[1])
        network = f"network_{seed}" if settings.retrain and seed is not None else shared
        work = partial(fit_trial, seed=seed, network=network, folder=folder)
        title = f"fitting both pipelines, {'all' if seed is None else f'seed {seed}'}"
        add(name, work, draws[1:] if seed is None else draws, (network,) if network else (), title)
    add("latent_structure", latent_structure, title="1 latent structure and its map")
    add("accuracy", accuracy, title="2 accuracy on the fixed test set")
    add(
        "enlarged",
        partial(enlarged_set, folder=folder),
        settings=("refit_epochs", "random_state"),
        needs=(MAIN, *([shared] if shared else [])),
        title=f"2 the network again on the enlarged set, {settings.refit_epochs} epochs",
    )
    add("hyperparameters", hyperparameters, title="3 hyper-parameters")
    add("sensitivity", sensitivity, ("grid", "random_state"), (MAIN,), "3 map of the likelihood")
    add("calibration", calibration, title="4 calibration")
    for name in names:
        work = partial(active_learning, name=name)
        add(f"active_{name}", work, ("orders", *draws), (name,), f"5 active learning, {name}")
    add("batches", batches, ("n_batches", *seeds), title="6 batches")
    add("kernels", kernels, title="6 kernels")
    add("layers", partial(layers, folder=folder), title="6 layers")
    add("calibrated_query", calibrated_query, title="6 query by calibrated sigma")
    add(
        "scarce",
        scarce_properties,
        ("n_initial", "orders", "seeds", "random_state"),
        (),
        "6 scarce properties",
    )
    timed = tuple(stage.name for stage in stages if stage.name.startswith("network_"))
    add("cost", cost, ("cost_scale", "epochs", "random_state"), timed, "7 cost")
    return stages


def reproduce(out, *, data=None, settings=None, command="skcfgp reproduce", progress=print):
    """Run the paper's experiment, from labels to figures.

    Parameters
    ----------
    out : Path
        Folder of the report; made if needed. A run that was interrupted goes on there; a stage
        runs again if its settings, the data or the version of the package changed.
    data : Data, default=None
        None means the bundled formation energies. See `read_data`.
    settings : Settings, default=None
    command : str, default="skcfgp reproduce"
        For the report.
    progress : callable, default=print
        Called with a line of text when a stage begins and ends.

    Returns
    -------
    Report
        Whose ``write(out)`` has been called.
    """
    from .report import Report

    out, settings = Path(out), settings or Settings()
    out.mkdir(parents=True, exist_ok=True)
    data = bundled_data() if data is None else data
    sizes = settings.n_initial, settings.n_pool, settings.n_test
    if any(size is not None for size in sizes):
        data = data.sample(*sizes, settings.random_state)
    stages = stages_of(settings, data, out / "networks")
    results = run_stages(stages, settings, data, out / "stages", progress)
    report = Report(data, settings, results, command)
    progress("drawing the figures and writing the report ...")
    report.write(out)
    manifest = {
        "command": command,
        "version": __version__,
        "python": platform.python_version(),
        "settings": settings.to_dict(),
        "data": data.name,
        "data_digest": data.digest(),
        "seconds": {name: result["seconds"] for name, result in results.items()},
    }
    (out / "run.json").write_text(json.dumps(manifest, indent=1) + "\n", encoding="utf-8")
    return report
