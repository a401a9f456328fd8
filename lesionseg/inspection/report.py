"""Render the report as plain text of at most 88 columns, or as Markdown."""

from __future__ import annotations

import textwrap
from typing import Literal

from lesionseg.inspection.scan import Inspection
from lesionseg.inspection.sections import Section, build_sections
from lesionseg.inspection.tables import escape_markdown

WIDTH = 88
_BLOCKS, _ASCII = " ▁▂▃▄▅▆▇█", " .:-=+*#@"


def render_report(
    inspection: Inspection,
    shown: int = 5,
    ascii_only: bool = False,
    style: Literal["text", "markdown"] = "text",
) -> str:
    r"""Render the whole report, without a newline at its end.

    Args:
        inspection: Findings.
        shown: Number of examples of each kind.
        ascii_only: Draw histograms with ASCII characters only.
        style: ``text`` or ``markdown``.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> from lesionseg.inspection import inspect_data
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     photos = Path(folder, "photos")
        ...     photos.mkdir()
        ...     Image.new("RGB", (640, 480)).save(photos / "a.png")
        ...     report = render_report(inspect_data(photos))
        >>> print(*report.splitlines()[:6], sep="\n")
        Files
          set     images  masks  usable  official images
          photos       1  none        1
        <BLANKLINE>
        Image sizes
          width x height   smallest     median    largest  distinct  width / height
    """
    render = _markdown if style == "markdown" else _text
    sections = build_sections(inspection, shown, _ASCII if ascii_only else _BLOCKS)
    return "\n\n".join(render(section, shown) for section in sections)


def _text(section: Section, shown: int) -> str:
    lines = [section.title]
    lines += [_wrap(section.note)] if section.note else []
    lines += [section.table.render("text")] if section.table.rows else []
    lines += [_wrap(text) for text in (*section.warnings, section.examples) if text]
    for kind, messages in section.lists:
        lines.append(f"  {len(messages):>5}  {kind}")
        lines += [_wrap(f"- {message}", "         ") for message in messages[:shown]]
        if len(messages) > shown:
            lines.append(f"         and {len(messages) - shown} more")
    return "\n".join(lines)


def _markdown(section: Section, shown: int) -> str:
    parts = [f"## {section.title}", escape_markdown(section.note)]
    parts += [section.table.render("markdown")] if section.table.rows else []
    parts += [f"**Warning:** {escape_markdown(warning)}" for warning in section.warnings]
    parts.append(escape_markdown(section.examples))
    for kind, messages in section.lists:
        more = [f"and {len(messages) - shown} more"] if len(messages) > shown else []
        items = [f"- {escape_markdown(text)}" for text in (*messages[:shown], *more)]
        parts += [f"### {kind}: {len(messages)}", "\n".join(items)]
    return "\n\n".join(part for part in parts if part)


def _wrap(text: str, indent: str = "  ") -> str:
    """Break lines at 88 columns; long paths stay whole, so that they can be copied."""
    return textwrap.fill(
        text,
        WIDTH,
        initial_indent=indent,
        subsequent_indent=indent + "  ",
        break_long_words=False,
        break_on_hyphens=False,
    )
