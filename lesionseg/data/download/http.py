"""HTTP downloads that retry, resume and are verified.

torch.hub, torchvision and pooch start again at byte 0 after a lost connection; huggingface_hub
resumes, but verifies the length only; requests and httpx leave ranges to their callers.
"""

from __future__ import annotations

import hashlib
import random
import ssl
import sys
import threading
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse, InvalidURL
from pathlib import Path
from typing import BinaryIO, TypeVar
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from tqdm import tqdm

from lesionseg._version import __version__
from lesionseg.errors import LesionsegError

TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as lost."""
ATTEMPTS = 7
"""Failed attempts in a row after which a download gives up, about a minute later."""
FIRST_WAIT = 1.0
"""Seconds before the second attempt; doubled for each further one."""
MAX_WAIT = 60.0
"""Greatest number of seconds between two attempts."""

_CHUNK = 1 << 18
_TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})

Value = TypeVar("Value")


class Stopped(Exception):
    """All downloads were asked to stop: by Ctrl-C, or because the disk is full."""


class _TransientError(Exception):
    """An error that may not occur in another attempt."""


def download(
    url: str, part: Path, size: int | None, bar: tqdm[None], stop: threading.Event
) -> None:
    """Download a file, and resume from what an earlier attempt or run has left of it.

    Args:
        url: Address of the file.
        part: File that the bytes are appended to; kept whatever happens.
        size: Length of the file in bytes, None if unknown.
        bar: Counts the bytes that are written.
        stop: Once set, nothing more is written.

    Raises:
        LesionsegError: If the server cannot be reached, refuses, or has another file.
        OSError: If the disk is full.
        Stopped: If ``stop`` was set.
    """
    part.touch()
    with part.open("r+b", buffering=0) as file:
        if file.seek(0, 2) != size:
            _retry(url, lambda: _receive(url, file, size, bar, stop), stop, file.tell)


def remote_size(url: str, stop: threading.Event) -> int | None:
    """Return the length of a file in bytes, None if the server does not report it.

    Raises:
        LesionsegError: If there is no such file or the server cannot be reached.
    """

    def ask() -> int | None:
        with _request(url, "HEAD") as response:
            return _content_length(response)

    return _retry(url, ask, stop)


def digest(path: Path, algorithm: str, stop: threading.Event) -> str:
    """Return the checksum of a file in hexadecimal.

    Raises:
        Stopped: If ``stop`` was set.
    """
    state = hashlib.new(algorithm, usedforsecurity=False)
    with path.open("rb") as file:
        while data := file.read(4 * _CHUNK):
            if stop.is_set():
                raise Stopped
            state.update(data)
    return state.hexdigest()


def say(text: str) -> None:
    """Write a line to stderr, above the progress bar."""
    tqdm.write(f"download: {text}", file=sys.stderr)


def _retry(
    url: str,
    attempt: Callable[[], Value],
    stop: threading.Event,
    position: Callable[[], int] = lambda: 0,
) -> Value:
    """Repeat an attempt until it succeeds or fails ``ATTEMPTS`` times without a new byte."""
    failures, farthest = 0, position()
    while True:
        try:
            return attempt()
        except _TransientError as error:
            if position() > farthest:
                failures, farthest = 0, position()
            failures += 1
            if failures >= ATTEMPTS:
                raise LesionsegError(
                    f"{url} could not be read in {ATTEMPTS} attempts ({error}); check the "
                    "connection and run the same command again, which resumes."
                ) from error
            say(f"{url}: {error}; retrying")
            # Random, so that many clients do not return at the same moment.
            wait = FIRST_WAIT * 2 ** (failures - 1) * random.uniform(0.5, 1)
            if stop.wait(min(wait, MAX_WAIT)):
                raise Stopped from error


def _receive(
    url: str, file: BinaryIO, size: int | None, bar: tqdm[None], stop: threading.Event
) -> None:
    """Request what is missing at the end of a file and append it."""
    here = file.seek(0, 2)
    with _request(url, headers={"Range": f"bytes={here}-"} if here else {}) as response:
        length = _content_length(response)
        if response.status == 416:  # nothing is missing; the checksum shows whether it is right
            return
        if response.status == 206:
            given = response.headers.get("Content-Range", "")
            if not given.startswith(f"bytes {here}-"):
                raise LesionsegError(
                    f"{url}: expected the bytes from {here}, got {given or 'no range'}; choose "
                    "another --mirror."
                )
        else:
            if None not in (size, length) and length != size:
                raise LesionsegError(
                    f"{url} has {length} bytes, and the official archive {size}; choose another "
                    "--mirror."
                )
            if here:
                say(f"{url}: the server cannot resume; starting again from 0")
                _advance(bar, -here)
                here = file.seek(0)
                file.truncate()
        end = size if length is None else here + length
        while data := _read(response):
            if stop.is_set():
                raise Stopped
            rest = memoryview(data)
            while rest:  # an unbuffered file may take a part only
                rest = rest[file.write(rest) :]
            _advance(bar, len(data))
    if end is not None and file.tell() < end:
        raise _TransientError("connection lost")


def _request(url: str, method: str = "GET", headers: dict[str, str] | None = None) -> HTTPResponse:
    """Send a request; redirects and proxies of the environment are left to urllib."""
    # Compressed in transit, bytes would not be those that ranges and checksums count.
    sent = {"User-Agent": f"lesionseg/{__version__}", "Accept-Encoding": "identity"}
    request = Request(url, headers=sent | (headers or {}), method=method)
    try:
        response: HTTPResponse = urlopen(request, timeout=TIMEOUT)
    except HTTPError as error:
        if error.code == 416:
            return error  # type: ignore[return-value]  # a response too
        with error:
            if error.code in _TRANSIENT:
                raise _TransientError(f"status {error.code}") from error
            raise LesionsegError(
                f"{url}: the server answered {error.code} ({error.reason}); check the address, or "
                "choose another --mirror."
            ) from error
    except (OSError, HTTPException, UnicodeError) as error:
        reason = getattr(error, "reason", error)
        if isinstance(
            reason,
            ssl.SSLCertVerificationError | FileNotFoundError | InvalidURL | UnicodeError,
        ):
            raise LesionsegError(
                f"{url} cannot be read ({reason}); check the address, or choose another --mirror."
            ) from error
        raise _TransientError(str(reason) or type(reason).__name__) from error
    if response.headers.get_content_type() == "text/html":  # such as a hotel's login page
        response.close()
        raise _TransientError("expected a zip archive, got a web page")
    return response


def _content_length(response: HTTPResponse) -> int | None:
    text = response.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def _read(response: HTTPResponse) -> bytes:
    try:
        return response.read1(_CHUNK)  # what has arrived, without waiting for a whole chunk
    except (OSError, HTTPException, ValueError) as error:
        raise _TransientError(str(error) or type(error).__name__) from error


def _advance(bar: tqdm[None], count: int) -> None:
    with bar.get_lock():
        bar.update(count)
