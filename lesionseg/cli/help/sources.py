"""Arguments of a class's constructor, read from its source file without importing it.

Importing Lightning takes seconds, too long for a help page.
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
    """An argument of a constructor.

    Attributes:
        name: Name.
        annotation: Type, aliases resolved; None where there is none.
        default: Default, as in the source, constants resolved; None where there is none.
        text: Description in the docstring, as plain text.
    """

    name: str
    annotation: ast.expr | None
    default: ast.expr | None
    text: str


class Constructor(NamedTuple):
    """A class and the arguments of its constructor.

    Attributes:
        name: Name of the class.
        summary: First paragraph of its docstring, as plain text.
        parameters: Arguments of its constructor by name.
    """

    name: str
    summary: str
    parameters: dict[str, Parameter]


def read_class(path: str) -> Constructor | None:
    """Read a class from the source of its module.

    Args:
        path: Dotted path of the class.

    Returns:
        None where the class or its constructor cannot be found that way.

    Example:
        >>> from lesionseg.cli.help.sources import read_class, value_of
        >>> found = read_class("lesionseg.callbacks.overlay_logger.OverlayLogger")
        >>> {name: value_of(found.parameters[name].default) for name in found.parameters}
        {'images': 8, 'every_n_epochs': 1}
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
            _constant(module, default),
            plain(_described(module, name, texts.get(name, ""))),
        )
        for name, annotation, default in _parameters(init)
    }
    return Constructor(node.name, summary(docstring), parameters)


def _constant(module: str, default: ast.expr | None) -> ast.expr | None:
    """Replace the name of a constant by its value."""
    found = _find(module, default.id) if isinstance(default, ast.Name) else None
    return found[1] if found and isinstance(found[1], ast.expr) else default


def _described(module: str, name: str, text: str) -> str:
    """Replace "See :class:`Other`" by the description of the same argument there."""
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
    """Find the first class that defines a constructor, among a class and its bases, depth first."""
    for statement in node.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
            return module, node, statement
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
    """Replace aliases, such as of a ``Literal``, by their types."""
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
        The module that defines it, and its class or the value assigned to it.
    """
    tree = _tree(module)
    if tree is None or depth > 8:
        return None
    imports: list[ast.ImportFrom] = []
    for node in _statements(tree.body):
        if isinstance(node, ast.ClassDef) and node.name == name:
            return module, node
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in node.targets
        ):
            return module, node.value
        if (
            isinstance(node, ast.AnnAssign)
            and node.value is not None
            and ast.unparse(node.target) == name
        ):
            return module, node.value
        if isinstance(node, ast.ImportFrom) and node.module:
            imports.append(node)
    for node in imports:
        for alias in node.names:
            if (alias.asname or alias.name) == name:
                return _find(_absolute(module, node), alias.name, depth + 1)
    return None


def _absolute(module: str, node: ast.ImportFrom) -> str:
    """Return the module that a statement imports from, relative in the stub of a package."""
    return f"{module}.{node.module}" if node.level else str(node.module)


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
        spec = find_spec(top)  # for a submodule it would import the package
    except (ImportError, ValueError):
        return None
    if spec is None:
        return None
    folders = list(spec.submodule_search_locations or ())
    candidates = [Path(spec.origin)] if not folders and not rest and spec.origin else []
    for folder in folders:
        base = Path(folder, *rest)
        candidates += [base.with_suffix(".py")] if rest else []
        candidates += [base / "__init__.pyi", base / "__init__.py"]  # a stub lists lazy names
    for path in candidates:
        if path.suffix in (".py", ".pyi") and path.is_file():
            return ast.parse(path.read_text(encoding="utf-8"))
    return None


def value_of(default: ast.expr | None) -> object:
    """Return the value of a default, or its source where it is no literal.

    Args:
        default: Attribute of a :class:`Parameter`.
    """
    if default is None:
        return inspect.Parameter.empty
    try:
        return ast.literal_eval(default)
    except ValueError:
        return ast.unparse(default)
