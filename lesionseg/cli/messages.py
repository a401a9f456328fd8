"""jsonargparse's reports, which run over many lines, as one sentence."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

_KEY = re.compile(r'^-?\s*Parser key "([^"]+)":\s*(.*)$')
_UNKNOWN_CLASS = re.compile(r"Expected a dot import path string: (\S+)|Import path (\S+) ")
_PLAIN = (
    (re.compile(r"Expected a <class '(\w+)'>"), r"expected \1"),
    (re.compile(r"Expected a typing\.Literal\[([^]]*)\]"), r"expected one of \1"),
    (re.compile(r"\. Got value: "), ", got "),
    (re.compile(r"\b(fit|validate|test|predict)\.(?=\w)"), "--"),
)
_NOISE = (
    "Does not validate against any of the Union subtypes",
    "Subtypes:",
    "Errors:",
    "Expected a <class 'NoneType'>",
    "Expected a path but",
    "Given value",
)


def one_sentence(message: str, choices: Mapping[str, Sequence[str]]) -> str:
    """Shortens a parser's message to what the user got wrong.

    Args:
        message: As jsonargparse gives it.
        choices: For ``"model"`` and ``"data"`` the class names that may stand there.
    """
    keys: list[str] = []
    details: list[str] = []
    for line in message.splitlines():
        text = line.strip().removeprefix("- ")
        key = _KEY.match(text)
        if key:
            keys.append(key[1])
            text = key[2]
        unknown = _UNKNOWN_CLASS.search(text)
        if unknown and keys and keys[0] in choices:
            return _no_such_class(keys[0], unknown[1] or unknown[2], choices[keys[0]])
        if text and not text.startswith(_NOISE):
            details.append(text)
    sentence = "; ".join(dict.fromkeys(details))
    if keys:
        # an inner parser has already named its own key
        inner = sentence.removeprefix("--")
        sentence = f"--{'.'.join(keys)}{'.' if inner != sentence else ': '}{inner}"
    for pattern, replacement in _PLAIN:
        sentence = pattern.sub(replacement, sentence)
    return sentence


def _no_such_class(what: str, name: str, choices: Sequence[str]) -> str:
    close = get_close_matches(name, choices, 1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"there is no --{what} {name!r}; {hint}Choose from {', '.join(choices)}."
