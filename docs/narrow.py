"""Prepare the pages for narrow screens: line breaks, and pictures that open at full size."""

import html
import re
from typing import Any

_TAG = re.compile(r"(<[^>]+>)")
_CELL = re.compile(r"<td([^>]*)>(.*?)</td>", re.DOTALL)
_NUMBER = r"[-+]?\d[\d.,]*"
#: Intervals such as "(0.1 to 0.2)" and "[0.1, 0.2]", and sizes such as "128 x 128".
_NUMBERS = re.compile(
    rf"[(\[]?{_NUMBER}(?: (?:to|x|at|\+-|±) {_NUMBER})+[)\]]?|\[{_NUMBER}, {_NUMBER}\]"
)
_INLINE_CODE = re.compile(r"<code>([^<\n]+)</code>")
_HYPHENATED = re.compile(r"[^\s-]*-\S*")
_PICTURE = re.compile(r'<img [^>]*?src="(?!data:)([^"]+)"[^>]*>')
_LONGEST = 28  # characters of code that fit into a line on a phone, also within a list
_PROSE = 40  # characters from which a cell is prose


def _unbroken(match: re.Match[str]) -> str:
    return f'<span class="unbroken">{match[0]}</span>'


def _cell(match: re.Match[str]) -> str:
    attributes, content = match.groups()
    parts = _TAG.split(content)  # every second part is a tag
    if len(html.unescape("".join(parts[::2]))) > _PROSE:
        attributes += ' class="prose"'
    parts[::2] = [_NUMBERS.sub(_unbroken, text) for text in parts[::2]]
    return f"<td{attributes}>{''.join(parts)}</td>"


def _code(match: re.Match[str]) -> str:
    def short(name: re.Match[str]) -> str:
        return _unbroken(name) if len(html.unescape(name[0])) <= _LONGEST else name[0]

    return f"<code>{_HYPHENATED.sub(short, match[1])}</code>"


def on_page_content(content: str, **_: Any) -> str:
    """Mark numbers, names and prose for the style sheet; MkDocs passes the HTML of each page."""
    content = _INLINE_CODE.sub(_code, _CELL.sub(_cell, content))
    return _PICTURE.sub(
        lambda match: f'<a class="picture" href="{match[1]}">{match[0]}</a>', content
    )
