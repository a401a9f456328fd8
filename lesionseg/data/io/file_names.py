"""File names that can be shown, and written to lists and tables."""

from __future__ import annotations

import unicodedata
from pathlib import Path

from lesionseg.errors import InvalidDataError, printable

_CONTROL, _NOT_UTF8 = "Cc", "Cs"  # Unicode's categories; Python reads bad bytes as surrogates


def check_name(path: Path) -> Path:
    """Return a path whose file name is readable text.

    The names of images become ids, in tables, lists of ids and zips of masks, which are UTF-8 text
    with one id in a line.

    Raises:
        InvalidDataError: If the file name is not UTF-8 or has control characters, such as a line
            break.
    """
    kinds = {unicodedata.category(character) for character in path.name}
    if _NOT_UTF8 in kinds:
        why = "is not UTF-8 text"
    elif _CONTROL in kinds:
        why = "has control characters"
    else:
        return path
    raise InvalidDataError(
        f"the file name {printable(str(path), breaks=False)} {why}; rename the file."
    )
