"""The names that users import, and the rule of which room of the package may import which."""

import ast
import importlib
import inspect
import json
import re
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "lesionseg"
NAMES = json.loads(Path(__file__).with_name("public_names.json").read_text())

#: Each room may import those before it, itself, and what all share.
ROOMS = (
    "blocks",
    "networks",
    "losses",
    "metrics",
    "data",
    "inspection",
    "inference",
    "models",
    "export",
    "scoring",
    "callbacks",
    "experiments",
    "report",
    "app",
    "cli",
)
SHARED = {
    *("_moved", "_version", "checkpoints", "errors", "files", "guards", "hub", "pretrained"),
    *("run_folder", "visualization"),
}


@pytest.mark.parametrize("module", NAMES)
def test_public_names_are_those_on_record(module):
    found = sorted(importlib.import_module(module).__all__)
    assert found == sorted(NAMES[module]), f"{module}: change tests/public_names.json deliberately"


@pytest.mark.parametrize("module", NAMES)
def test_every_public_name_is_there_and_documented(module):
    home = importlib.import_module(module)
    for name in home.__all__:
        value = getattr(home, name)
        assert name in dir(home)
        if inspect.isclass(value) or inspect.isfunction(value):
            text = value.__doc__ or ""
            # dataclasses and named tuples make one up: their signature
            assert text, f"{module}.{name} has no docstring"
            assert not text.startswith(f"{name}("), f"{module}.{name} has no docstring of its own"
            assert ">>> " in text, f"{module}.{name} has no example"


def test_a_missing_name_is_an_attribute_error():
    for module in NAMES:
        with pytest.raises(AttributeError):
            getattr(importlib.import_module(module), "no_such_name")  # noqa: B009


def room_of(parts):
    """The room of a module of the package, given without ``lesionseg``; None if all share it."""
    if not parts or parts[0] in SHARED:
        return None
    return parts[0]


def imports(path):
    """Absolute names of all that a file imports when it runs, with its line."""
    tree = ast.parse(path.read_text())
    typing_only = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for one in node.body
        for inner in ast.walk(one)
    }
    for node in ast.walk(tree):
        if id(node) in typing_only:
            continue
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name, node.lineno
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}:{node.lineno} imports relatively"
            assert node.module is not None
            for alias in node.names:
                yield f"{node.module}.{alias.name}", node.lineno


def files():
    """Every file of the package with its room."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):  # the package's own face names all rooms, lazily
            yield path, room_of(parts)


def test_every_file_is_in_a_known_room():
    assert {room for _, room in files()} == {*ROOMS, None}


def test_no_room_imports_one_below_it():
    wrong = []
    for path, room in files():
        allowed = ROOMS[: ROOMS.index(room) + 1] if room else ()
        for name, line in imports(path):
            if name.split(".")[0] != "lesionseg":
                continue
            target = room_of(name.split(".")[1:])
            if target not in (None, *allowed):
                wrong.append(f"{path.relative_to(PACKAGE)}:{line} imports {name}")
    assert not wrong


def test_no_file_imports_one_that_imports_it():
    """Also not through others, or in a function: there is an order in which to read the files."""
    modules = {
        ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path
        for path, _ in files()
        if path.name != "__init__.py"
    }
    needed = {
        module: {
            found
            for name, _ in imports(path)
            for found in (name, name.rpartition(".")[0])
            if found in modules and found != module
        }
        for module, path in modules.items()
    }
    list(TopologicalSorter(needed).static_order())  # raises CycleError, which names the files


def resolves(name):
    """Whether a dotted name is a module, or something in one."""
    parts = name.split(".")
    for length in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:length]))
        except ModuleNotFoundError:
            continue
        for attribute in parts[length:]:
            if not hasattr(found, attribute):
                return False
            found = getattr(found, attribute)
        return True
    return False


def test_cross_references_of_docstrings_lead_somewhere():
    reference = re.compile(r":(?:func|class|meth|mod|data|attr):`[~.]?(lesionseg[\w.]+)`")
    wrong = [
        f"{path.relative_to(PACKAGE)} refers to {name}"
        for path, _ in files()
        for name in reference.findall(path.read_text())
        if not resolves(name)
    ]
    assert not wrong
    assert not resolves("lesionseg.data.discovery.sets.find_sets")


def test_no_room_names_one_below_it_in_a_string():
    """Such as a module that another process is told to run."""
    wrong = []
    for path, room in files():
        if room is None or path.name == "classes.py":
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            if not re.fullmatch(r"[\w.]+(:\w+)?", node.value):
                continue  # prose
            parts = node.value.partition(":")[0].split(".")
            below = ROOMS[ROOMS.index(room) + 1 :]
            if parts[0] == "lesionseg" and len(parts) > 1 and parts[1] in below:
                wrong.append(f"{path.relative_to(PACKAGE)}:{node.lineno} names {node.value}")
    assert not wrong


def test_blocks_import_torch_only_and_networks_and_losses_no_lightning():
    wrong = []
    for path, room in files():
        for name, line in imports(path):
            top = name.split(".")[0]
            own = name.startswith("lesionseg.blocks")
            foreign = top not in sys.stdlib_module_names and top != "torch" and not own
            lightning = top in ("lightning", "pytorch_lightning")
            if (room == "blocks" and foreign) or (room in ("networks", "losses") and lightning):
                wrong.append(f"{path.relative_to(PACKAGE)}:{line} imports {name}")
    assert not wrong


@pytest.mark.slow
def test_networks_run_without_lightning():
    """Also not through something that they import."""
    script = """
import sys
sys.modules["lightning"] = sys.modules["pytorch_lightning"] = None  # an import fails now
import lesionseg.losses
from lesionseg.networks import create_network, network_names
for name in network_names():
    create_network(name)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
