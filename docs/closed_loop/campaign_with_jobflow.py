"""A campaign whose labels are jobs of jobflow.

    python campaign_with_jobflow.py FOLDER [LABELS]

The campaign keeps what was suggested, computed and failed, so the job store may be in memory. When
the process is killed, the same command goes on: crystals that were pending are computed again.
With ``jobflow_remote`` or FireWorks only `run` changes.
"""

import sys
import warnings
from pathlib import Path

from alloys import crystals, energy_per_atom
from jobflow import Flow, JobStore, job, run_locally
from maggma.stores import MemoryStore

from skcfgp.campaign import Campaign, StoppedError

compute = job(energy_per_atom)


def open_or_begin(folder, n_labels):
    """Open the campaign, or begin one that looks for the alloy of lowest energy."""
    if (Path(folder) / "campaign.sqlite").exists():
        return Campaign(folder)
    return Campaign.init(
        folder,
        crystals(),
        target="energy_per_atom",
        unit="eV/atom",
        recipe="composition",
        goal="minimize",
        until=[f"labels >= {n_labels}", "expected-gain < 0.001"],
    )


def run(structures):
    """Run a job for each crystal; return the energies of those that succeeded, by id."""
    jobs = {id_: compute(structure) for id_, structure in structures.items()}
    for id_, one in jobs.items():
        one.name = id_
    with warnings.catch_warnings(action="ignore"):  # what jobflow deprecates in its own code
        responses = run_locally(Flow(list(jobs.values())), store=JobStore(MemoryStore()), log=False)
    done = {id_: responses[one.uuid][1] for id_, one in jobs.items() if one.uuid in responses}
    return {id_: response.output for id_, response in done.items()}


def main(folder, n_labels=30):
    """Suggest, submit, collect and tell, until a rule to stop is met."""
    campaign = open_or_begin(folder, n_labels)
    while True:
        ids = list(campaign.state().pending)  # what a run that was stopped left behind
        if not ids:
            try:
                ids = [pick["id"] for pick in campaign.suggest(5)]
            except StoppedError as end:
                print(end)
                break
        energies = run({id_: campaign.structure(id_) for id_ in ids})
        for id_ in ids:
            if id_ in energies:
                campaign.tell(id=id_, value=energies[id_], source="jobflow")
            else:
                campaign.fail(id_, "the job did not succeed; see the log of jobflow")
        print(campaign.status()["counts"])
    best = campaign.status()["best"]
    print(f"lowest energy so far: {best['id']}, {best['value']:.3f} eV/atom")


if __name__ == "__main__":
    main(*sys.argv[1:])
