"""Benchmarks: ``python -m pytest tests/benchmarks``. They are not part of the default test run.

Each compares processor seconds of this package with a named baseline, in one process and turn by
turn, since these figures mean nothing across machines.
"""

import time

import numpy as np
import pytest


@pytest.fixture
def cpu_ratio(benchmark):
    """Return a function that measures ``baseline / ours`` in processor seconds.

    The two run in turn; the median of the ratios is kept in the benchmark's ``extra_info``.
    """

    def seconds(function):
        start = time.process_time()
        function()
        return time.process_time() - start

    def measure(ours, baseline, rounds=3, baseline_scale=1.0):
        ours()  # compiles
        pairs = [(seconds(ours), baseline_scale * seconds(baseline)) for _ in range(rounds)]
        ratio = float(np.median([b / a for a, b in pairs]))
        benchmark.extra_info |= {
            "ours_cpu_s": round(min(a for a, _ in pairs), 3),
            "baseline_cpu_s": round(min(b for _, b in pairs), 3),
            "ratio": round(ratio, 2),
        }
        benchmark.pedantic(ours, rounds=1)
        print(f"\n{benchmark.name}: {benchmark.extra_info}")
        return ratio

    return measure
