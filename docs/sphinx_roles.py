"""Render Sphinx roles of docstrings, such as ``:class:`~a.b.C` ``, as plain code."""

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|data|func|meth|attr|mod):`(~?)([^`]+)`")


def _plain(match: re.Match[str]) -> str:
    shortened, target = match.groups()
    return f"`{target.rpartition('.')[2] if shortened else target}`"


class SphinxRoles(griffe.Extension):
    """Rewrite the roles in every docstring."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(_plain, obj.docstring.value)
