"""Write the tables of docs/performance.rst from one run of the benchmarks.

    python tests/benchmarks/table.py --out run.json
    python docs/scripts/performance.py run.json

Every row below must be in the run. Nothing is measured here.
"""

import csv
import json
import sys
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"

#: Benchmarks with a baseline.
RATIOS = {
    "test_against_predict_graphs": "Latent vectors of 1,024 crystals from their graphs, cut-off 5 "
    "angstrom",
    "test_against_predict_structure_in_a_loop": "The same from crystals",
    "test_bundled_data_as_arrays_against_structures": "Load the bundled crystals and build their "
    "graphs, from arrays",
    "test_ase_database_as_arrays_against_structures": "The same from a database of ASE",
    "test_epoch_against_train_from_graphs": "An epoch of training, 1,800 crystals, batches of 32",
    "test_fit_against_scikit_learn[plain]": "``fit`` with hyper-parameters, 1,800 labels, "
    "``Laplacian``",
    "test_fit_against_scikit_learn[noise]": "The same with ``Laplacian + WhiteKernel``",
    "test_recommended_fit_against_scikit_learn": "``fit`` of the recommended pipeline (two "
    "Laplacians and noise, leave-one-out), 1,800 labels",
    "test_simulation_against_stock": "6,000 cycles of :func:`~skcfgp.query.max_std` from 1,800 "
    "labels over a pool of 7,195, with the error on the pool and on a test set of 1,460 after each",
    "test_integrated_variance_against_max_std": "The same with "
    ":func:`~skcfgp.query.integrated_variance`",
    "test_unmodified_modal_loop[1800]": "A cycle of modAL's own learner, unmodified, with "
    "``GaussianProcessRegressor(warm_start=True)``, 1,800 labels, pool of 7,195; after the first "
    "query, which costs as much as the baseline's",
    "test_unmodified_modal_loop[5000]": "The same with 5,000 labels",
    "test_hundred_from_a_hundred_thousand": "100 queries planned from a pool of 100,000 with 1,800 "
    "labels",
}

#: Benchmarks of what a person waits for; the crystals of the campaign have their features.
SECONDS = {
    "test_shell[import]": "``python -c 'import skcfgp'``",
    "test_shell[help]": "``skcfgp --help``",
    "test_shell[predict_one]": "``skcfgp predict one.cif``, bundled labels",
    "test_shell[predict_ten]": "The same of ten CIF files",
    "test_shell[status]": "``skcfgp campaign status``, 10,000 crystals, 300 labels",
    "test_shell[tell]": "``skcfgp campaign tell`` of ten",
    "test_shell[suggest]": "``skcfgp campaign suggest``, with the search for hyper-parameters",
    "test_init_is_linear_in_the_pool": "``Campaign.init``, 100,000 crystals, 1,950 labels",
    "test_status": "``Campaign.status``, 2,000 labels",
    "test_tell": "``Campaign.tell`` of ten",
    "test_suggest": "``Campaign.suggest`` of ten, with the search for hyper-parameters",
    "test_report": "``Campaign.report``",
    "test_report_in_a_browser": "Its page, opened in Chromium until all is drawn",
    "test_plan_of_the_whole_pool": "Order of all 7,195 points of a pool, 1,800 labels",
    "test_feeding_a_chunk": "Work of the process that feeds two workers, for a chunk of any size",
    "test_feeding_takes_the_same_memory_for_any_pool": "Its memory with 45,000 crystals",
}


def write(name, header, rows):
    with (DATA / name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([header, *rows])


def number(value):
    """Two digits of what is below ten, else whole numbers."""
    return "" if value is None else f"{value:.2g}" if value < 10 else f"{value:,.0f}"


def main():
    run = json.loads(Path(sys.argv[1]).read_text())
    found = {row["name"]: row["extra_info"] for row in run["benchmarks"]}
    if missing := [name for name in (*RATIOS, *SECONDS) if name not in found]:
        raise SystemExit(f"the run lacks {missing}.")
    rows = []
    for name, work in RATIOS.items():
        row = found[name]
        values = [row.get(key) for key in ("ratio", "ours_cpu_s", "baseline_cpu_s", "peak_gb")]
        rows.append([work, row["baseline"], *map(number, values)])
    header = ["work", "baseline", "times faster", "seconds", "of the baseline", "peak, GB"]
    write("performance_ratios.csv", header, rows)
    rows = []
    for name, work in SECONDS.items():
        row = found[name]
        work += f" ({row['file_mb']:.0f} MB)" if "file_mb" in row else ""
        values = (row.get(key) for key in ("ours_cpu_s", "wall_s", "peak_gb"))
        rows.append([work, *map(number, values)])
    header = ["work", "processor seconds", "wall seconds", "peak, GB"]
    write("performance_seconds.csv", header, rows)
    a_chunk = found["test_feeding_a_chunk"]["ours_cpu_s"]
    rows = [[f"{size:,}", number(size / a_chunk)] for size in (500, 5000, 20_000)]
    write("performance_feeding.csv", ["crystals in a chunk", "handed out per second"], rows)
    machine = run["machine_info"]
    cpu = machine["cpu"]
    text = (
        f"Measured on {run['datetime'][:10]} with the code of {run['commit_info']['id'][:7]}, "
        f"Python {machine['python_version']}, on {cpu['count']} cores of "
        f"{cpu.get('brand_raw') or machine['machine']}.\n"
    )
    (DATA / "performance_run.txt").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
