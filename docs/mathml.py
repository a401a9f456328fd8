"""Convert the equations of the pages to MathML, which browsers render without a script."""

import html
import re
from typing import Any

from latex2mathml.converter import convert

_EQUATION = re.compile(r'<div class="arithmatex">\\\[(.*?)\\\]</div>', re.DOTALL)


def on_page_content(content: str, **_: Any) -> str:
    """Replace equations marked by pymdownx.arithmatex; MkDocs passes the HTML of each page."""

    def mathml(match: re.Match[str]) -> str:
        equation = convert(html.unescape(match[1]).strip(), display="block")
        return f'<div class="equation">{equation}</div>'

    return _EQUATION.sub(mathml, content)
