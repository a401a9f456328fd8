"""Render Sphinx roles of docstrings, such as ``:class:`~a.b.C` ``, as plain code.

``Example:`` becomes ``Examples:``, in which griffe renders doctests as code.
"""

import re
from typing import Any

import griffe

_EXAMPLE = re.compile(r"^( *)Example:$", re.MULTILINE)
_ROLE = re.compile(r":(?:class|data|func|meth|attr|mod):`(~?)([^`]+)`")


def _plain(match: re.Match[str]) -> str:
    shortened, target = match.groups()
    return f"`{target.rpartition('.')[2] if shortened else target}`"


class SphinxRoles(griffe.Extension):
    """Rewrite roles and examples in every docstring."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            text = _EXAMPLE.sub(r"\1Examples:", obj.docstring.value)
            obj.docstring.value = _ROLE.sub(_plain, text)
