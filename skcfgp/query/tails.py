"""Logarithms of small probabilities, of a Gaussian and of a t distribution, without underflow."""

import numpy as np
from scipy import special, stats

#: With 1 degree of freedom, after a first label, a t distribution has no mean; with these it has.
LEAST_DF = 1 + 1e-6

#: Logarithm of a density below which its tail is computed as a logarithm.
FAR = -500.0

#: Terms of a series, at most.
MAX_TERMS = 10_000


def log_cdf(z, df=None):
    """Logarithm of the probability of less than z, standard normal or of a t distribution."""
    if df is None:
        return special.log_ndtr(z)
    cdf, (far, log_pdf, ratio) = special.stdtr(df, z), _far_below(z, df)
    return np.where(far, log_pdf + np.log(ratio), np.log(np.where(far, 1.0, cdf)))


def log_excess(z, df=None):
    """Logarithm of E[max(z + t, 0)] for t that is standard normal or has a t distribution."""
    if df is not None:
        df = np.maximum(df, LEAST_DF)
        far, log_pdf, ratio = _far_below(z, df)
        rest = (df + np.square(z)) / (df - 1)
        excess = z * special.stdtr(df, z) + rest * np.exp(log_pdf)
        log_far = log_pdf + np.log(np.where(far, rest + z * ratio, 1.0))
        return np.where(far, log_far, np.log(np.where(far, 1.0, excess)))
    low = np.minimum(z, -1.0)
    # With Mills' ratio R, pdf(z) + z cdf(z) = pdf(z) (1 + z R), and 1 + z R -> 1 / z^2.
    ratio = 1.0 + low * np.sqrt(np.pi / 2) * special.erfcx(-low / np.sqrt(2))
    far = low < -1e4
    ratio = np.where(far, 1.0 / low**2, ratio)
    log_low = -0.5 * low**2 - 0.5 * np.log(2 * np.pi) + np.log(ratio)
    high = np.maximum(z, -1.0)
    pdf = np.exp(-0.5 * high**2) / np.sqrt(2 * np.pi)
    return np.where(z < -1.0, log_low, np.log(pdf + high * special.ndtr(high)))


def _far_below(z, df):
    """Tell where the density of a t distribution nearly underflows below 0.

    Also returned are its logarithm, and cdf / pdf there (1 elsewhere): a hypergeometric series in
    df / (df + z^2), which is clearly less than 1 so far out.
    """
    z, df = np.broadcast_arrays(np.asarray(z, dtype=float), df)
    log_pdf = stats.t.logpdf(z, df)
    far = (log_pdf < FAR) & (z < 0)
    x, nu = (df / (df + z * z))[far], df[far]
    term, total = np.ones_like(x), np.ones_like(x)
    for k in range(MAX_TERMS):
        if not np.any(term > np.finfo(float).eps * total):
            break
        term = term * x * (nu + 1 + 2 * k) / (nu + 2 + 2 * k)
        total = total + term
    ratio = np.ones_like(z)
    ratio[far] = -z[far] / nu * total
    return far, log_pdf, ratio
