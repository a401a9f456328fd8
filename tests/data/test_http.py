"""A file over a real connection that fails in many ways."""

import tempfile
import threading
from pathlib import Path

import pytest
from conftest_server import archive_server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tqdm import tqdm

from lesionseg.data.download import http
from lesionseg.errors import LesionsegError

DATA = bytes(range(256)) * 300
SIZE = len(DATA)
PATH = "/2018/x.zip"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(http, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(http, "MAX_WAIT", 0.01)


@pytest.fixture
def server():
    with archive_server() as server:
        server.files[PATH] = DATA
        yield server


@pytest.fixture
def part(tmp_path):
    return tmp_path / "x.zip.part"


def fetch(server, part, size=SIZE, stop=None):
    with tqdm(disable=True) as bar:
        http.download(server.url + PATH, part, size, bar, stop or threading.Event())
    assert part.read_bytes() == DATA


def test_lost_connections_are_resumed(server, part, capsys):
    server.faults[PATH] = [{"cut": 1000}, {"cut": 7}, {"cut": 0}, {"status": 503}, {}]
    fetch(server, part)
    assert server.gets() == [None, "bytes=1000-", *["bytes=1007-"] * 3]
    assert server.sent[PATH] == len(DATA)
    assert f"{server.url}{PATH}: connection lost; retrying" in capsys.readouterr().err


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cuts=st.lists(st.integers(0, 30_000), max_size=5),
    ranges=st.lists(st.booleans(), min_size=6, max_size=6),
    size=st.sampled_from([None, len(DATA)]),
)
def test_any_interruptions_end_with_the_same_bytes(server, cuts, ranges, size):
    faults = [{"cut": cut, "ranges": on} for cut, on in zip(cuts, ranges, strict=False)]
    server.faults[PATH] = [*faults, {}]
    with tempfile.TemporaryDirectory() as folder:
        fetch(server, Path(folder, "part"), size)


def test_a_later_run_resumes(server, part, monkeypatch):
    monkeypatch.setattr(http, "ATTEMPTS", 2)
    server.faults[PATH] = [{"cut": 5000}, {"status": 503}]
    with pytest.raises(LesionsegError, match=r"x\.zip could not be read in 2 attempts .*503"):
        fetch(server, part)
    assert part.read_bytes() == DATA[:5000]
    server.faults.clear()
    fetch(server, part)
    assert server.gets()[-1] == "bytes=5000-"
    assert server.sent[PATH] == len(DATA)


def test_a_complete_file_is_not_downloaded_again(server, part):
    part.write_bytes(DATA)
    fetch(server, part)
    assert server.requests == []
    fetch(server, part, size=None)  # the server reports that nothing is missing
    assert server.gets() == [f"bytes={len(DATA)}-"]


def test_a_part_that_is_too_long_starts_again_without_ranges(server, part):
    part.write_bytes(DATA + b"x")
    server.faults[PATH] = [{"ranges": False}]
    fetch(server, part)


def test_a_server_without_ranges_starts_again_and_is_not_asked_forever(server, part, capsys):
    server.faults[PATH] = [{"cut": 5000, "ranges": False}]
    with pytest.raises(LesionsegError, match="7 attempts"):
        fetch(server, part)
    assert "cannot resume; starting again from 0" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ({"shift": 3}, "expected the bytes from 5000, got bytes 5003-"),
        ({"ranges": False}, "has 76800 bytes, and the official archive 80000"),
        ({"page": True}, "expected a zip archive, got a web page"),
        ({"status": 404}, r"x\.zip: the server answered 404 .*check the address"),
    ],
)
def test_a_wrong_answer_does_not_replace_the_part(server, part, fault, words):
    part.write_bytes(DATA[:5000])
    server.faults[PATH] = [fault]
    with pytest.raises(LesionsegError, match=words):
        fetch(server, part, size=80_000)
    assert part.read_bytes() == DATA[:5000]


@pytest.mark.parametrize("cut", [{}, {"cut": 5000}])
def test_the_length_may_be_known_from_elsewhere(server, part, cut):
    server.faults[PATH] = [{"length": False, **cut}, {"length": False}]
    fetch(server, part)


def test_no_network_is_one_sentence():
    with archive_server() as server:
        pass
    with pytest.raises(LesionsegError, match=r"x\.zip could not be read in 7 attempts .*refused"):
        http.remote_size(server.url + PATH, threading.Event())
    with pytest.raises(LesionsegError, match=r"cannot be read .*port.*check the address"):
        http.remote_size("http://127.0.0.1:port", threading.Event())


def test_stopping_ends_a_wait_and_writes_nothing_more(server, part, monkeypatch):
    monkeypatch.setattr(http, "FIRST_WAIT", 60)
    monkeypatch.setattr(http, "MAX_WAIT", 60)
    stop = threading.Event()
    monkeypatch.setattr(http, "say", lambda text: stop.set())
    server.faults[PATH] = [{"cut": 5000}, {}]
    for _ in range(2):  # before it starts, too
        with pytest.raises(http.Stopped):
            fetch(server, part, stop=stop)
        assert part.read_bytes() == DATA[:5000]
