"""Standard deviations that agree with the errors on rows not learnt."""

from .regressor import CalibratedRegressor, ExchangeabilityWarning

__all__ = ["CalibratedRegressor", "ExchangeabilityWarning"]
