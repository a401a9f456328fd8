"""Write the report as one HTML page: no script, no other file, no network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from lesionseg._version import __version__
from lesionseg.files import MARK, atomic_path
from lesionseg.inspection.pictures import choose_pictures, draw_pictures
from lesionseg.inspection.scan import Inspection
from lesionseg.inspection.sections import Section, build_sections

_MAX_MESSAGES = 100  # of a kind of problem


def write_page(inspection: Inspection, path: str | Path) -> None:
    """Write the page, whole or not at all.

    It shows examples only, so that it stays small: about 3 MB for any number of images.

    Args:
        inspection: Findings; the images that are shown are read again.
        path: HTML file.

    Raises:
        LesionsegError: If an image is no longer readable.
        OSError: If the page cannot be written.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> from lesionseg.inspection import inspect_data
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     Image.new("RGB", (64, 48)).save(Path(folder, "a.png"))
        ...     write_page(inspect_data(folder), Path(folder, "page.html"))
        ...     Path(folder, "page.html").read_text().startswith("<!DOCTYPE html>")
        True
    """
    text = render_page(inspection)
    with atomic_path(path) as unfinished:
        # Names of files may hold bytes that are not text.
        unfinished.write_text(text, encoding="utf-8", errors="replace")


def render_page(inspection: Inspection) -> str:
    """Return the page as text."""
    sections = build_sections(inspection, shown=0)
    sections.insert(4, sections.pop())  # problems follow the tables of the sets
    sections.append(Section("samples", "Samples, with the lesion's share of the image"))
    sections.append(Section("extremes", "Smallest and largest lesions"))
    return render_template(
        "inspection/page.html.jinja",
        title=f"Inspection of {', '.join(map(str, inspection.paths))}",
        sections=sections,
        pictures=draw_pictures(choose_pictures(inspection)),
        histograms=[(s.name, s.areas.histogram) for s in inspection.summaries if s.areas],
        max_messages=_MAX_MESSAGES,
    )


def render_template(name: str, **values: Any) -> str:
    """Render a page from a template of the package.

    Args:
        name: Room and file of the template, such as ``inspection/page.html.jinja``; it may extend
            ``inspection/base.html.jinja``, which holds the style.
        values: Variables of the template.

    Returns:
        HTML.
    """
    environment = Environment(
        loader=PackageLoader("lesionseg", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name).render(mark=MARK, version=__version__, **values)
