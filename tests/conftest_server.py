"""An HTTP server on this machine that can fail in many ways, and tiny official archives for it."""

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

#: Runs the command line in another process with the facts of tiny archives.
COMMAND = """
import json, sys
from lesionseg.cli.main import program
from lesionseg.data import archives
for split, pair in json.loads(sys.argv[1]).items():
    two = (archives.Archive(*facts) for facts in pair)
    archives.ARCHIVES[2018][split] = archives.Official(*two)
sys.argv[1:] = sys.argv[2:]
program()
"""


class ArchiveServer:
    """Serves ``files`` by path, with ranges.

    ``faults[path]`` is a list of a dict for each GET, the last for all further; an empty
    dict is a server that works:

    - ``status``: answer with this status
    - ``cut``: close the connection after so many bytes of the body
    - ``hold``: wait for ``released`` after so many bytes
    - ``shift``: send a range that begins so many bytes later
    - ``ranges`` False: always send the whole file
    - ``length`` False: send no length
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
        """Return the requested ranges of a path or of all."""
        return [
            range_ for how, where, range_ in self.requests if how == "GET" and path in (None, where)
        ]

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
            self.answer(fault.get("status", 404), b"", {}, {})
        elif "page" in fault:
            self.answer(200, b"<html>Welcome</html>", {}, {"Content-Type": "text/html"})
        elif asked and fault.get("ranges", True):
            first = int(re.fullmatch(r"bytes=(\d+)-", asked)[1])
            if first >= len(data):
                self.answer(416, b"", {}, {})
                return
            first += fault.get("shift", 0)
            given = {"Content-Range": f"bytes {first}-{len(data) - 1}/{len(data)}"}
            self.answer(206, data[first:], fault, given)
        else:
            self.answer(200, data, fault, {})

    def answer(self, status, body, fault, headers):
        self.send_response(status)
        if fault.get("length", True):
            self.send_header("Content-Length", str(len(body)))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()
        until = fault.get("cut", fault.get("hold", len(body)))
        try:
            # Counted first: the client may be done with it before write returns.
            self.owner.sent[self.path] = self.owner.sent.get(self.path, 0) + len(body[:until])
            self.wfile.write(body[:until])
            if "hold" in fault:
                self.owner.released.wait(20)
        except OSError:
            pass  # the client has closed the connection


@contextmanager
def archive_server():
    """Run an :class:`ArchiveServer`."""
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
    """Return a zip archive of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def official_zips(folder: Path, year: int, split: str, count: int) -> dict[str, bytes]:
    """Return the archives of a tiny split by name, with the layout of the real ones."""
    ids = sorted(official_ids(year, split))[:count]  # only these count as images of the split
    write_isic(folder, year, split, count, ids=ids)
    return {
        name: zipped(
            {f"{name}/{path.name}": path.read_bytes() for path in (folder / name).iterdir()}
        )
        for name in OFFICIAL[year, split]
    }


def facts_of(zips: dict[str, bytes], count: int) -> Official:
    """Return the facts about the archives of a tiny split."""
    return Official(
        *(
            Archive(name, count, None, hashlib.sha256(data).hexdigest())
            for name, data in zips.items()
        )
    )


def as_argument(facts: dict[str, Official]) -> str:
    """Return the facts for :data:`COMMAND`."""
    return json.dumps(facts)


def wait_for(condition, seconds: float = 15.0) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
