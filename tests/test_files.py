import multiprocessing
import os
import signal
import stat
import sys
import threading
import time
from pathlib import Path

import pytest

from lesionseg.errors import LesionsegError
from lesionseg.files import MARK, atomic_path, check_outputs, remove_unfinished


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


def write(path, text):
    with atomic_path(path) as temporary:
        temporary.write_text(text)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_written_to(tmp_path):
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write(pipe, "whole")
    reader.join(10)
    assert read == ["whole"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)
    check_outputs([pipe])


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root makes nodes")
def test_a_device_stays_a_device(tmp_path):
    null, disk = tmp_path / "null", tmp_path / "disk"
    try:
        os.mknod(null, 0o666 | stat.S_IFCHR, os.makedev(1, 3))
        os.mknod(disk, 0o666 | stat.S_IFBLK, os.makedev(255, 255))
    except PermissionError:
        pytest.skip("nodes may not be made here")
    check_outputs([null])
    write(null, "gone")
    assert stat.S_ISCHR(null.stat().st_mode)
    with pytest.raises(LesionsegError, match="block device"):
        check_outputs([disk])
    with pytest.raises(LesionsegError, match="block device"):
        write(disk, "never")


@pytest.mark.skipif(not Path("/dev/fd").exists(), reason="no such names of descriptors")
def test_a_descriptor_is_written_to_behind_what_is_there(tmp_path):
    with (tmp_path / "out").open("w") as out:
        out.write("before\n")
        out.flush()
        path = f"/dev/fd/{out.fileno()}"
        write(path, "table\n")
        assert os.fstat(out.fileno()).st_nlink == 1  # the file that is open has not been replaced
    assert (tmp_path / "out").read_text() == "before\ntable\n"


def test_files_of_anybody_else_are_not_overwritten(tmp_path):
    ours, table, empty, other = (tmp_path / name for name in ("ours.html", "t.csv", "e", "other"))
    ours.write_bytes(b"x" * 9000 + MARK.encode() + b"x" * 3000)
    table.write_text("image,tp,fp,fn,tn,accuracy\n")
    empty.touch()
    check_outputs([ours, table, empty, tmp_path / "absent", tmp_path / "no" / "folder"])
    for text in ("a diary", "id,image,tp,fp,fn,tn,\n", "x" * 5000 + MARK + "x" * 5000):
        other.write_text(text)
        with pytest.raises(LesionsegError, match="other; choose another output path"):
            check_outputs([ours, other])
        check_outputs([other], overwrite=True)
    with pytest.raises(LesionsegError, match="is a folder"):
        check_outputs([tmp_path], overwrite=True)


def test_an_exported_model_is_known_by_the_name_in_it(tmp_path):
    ours, other = tmp_path / "a.onnx", tmp_path / "b.onnx"
    ours.write_bytes(b"x" * 9000 + b"lesionseg" + b"x" * 9000)
    other.write_bytes(b"pytorch")
    check_outputs([ours])
    with pytest.raises(LesionsegError, match=r"b\.onnx"):
        check_outputs([ours, other])


def test_what_is_read_is_never_overwritten(tmp_path):
    mask, same = tmp_path / "mask.png", tmp_path / "same.png"
    mask.write_text(MARK)
    os.link(mask, same)
    check_outputs([same], [tmp_path / "absent"])
    with pytest.raises(LesionsegError, match="what this command reads"):
        check_outputs([same], [mask], overwrite=True)


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
