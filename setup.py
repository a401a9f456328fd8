"""Prepare the README for package indexes, which do not show the files of this folder."""

import re
from pathlib import Path

from setuptools import setup

README = Path(__file__).parent / "README.md"


def index_readme(text: str) -> str:
    """Return the README without pictures and with links to files of this folder as plain text.

    Args:
        text: The README's Markdown. A paragraph in italics after a picture is its caption.
    """
    text = re.sub(r"^!\[[^\]]*\]\([^)]*\)\n+\*[^\n]*\*\n+", "", text, flags=re.MULTILINE)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)", "", text)
    return re.sub(r"\[([^\]]*)\]\((?!https?://|#)[^)]*\)", r"\1", text)


if __name__ == "__main__":
    setup(
        long_description=index_readme(README.read_text(encoding="utf-8")),
        long_description_content_type="text/markdown",
    )
