import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from lesionseg.files import atomic_path, remove_unfinished


def test_a_file_appears_whole_with_usual_permissions(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.suffix == ".txt"
    assert path.read_text() == "whole"
    plain = tmp_path / "plain"
    plain.touch()
    assert path.stat().st_mode == plain.stat().st_mode


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_a_failure_leaves_the_earlier_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "file.txt"
    path.write_text("earlier")

    def write_half():
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        write_half()
    assert path.read_text() == "earlier"
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.skipif(sys.platform == "win32", reason="no such permissions")
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_file_that_is_written_again_keeps_its_permissions(tmp_path, mode):
    path = tmp_path / "file.txt"
    path.write_text("earlier")
    path.chmod(mode)
    with atomic_path(path) as temporary:
        temporary.write_text("new")
    assert path.read_text() == "new"
    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.skipif(
    sys.platform == "win32" or os.getuid() != 0, reason="only root may give files away"
)
def test_a_file_that_root_writes_again_keeps_its_owner(tmp_path):
    path = tmp_path / "file.txt"
    path.write_text("earlier")
    os.chown(path, 12345, 23456)
    with atomic_path(path) as temporary:
        temporary.write_text("new")
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 23456)


@pytest.mark.parametrize("exists", [True, False])
def test_a_link_is_followed_and_stays(tmp_path, exists):
    target = tmp_path / "elsewhere" / "target.txt"
    if exists:
        target.parent.mkdir()
        target.write_text("earlier")
    second, link = tmp_path / "second.txt", tmp_path / "link.txt"
    second.symlink_to(Path("elsewhere") / "target.txt")  # relative to its own folder
    link.symlink_to(second)
    with atomic_path(link) as temporary:
        temporary.write_text("new")
        assert temporary.parent == target.parent  # a rename does not cross file systems
    assert link.is_symlink()
    assert second.is_symlink()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def write_for_ever(path, begun):
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        begun.set()
        time.sleep(60)


@pytest.mark.skipif(sys.platform == "win32", reason="no locks on open files")
def test_only_what_a_killed_process_left_is_removed(tmp_path):
    path = tmp_path / "deep" / "file.txt"
    foreign = tmp_path / ".hidden"
    foreign.touch()
    context = multiprocessing.get_context("fork")
    begun = context.Event()
    process = context.Process(target=write_for_ever, args=(path, begun))
    process.start()
    assert begun.wait(30)
    (temporary,) = path.parent.iterdir()
    for file in (temporary, foreign):
        os.utime(file, (0, 0))
    remove_unfinished(tmp_path, deep=True)
    assert temporary.exists()  # it is being written
    process.kill()
    process.join()
    assert process.exitcode == -signal.SIGKILL
    remove_unfinished(tmp_path)
    assert temporary.exists()  # in a sub-folder
    remove_unfinished(tmp_path, deep=True)
    assert list(path.parent.iterdir()) == []
    assert foreign.exists()
    remove_unfinished(tmp_path / "absent")
