"""One file over a real connection that fails in every way that we could think of."""

import hashlib
import tempfile
import threading
from pathlib import Path

import pytest
from conftest_server import archive_server
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lesionseg.data.download import http as web
from lesionseg.data.download import transfer
from lesionseg.data.download.http import remote_length
from lesionseg.data.download.progress import TransferBar
from lesionseg.data.download.transfer import Transfer, note_of
from lesionseg.errors import LesionsegError

DATA = bytes(range(256)) * 300
PATH = "/2018/x.zip"


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    monkeypatch.setattr(web, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(web, "MOST_WAIT", 0.01)


@pytest.fixture
def server():
    with archive_server() as server:
        server.files[PATH] = DATA
        yield server


def bring(server, part, size=None, data=DATA, told=None):
    checksum = ("sha256", hashlib.sha256(data).hexdigest())
    bar = TransferBar("file")
    try:
        Transfer(server.url + PATH, part, checksum, size, bar, threading.Event(), told).run()
    finally:
        bar.close()
    assert part.read_bytes() == data


def test_a_whole_file_comes_in_one_request(server, tmp_path):
    bring(server, tmp_path / "part")
    assert server.gets() == [None]


def test_each_cut_is_followed_by_a_request_for_the_rest(server, tmp_path):
    server.faults[PATH] = [{"cut": 1000}, {"cut": 7}, {"cut": 0}, {}]
    bring(server, tmp_path / "part")
    assert server.gets() == [None, "bytes=1000-", "bytes=1007-", "bytes=1007-"]
    assert server.sent[PATH] == len(DATA)


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    cuts=st.lists(st.integers(0, 30_000), max_size=5),
    ranges=st.lists(st.booleans(), min_size=6, max_size=6),
    size=st.sampled_from([None, len(DATA)]),
)
def test_any_cuts_end_with_the_same_bytes(server, cuts, ranges, size):
    faults = [{"cut": cut, "ranges": on} for cut, on in zip(cuts, ranges, strict=False)]
    server.faults[PATH] = [*faults, {}]
    with tempfile.TemporaryDirectory() as folder:
        bring(server, Path(folder, "part"), size)


def test_a_later_run_goes_on_where_one_gave_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(web, "ATTEMPTS", 2)
    server.faults[PATH] = [{"cut": 5000}, {"status": 503}]
    with pytest.raises(LesionsegError, match=r"x\.zip could not be read in 2 attempts .*503"):
        bring(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA[:5000]
    server.faults.clear()
    bring(server, tmp_path / "part")
    assert server.gets()[-1] == "bytes=5000-"
    assert server.sent[PATH] == len(DATA)


@pytest.mark.parametrize("fault", [{"shift": 3}, {"shift": -3}, {"ranges": False}])
def test_a_wrong_range_is_noticed_and_the_whole_file_asked_for(server, tmp_path, fault, capsys):
    server.faults[PATH] = [{"cut": 5000}, fault, {}]
    bring(server, tmp_path / "part")
    assert server.gets()[:2] == [None, "bytes=5000-"]
    assert server.gets()[2:] == ([None] if "shift" in fault else [])
    assert "starts again from 0" in capsys.readouterr().err


def test_a_server_whose_ranges_are_always_wrong_and_that_cuts_is_given_up(server, tmp_path):
    server.faults[PATH] = [{"cut": 5000, "shift": 1}]
    with pytest.raises(LesionsegError, match="attempts"):
        bring(server, tmp_path / "part")
    assert len(server.gets()) <= 2 * web.ATTEMPTS


def test_a_server_without_ranges_that_cuts_at_one_place_is_given_up(server, tmp_path):
    server.faults[PATH] = [{"cut": 5000, "ranges": False}]
    with pytest.raises(LesionsegError, match="attempts"):
        bring(server, tmp_path / "part")


def test_a_file_that_changed_between_two_runs_is_started_anew(server, tmp_path, monkeypatch):
    monkeypatch.setattr(web, "ATTEMPTS", 1)
    server.files[PATH] = b"an earlier edition" * 1000
    server.faults[PATH] = [{"cut": 9000}, {}]
    with pytest.raises(LesionsegError):
        bring(server, tmp_path / "part")
    server.files[PATH] = DATA
    bring(server, tmp_path / "part")
    assert server.gets() == [None, "bytes=9000-"]  # If-Range made the second a whole answer


def test_a_length_that_changed_is_started_anew(server, tmp_path):
    server.faults[PATH] = [{"cut": 5000}, {"total": len(DATA) + 1}, {}]
    bring(server, tmp_path / "part")
    assert server.gets() == [None, "bytes=5000-", None]


def test_a_part_that_is_too_long_is_started_anew(server, tmp_path):
    (tmp_path / "part").write_bytes(DATA + b"x")
    bring(server, tmp_path / "part", len(DATA))
    assert server.gets() == [None]
    (tmp_path / "other").write_bytes(DATA + b"x")  # nobody knows the length: the server says 416
    bring(server, tmp_path / "other")
    assert server.gets()[1:] == [f"bytes={len(DATA) + 1}-", None]


def test_a_part_that_is_whole_asks_for_nothing(server, tmp_path):
    (tmp_path / "part").write_bytes(DATA)
    bring(server, tmp_path / "part", len(DATA))
    assert server.requests == []
    bring(server, tmp_path / "part")  # without a known length the server says that it is whole
    assert server.gets() == [f"bytes={len(DATA)}-"]
    assert server.sent.get(PATH, 0) == 0


@pytest.mark.parametrize("broken", ["flipped", "truncated", "local"])
def test_a_wrong_checksum_deletes_the_file_and_the_next_run_is_right(server, tmp_path, broken):
    part = tmp_path / "part"
    flipped = DATA[:999] + b"?" + DATA[1000:]
    if broken == "local":
        part.write_bytes(flipped[:5000])
    else:
        server.files[PATH] = flipped if broken == "flipped" else DATA[:-5]
    with pytest.raises(LesionsegError, match=r"x\.zip gave other bytes .*SHA-256 .*deleted; run"):
        bring(server, part)
    assert list(tmp_path.iterdir()) == []
    server.files[PATH] = DATA
    bring(server, part)


def test_another_length_than_the_official_one_is_said_before_anything_comes(server, tmp_path):
    server.files[PATH] = DATA[:-5]
    with pytest.raises(LesionsegError, match=rf"{len(DATA) - 5} bytes, and not the {len(DATA)} "):
        bring(server, tmp_path / "part", len(DATA))
    assert (tmp_path / "part").stat().st_size == 0


@pytest.mark.parametrize("size", [None, len(DATA)])
def test_no_length_told_is_no_hindrance(server, tmp_path, size):
    server.faults[PATH] = [{"length": False}]
    bring(server, tmp_path / "part", size)


def test_a_cut_without_a_length_is_noticed_where_the_length_is_known(server, tmp_path):
    server.faults[PATH] = [{"length": False, "cut": 5000}, {"length": False}]
    bring(server, tmp_path / "part", len(DATA))
    assert server.gets() == [None, "bytes=5000-"]


def test_a_file_that_is_not_there_is_said_at_once(server, tmp_path):
    del server.files[PATH]
    with pytest.raises(LesionsegError, match=r"answers 404 .*x\.zip; check the address"):
        bring(server, tmp_path / "part")
    assert len(server.requests) == 1


def test_a_busy_server_is_asked_again_after_the_time_it_names(server, tmp_path, monkeypatch):
    monkeypatch.setattr(web, "MOST_WAIT", 0.3)
    waits = []
    wait = threading.Event.wait
    monkeypatch.setattr(
        threading.Event, "wait", lambda self, time=None: waits.append(time) or wait(self, time)
    )
    server.faults[PATH] = [{"status": 503, "retry": "9"}, {"status": 429}, {}]
    bring(server, tmp_path / "part")
    assert len(server.gets()) == 3
    assert 0.3 in waits  # what it asks for, but no more than we bear


def test_a_file_of_another_length_never_replaces_what_is_here(server, tmp_path):
    (tmp_path / "part").write_bytes(DATA[:5000])
    server.files[PATH] = b"something else"
    server.faults[PATH] = [{"ranges": False}]
    with pytest.raises(LesionsegError, match="14 bytes, and not the 76800"):
        bring(server, tmp_path / "part", len(DATA))
    assert (tmp_path / "part").read_bytes() == DATA[:5000]


def test_a_web_page_never_replaces_what_is_here(server, tmp_path):
    (tmp_path / "part").write_bytes(DATA[:5000])
    server.faults[PATH] = [{"page": True}]
    with pytest.raises(LesionsegError, match="a web page instead of a zip"):
        bring(server, tmp_path / "part")
    assert (tmp_path / "part").read_bytes() == DATA[:5000]
    assert len(server.gets()) == web.ATTEMPTS


def test_a_note_that_was_half_written_is_no_hindrance(server, tmp_path):
    part = tmp_path / "part"
    part.write_bytes(DATA[:5000])
    note_of(part).write_text('{"url": "htt')
    bring(server, part)
    assert server.gets() == ["bytes=5000-"]


def test_nobody_at_the_address_is_one_sentence(tmp_path):
    with archive_server() as server:
        pass
    with pytest.raises(LesionsegError, match=r"x\.zip could not be read in 7 attempts"):
        bring(server, tmp_path / "part")
    told = []
    with pytest.raises(LesionsegError, match="could not be read"):
        remote_length(server.url + PATH, threading.Event(), told.append)
    assert len(told) == web.ATTEMPTS - 1


def test_stopping_ends_a_wait_and_writes_nothing_more(server, tmp_path, monkeypatch):
    monkeypatch.setattr(web, "FIRST_WAIT", 60)
    monkeypatch.setattr(web, "MOST_WAIT", 60)
    stop = threading.Event()
    monkeypatch.setattr(TransferBar, "note", lambda self, text: "tries" in text and stop.set())
    server.faults[PATH] = [{"cut": 5000}, {}]
    one = Transfer(server.url + PATH, tmp_path / "part", ("md5", ""), None, TransferBar("x"), stop)
    with pytest.raises(web.Stopped):
        one.run()
    assert (tmp_path / "part").read_bytes() == DATA[:5000]
    with pytest.raises(web.Stopped):  # asked before it starts
        one.run()
    assert len(server.gets()) == 1


def test_the_bar_of_a_log_is_a_line_now_and_then(server, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(transfer, "_CHUNK", 1000)
    monkeypatch.setattr("lesionseg.data.download.progress._EVERY", 0.0)
    bring(server, tmp_path / "part")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "download: file: download, 1.0 kB of 76.8 kB"
    assert lines[-1] == "download: file: download, 76.8 kB of 76.8 kB"
    assert all(line.startswith("download: file: ") for line in lines)


def test_what_the_server_told_before_tells_a_cut_from_the_end(server, tmp_path):
    server.faults[PATH] = [{"length": False, "cut": 5000}, {}]
    bring(server, tmp_path / "part", told=len(DATA))
    assert server.gets() == [None, "bytes=5000-"]


def test_another_file_from_a_server_that_heeds_no_if_range(server, tmp_path):
    server.faults[PATH] = [{"cut": 5000}, {"etag": '"new"'}, {}]
    bring(server, tmp_path / "part")
    assert server.gets() == [None, "bytes=5000-", None]
