"""The list of mutants fits the code; ``tools/mutants.py`` checks that the tests notice them."""

import importlib.util
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).resolve().parent.parent / "tools" / "mutants.py"
pytestmark = pytest.mark.skipif(not TOOL.is_file(), reason="the tools are not here")


@pytest.fixture(scope="module")
def tool():
    spec = importlib.util.spec_from_file_location("tool_of_mutants", TOOL)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # where dataclasses look their annotations up
    spec.loader.exec_module(module)
    yield module
    del sys.modules[spec.name]


@pytest.mark.slow
def test_every_mutant_of_the_list_fits_the_code(tool):
    mutants = tool.read_list()
    assert len(mutants) > 100
    assert [
        f"{mutant.what}: {why}" for mutant in mutants if (why := mutant.problem(tool.ROOT))
    ] == []


@pytest.fixture
def checkout(tmp_path):
    (tmp_path / "code.py").write_text("a = 1\nb = 1\n")
    (tmp_path / "test_code.py").write_text("")
    return tmp_path


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({}, None),
        ({"file": "other.py"}, "other.py does not exist"),
        ({"old": "= 1"}, "2 times instead of once"),
        ({"old": "c = 1"}, "0 times instead of once"),
        ({"new": "a = 1"}, "are the same"),
        ({"new": "a = ("}, "code.py cannot be read"),
        ({"tests": ("test_code.py", "test_other.py")}, "test_other.py does not exist"),
    ],
)
def test_a_mutant_that_does_not_fit_is_reported(tool, checkout, changes, problem):
    fields = {"what": "a", "file": "code.py", "old": "a = 1", "new": "a = 2"}
    mutant = tool.Mutant(**fields | {"tests": ("test_code.py",)} | changes)
    found = mutant.problem(checkout)
    assert found is None if problem is None else problem in found


def test_a_mutant_is_applied_and_taken_back(tool, checkout):
    mutant = tool.Mutant("a", "code.py", "a = 1", "a = 2", ())
    with tool.applied(mutant, checkout):
        assert (checkout / "code.py").read_text() == "a = 2\nb = 1\n"
    assert (checkout / "code.py").read_text() == "a = 1\nb = 1\n"
