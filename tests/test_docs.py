"""The API page holds every public name, and every docstring on it is complete."""

import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest
from numpydoc.docscrape import ClassDoc
from numpydoc.validate import Validator, validate

import skcfgp

PAGE = Path(__file__).parents[1] / "docs" / "api.rst"

# The command is documented by its own help.
INTERNAL = {"cli"}
# Exported by a room for the others.
INTERNAL_NAMES = {"skcfgp.structures.object_array"}

# numpydoc's error codes that count. Left out are GL01 (the summary starts on the first line here),
# RT02 (`self : Class` is scikit-learn's way), those that ask for a longer summary, an example or a
# See Also everywhere (ES01, EX01, SA01, SA04), and those that ask for words where name and type say
# it all (PR07, RT03) or for a capital where a value in quotes or a symbol comes first (PR08, RT04).
CODES = {f"GL{i:02d}" for i in (2, 3, 5, 6, 7, 8, 9, 10)}
CODES |= {f"SS{i:02d}" for i in (1, 2, 3, 4, 5, 6)}
CODES |= {f"PR{i:02d}" for i in (1, 2, 3, 4, 5, 6, 9, 10)}
CODES |= {"RT01", "RT05", "YD01", "SA02", "SA03"}


# Records and small methods that say in their summary what there is to say.
ONE_LINE = {
    "skcfgp.structures.tables.Refusal",
    "skcfgp.campaign.state.State.counts",
    "skcfgp.campaign.state.State.status_of",
    "skcfgp.campaign.monitoring.Rule",
    "skcfgp.campaign.store.Event",
    "skcfgp.kernels.OnColumns.get_params",
    "skcfgp.kernels.OnColumns.take",
    "skcfgp.network.architecture.Architecture.build_megnet",
    "skcfgp.network.architecture.Architecture.widths",
    "skcfgp.network.megnet.MEGNet.copy",
    "skcfgp.network.megnet.MEGNet.digest",
    "skcfgp.network.megnet.MEGNet.from_megnet",
    "skcfgp.network.megnet.MEGNet.graph",
    "skcfgp.network.megnet.MEGNet.graphs",
    "skcfgp.network.megnet.MEGNet.read_out",
    "skcfgp.network.megnet.MEGNet.rescale_target",
    "skcfgp.network.megnet.MEGNet.to_megnet",
    "skcfgp.screening.pool.Pool.count",
    "skcfgp.screening.pool.Pool.read_in_rows",
    "skcfgp.screening.predictions.PoolPredictions.begin",
    "skcfgp.screening.predictions.PoolPredictions.failures",
    "skcfgp.screening.predictions.PoolPredictions.has",
    "skcfgp.screening.predictions.PoolPredictions.write",
    "skcfgp.screening.predictions.PoolPredictions.write_if_same",
    "skcfgp.screening.conditions.Condition.of",
    "skcfgp.reproduction.settings.Settings.quick",
}


def names_on_page():
    module, names = None, []
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\.\. currentmodule:: (\S+)", line):
            module = found[1]
        elif found := re.fullmatch(r"   (\w+)", line):
            names.append(f"{module}.{found[1]}")
    return names


def value_of(name):
    module, _, attribute = name.rpartition(".")
    return getattr(importlib.import_module(module), attribute)


def is_ours(value):
    is_code = inspect.isclass(value) or inspect.isfunction(value)
    return is_code and value.__module__.startswith("skcfgp")


def docstrings():
    """Import paths of what is on the page, and of the methods and properties of its classes."""
    kinds = (classmethod, staticmethod, property)
    for name in names_on_page():
        value = value_of(name)
        home = f"{value.__module__}.{value.__qualname__}"
        yield home
        if inspect.isclass(value):
            for attribute, member in vars(value).items():
                if attribute.startswith("_") or not (
                    inspect.isfunction(member) or isinstance(member, kinds)
                ):
                    continue
                if getattr(member, "__doc__", None) is not None or not inherits(value, attribute):
                    yield f"{home}.{attribute}"


def inherits(cls, attribute):
    return any(hasattr(base, attribute) for base in cls.__mro__[1:])


def exported(module):
    return getattr(importlib.import_module(module), "__all__", ())


def test_what_a_room_exports_is_on_the_page():
    on_page = {id(value_of(name)) for name in names_on_page()}
    rooms = {room.name for room in pkgutil.iter_modules(skcfgp.__path__)} - INTERNAL
    missing = [
        f"{module}.{name}"
        for module in ["skcfgp", *(f"skcfgp.{room}" for room in sorted(rooms))]
        for name in exported(module)
        if is_ours(value_of(f"{module}.{name}")) and id(value_of(f"{module}.{name}")) not in on_page
    ]
    assert set(missing) <= INTERNAL_NAMES, f"not in docs/api.rst: {', '.join(missing)}"


def test_what_is_on_the_page_is_exported():
    for name in names_on_page():
        module, _, attribute = name.rpartition(".")
        assert attribute in exported(module), f"{name} is in docs/api.rst, and not in __all__"


def arguments_stand_elsewhere(value):
    """Those of a record are its attributes; those of a subclass may be the base class's."""
    if not inspect.isclass(value):
        return False
    if not {"__init__", "__new__"} & set(vars(value)):
        return True
    described = {name for entry in ClassDoc(value)["Attributes"] for name in entry[0].split(", ")}
    return set(inspect.signature(value).parameters) <= described


@pytest.mark.parametrize("name", sorted(set(docstrings()) - ONE_LINE))
def test_docstring_is_complete(name):
    errors = [(code, text) for code, text in validate(name)["errors"] if code in CODES]
    if errors and arguments_stand_elsewhere(Validator._load_obj(name)):
        errors = [(code, text) for code, text in errors if code != "PR01"]
    assert not errors, "\n".join([name, *(f"{code}: {text}" for code, text in errors)])
