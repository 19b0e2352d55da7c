"""MEGNets: build, train, save, load and run them.

Only this subpackage imports TensorFlow and megnet, and only when a network is trained. NumPy runs
it.
"""

from typing import TYPE_CHECKING

from .. import lazily

_NAMES = {
    "BUNDLED": "files",
    "PUBLISHED": "files",
    "Architecture": "architecture",
    "MEGNet": "megnet",
    "load_network": "files",
    "save_network": "files",
    "train": "training",
    "use_one_thread": "startup",
}

__all__ = [*_NAMES]

if TYPE_CHECKING:
    from .architecture import Architecture as Architecture
    from .files import BUNDLED as BUNDLED
    from .files import PUBLISHED as PUBLISHED
    from .files import load_network as load_network
    from .files import save_network as save_network
    from .megnet import MEGNet as MEGNet
    from .startup import use_one_thread as use_one_thread
    from .training import train as train
else:
    __getattr__, __dir__ = lazily(__name__, _NAMES)
