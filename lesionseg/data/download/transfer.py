"""One file over HTTP that is resumed after every cut and checked while it comes.

Standard library, because no library at hand does this whole: torch.hub and torchvision
(``download_url``) give up at a cut, pooch tries again, and all three begin at 0 then;
huggingface_hub resumes, but takes any 206 for the range that it asked for, compares lengths only
and is made for its own hub; requests, httpx and aiohttp leave ranges to their user, as urllib does.

What protects the file: ``If-Range`` with the ETag of its first bytes, the ``Content-Range`` of
each answer, the length, and in the end the checksum of every byte on disk.
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from contextlib import suppress
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from typing import BinaryIO

from lesionseg.data.download.http import (
    PassingFault,
    Patience,
    RefusedError,
    Stopped,
    length_of,
    request,
)
from lesionseg.data.download.progress import TransferBar
from lesionseg.errors import LesionsegError

_CHUNK = 1 << 18
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")
_NO_RANGE = re.compile(r"bytes \*/(\d+)")


class Transfer:
    """Brings one file; what has come of it lies in ``part`` whatever happens, ``kill -9`` too.

    Args:
        url: of the file.
        part: where it grows. Beside it, ``part`` and ``.json`` keeps what the server said of it.
        checksum: name of hashlib and hexadecimal digest.
        size: bytes that the file must have, None where that is not known.
        bar: shows the way.
        stop: makes :meth:`run` raise :class:`Stopped` before it writes anything more.
        told: bytes that it has as the server said before; taken where an answer does not tell.
    """

    def __init__(
        self,
        url: str,
        part: Path,
        checksum: tuple[str, str],
        size: int | None,
        bar: TransferBar,
        stop: threading.Event,
        told: int | None = None,
    ) -> None:
        self.url = url
        self.part = part
        self.checksum = checksum
        self.size = size
        self.told = told
        self.bar = bar
        self.stop = stop
        self.note = note_of(part)
        self._total = size
        self._validator = ""
        self._ranges = True
        self._forget()

    def run(self) -> None:
        """Bring the whole file, from where an earlier run was cut off.

        Raises:
            LesionsegError: if the server cannot be reached or refuses (the part is kept), or if
                the checksum is wrong in the end (the part is deleted).
            OSError: if the disk is full; the part is kept.
            Stopped: if somebody asks for it; the part is kept.
        """
        self.part.touch()
        with self.part.open("r+b", buffering=0) as file:  # unbuffered: what is counted is there
            self._take_up(file)
            self._bring(file)
        self._check()

    def _take_up(self, file: BinaryIO) -> None:
        """Go on with what an earlier run left."""
        length = file.seek(0, 2)
        if not length:
            return
        with suppress(OSError, ValueError, TypeError, KeyError):
            said = json.loads(self.note.read_text(encoding="utf-8"))
            if said["url"] == self.url:  # a mirror has other ETags
                self._validator = str(said["validator"])
                self._total = self.size or (said["total"] and int(said["total"]))
        if self._total is not None and length > self._total:
            self._restart(file, f"the part is longer than the archive's {self._total} bytes")
            return
        self.bar.begin("checks", length)
        self._hash = hash_of(file, self.checksum[0], self.bar, self.stop)
        self._here = length

    def _bring(self, file: BinaryIO) -> None:
        patience = Patience(self.url, self.stop, self.bar.note)
        farthest = self._here
        while self._here != self._total:
            try:
                if self._attempt(file):
                    return
            except PassingFault as fault:
                # Only new bytes count: a server without ranges could cut for ever at one place.
                if self._here > farthest:
                    farthest, patience.faults = self._here, 0
                patience.wait(fault)

    def _attempt(self, file: BinaryIO) -> bool:
        """Send one request and write what comes; True where the server calls that the end."""
        if self._here and not self._ranges:
            self._restart(file, "cut, and the server's ranges are wrong")
        headers = {}
        if self._here:
            headers["Range"] = f"bytes={self._here}-"
            if self._validator:
                headers["If_Range"] = self._validator
        try:
            answer = request(self.url, **headers)
        except RefusedError as error:
            if error.status != 416 or not self._here:
                raise
            match = _NO_RANGE.fullmatch(error.content_range)
            if match and int(match[1]) == self._here:
                return True  # all was here; the checksum tells whether it is right
            self._restart(file, "the file on the server is shorter than what is here")
            return False
        with answer:
            if not self._accept(answer, file):
                return False
            self.bar.begin("download", self._total, self._here)
            self._copy(answer, file)
        if self._total is None:
            return True  # no length told: the connection's end is the file's
        if self._here < self._total:
            raise PassingFault("cut")
        return True

    def _accept(self, answer: HTTPResponse, file: BinaryIO) -> bool:
        """Whether the answer's bytes follow those that are here, perhaps after a new start."""
        status = answer.status or 200  # file:// has none
        if status == 206:
            return self._accept_range(answer, file)
        if status != 200:
            raise PassingFault(f"answer {status}")
        length = length_of(answer)
        if None not in (length, self.size) and length != self.size:
            raise LesionsegError(
                f"{self.url} has {length} bytes, and not the {self.size} of the official archive; "
                "choose another --mirror."
            )
        if self._here:
            self._restart(file, "the server has no ranges, or another file than before")
        self._total = length or self.size or self.told
        etag = answer.headers.get("ETag", "")
        # A weak ETag may not be used here (RFC 9110, 13.1.5); a date is better than nothing.
        weak = not etag or etag.startswith("W/")
        self._validator = answer.headers.get("Last-Modified", "") if weak else etag
        said = {"url": self.url, "validator": self._validator, "total": self._total}
        self.note.write_text(json.dumps(said), encoding="utf-8")
        return True

    def _accept_range(self, answer: HTTPResponse, file: BinaryIO) -> bool:
        content_range = answer.headers.get("Content-Range", "")
        if not self._here:
            raise PassingFault("a range that was not asked for")
        etag = answer.headers.get("ETag", "")
        if etag.startswith('"') and self._validator.startswith('"') and etag != self._validator:
            self._restart(file, "the server has another file than before")  # and ignores If-Range
            return False
        match = _RANGE.fullmatch(content_range)
        if match is None or int(match[1]) != self._here:
            self._ranges = False
            self._restart(file, f"the server sent a wrong range ({content_range or 'not told'})")
            return False
        if match[3] != "*":
            total = int(match[3])
            if self._total not in (None, total):
                self._restart(file, f"the server's file now has {total} bytes")
                return False
            self._total = total
        return True

    def _copy(self, answer: HTTPResponse, file: BinaryIO) -> None:
        """Write the answer's body behind what is here."""
        while self._total is None or self._here < self._total:
            most = _CHUNK if self._total is None else min(_CHUNK, self._total - self._here)
            try:
                data = answer.read1(most)  # what is there, instead of waiting for a whole chunk
            except (OSError, HTTPException, ValueError) as error:
                raise PassingFault(str(error) or type(error).__name__) from error
            if self.stop.is_set():
                raise Stopped
            if not data:
                return
            rest = memoryview(data)
            while rest:
                rest = rest[file.write(rest) :]
            self._hash.update(data)
            self._here += len(data)
            self.bar.advance(len(data))

    def _restart(self, file: BinaryIO, why: str) -> None:
        self.bar.say(f"{why}; starts again from 0")
        file.seek(0)
        file.truncate()
        self._total = self.size
        self._forget()

    def _forget(self) -> None:
        self._here = 0
        self._hash = new_hash(self.checksum[0])

    def _check(self) -> None:
        name, wanted = self.checksum
        if self._hash.hexdigest() == wanted:
            return
        self.part.unlink()
        self.note.unlink(missing_ok=True)
        raise LesionsegError(
            f"{self.url} gave other bytes than the official archive (the "
            f"{checksum_text(name)} is {self._hash.hexdigest()}, not {wanted}) and what came was "
            "deleted; run the same command again, or choose another --mirror."
        )


def note_of(part: Path) -> Path:
    """The file beside ``part`` with what the server said of it."""
    return part.with_name(f"{part.name}.json")


def new_hash(name: str) -> hashlib._Hash:
    """A hash that counts bytes; MD5 guards against accidents here, not against attackers."""
    return hashlib.new(name, usedforsecurity=False)


def checksum_text(name: str) -> str:
    """The checksum's usual name."""
    return {"sha256": "SHA-256", "md5": "MD5"}.get(name, name)


def hash_of(file: BinaryIO, name: str, bar: TransferBar, stop: threading.Event) -> hashlib._Hash:
    """Hash a whole open file and leave its position at the end.

    Raises:
        Stopped: if somebody asks for it.
    """
    digest = new_hash(name)
    file.seek(0)
    while data := file.read(4 * _CHUNK):
        if stop.is_set():
            raise Stopped
        digest.update(data)
        bar.advance(len(data))
    return digest
