"""Private names of other packages that this package uses, each with the file that needs it.

A new release that renames one of them fails here, with the name and the file, instead of changing
what a fit does.
"""

import ast
import importlib
import inspect
import re
import textwrap
from functools import cache
from importlib.metadata import version
from pathlib import Path

import pytest

from lesionseg.cli.lightning_output import (
    IGNORED_WARNINGS,
    KILLS_PROCESSES,
    LAUNCHER_LOGGER,
    TIP,
)

PACKAGE = Path(__file__).resolve().parent.parent / "lesionseg"
#: Distribution, the module's attribute, the private name of its instances or class, and the file.
NAMES = [
    ("lightning", "lightning.pytorch.loggers:CSVLogger", "_version", "callbacks/resume.py"),
    ("lightning", "lightning.pytorch.loggers:TensorBoardLogger", "_version", "callbacks/resume.py"),
    ("lightning", "lightning.pytorch.loggers:CSVLogger", "_version", "run_folder.py"),
    ("lightning", "lightning.pytorch.loggers:TensorBoardLogger", "_version", "run_folder.py"),
    ("lightning", "lightning.pytorch.loggers:CSVLogger", "_experiment", "callbacks/csv_logger.py"),
    (
        "lightning",
        "lightning.pytorch.loggers.csv_logs:ExperimentWriter",
        "_check_log_dir_exists",
        "callbacks/csv_logger.py",
    ),
    (
        "lightning",
        "lightning.pytorch.loggers.csv_logs:ExperimentWriter",
        "_rewrite_with_new_header",
        "callbacks/csv_logger.py",
    ),
    (
        "lightning",
        "lightning.pytorch.strategies:DDPStrategy",
        "_ddp_kwargs",
        "models/alternating.py",
    ),
    ("torch", "torch.optim.lr_scheduler:LRScheduler", "_last_lr", "models/schedule.py"),
    ("torchmetrics", "torchmetrics:Metric", "_is_synced", "metrics/rows.py"),
    ("torchmetrics", "torchmetrics:Metric", "_should_unsync", "metrics/rows.py"),
    ("torchmetrics", "torchmetrics:Metric", "_to_sync", "metrics/rows.py"),
    ("Python", "argparse:ArgumentParser", "_actions", "cli/help/parser.py"),
    ("Python", "argparse:HelpFormatter", "_split_lines", "cli/help/page.py"),
    ("Python", "argparse:HelpFormatter", "_fill_text", "cli/help/page.py"),
]


def load(path):
    module, _, name = path.partition(":")
    return getattr(importlib.import_module(module), name)


def private_names(cls):
    """Private names that a class and its bases define, also as attributes of instances."""
    return frozenset().union(*map(own_private_names, cls.__mro__))


@cache
def own_private_names(cls):
    found = {name for name in vars(cls) if is_private(name)}
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    except (OSError, TypeError):  # no source
        return found
    return found | {
        target.attr
        for node in ast.walk(tree)
        for target in targets_of(node)
        if isinstance(target, ast.Attribute) and is_private(target.attr)
    }


def targets_of(node):
    if isinstance(node, ast.Assign):
        return [part for target in node.targets for part in ast.walk(target)]
    return [node.target] if isinstance(node, ast.AnnAssign) else []


def is_private(name):
    return name.startswith("_") and not name.startswith(("__", "_abc_"))


@pytest.mark.parametrize(("package", "path", "name", "file"), NAMES)
def test_the_private_names_still_exist(package, path, name, file):
    cls = load(path)
    number = "" if package == "Python" else f" {version(package)}"
    assert name in private_names(cls), (
        f"{package}{number} no longer has {cls.__name__}.{name}; see lesionseg/{file}"
    )
    assert name in (PACKAGE / file).read_text(), f"lesionseg/{file} no longer uses {name}"


def own_classes():
    """Classes of this package with bases of others, in the rooms that extend frameworks."""
    for room in ("callbacks", "cli", "metrics", "models"):
        for path in sorted((PACKAGE / room).rglob("*.py")):
            parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
            if parts[-1] in ("__init__", "__main__"):
                continue
            for cls in vars(importlib.import_module(".".join(parts))).values():
                if inspect.isclass(cls) and cls.__module__ == ".".join(parts):
                    yield cls, path


def names_used(cls):
    """Private names that the body of a class defines, or reads from ``self``."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(cls)))
    read = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and ast.unparse(node.value) in ("self", "cls", "super()")
        and is_private(node.attr)
    }
    return read | {name for name in vars(cls) if is_private(name)}


def test_no_other_private_name_is_used():
    listed = {(file, name) for _, _, name, file in NAMES}
    unlisted = []
    for cls, path in own_classes():
        foreign = [base for base in cls.__mro__ if not base.__module__.startswith("lesionseg")]
        if foreign == [object]:
            continue
        theirs = set().union(*(private_names(base) for base in foreign if base is not object))
        file = path.relative_to(PACKAGE).as_posix()
        unlisted += [
            f"lesionseg/{file}: {cls.__name__} uses {name}"
            for name in sorted(names_used(cls) & theirs)
            if (file, name) not in listed
        ]
    assert not unlisted, "use a public name, or list it in NAMES"


#: Texts and names by which this program recognizes what Lightning prints and raises.
TEXTS = [
    *((text, "cli/lightning_output.py") for text in (TIP, KILLS_PROCESSES)),
    *((text, "cli/lightning_output.py") for text in IGNORED_WARNINGS if "LeafSpec" not in text),
    ("class SIGTERMException", "cli/main.py"),
    ("class MisconfigurationException", "cli/main.py"),
]


@pytest.fixture(scope="module")
def source():
    """The parts of Lightning whose texts are recognized."""
    files = [
        *("pytorch/cli.py", "pytorch/trainer/call.py", "pytorch/utilities/exceptions.py"),
        *("fabric/loggers/csv_logs.py", "fabric/utilities/exceptions.py"),
        "fabric/strategies/launchers/subprocess_script.py",
        *(f"pytorch/trainer/connectors/{name}_connector.py" for name in ("data", "callback")),
        "pytorch/trainer/connectors/logger_connector/result.py",
    ]
    folder = Path(importlib.import_module("lightning").__file__).parent
    return "\n".join((folder / file).read_text(encoding="utf-8") for file in files)


@pytest.mark.parametrize(("text", "file"), TEXTS)
def test_lightning_still_prints_what_is_recognized(text, file, source):
    pattern = text if ".*" in text else re.escape(text)
    assert re.search(pattern, source), (
        f"lightning {version('lightning')} no longer has {text!r}; see lesionseg/{file}"
    )


def test_the_launchers_logger_has_its_name():
    assert importlib.import_module(LAUNCHER_LOGGER)
