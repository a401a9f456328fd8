"""Convert the equations of the pages to MathML, which browsers render without a script."""

import html
import re
from typing import Any

from latex2mathml.converter import convert

_EQUATION = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)
_INLINE = re.compile(r'<span class="arithmatex">\\\((.*?)\\\)</span>', re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    """Replace equations marked by pymdownx.arithmatex; MkDocs passes the HTML of each page."""

    def equation(match: re.Match[str]) -> str:
        converted = convert(html.unescape(match[1]).strip(), display="block")
        return f'<div class="equation">{converted}</div>'

    def inline(match: re.Match[str]) -> str:
        return convert(html.unescape(match[1]).strip())

    return _INLINE.sub(inline, _EQUATION.sub(equation, content))
