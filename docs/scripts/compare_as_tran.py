"""Compare models by the measures of Tran et al. (2020), on the formation energies.

    python docs/scripts/compare_as_tran.py [--cache comparison]

The models are those of ``compare_models.py``, the network is the bundled one; the ensemble and the
network with dropout are those of ``train_baselines.py``. The 700 crystals of the test part. Prints
the table of ``docs/comparison.rst``. A minute of one core.

Tran, Neiswanger, Yoon, Zhang, Xing, Ulissi, Mach. Learn.: Sci. Technol. 1, 025006 (2020).
doi:10.1088/2632-2153/ab7e1a
"""

import argparse
from pathlib import Path

import numpy as np
from compare_models import EVERYWHERE, ONCE, distribution_of, readout
from comparison import FORMATION, SEEDS, load_task

from skcfgp.calibration import dispersion, miscalibration_area, negative_log_likelihood, sharpness
from skcfgp.calibration.distribution_metrics import two_sigma_std

MODELS = EVERYWHERE | {"network": readout} | ONCE


def measures(y, found):
    """Accuracy, calibration, sharpness, dispersion and likelihood, in the order of the paper."""
    mean, std = found.median(), two_sigma_std(found)
    error = np.abs(mean - y)
    apart = np.abs(mean) + np.abs(y)
    return (
        np.median(error),
        error.mean(),
        np.sqrt(np.mean(error**2)),
        100 * np.mean(2 * error / np.where(apart > 0, apart, 1.0)),
        1 - np.mean(error**2) / np.var(y),
        miscalibration_area(y, found, form="quantile"),
        sharpness(std),
        dispersion(std),
        negative_log_likelihood(y, found),
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, default=Path("comparison"))
    task = load_task(FORMATION, max(SEEDS), parser.parse_args().cache)
    for name, predict in MODELS.items():
        found = distribution_of(predict(task))
        mdae, mae, rmse, marpd, r2, *rest = measures(task.y[task.test], found)
        cells = [f"{value:.3f}" for value in (mdae, mae, rmse)] + [f"{marpd:.0f}", f"{r2:.3f}"]
        print(f'   "{name}", ' + ", ".join(cells + [f"{value:.3f}" for value in rest]))
