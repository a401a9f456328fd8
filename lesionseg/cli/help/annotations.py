"""Type annotations as the command line shows and reads them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from typing import NamedTuple

_WORDS = {
    "bool": "{true,false}",
    "str": "TEXT",
    "int": "INT",
    "float": "FLOAT",
    "Path": "PATH",
    "timedelta": "TIME",
    "dict": "DICT",
    "Any": "VALUE",
}
_SEQUENCES = {"tuple", "list", "set", "frozenset", "Sequence", "Iterable", "Tuple", "List"}


class Kind(NamedTuple):
    """What an option takes.

    Attributes:
        metavar: How help shows its value.
        items: Length of a list: 2 for a pair, 0 for any length; None where no list is accepted.
        text: Whether a word is accepted where a list is accepted too.
    """

    metavar: str
    items: int | None
    text: bool


def kind_of(annotation: ast.expr | None) -> Kind:
    """Return what an option of a type takes.

    Args:
        annotation: A type, aliases resolved.

    Example:
        >>> import ast
        >>> from lesionseg.cli.help.annotations import kind_of
        >>> kind_of(ast.parse("tuple[int, int] | str", mode="eval").body)
        Kind(metavar='[INT,INT]|TEXT', items=2, text=True)
    """
    parts = list(dict.fromkeys(_alternatives(annotation)))
    lengths = [length for part in parts if (length := _length(part)) is not None]
    shown = list(dict.fromkeys(_shown(part) for part in parts))
    if "PATH" in shown and "TEXT" in shown:
        shown.remove("TEXT")
    text = any(_shown(part) in ("TEXT", "PATH") for part in parts)
    return Kind(merged_metavar(shown) or "VALUE", lengths[0] if lengths else None, text)


def merged_metavar(metavars: Iterable[str]) -> str:
    """Merge metavars into one, with all their choices in one set.

    Args:
        metavars: Such as ``{a,b}`` and ``INT``.

    Example:
        >>> from lesionseg.cli.help.annotations import merged_metavar
        >>> merged_metavar(["{a,b}", "INT", "{b,c}"])
        '{a,b,c}|INT'
    """
    parts = [part for metavar in metavars for part in re.findall(r"\{[^}]*\}|[^|]+", metavar)]
    choices = [word for part in parts if part[0] == "{" for word in part.strip("{}").split(",")]
    others = [part for part in parts if part[0] != "{"]
    first = [f"{{{','.join(dict.fromkeys(choices))}}}"] if choices else []
    return "|".join([*first, *dict.fromkeys(others)])


def _alternatives(annotation: ast.expr | None) -> list[str]:
    """Return the members of a union, without None, as source."""
    if annotation is None:
        return []
    if isinstance(annotation, ast.BinOp) and isinstance(annotation.op, ast.BitOr):
        return [*_alternatives(annotation.left), *_alternatives(annotation.right)]
    if isinstance(annotation, ast.Subscript):
        name = ast.unparse(annotation.value).rpartition(".")[2]
        if name == "Optional":
            return _alternatives(annotation.slice)
        if name == "Union":
            members = annotation.slice
            parts = members.elts if isinstance(members, ast.Tuple) else [members]
            return [member for part in parts for member in _alternatives(part)]
    source = ast.unparse(annotation)
    return [] if source == "None" else [source]


def _parse(part: str) -> tuple[str, list[ast.expr]]:
    """Return the name of a type and what is in its brackets."""
    node = ast.parse(part, mode="eval").body
    if not isinstance(node, ast.Subscript):
        return part.rpartition(".")[2], []
    inner = node.slice.elts if isinstance(node.slice, ast.Tuple) else [node.slice]
    return ast.unparse(node.value).rpartition(".")[2], list(inner)


def _shown(part: str) -> str:
    name, inner = _parse(part)
    if name == "Literal":
        values = [ast.literal_eval(value) for value in inner]
        return f"{{{','.join(str(value) for value in values)}}}"
    if name in _SEQUENCES:
        words = [kind_of(item).metavar for item in inner if ast.unparse(item) != "..."]
        if name.lower() != "tuple" or len(words) != len(inner):
            words = [*words[:1], "..."]
        return f"[{','.join(words)}]"
    return _WORDS.get(name, name.upper() if name.islower() else name)


def _length(part: str) -> int | None:
    name, inner = _parse(part)
    if name not in _SEQUENCES:
        return None
    fixed = name.lower() == "tuple" and all(ast.unparse(item) != "..." for item in inner)
    return len(inner) if fixed else 0
