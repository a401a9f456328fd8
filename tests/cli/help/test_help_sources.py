"""What is read from source files is what Python itself says of the classes."""

import ast
import inspect
import subprocess
import sys

import pytest

from lesionseg.cli.help.annotations import Kind, kind_of
from lesionseg.cli.help.classes import CALLBACKS, DATA_MODULES, MODELS, TRAINER, load_class
from lesionseg.cli.help.sources import read_class, value_of

CLASSES = [
    *MODELS.values(),
    *DATA_MODULES.values(),
    *(path for group in CALLBACKS.values() for path in group.values()),
    TRAINER,
]


@pytest.mark.parametrize("path", CLASSES)
def test_parameters_and_defaults_are_those_of_the_class(path):
    read = read_class(path)
    cls = load_class(path)
    signature = inspect.signature(cls.__init__).parameters
    expected = {
        name: one.default
        for name, one in signature.items()
        if name != "self" and one.kind not in (one.VAR_KEYWORD, one.VAR_POSITIONAL)
    }
    assert read.name == cls.__name__
    assert list(read.parameters) == list(expected)
    assert {name: value_of(one.default) for name, one in read.parameters.items()} == expected
    assert all(one.text for one in read.parameters.values())


def test_a_class_is_found_by_its_public_path_and_a_missing_one_is_none():
    public, own = read_class("lesionseg.ASNet"), read_class("lesionseg.models.asnet.ASNet")
    assert (public.name, list(public.parameters)) == (own.name, list(own.parameters))
    assert read_class("lesionseg.models.asnet.Nothing") is None
    assert read_class("no_such_package.Thing") is None
    assert read_class("lesionseg.losses.loss_names") is None
    assert read_class("sys.path") is None


OTHER = '''
"""A module."""
from typing import Literal

Choice = Literal["a", "b"]
Alias = Choice


class Base:
    """A base.

    Args:
        first: the first one.
        choice: see elsewhere.
    """

    def __init__(self, first: int, choice: Alias | None = None, *, only=3): ...


class Child(Base):
    """A child without a constructor of its own."""
'''
HERE = '''
from __future__ import annotations
from typing import TYPE_CHECKING, Optional, Union
if TYPE_CHECKING:
    from other_module import Base, Choice


class Own(Base):
    """Mine.

    Args:
        first: See :class:`Base`, doubled.
        choices: ``"a"`` or ``"b"``.
    """

    def __init__(self, first: "int" = 2, choices: Optional[Union[list[Choice], Choice]] = None): ...
'''


def test_aliases_bases_and_references_are_followed_without_an_import(tmp_path, monkeypatch):
    (tmp_path / "other_module.py").write_text(OTHER)
    (tmp_path / "own_module.py").write_text(HERE + "\nraise SystemExit('imported')\n")
    monkeypatch.syspath_prepend(tmp_path)
    child = read_class("other_module.Child")
    assert child.summary == "A child without a constructor of its own."
    assert list(child.parameters) == ["first", "choice", "only"]
    assert child.parameters["first"].text == "The first one."
    assert kind_of(child.parameters["choice"].annotation).metavar == "{a,b}"
    own = read_class("own_module.Own")
    assert own.parameters["first"].text == "The first one. doubled."
    assert kind_of(own.parameters["first"].annotation).metavar == "INT"
    assert kind_of(own.parameters["choices"].annotation) == Kind("{a,b}|[{a,b},...]", 0, False)


@pytest.mark.parametrize(
    ("annotation", "kind"),
    [
        ("bool", Kind("{true,false}", None, False)),
        ("float | None", Kind("FLOAT", None, False)),
        ("tuple[int, int] | None", Kind("[INT,INT]", 2, False)),
        ("tuple[int, ...]", Kind("[INT,...]", 0, False)),
        ("Sequence[str] | None", Kind("[TEXT,...]", 0, False)),
        ("Sequence[str] | str | Path | None", Kind("[TEXT,...]|PATH", 0, True)),
        ("Optional[Union[bool, Literal['link']]]", Kind("{true,false,link}", None, False)),
        ("dict[str, Any] | None", Kind("DICT", None, False)),
        ("Literal[2016, 2017]", Kind("{2016,2017}", None, False)),
        ("pkg.Logger", Kind("Logger", None, False)),
    ],
)
def test_types_are_shown_as_the_command_line_takes_them(annotation, kind):
    assert kind_of(ast.parse(annotation, mode="eval").body) == kind


def test_nothing_heavy_is_imported():
    script = (
        "import sys; from lesionseg.cli.main import main;"
        "main(['fit', '--model', 'ASNet', '--help']);"
        "assert not {'torch', 'lightning', 'numpy'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
