"""Which option was meant where there is none of a name."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import SequenceMatcher

_LEAST = 0.7
_SHORTEST = 4  # letters of a word that may stand for one that it is a part of
#: Of jsonargparse, in its newer and its older words.
_REFUSED = re.compile(
    r"(?:--([\w.-]+):? ?)?(?:Option|Key) ['\"]([\w.-]+)['\"] is not (?:accepted|expected)"
)
_UNRECOGNIZED = re.compile(r"unrecognized arguments:.*?(-{1,2}[A-Za-z][\w.+-]*)")


def closest_options(wrong: str, known: Iterable[str], shown: int = 2) -> list[str]:
    """Return the options that were most likely meant, the best first.

    Spelling, ``-`` for ``_``, parts of a name, its words' initials (``lr``) and another group's
    option all count.

    Args:
        wrong: What was given, with its dashes.
        known: Options there are, with theirs.
        shown: How many at most; several are returned only where they are equally likely.
    """
    scored = [(_likeness(wrong, one), one) for one in dict.fromkeys(known)]
    best = max((score for score, _ in scored), default=0.0)
    if best < _LEAST:
        return []
    return sorted((one for score, one in scored if best - score < 0.01), key=len)[:shown]


def _likeness(wrong: str, option: str) -> float:
    group, _, name = wrong.lstrip("-").replace(".init_args", "").rpartition(".")
    known_group, _, known_name = option.lstrip("-").rpartition(".")
    one, other = _letters(name), _letters(known_name)
    if one == other:
        score = 1.0
    elif one == "".join(word[0] for word in re.split(r"[_-]", known_name) if word):
        score = 0.95
    elif len(one) >= _SHORTEST and (other.endswith(one) or other.startswith(one)):
        score = 0.9
    elif len(one) > 1 and _initials_end(known_name, one):
        score = 0.85
    else:
        score = SequenceMatcher(None, one, other).ratio()
    if group == known_group:
        return score
    # the wrong group, or none: only a name that is clearly that of another group's option
    ratio = SequenceMatcher(None, group, known_group).ratio() if group else 0.5
    return score - 0.2 * (1 - ratio)


def _letters(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.lower())


def _initials_end(name: str, initials: str) -> bool:
    """Whether they are those of the last words: ``lr`` of ``generator_learning_rate``."""
    words = re.split(r"[_-]", name)
    return "".join(word[:1] for word in words).endswith(initials)


def hint(wrong: str, known: Iterable[str]) -> str:
    """Return ``"; did you mean ...?"``, or nothing where nothing is close.

    Args:
        wrong: What was given, with its dashes.
        known: Options there are, with theirs.
    """
    close = closest_options(wrong, known)
    return f"; did you mean {' or '.join(close)}?" if close else ""


def refused_option(message: str) -> str | None:
    """Return the option, with its dashes, that an error message of a parser refuses.

    Args:
        message: Of argparse or, shortened, of jsonargparse.
    """
    refused = _REFUSED.search(message)
    if refused:
        return f"--{refused[1] + '.' if refused[1] else ''}{refused[2]}"
    unrecognized = _UNRECOGNIZED.search(message)
    return unrecognized[1] if unrecognized else None


def unknown_options(arguments: Sequence[str], known: Iterable[str]) -> list[str]:
    """Return what looks like a long option among the arguments of a command and is none.

    Args:
        arguments: Up to a lone ``--``.
        known: Options there are, with their dashes.
    """
    names = set(known)
    end = arguments.index("--") if "--" in arguments else len(arguments)
    found = [one.partition("=")[0] for one in arguments[:end] if one.startswith("--")]
    return [one for one in found if one not in names]
