"""Every public signature says its types, where a type checker sees them."""

import ast
import importlib
import inspect
import pkgutil
from functools import cached_property
from pathlib import Path

import pytest

import skcfgp

ROOT = Path(__file__).parents[1]
# The command is no library.
ROOMS = sorted({room.name for room in pkgutil.iter_modules(skcfgp.__path__)} - {"cli"})
MODULES = ["skcfgp", *(f"skcfgp.{room}" for room in ROOMS), "skcfgp.calibration.scorers"]
# Special methods that users call.
CALLED = {"__init__", "__call__", "__len__", "__iter__", "__dir__"}


def functions_of(value):
    """Functions behind a public name: its own, or those of a class and of our classes below it."""
    if isinstance(value, property):
        yield from filter(None, (value.fget, value.fset))
    elif isinstance(value, classmethod | staticmethod):
        yield inspect.unwrap(value.__func__)
    elif isinstance(value, cached_property):
        yield value.func
    elif inspect.isfunction(value):
        yield inspect.unwrap(value)
    elif type(value).__name__ == "_AvailableIfDescriptor":  # scikit-learn's `available_if`
        yield inspect.unwrap(value.fn)
    elif inspect.isclass(value):
        ours = (base for base in value.__mro__ if base.__module__.startswith("skcfgp"))
        for name, member in (item for base in ours for item in vars(base).items()):
            if (not name.startswith("_") or name in CALLED) and not inspect.isclass(member):
                yield from functions_of(member)


def unsaid(function):
    """Parameters without a type, and ``return``."""
    names = [*inspect.signature(function).parameters, "return"]
    if "." in function.__qualname__.rpartition("<locals>.")[-1] and names[0] in ("self", "cls"):
        del names[0]
    return [name for name in names if name not in function.__annotations__]


@pytest.mark.parametrize("module", MODULES)
def test_every_public_signature_has_types(module):
    module = importlib.import_module(module)
    values = [getattr(module, name) for name in module.__all__]
    functions = {f: None for value in values for f in functions_of(value)}
    ours = [f for f in functions if f.__module__.startswith("skcfgp")]
    assert ours
    lacking = {f"{f.__module__}.{f.__qualname__}": unsaid(f) for f in ours}
    assert not {name: names for name, names in lacking.items() if names}


def test_what_lacks_a_type_is_seen():
    class Example:
        def method(self, x: int, y, **options) -> int: ...

        @property
        def size(self): ...

        @classmethod
        def make(cls, x: int) -> "Example": ...

    Example.__module__ = "skcfgp.example"
    assert [unsaid(f) for f in functions_of(Example)] == [["y", "options"], ["return"], []]


def lazy_packages():
    for path in (ROOT / "skcfgp").rglob("__init__.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names = [n for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == "_NAMES"]
        if names:
            yield path, tree, ast.literal_eval(names[0].value)


def test_a_checker_sees_what_is_imported_when_it_is_first_used():
    packages = list(lazy_packages())
    assert packages
    for path, tree, names in packages:
        blocks = [n for n in tree.body if isinstance(n, ast.If) and n.test.id == "TYPE_CHECKING"]
        seen = {
            alias.asname: node.module
            for block in blocks
            for node in block.body
            for alias in node.names
            if alias.name == alias.asname
        }
        assert seen == names, path
