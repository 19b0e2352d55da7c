"""Run the benchmarks and print one table, or print that of an earlier run.

    python tests/benchmarks/table.py [pytest options]
    python tests/benchmarks/table.py -k "fit_against or memory"
    python tests/benchmarks/table.py --json FILE

``-k`` chooses some. Run nothing else beside them. ``FILE`` is what
``pytest --benchmark-json FILE`` wrote.
"""

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
        wall = f"{benchmark['stats']['min']:.3g}"
        values = {"name": benchmark["name"], "wall_s": wall} | benchmark["extra_info"]
        rows.append([str(values.get(key, "")) for key in COLUMNS.values()])
    rows.insert(0, list(COLUMNS))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]


if __name__ == "__main__":
    arguments, status = sys.argv[1:], 0
    if arguments[:1] == ["--json"]:
        report = json.loads(Path(arguments[1]).read_text())
    else:
        report, status = run(arguments)
    print(*table(report), sep="\n")
    sys.exit(status)
