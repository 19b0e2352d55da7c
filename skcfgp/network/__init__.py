"""MEGNets: build, train, save, load and run them.

Only this subpackage imports TensorFlow and megnet, and only when a network is trained. NumPy runs
it.
"""

from .architecture import Architecture
from .files import BUNDLED, PUBLISHED, load_network, save_network
from .megnet import MEGNet
from .startup import use_one_thread
from .training import train

__all__ = [
    "BUNDLED",
    "PUBLISHED",
    "Architecture",
    "MEGNet",
    "load_network",
    "save_network",
    "train",
    "use_one_thread",
]
