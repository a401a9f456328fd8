"""What a class's constructor takes, read from its source file: nothing is imported.

Importing Lightning takes seconds, which a help text should not.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

from lesionseg.cli.help.docstrings import arguments, plain, summary

_SEE = re.compile(r"^See :class:`~?([\w.]+)`[.;,]?\s*(.*)$", re.DOTALL)


class Parameter(NamedTuple):
    """One argument of a constructor.

    Attributes:
        name: Its name.
        annotation: Its type, aliases resolved; None where there is none.
        default: Its default, as it stands in the source; None where there is none.
        text: What the docstring says of it, plain.
    """

    name: str
    annotation: ast.expr | None
    default: ast.expr | None
    text: str


class Constructor(NamedTuple):
    """What is known of a class.

    Attributes:
        name: The class's name.
        summary: The first paragraph of its docstring, plain.
        parameters: Of its constructor, by name.
    """

    name: str
    summary: str
    parameters: dict[str, Parameter]


def read_class(path: str) -> Constructor | None:
    """Read a class from the source of its module.

    Args:
        path: Its dotted path.

    Returns:
        None where the class or its constructor cannot be found that way.
    """
    found = _find(*path.rpartition(".")[::2])
    if found is None or not isinstance(found[1], ast.ClassDef):
        return None
    node = found[1]
    docstring = ast.get_docstring(node) or ""
    owner = _with_constructor(found[0], node)
    if owner is None:
        return None
    module, definition, init = owner
    texts = {
        **arguments(ast.get_docstring(definition) or ""),
        **arguments(ast.get_docstring(init) or ""),
        **arguments(docstring),
    }
    parameters = {
        name: Parameter(
            name,
            _resolved(module, annotation),
            default,
            plain(_looked_up(module, name, texts.get(name, ""))),
        )
        for name, annotation, default in _parameters(init)
    }
    return Constructor(node.name, summary(docstring), parameters)


def _looked_up(module: str, name: str, text: str) -> str:
    """Replace "See :class:`Other`" by what is said of the same argument there."""
    reference = _SEE.match(text)
    if reference is None:
        return text
    path, rest = reference.groups()
    if "." not in path:
        home = _find(module, path)
        path = f"{home[0]}.{path}" if home else path
    other = read_class(path)
    found = other.parameters.get(name) if other else None
    return f"{found.text} {rest}".strip() if found and found.text else text


def _with_constructor(
    module: str, node: ast.ClassDef
) -> tuple[str, ast.ClassDef, ast.FunctionDef] | None:
    """Find the first class of the bases, depth first, that has a constructor of its own."""
    for one in node.body:
        if isinstance(one, ast.FunctionDef) and one.name == "__init__":
            return module, node, one
    for base in node.bases:
        found = _find(module, ast.unparse(base))
        if found and isinstance(found[1], ast.ClassDef):
            owner = _with_constructor(found[0], found[1])
            if owner:
                return owner
    return None


def _parameters(
    init: ast.FunctionDef,
) -> Iterator[tuple[str, ast.expr | None, ast.expr | None]]:
    names = [*init.args.posonlyargs, *init.args.args][1:]
    defaults = init.args.defaults
    padded = [None] * (len(names) - len(defaults)) + list(defaults)
    for argument, default in [
        *zip(names, padded[-len(names) :] if names else [], strict=True),
        *zip(init.args.kwonlyargs, init.args.kw_defaults, strict=True),
    ]:
        yield argument.arg, argument.annotation, default


def _resolved(module: str, annotation: ast.expr | None, depth: int = 0) -> ast.expr | None:
    """Replace names that stand for a ``Literal`` or another type by what they stand for."""
    if annotation is None or depth > 8:
        return annotation
    if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str) and depth == 0:
        return _resolved(module, ast.parse(annotation.value, mode="eval").body, depth + 1)

    class Resolver(ast.NodeTransformer):
        def visit_Subscript(self, node: ast.Subscript) -> ast.AST:
            return node if ast.unparse(node.value).endswith("Literal") else self.generic_visit(node)

        def visit_Name(self, node: ast.Name) -> ast.AST:
            found = _find(module, node.id)
            if found is None or not isinstance(found[1], ast.expr):
                return node
            return _resolved(found[0], found[1], depth + 1) or node

    return Resolver().visit(ast.parse(ast.unparse(annotation), mode="eval").body)  # type: ignore[no-any-return]


def _find(module: str, name: str, depth: int = 0) -> tuple[str, ast.AST] | None:
    """Find the definition of a name, also where a module only imports it.

    Returns:
        The module that defines it, and its class or the value that is assigned to it.
    """
    tree = _tree(module)
    if tree is None or depth > 8:
        return None
    imports: list[ast.ImportFrom] = []
    for node in _statements(tree.body):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
        if isinstance(node, ast.Assign) and any(
            isinstance(one, ast.Name) and one.id == name for one in node.targets
        ):
            return module, node.value
        if (
            isinstance(node, ast.AnnAssign)
            and node.value is not None
            and ast.unparse(node.target) == name
        ):
            return module, node.value
        if isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            imports.append(node)
    for node in imports:
        for alias in node.names:
            if (alias.asname or alias.name) == name:
                return _find(str(node.module), alias.name, depth + 1)
    return None


def _statements(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield a module's statements, also those under ``if TYPE_CHECKING``."""
    for node in body:
        if isinstance(node, ast.If):
            yield from _statements(node.body)
        else:
            yield node


@cache
def _tree(module: str) -> ast.Module | None:
    top, *rest = module.split(".")
    try:
        spec = find_spec(top)  # of a package within it, that would import the package
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    folders = list(spec.submodule_search_locations or ())
    candidates = [Path(spec.origin)] if not folders and not rest and spec.origin else []
    for folder in folders:
        place = Path(folder, *rest)
        candidates += [place.with_suffix(".py")] if rest else []
        candidates.append(place / "__init__.py")
    for path in candidates:
        if path.suffix == ".py" and path.is_file():
            return ast.parse(path.read_text(encoding="utf-8"))
    return None


def value_of(default: ast.expr | None) -> object:
    """Return a default's value, or its source where it is more than a literal.

    Args:
        default: As :class:`Parameter` has it.
    """
    if default is None:
        return inspect.Parameter.empty
    try:
        return ast.literal_eval(default)
    except ValueError:
        return ast.unparse(default)
