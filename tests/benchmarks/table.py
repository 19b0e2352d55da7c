"""Run the benchmarks and print one table, or print that of an earlier run.

    python tests/benchmarks/table.py [--out FILE] [pytest options]
    python tests/benchmarks/table.py -k "fit_against or simulation"
    python tests/benchmarks/table.py --json FILE

``-k`` chooses some, and ``--out`` keeps the run: ``python docs/scripts/performance.py FILE`` makes
the tables of docs/performance.rst of it. Run nothing else beside them.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

COLUMNS = {
    "benchmark": "name",
    "baseline": "baseline",
    "ratio": "ratio",
    "ours, CPU s": "ours_cpu_s",
    "baseline, CPU s": "baseline_cpu_s",
    "peak, GB": "peak_gb",
    "wall, s": "wall_s",
}


def run(options):
    """Run the benchmarks; return what pytest-benchmark wrote and pytest's exit status."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "benchmarks.json"
        command = [sys.executable, "-m", "pytest", str(Path(__file__).parent), "-q", "-n0"]
        status = subprocess.run([*command, f"--benchmark-json={file}", *options], check=False)
        return json.loads(file.read_text() or "{}") if file.exists() else {}, status.returncode


def table(report):
    """Return the lines of the table."""
    rows = []
    for benchmark in report.get("benchmarks", []):
        wall = benchmark["stats"]["min"]
        wall = f"{wall:.3g}" if wall > 1e-3 else ""  # what was measured before, in other tests
        values = {"name": benchmark["name"], "wall_s": wall} | benchmark["extra_info"]
        rows.append([str(values.get(key, "")) for key in COLUMNS.values()])
    rows.insert(0, list(COLUMNS))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", type=Path, help="run to print, instead of a new one")
    parser.add_argument("--out", type=Path, help="file that keeps the run")
    arguments, options = parser.parse_known_args()
    status = 0
    if arguments.json:
        report = json.loads(arguments.json.read_text())
    else:
        report, status = run(options)
        if arguments.out:
            arguments.out.write_text(json.dumps(report))
    print(*table(report), sep="\n")
    sys.exit(status)
