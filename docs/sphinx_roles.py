"""Shows the docstrings' Sphinx roles, such as ``:class:`~a.b.C` ``, as plain code in the pages."""

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|data|func|meth|attr|mod):`(~?)([^`]+)`")


def _plain(match: re.Match[str]) -> str:
    shortened, target = match.groups()
    return f"`{target.rpartition('.')[2] if shortened else target}`"


class SphinxRoles(griffe.Extension):
    """Rewrites every docstring once it has been read."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        if obj.docstring is not None:
            obj.docstring.value = _ROLE.sub(_plain, obj.docstring.value)
