"""What a zip may do to a folder, and what it may not."""

import shutil
import struct
import tempfile
import threading
import zipfile
from collections import namedtuple
from pathlib import Path

import pytest
from conftest_server import zipped
from hypothesis import given, settings
from hypothesis import strategies as st

from lesionseg.data.archives import IMAGE_NAME, Archive
from lesionseg.data.download import extract as unpacking
from lesionseg.data.download.extract import unpack
from lesionseg.data.download.http import Stopped
from lesionseg.data.download.progress import TransferBar
from lesionseg.errors import InvalidDataError, LesionsegError

IMAGES = {f"ISIC_000000{number}.jpg": bytes([number]) * 50 for number in range(3)}
ARCHIVE = Archive("Official", 3, None)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "outer" / "root"
    folder.mkdir(parents=True)
    return folder


def bring(root, data, stop=None):
    path = root / "Official.zip.part"
    path.write_bytes(data if isinstance(data, bytes) else zipped(data))
    unpack(path, root, ARCHIVE, IMAGE_NAME, TransferBar("zip"), stop or threading.Event())


def refused(root, data, words):
    with pytest.raises(InvalidDataError, match=words) as error:
        bring(root, data)
    assert "Official.zip.part" in str(error.value)
    assert "delete it and run the same command again" in str(error.value)
    assert sorted(root.parent.rglob("*")) == [root, root / "Official.zip.part"]


def contents(folder):
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("outer", ["Official/", "./Official/", "Another name/", ""])
def test_files_come_into_the_official_folder(root, outer):
    more = {"LICENSE.txt": b"CC0", "extra/ISIC_0000009_superpixels.png": b"s"}
    files = {f"{outer}{name}": data for name, data in {**IMAGES, **more}.items()}
    hidden = {"__MACOSX/Official/._ISIC_0000000.jpg": b"m", f"{outer}.DS_Store": b"d"}
    bring(root, files | hidden)
    assert contents(root / "Official") == IMAGES | more
    assert sorted(path.name for path in root.iterdir()) == ["Official", "Official.zip.part"]


def test_a_file_beside_the_official_folder_joins_it(root):
    files = {f"Official/{name}": data for name, data in IMAGES.items()}
    bring(root, files | {"LICENSE.txt": b"CC0"})
    assert contents(root / "Official") == IMAGES | {"LICENSE.txt": b"CC0"}


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("../evil.jpg", "leaves the folder"),
        ("Official/../../evil.jpg", "leaves the folder"),
        ("/evil.jpg", "an absolute path"),
        ("C:/evil.jpg", "some systems only"),
        ("C:evil.jpg", "some systems only"),
        ("Official\\..\\..\\evil.jpg", "some systems only"),
        ("Official/a\nb.jpg", "some systems only"),
        ("Official/ISIC_0000000.jpg/evil.jpg", "a file in a file"),
        ("Official/isic_0000000.JPG", "twice"),
    ],
)
def test_an_unsafe_name_stops_everything(root, name, words):
    refused(
        root, {f"Official/{image}": data for image, data in IMAGES.items()} | {name: b"x"}, words
    )


def with_entry(info, data=b"x"):
    path = Path(tempfile.mkdtemp()) / "a.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name, image in IMAGES.items():
            archive.writestr(f"Official/{name}", image)
        archive.writestr(info, data)
    whole = path.read_bytes()
    shutil.rmtree(path.parent)
    return whole


@pytest.mark.parametrize(("kind", "words"), [(0o120777, "a link"), (0o010644, "no plain file")])
def test_links_and_devices_are_refused(root, kind, words):
    info = zipfile.ZipInfo("Official/link")
    info.create_system = 3
    info.external_attr = kind << 16
    refused(root, with_entry(info, b"/etc/passwd"), words)


def test_a_bomb_is_refused_by_what_it_declares(root):
    refused(root, {**IMAGES, "bomb.png": bytes(30_000_000)}, r"would unpack to 30\.0 MB")


def test_more_entries_than_any_official_archive_are_refused(root):
    many = {f"{number}.txt": b"" for number in range(4 * 3 + 101)}
    refused(root, {**IMAGES, **many}, "116 entries where 112 are the most")


def declare(data, name, size):
    """Let the central directory tell another unpacked size of one entry."""
    place = data.rindex(name.encode()) - 46
    assert data[place : place + 4] == b"PK\x01\x02"
    return data[: place + 24] + struct.pack("<I", size) + data[place + 28 :]


@pytest.mark.parametrize("size", [10, 60])
def test_a_lie_about_the_size_is_found_out(root, size):
    data = zipped(IMAGES | {"bomb.png": bytes(50)})
    refused(root, declare(data, "bomb.png", size), "is damaged")


def test_a_bomb_that_lies_is_cut_at_what_it_declared(root, monkeypatch):
    written = []
    monkeypatch.setattr(TransferBar, "advance", lambda self, count: written.append(count))
    data = zipped(IMAGES | {"bomb.png": bytes(30_000_000)})
    refused(root, declare(data, "bomb.png", 1000), "is damaged")
    assert sum(written) <= 1150


def test_damaged_and_truncated_zips_are_refused(root):
    data = zipped(IMAGES)
    refused(root, b"no zip", "is damaged")
    refused(root, data[:-30], "is damaged")
    for place in range(-10, -2):  # size and place of the list of files
        refused(root, data[:place] + b"\xff" + data[place + 1 :], "is damaged")
    place = data.index(b"ISIC_0000001.jpg") + len("ISIC_0000001.jpg") + 1
    refused(root, data[:place] + b"\xff\xff" + data[place + 2 :], "is damaged")


def test_encrypted_entries_are_refused(root):
    data = bytearray(zipped(IMAGES))
    for mark, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        data[data.index(mark) + flags] |= 1
    refused(root, bytes(data), "encrypted")


def test_an_archive_with_too_few_images_leaves_no_folder(root):
    refused(root, dict(list(IMAGES.items())[:2]), "holds 2 of 3 images")


@settings(max_examples=60, deadline=None)
@given(
    names=st.lists(
        st.lists(
            st.sampled_from(["..", ".", "", "a", "Official", "C:", "~", "\\", "con", "é", " "]),
            min_size=1,
            max_size=4,
        ).map("/".join),
        max_size=4,
        unique=True,
    )
)
def test_no_name_leaves_the_folder(names):
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder, "outer", "root")
        root.mkdir(parents=True)
        files = {name: b"evil" for name in names if name.strip("/")}
        try:
            bring(root, {f"Official/{name}": data for name, data in IMAGES.items()} | files)
        except InvalidDataError:
            assert [path.name for path in root.iterdir()] == ["Official.zip.part"]
        else:
            assert contents(root / "Official").items() >= IMAGES.items()
        assert [path.name for path in Path(folder).iterdir()] == ["outer"]
        assert [path.name for path in root.parent.iterdir()] == ["root"]
        assert {path.name for path in root.iterdir()} <= {"Official", "Official.zip.part"}


@pytest.mark.parametrize("nested", [False, True])
def test_a_folder_loses_nothing_and_gets_what_is_missing(root, nested, capsys):
    home = root / "Official" / "Official" if nested else root / "Official"
    home.mkdir(parents=True)
    mine = {"ISIC_0000000.JPG": b"mine", "notes.txt": b"mine too", "LICENSE.txt": b"changed"}
    for name, data in mine.items():
        (home / name).write_bytes(data)
    (home / "ISIC_0000002.jpg").touch()  # as a full disk leaves them
    (home / ".unpacking").mkdir()  # of a run that was killed
    bring(root, IMAGES | {"LICENSE.txt": b"CC0"})
    rest = {name: IMAGES[name] for name in ("ISIC_0000001.jpg", "ISIC_0000002.jpg")}
    assert contents(home) == mine | rest
    assert "1 files" in (said := capsys.readouterr().err)
    assert "LICENSE.txt" in said


def test_stopping_midway_leaves_no_folder_and_the_zip(root, monkeypatch):
    stop = threading.Event()
    monkeypatch.setattr(TransferBar, "advance", lambda self, count: stop.set())
    with pytest.raises(Stopped):
        bring(root, IMAGES, stop)
    assert [path.name for path in root.iterdir()] == ["Official.zip.part"]


def test_what_a_killed_run_left_is_cleared(root):
    left = root / ".Official.unpacking"
    left.mkdir()
    (left / "ISIC_0000007.jpg").write_bytes(b"half")
    bring(root, IMAGES)
    assert contents(root / "Official") == IMAGES
    assert not left.exists()


def test_a_disk_without_room_is_said_before_anything_is_written(root, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(unpacking.shutil, "disk_usage", lambda path: usage(200, 51, 149))
    with pytest.raises(LesionsegError, match=r"takes 150 bytes and 149 bytes are free .*again"):
        bring(root, IMAGES)
    assert [path.name for path in root.iterdir()] == ["Official.zip.part"]
