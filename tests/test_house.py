"""Which names a module may read: its own, and the public ones of others."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "skcfgp"
MODULES = sorted(PACKAGE.rglob("*.py"))
# Underscored, and public by their documentation.
DOCUMENTED = {"_replace", "_asdict", "_fields", "_make", "_exit"}
# Functions that read an attribute named by a string.
BY_NAME = {"getattr", "setattr", "hasattr", "delattr"}


def is_private(name):
    return name.startswith("_") and not name.endswith("__") and name not in {"_", *DOCUMENTED}


def is_self(node, copies=()):
    """Whether an expression is the object itself: self, a copy of it, or what its `fit` returns."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return node.func.attr == "fit" and is_self(node.func.value)
    return isinstance(node, ast.Name) and (node.id in ("self", "cls") or node.id in copies)


def copies_of_self(tree):
    """Variables to which ``copy(self)`` is assigned."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            called, args = node.value.func, node.value.args
            if getattr(called, "id", None) == "copy" and len(args) == 1 and is_self(args[0]):
                yield from (target.id for target in node.targets if isinstance(target, ast.Name))


def is_super(node):
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) == "super"


def definitions(tree):
    """Private names that a module defines: functions, classes, variables, attributes of self."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.add(node.name)
        elif not isinstance(getattr(node, "ctx", None), ast.Store):
            continue
        elif isinstance(node, ast.Name):
            found.add(node.id)
        elif isinstance(node, ast.Attribute) and is_self(node.value):
            found.add(node.attr)
    return {name for name in found if is_private(name)}


def reads(tree):
    """Line, private name, and whether it is read of ``self``."""
    copies = set(copies_of_self(tree))
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            own = is_self(node.value, copies) or is_super(node.value)
            yield node.lineno, node.attr, own
        elif isinstance(node, ast.Call) and node.args:
            called, name = node.func, None
            if isinstance(called, ast.Name) and called.id in BY_NAME and len(node.args) > 1:
                name, own = node.args[1], is_self(node.args[0])
            elif isinstance(called, ast.Attribute) and is_vars(called.value):
                name, own = node.args[0], is_self(called.value.args[0])
            if isinstance(name, ast.Constant) and isinstance(name.value, str):
                yield node.lineno, name.value, own
        elif isinstance(node, ast.Subscript) and is_vars(node.value):
            name = node.slice.value if isinstance(node.slice, ast.Constant) else None
            if isinstance(name, str):
                yield node.lineno, name, is_self(node.value.args[0])


def is_vars(node):
    return isinstance(node, ast.Call) and getattr(node.func, "id", None) == "vars" and node.args


def imports(tree):
    """Line and dotted name of what is imported from elsewhere, relative to nothing."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, 0, alias.name, "") for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, node.level, node.module or "", alias.name


def home(path, level, module):
    """Folder or file stem of a module of this package that is imported relatively."""
    folder = path.parent
    for _ in range(level - 1):
        folder = folder.parent
    return folder.joinpath(*module.split(".")) if module else folder


def private_imports(path, tree):
    for line, level, module, name in imports(tree):
        if not level:
            if any(map(is_private, [*module.split("."), name])):
                yield line, f"{module}.{name}".rstrip(".")
        elif is_private(name) and not (home(path, level, module) / f"{name}.py").exists():
            yield line, f"{module}.{name}"


def offences(path, source, of_the_room):
    """Private names of others in the source of a module.

    What is read of ``self`` must be defined somewhere in the same room, else it belongs to a
    foreign base class.
    """
    tree = ast.parse(source)
    for line, name, of_self in reads(tree):
        if is_private(name) and not (of_self and name in of_the_room):
            yield f"{line}: {name}"
    yield from (f"{line}: {name}" for line, name in private_imports(path, tree))


def room_of(path):
    return path.relative_to(PACKAGE).parts[0]


@pytest.fixture(scope="module")
def names_by_room():
    names = {}
    for path in MODULES:
        tree = ast.parse(path.read_text(encoding="utf-8"))
        names.setdefault(room_of(path), set()).update(definitions(tree))
    return names


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_module_reads_private_names_of_another(path, names_by_room):
    source = path.read_text(encoding="utf-8")
    found = list(offences(path, source, names_by_room[room_of(path)]))
    assert not found, f"{path.relative_to(PACKAGE.parent)}: " + ", ".join(found)


@pytest.mark.parametrize(
    "source",
    [
        "gp._factor",
        "self.model._factor",
        "self._factor",  # of a foreign base class
        "self.model.fit(X)._mixed_in",
        "gp = copy(model)\ngp._mixed_in",
        "gp._kept = 1",
        "getattr(gp, '_factor')",
        "vars(gp).pop('_factor')",
        "vars(gp)['_factor']",
        "from .regressor import _choose",
        "from . import _nowhere",
        "from _thread import interrupt_main",
        "from sklearn.utils._param_validation import Interval",
        "import sklearn.utils._tags",
    ],
)
def test_a_private_name_of_another_is_seen(source):
    assert list(offences(PACKAGE / "query" / "new.py", source, {"_mixed_in"}))


@pytest.mark.parametrize(
    "source",
    [
        "self.__dict__",
        "record._replace(a=1)",
        "self._mixed_in",
        "vars(self)['_mixed_in']",
        "state = copy(self)\nstate._mixed_in = 1",
        "self.fit(X)._mixed_in(X)",
        "from ..network.keras import import_megnet",
        "from ..displays import _base",
        "_ = gp.factor_",
    ],
)
def test_own_and_public_names_are_free(source):
    assert not list(offences(PACKAGE / "query" / "new.py", source, {"_mixed_in"}))
