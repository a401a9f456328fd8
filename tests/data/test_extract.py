"""What an archive may do to folders."""

import threading
import zipfile

import pytest
from conftest_server import zipped

from lesionseg.data.archives import IMAGE_NAME, Archive
from lesionseg.data.download import extract as module
from lesionseg.data.download.extract import extract
from lesionseg.data.download.http import Stopped
from lesionseg.errors import InvalidDataError

IMAGES = {f"ISIC_000000{number}.jpg": bytes([number]) * 50 for number in range(3)}
ARCHIVE = Archive("Official", 3, None)


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "outer" / "root"
    folder.mkdir(parents=True)
    return folder


def unpack(root, data, stop=None):
    path = root / "Official.zip.part"
    path.write_bytes(data if isinstance(data, bytes) else zipped(data))
    extract(path, root, ARCHIVE, IMAGE_NAME, stop or threading.Event())


def contents(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("outer", ["Official/", "Another name/", ""])
def test_images_come_into_the_official_folder(root, outer):
    files = IMAGES | {"LICENSE.txt": b"CC0", "extra/ISIC_0000009_superpixels.png": b"s"}
    left = root / ".Official.extracting"  # of a run that was killed
    left.mkdir()
    (left / "ISIC_0000007.jpg").write_bytes(b"half")
    unpack(root, {f"{outer}{name}": data for name, data in files.items()})
    assert contents(root / "Official") == files
    assert sorted(path.name for path in root.iterdir()) == ["Official", "Official.zip.part"]


@pytest.mark.parametrize("nested", [False, True])
def test_a_folder_keeps_its_files_and_gets_what_is_missing(root, nested):
    home = root / "Official" / "Official" if nested else root / "Official"
    home.mkdir(parents=True)
    mine = {"ISIC_0000000.JPG": b"mine", "LICENSE.txt": b"changed"}
    for name, data in mine.items():
        (home / name).write_bytes(data)
    (home / "ISIC_0000002.jpg").touch()  # as a full disk leaves them
    files = IMAGES | {"LICENSE.txt": b"CC0"}
    unpack(root, {f"Official/{name}": data for name, data in files.items()})
    rest = {name: IMAGES[name] for name in ("ISIC_0000001.jpg", "ISIC_0000002.jpg")}
    assert contents(home) == mine | rest


def test_a_hostile_archive_writes_nowhere_else(root):
    link = zipfile.ZipInfo("Official/link")
    link.create_system, link.external_attr = 3, 0o120777 << 16
    with zipfile.ZipFile(root / "hostile.zip", "w") as archive:
        for name in ("../evil.jpg", "/evil.jpg", "C:/evil.jpg", "Official/../../../evil.jpg"):
            archive.writestr(name, b"evil")
        archive.writestr(link, b"../..")
        archive.writestr("Official/link/evil.jpg", b"evil")
    with pytest.raises((OSError, InvalidDataError)):  # a folder and a file of one name
        unpack(root, (root / "hostile.zip").read_bytes())
    inside = {"hostile.zip", "Official.zip.part"}
    assert {path.name for path in root.parent.parent.rglob("*")} == {"outer", "root", *inside}
    with pytest.raises(InvalidDataError, match=r"expands to 30\.0 MB.*delete it"):
        unpack(root, IMAGES | {"bomb.png": bytes(30_000_000)})
    assert {path.name for path in root.iterdir()} == inside


def test_a_damaged_archive_is_one_sentence(root):
    for data in (b"no zip", zipped(IMAGES).replace(b"\x02" * 3, b"\x03" * 3)[:-30]):
        with pytest.raises(InvalidDataError, match=r"zip\.part cannot be extracted .*; delete it"):
            unpack(root, data)
    assert [path.name for path in root.iterdir()] == ["Official.zip.part"]


def test_stopping_midway_leaves_no_folder(root, monkeypatch):
    stop = threading.Event()
    plain = zipfile.ZipFile.extract
    monkeypatch.setattr(module.zipfile.ZipFile, "extract", lambda *args: stop.set() or plain(*args))
    with pytest.raises(Stopped):
        unpack(root, IMAGES, stop)
    assert [path.name for path in root.iterdir()] == ["Official.zip.part"]
