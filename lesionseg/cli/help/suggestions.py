"""Suggestions for misspelled options."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

_MINIMUM = 0.7  # likeness of a suggestion
_SHORTEST = 4  # letters of a part that suggests the whole name
#: Messages of jsonargparse, newer and older.
_REFUSED = r"(?:--([\w.-]+):? ?)?(?:Option|Key) ['\"]([\w.-]+)['\"] is not (?:accepted|expected)"
_UNRECOGNIZED = r"unrecognized arguments:.*?(-{1,2}[A-Za-z][\w.+-]*)"


def closest_options(wrong: str, known: Iterable[str], shown: int = 2) -> list[str]:
    """Return the options that were most likely meant, the best first.

    Considers spelling, ``-`` for ``_``, parts of a name, initials of its words (``lr``) and options
    of another group.

    Args:
        wrong: Unknown option, with its dashes.
        known: Existing options, with their dashes.
        shown: Maximum number; several are returned only if they are equally likely.

    Example:
        >>> from lesionseg.cli.help.suggestions import closest_options
        >>> closest_options("--model.lr", ["--model.learning_rate", "--model.threshold"])
        ['--model.learning_rate']
    """
    scored = [(_likeness(wrong, option), option) for option in dict.fromkeys(known)]
    best = max((score for score, _ in scored), default=0.0)
    if best < _MINIMUM:
        return []
    return sorted((option for score, option in scored if best - score < 0.01), key=len)[:shown]


def _likeness(wrong: str, option: str) -> float:
    from difflib import SequenceMatcher  # only needed after a mistake

    group, _, name = wrong.lstrip("-").replace(".init_args", "").rpartition(".")
    known_group, _, known_name = option.lstrip("-").rpartition(".")
    letters, known_letters = _letters(name), _letters(known_name)
    if letters == known_letters:
        score = 1.0
    elif letters == "".join(word[0] for word in re.split(r"[_-]", known_name) if word):
        score = 0.95
    elif len(letters) >= _SHORTEST and (
        known_letters.endswith(letters) or known_letters.startswith(letters)
    ):
        score = 0.9
    elif len(letters) > 1 and _initials_end(known_name, letters):
        score = 0.85
    else:
        score = SequenceMatcher(None, letters, known_letters).ratio()
    if group == known_group:
        return score
    # another group, or none: the name must match clearly
    ratio = SequenceMatcher(None, group, known_group).ratio() if group else 0.5
    return score - 0.2 * (1 - ratio)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _initials_end(name: str, initials: str) -> bool:
    """Return whether they are those of the last words: ``lr`` of ``generator_learning_rate``."""
    words = re.split(r"[_-]", name)
    return "".join(word[:1] for word in words).endswith(initials)


def hint(wrong: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean ...?"``, empty where nothing is close.

    Args:
        wrong: Unknown option, with its dashes.
        known: Existing options, with their dashes.
    """
    close = closest_options(wrong, known)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def refused_option(message: str) -> str | None:
    """Return the option, with its dashes, that a parser's error message refuses.

    Args:
        message: Message of argparse or, shortened, of jsonargparse.
    """
    refused = re.search(_REFUSED, message)
    if refused:
        return f"--{refused[1] + '.' if refused[1] else ''}{refused[2]}"
    unrecognized = re.search(_UNRECOGNIZED, message)
    return unrecognized[1] if unrecognized else None


def unknown_options(arguments: Sequence[str], known: Iterable[str]) -> list[str]:
    """Return the long options among the arguments of a command that do not exist.

    Args:
        arguments: Arguments; those from ``--`` on are ignored.
        known: Existing options, with their dashes.
    """
    names = set(known)
    end = arguments.index("--") if "--" in arguments else len(arguments)
    options = [word.partition("=")[0] for word in arguments[:end] if word.startswith("--")]
    return [option for option in options if option not in names]
