"""Single HTTP requests: which faults pass by themselves, which do not, and how long to wait."""

from __future__ import annotations

import random
import ssl
import threading
from collections.abc import Callable
from http.client import HTTPException, HTTPResponse, InvalidURL
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from lesionseg._version import __version__
from lesionseg.errors import LesionsegError

TIMEOUT = 30.0
"""Seconds without a byte after which a connection counts as cut."""
ATTEMPTS = 7
"""Faults in a row after which we give up; with the waits between them about a minute."""
FIRST_WAIT = 1.0
"""Seconds before the second attempt; doubled for each further one."""
MOST_WAIT = 60.0
"""Seconds between two attempts at most, whatever the server asks for."""

_PASSING = frozenset({408, 425, 429, 500, 502, 503, 504})


class PassingFault(Exception):
    """A fault that may be gone at the next attempt, and how many seconds the server asks for."""

    def __init__(self, what: str, wait: float = 0.0) -> None:
        super().__init__(what)
        self.wait = wait


class RefusedError(LesionsegError):
    """A server's answer that no further attempt will change.

    Args:
        message: one sentence.
        status: of HTTP; None where no server answered.
        content_range: the answer's header of that name, empty if it has none.
    """

    def __init__(self, message: str, status: int | None = None, content_range: str = "") -> None:
        super().__init__(message)
        self.status = status
        self.content_range = content_range


class Stopped(Exception):
    """Somebody asked the downloads to stop: Ctrl-C, or another one met a full disk."""


class Patience:
    """Waits between attempts, longer after every fault in a row, and gives up after many.

    The waits are drawn between half and all of 1, 2, 4 ... seconds, so that many clients do not
    come back together.

    Args:
        url: for the message.
        stop: ends a wait early.
        tell: is given what happened, in a few words, before each wait.
    """

    def __init__(self, url: str, stop: threading.Event, tell: Callable[[str], None]) -> None:
        self.url = url
        self.stop = stop
        self.tell = tell
        self.faults = 0

    def wait(self, fault: PassingFault) -> None:
        """Wait before the next attempt.

        Raises:
            LesionsegError: if that was the last one.
            Stopped: if somebody asks for it.
        """
        self.faults += 1
        if self.faults >= ATTEMPTS:
            raise LesionsegError(
                f"{self.url} could not be read in {ATTEMPTS} attempts ({fault}); what has come is "
                "kept: check the connection, and run the same command again."
            )
        self.tell(f"{fault}, tries again")
        drawn = FIRST_WAIT * 2 ** (self.faults - 1) * random.uniform(0.5, 1)
        if self.stop.wait(min(max(drawn, fault.wait), MOST_WAIT)):
            raise Stopped


def request(url: str, method: str = "GET", **headers: str) -> HTTPResponse:
    """Send one request and return the answer, its body still to be read.

    Redirects are followed, and proxies taken from the environment, by urllib.

    Args:
        url: ``http``, ``https`` or ``file``.
        method: ``GET`` or ``HEAD``.
        **headers: with ``_`` for ``-``.

    Raises:
        PassingFault: if another attempt may help.
        RefusedError: if none will.
    """
    # Compressed on the way, bytes would not be those that ranges and checksums count.
    sent = {"User-Agent": f"lesionseg/{__version__}", "Accept-Encoding": "identity"}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        answer: HTTPResponse = urlopen(Request(url, headers=sent, method=method), timeout=TIMEOUT)
    except HTTPError as error:
        with error:
            if error.code in _PASSING:
                raise PassingFault(f"answer {error.code}", _seconds(error)) from error
            raise RefusedError(
                f"The server answers {error.code} ({error.reason}) to {url}; check the address, "
                "or choose another --mirror.",
                error.code,
                error.headers.get("Content-Range", ""),
            ) from error
    except URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError | FileNotFoundError):
            raise RefusedError(
                f"{url} cannot be read ({error.reason}); check the address, or choose another "
                "--mirror."
            ) from error
        raise PassingFault(str(error.reason)) from error
    except (InvalidURL, UnicodeError) as error:
        raise RefusedError(f"{url} is no address ({error}); choose another --mirror.") from error
    except (OSError, HTTPException) as error:
        raise PassingFault(str(error) or type(error).__name__) from error
    if answer.headers.get_content_type() == "text/html":
        # What a hotel's network sends instead must not replace the part that is here.
        answer.close()
        raise PassingFault("a web page instead of a zip")
    return answer


def length_of(answer: HTTPResponse) -> int | None:
    """The bytes of an answer's body, None where the server does not tell."""
    text = answer.headers.get("Content-Length", "")
    return int(text) if text.isdecimal() else None


def remote_length(url: str, stop: threading.Event, tell: Callable[[str], None]) -> int | None:
    """Ask how many bytes a file has (HEAD); None where the server does not tell.

    Args:
        url: of the file.
        stop: ends the waits between attempts.
        tell: as for :class:`Patience`.

    Raises:
        LesionsegError: if there is no such file, or the server cannot be reached.
        Stopped: if somebody asks for it.
    """
    patience = Patience(url, stop, tell)
    while True:
        try:
            with request(url, "HEAD") as answer:
                return length_of(answer)
        except PassingFault as fault:
            patience.wait(fault)
        except RefusedError as error:
            if error.status in (405, 501):  # no HEAD there; GET will tell
                return None
            raise


def _seconds(error: HTTPError) -> float:
    """What ``Retry-After`` asks for; dates there are not read."""
    text = error.headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else 0.0
