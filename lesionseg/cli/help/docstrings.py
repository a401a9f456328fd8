"""Docstrings as plain text for a terminal."""

from __future__ import annotations

import re
from collections.abc import Mapping

_TITLED = re.compile(r":(?:\w+:)?\w+:`([^`<]+?)\s*<[^`>]*>`")
_ROLE = re.compile(r":(?:\w+:)?\w+:`(~?)([^`]+)`")
_LINK = re.compile(r"`([^`<]+?)\s*<[^`>]*>`_{0,2}")
_CODE = re.compile(r"(`{1,2})([^`]+)\1")
_DIRECTIVE = re.compile(r"\s*\.\. [\w-]+::.*", re.DOTALL)
_DEFAULT = re.compile(r"\s*\bDefault: `{0,2}\S+?`{0,2}\.?(?=\s|$)")
_ARGUMENT = re.compile(r"^(\s+)\*{0,2}(\w+)(?: ?\([^)]*\))?:\s*(.*)$")
_SECTION = re.compile(r"^(Args|Arguments|Parameters):\s*$")


def plain(text: str) -> str:
    """Replace Sphinx roles, links and code marks by their words.

    Args:
        text: Text of a docstring.

    Example:
        >>> from lesionseg.cli.help.docstrings import plain
        >>> plain("See :class:`~torch.nn.Conv2d`, ``bias`` and `a link <https://example.org>`_.")
        'See Conv2d, bias and a link.'
    """
    text = _TITLED.sub(r"\1", text)
    text = _ROLE.sub(lambda match: "".join(match[2].split()).strip("()").rpartition(".")[2], text)
    return _CODE.sub(r"\2", _LINK.sub(r"\1", text))


def summary(docstring: str) -> str:
    """Return a docstring's first paragraph as one line of plain text."""
    return plain(" ".join(docstring.strip().split("\n\n")[0].split()))


def arguments(docstring: str) -> Mapping[str, str]:
    """Return the description of each argument in a docstring's ``Args:`` section, on one line.

    Args:
        docstring: Docstring in Google's style, its indentation cleaned.
    """
    lines = iter(docstring.splitlines())
    for line in lines:
        if _SECTION.match(line):
            break
    found: dict[str, list[str]] = {}
    name, indent = "", None
    for line in lines:
        if line and not line[0].isspace():
            break
        match = _ARGUMENT.match(line)
        if match and (indent is None or len(match[1]) == indent):
            name, indent = match[2], len(match[1])
            found[name] = [match[3]]
        elif name:
            found[name].append(line.strip())
    return {name: _paragraph(text) for name, text in found.items()}


def _paragraph(lines: list[str]) -> str:
    """Join the lines of the first paragraph, without the default, which is shown separately."""
    text = "\n".join(lines).strip().split("\n\n")[0]
    text = _DEFAULT.sub("", " ".join(_DIRECTIVE.sub("", text).split())).strip()
    is_word = re.match(r"[a-z]+\b(?!_)", text)
    return text[:1].upper() + text[1:] if is_word else text


def first_sentences(text: str, length: int = 200) -> str:
    """Return the first sentences of a text, as many as fit but at least one.

    Args:
        text: Plain text.
        length: Maximum number of characters after the first sentence.
    """
    sentences = re.split(r"(?<=\w{2}[.)])\s+(?=[A-Z])", text)
    kept = sentences[0]
    for sentence in sentences[1:]:
        if len(kept) + len(sentence) >= length:
            break
        kept += f" {sentence}"
    return kept
