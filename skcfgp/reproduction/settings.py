"""`Settings`: what a run of the reproduction may vary."""

from dataclasses import asdict, dataclass, replace
from numbers import Integral

__all__ = ["PAPER", "Settings"]

#: What the paper reports, and where. Energies in eV/atom, times in hours on a Quadro P5000.
PAPER = {
    "n_train": 1800,
    "n_pool": 7195,
    "n_test": 1460,
    "mae": 0.0277,
    "mse": 0.0015,
    "r2": 0.994,
    "mae_megnet": 0.0417,
    "amplitude": 0.4281,
    "length_scale": 2.3997,
    "n_cycles": 1500,
    "n_cycles_long": 6000,
    "lower": 0.43,
    "n_parity": 740,
    "training_hours": 5,
    "hyperparameter_hours": 12,
    "loop_hours": 7,
}


@dataclass(frozen=True)
class Settings:
    """Sizes, seeds and epochs of a run.

    Parameters
    ----------
    seeds : int, default=5
        Initial sets.
    orders : int, default=5
        Random orders of the pool for each initial set.
    retrain : bool, default=False
        Whether each seed but the first draws its own 1,800 crystals (as many as the initial set
        has) from initial set and pool together, and trains its own network on them. If not, all
        seeds share one network, and the initial set of each is nine tenths, drawn at random, of
        the crystals that this network was given: a label that it has seen may not be in the pool.
    epochs : int, default=180
        Of every network that is trained from random weights; the bundled one had as many.
    refit_epochs : int, default=60
        Of the network of the end, which starts from the first one.
    n_initial, n_pool, n_test : int, default=None
        Take only so many crystals of each part, drawn at random. None takes all.
    grid : int, default=61
        Lengths at which the likelihood is worked out.
    n_batches : int, default=11
        In which the paper's share of the pool is queried, where batches are compared.
    cost_scale : float, default=1.0
        Sizes of the measurement of cost, in sizes of the paper.
    random_state : int, default=0
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
    cost_scale: float = 1.0
    random_state: int = 0

    def __post_init__(self):
        for name in ("seeds", "orders", "epochs", "refit_epochs", "grid", "n_batches"):
            value, least = getattr(self, name), 5 if name == "grid" else 1
            if not isinstance(value, Integral) or value < least:
                raise ValueError(f"{name} must be an integer of at least {least}, got {value!r}.")
        if not 0 < self.cost_scale <= 1:
            raise ValueError(f"cost_scale must be in (0, 1], got {self.cost_scale!r}.")

    @classmethod
    def quick(cls, **changes):
        """Make the settings of a run of one or two minutes: fewer crystals, seeds and epochs.

        Parameters
        ----------
        **changes
            Settings to have otherwise.

        Returns
        -------
        Settings
        """
        quick = cls(
            seeds=2,
            orders=2,
            epochs=5,
            refit_epochs=3,
            n_initial=600,
            n_pool=500,
            n_test=300,
            grid=31,
            n_batches=5,
            cost_scale=0.25,
        )
        return replace(quick, **changes)

    def to_dict(self):
        """Return the settings as a dict.

        Returns
        -------
        dict
        """
        return asdict(self)
