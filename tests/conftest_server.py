"""A real HTTP server on this machine that can misbehave, and tiny official archives for it."""

import hashlib
import io
import json
import re
import threading
import time
import zipfile
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from conftest_isic import OFFICIAL, write_isic

from lesionseg.data.archives import Archive, Official
from lesionseg.data.id_lists import official_ids

#: Runs the command line in a process of its own, which is told of the tiny archives.
COMMAND = """
import json, sys
from lesionseg import cli
from lesionseg.data import archives, web
web.FIRST_WAIT = 0.01
for split, pair in json.loads(sys.argv[1]).items():
    two = (archives.Archive(*one) for one in pair)
    archives.ARCHIVES[2018][split] = archives.Official(*two)
sys.exit(cli.main(sys.argv[2:]))
"""


class ArchiveServer:
    """Serves ``files`` by path, with ranges and ETags.

    ``faults[path]`` is a list of dicts, one for each GET, the last one for all further; an empty
    dict is a server that behaves:

    - ``status``: answer so, with ``retry`` as Retry-After
    - ``cut``: close the connection after so many bytes of the body
    - ``hold``: wait for ``released`` after so many bytes
    - ``shift``: send a range that begins so many bytes later
    - ``total``: tell another length of the whole file in Content-Range
    - ``ranges`` False: always send the whole file
    - ``length`` False: tell no length
    - ``etag``: send a range with this ETag, whatever ``If-Range`` asks for
    - ``page``: send a web page instead
    """

    def __init__(self, address: str) -> None:
        self.url = address
        self.files: dict[str, bytes] = {}
        self.faults: dict[str, list[dict]] = {}
        self.requests: list[tuple[str, str, str | None]] = []
        self.sent: dict[str, int] = {}
        self.released = threading.Event()
        self.meeting: threading.Barrier | None = None

    def gets(self, path: str | None = None) -> list[str | None]:
        """The ranges that were asked for, of one path or all."""
        return [one[2] for one in self.requests if one[0] == "GET" and path in (None, one[1])]

    def fault(self, path: str) -> dict:
        faults = self.faults.get(path) or [{}]
        return faults.pop(0) if len(faults) > 1 else faults[0]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    owner: ArchiveServer

    def log_message(self, *_):
        pass

    def do_HEAD(self):
        self.owner.requests.append(("HEAD", self.path, None))
        data = self.owner.files.get(self.path)
        self.send_response(404 if data is None else 200)
        self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()

    def do_GET(self):
        owner = self.owner
        asked = self.headers.get("Range")
        owner.requests.append(("GET", self.path, asked))
        if owner.meeting is not None:
            owner.meeting.wait(5)
        data, fault = owner.files.get(self.path), owner.fault(self.path)
        self.close_connection = True
        if data is None or "status" in fault:
            self.send_response(fault.get("status", 404))
            self.send_header("Retry-After", fault.get("retry", "0"))
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        if "page" in fault:
            self.answer(
                200, b"<html>Welcome to the hotel</html>", {}, {"Content-Type": "text/html"}
            )
            return
        etag = f'"{hashlib.md5(data).hexdigest()}"'
        first = 0
        same = "etag" in fault or self.headers.get("If-Range", etag) == etag
        if asked and fault.get("ranges", True) and same:
            first = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if first >= len(data):
                self.answer(416, b"", {}, {"Content-Range": f"bytes */{len(data)}"})
                return
            first += fault.get("shift", 0)
            total = fault.get("total", len(data))
            told = {"Content-Range": f"bytes {first}-{len(data) - 1}/{total}"}
            self.answer(206, data[first:], fault, told | {"ETag": fault.get("etag", etag)})
        else:
            self.answer(200, data, fault, {"ETag": etag})

    def answer(self, status, body, fault, headers):
        self.send_response(status)
        if fault.get("length", True):
            self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        until = fault.get("cut", fault.get("hold", len(body)))
        try:
            # counted first: the client may be done with it before write returns
            self.owner.sent[self.path] = self.owner.sent.get(self.path, 0) + len(body[:until])
            self.wfile.write(body[:until])
            if "hold" in fault:
                self.owner.released.wait(20)
        except OSError:
            pass  # the client is gone


@contextmanager
def archive_server():
    """An :class:`ArchiveServer` at work."""
    handler = type("Handler", (_Handler,), {})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    owner = handler.owner = ArchiveServer(f"http://127.0.0.1:{server.server_port}")
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield owner
    finally:
        owner.released.set()
        server.shutdown()
        server.server_close()


def zipped(files: dict[str, bytes]) -> bytes:
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def official_zips(folder: Path, year: int, split: str, count: int) -> dict[str, bytes]:
    """Zips of a tiny split by their names, as the real ones: a folder in each, and more files."""
    ids = sorted(official_ids(year, split))[:count]  # others do not count as the split's
    write_isic(folder, year, split, count, ids=ids)
    return {
        name: zipped(
            {f"{name}/{path.name}": path.read_bytes() for path in (folder / name).iterdir()}
        )
        for name in OFFICIAL[year, split]
    }


def facts_of(zips: dict[str, bytes], count: int) -> Official:
    """What the archives of a tiny split are known by."""
    return Official(
        *(
            Archive(name, count, None, hashlib.sha256(data).hexdigest())
            for name, data in zips.items()
        )
    )


def as_argument(facts: dict[str, Official]) -> str:
    """The facts for :data:`COMMAND`."""
    return json.dumps(facts)


def wait_for(condition, seconds: float = 15.0) -> None:
    """Wait until something is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
