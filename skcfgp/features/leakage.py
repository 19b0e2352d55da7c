"""Labels that a network has seen, and that it should not be tested on."""

import warnings

from ..network import PUBLISHED

__all__ = ["LeakageWarning", "warn_if_trained_on"]


class LeakageWarning(UserWarning):
    """The network was trained on labels that it should not have seen."""


def warn_if_trained_on(weights, structures):
    """Warn if a published network is given crystals of the bundled formation energies.

    Parameters
    ----------
    weights : str, Path or None
    structures : ndarray of shape (n_samples,)
        ``Structure`` or `Crystal`.
    """
    if str(weights) not in PUBLISHED or "Eform" not in str(weights):
        return
    if any(s.properties.get("dataset") == "formation_energy" for s in structures):
        warnings.warn(
            f"the network {weights!r} was trained on the formation energies of these very "
            "crystals: errors on them will look far too small. Use "
            "weights='formation_energy_1800', which has seen the training part only.",
            LeakageWarning,
            stacklevel=4,
        )
