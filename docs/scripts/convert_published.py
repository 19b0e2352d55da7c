"""Convert megnet's published network ``Eform_MP_2019`` to the format of this package.

    python docs/scripts/convert_published.py [formation_energy.hdf5] [--out FOLDER]

The file and its description ``formation_energy.hdf5.json`` are in the folder
``mvl_models/mp-2019.4.1`` of https://github.com/materialsvirtuallab/megnet, and in the package
``maml``, where they are looked for by default. Their SHA-256 must be those in
`skcfgp.network.PUBLISHED`. The numbers are not changed. Needs ``pip install '.[hdf5]'``.
"""

import argparse
from hashlib import sha256
from importlib.util import find_spec
from pathlib import Path

from skcfgp.network import PUBLISHED, load_network, save_network

NAME = "Eform_MP_2019"
FOLDER = Path(__file__).parents[2] / "skcfgp/network/weights" / NAME

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("file", nargs="?", type=Path)
parser.add_argument("--out", type=Path, default=FOLDER)
arguments = parser.parse_args()
file = arguments.file
if file is None:
    if (maml := find_spec("maml")) is None:
        parser.error("the package maml is not installed: name the file.")
    file = Path(maml.origin).parent / "describers/data/megnet_models/formation_energy.hdf5"

for path, expected in zip((file, Path(f"{file}.json")), PUBLISHED[NAME][1:], strict=True):
    if (found := sha256(path.read_bytes()).hexdigest()) != expected:
        parser.error(f"{path} is another file: its SHA-256 is {found}, expected {expected}.")
network = load_network(file)
network.card["source"] = {
    "file": PUBLISHED[NAME][0],
    "sha256": list(PUBLISHED[NAME][1:]),
    "licence": "BSD-3-Clause, (c) 2015 Regents of the University of California",
}
save_network(network, arguments.out)
print(f"wrote {arguments.out}, digest {network.digest()}")
