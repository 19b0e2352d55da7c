"""Benchmarks: ``python tests/benchmarks/table.py``. They are not part of the default test run.

Each compares processor seconds of this package with a named baseline, in one process and turn by
turn, since these figures mean nothing across machines.
"""

import time

import numpy as np
import pytest


@pytest.fixture
def record(benchmark):
    """Return a function that keeps a comparison for the table.

    ``extra_info`` of the benchmark carries "baseline", "ours_cpu_s", "baseline_cpu_s", "ratio" and
    whatever else is given.
    """

    def keep(ours, theirs, baseline_name, ratio=None, **more):
        ratio = theirs / ours if ratio is None else ratio
        benchmark.extra_info |= {
            "baseline": baseline_name,
            "ours_cpu_s": float(f"{ours:.3g}"),
            "baseline_cpu_s": float(f"{theirs:.3g}"),
            "ratio": float(f"{ratio:.3g}"),
            **more,
        }
        print(f"\n{benchmark.name}: {benchmark.extra_info}")
        return ratio

    return keep


@pytest.fixture
def cpu_ratio(benchmark, record):
    """Return a function that measures ``baseline / ours`` in processor seconds.

    The two run in turn; the median of the ratios counts.
    """

    def measure(ours, baseline, rounds=3, baseline_scale=1.0, *, baseline_name):
        ours()  # compiles
        pairs = [(cpu_seconds(ours), baseline_scale * cpu_seconds(baseline)) for _ in range(rounds)]
        benchmark.pedantic(ours, rounds=1)
        ratio = float(np.median([b / a for a, b in pairs]))
        return record(min(a for a, _ in pairs), min(b for _, b in pairs), baseline_name, ratio)

    return measure


def cpu_seconds(function):
    start = time.process_time()
    function()
    return time.process_time() - start
