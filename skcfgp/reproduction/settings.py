"""`Settings`: what a run of the reproduction may vary."""

from __future__ import annotations

from dataclasses import dataclass, replace
from numbers import Integral
from typing import Any

from ..structures.typing import Self

#: What the paper reports. Energies in eV/atom, times in hours on a Quadro P5000.
PAPER = {
    "n_train": 1800, "n_pool": 7195, "n_test": 1460, "n_cycles": 1500, "n_cycles_long": 6000,
    "amplitude": 0.4281, "length_scale": 2.3997, "lower": 0.43,
    "training_hours": 5, "hyperparameter_hours": 12, "loop_hours": 7,
}  # fmt: skip


def cycles_of_paper(n_pool, n_cycles=PAPER["n_cycles"]):
    """Return as many cycles as are the same share of the pool as the paper's."""
    return max(1, round(n_pool * n_cycles / PAPER["n_pool"]))


@dataclass(frozen=True)
class Settings:
    """Sizes, seeds and epochs of a run.

    Parameters
    ----------
    seeds : int, default=5
        Number of initial sets.
    orders : int, default=5
        Number of random orders of the pool for each initial set.
    retrain : bool, default=False
        Whether each seed but the first draws its own initial set and pool and trains its own
        network. If not, all seeds share one network, and the initial set of each is a random nine
        tenths of the crystals that this network was given.
    epochs : int, default=180
        Number of epochs of a network trained from random weights, as of the bundled one.
    refit_epochs : int, default=60
        Number of epochs for which the first network is trained again on the enlarged set.
    n_initial, n_pool, n_test : int, default=None
        Number of crystals to draw at random from each part; by default all are used.
    grid : int, default=61
        Number of length scales at which the likelihood is computed.
    n_batches : int, default=11
        Number of batches in which the paper's share of the pool is queried.
    vary : bool, default=False
        Whether to repeat the paper's active learning with one thing changed at a time: network,
        cut-off, kernel, initial set and pool. Three more networks are trained.
    cost_scale : float, default=1.0
        Sizes of the cost measurement relative to the paper's.
    random_state : int, default=0
        Seed of every random choice.
    """

    seeds: int = 5
    orders: int = 5
    retrain: bool = False
    epochs: int = 180
    refit_epochs: int = 60
    n_initial: int | None = None
    n_pool: int | None = None
    n_test: int | None = None
    grid: int = 61
    n_batches: int = 11
    vary: bool = False
    cost_scale: float = 1.0
    random_state: int = 0

    def __post_init__(self):
        least = {"seeds": 1, "orders": 1, "epochs": 1, "refit_epochs": 1, "n_batches": 1}
        for name, low in (least | {"grid": 5, "random_state": 0}).items():
            value = getattr(self, name)
            if not isinstance(value, Integral) or value < low:
                raise ValueError(f"{name} must be an integer of at least {low}, got {value!r}.")
        if not 0 < self.cost_scale <= 1:
            raise ValueError(f"cost_scale must be in (0, 1], got {self.cost_scale!r}.")

    @classmethod
    def quick(cls, **changes: Any) -> Self:
        """Make the settings of a run of two minutes, with changes: fewer crystals and seeds."""
        sizes: dict[str, Any] = {
            "n_initial": 600,
            "n_pool": 500,
            "n_test": 300,
            "seeds": 2,
            "orders": 2,
        }
        sizes |= {"epochs": 5, "refit_epochs": 3, "grid": 31, "n_batches": 5, "cost_scale": 0.25}
        return replace(cls(**sizes), **changes)


def batches_of_run(settings, n_pool):
    """Return the size and the number of the batches that make up the paper's share of the pool."""
    n = cycles_of_paper(n_pool)
    size = max(2, n // settings.n_batches)
    return size, n // size
