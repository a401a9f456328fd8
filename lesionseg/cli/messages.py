"""Errors of jsonargparse and of the operating system, each as one sentence."""

from __future__ import annotations

import errno
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches

# Messages of jsonargparse since 4.35; tests/cli/help/test_suggestions.py provokes them.
_KEY = re.compile(r'^-?\s*Parser key "([^"]+)":\s*(.*)$')
_UNKNOWN_CLASS = re.compile(r"Expected a dot import path string: (\S+)|Import path (\S+) ")
_REPLACEMENTS = (
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
    r"""Shorten a parser's message to what the user got wrong.

    Args:
        message: Message of jsonargparse, of any number of lines.
        choices: For ``"model"`` and ``"data"`` the names of the known classes.

    Example:
        >>> from lesionseg.cli.messages import one_sentence
        >>> message = 'Parser key "data.root":\n  Expected a <class "str">. Got value: 3'
        >>> one_sentence(message, {})
        '--data.root: Expected a <class "str">, got 3'
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
    for pattern, replacement in _REPLACEMENTS:
        sentence = pattern.sub(replacement, sentence)
    return sentence


def _no_such_class(option: str, name: str, choices: Sequence[str]) -> str:
    close = get_close_matches(name, choices, 1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"there is no --{option} {name!r}; {hint}Choose from {', '.join(choices)}."


def describe_os_error(error: OSError) -> str:
    """Return a sentence that names the file and, where there is one, the fix.

    Args:
        error: Raised by an operation on a file or folder.
    """
    where = f" {error.filename}" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"the disk is full; make room and run the same command again{where and ':' + where}"
    if isinstance(error, FileNotFoundError):
        return f"no such file or folder:{where}" if where else str(error)
    if isinstance(error, PermissionError):
        return f"no permission to use{where}"
    if isinstance(error, FileExistsError | NotADirectoryError) and where:
        return f"a folder is needed where there is a file:{where}"
    return f"{error.strerror or error}{where and ':' + where}"
