"""``lesionseg download`` with a real server and tiny archives."""

import hashlib
import signal
import subprocess
import sys
import threading
from collections import namedtuple
from pathlib import Path

import pytest
from conftest_server import (
    COMMAND,
    archive_server,
    as_argument,
    facts_of,
    official_zips,
    wait_for,
)

from lesionseg.cli import main as cli
from lesionseg.data import ISICDataModule, ISICDataset, download_isic
from lesionseg.data.archives import ARCHIVES
from lesionseg.data.datasets.isic import DatasetNotFoundError
from lesionseg.data.download import http
from lesionseg.data.download import isic as download
from lesionseg.errors import InvalidDataError, LesionsegError

COUNTS = {"val": 3, "test": 2}
LOCK = ".lesionseg-download.lock"


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """Zips and facts of tiny splits of 2018."""
    zips = {
        split: official_zips(tmp_path_factory.mktemp(split), 2018, split, count)
        for split, count in COUNTS.items()
    }
    return zips, {split: facts_of(zips[split], count) for split, count in COUNTS.items()}


@pytest.fixture
def facts(tiny, monkeypatch):
    monkeypatch.setattr(http, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(http, "MAX_WAIT", 0.01)
    monkeypatch.setitem(ARCHIVES, 2018, dict(tiny[1]))
    return tiny[1]


@pytest.fixture
def server(tiny, facts, monkeypatch):
    with archive_server() as server:
        for zips in tiny[0].values():
            server.files |= {f"/2018/{name}.zip": data for name, data in zips.items()}
        monkeypatch.setattr(ISICDataset, "url", server.url)
        yield server


@pytest.fixture
def root(tmp_path):
    return tmp_path / "data"


def paths(facts, split="val"):
    """The addresses of a split's archives on the server."""
    return [f"/2018/{archive.zip}" for archive in facts[split]]


def names(root):
    return sorted(path.name for path in root.iterdir() if path.name != LOCK)


def _with_ctrl_c():
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def command(server, facts, root, *options):
    """A process that downloads the validation split."""
    chosen = ["--root", str(root), "--mirror", server.url, "--splits", "val", *options]
    return subprocess.Popen(
        [sys.executable, "-c", COMMAND, as_argument(facts), "download", "isic2018", *chosen],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a program started in the background may have Ctrl-C switched off, and hand that down
        preexec_fn=None if sys.platform == "win32" else _with_ctrl_c,
    )


def test_a_second_run_contacts_no_server(server, facts, root, capsys):
    arguments = ["download", "isic2018", "--root", str(root), "--mirror", f"{server.url}/"]
    assert cli.main(arguments) == 0
    assert names(root) == sorted(archive.folder for pair in facts.values() for archive in pair)
    for split, count in COUNTS.items():
        assert len(ISICDataset(root, 2018, split)) == count
    assert server.gets() == [None] * 4
    said = capsys.readouterr()
    assert said.out == f"isic2018 (val test) is complete in {root}\n"
    assert "download: ISIC 2018, 4 archives: " in said.err
    assert "download: 100%|" in said.err
    server.requests.clear()
    (root / LOCK).unlink()
    assert cli.main(arguments) == 0
    assert capsys.readouterr().out == f"isic2018 (val test) is already complete in {root}\n"
    assert server.requests == []
    assert not (root / LOCK).exists()  # so a folder that may only be read is no hindrance


def test_splits_masks_and_archives_are_chosen(server, facts, root):
    images = facts["val"].images
    assert download_isic(root, 2018, ["val"], mirror=server.url, masks=False) == [images.folder]
    assert names(root) == [images.folder]
    download_isic(root, 2018, ["val"], mirror=server.url, keep_archives=True)
    masks = facts["val"].masks
    assert names(root) == sorted([images.folder, masks.folder, masks.zip])
    assert (root / masks.zip).read_bytes() == server.files[f"/2018/{masks.zip}"]


def test_several_archives_are_downloaded_at_a_time(server, root):
    server.meeting = threading.Barrier(2)  # answers only when two ask
    download_isic(root, 2018, ["val"], mirror=server.url)


def test_a_single_worker_downloads_in_order(server, facts, root):
    download_isic(root, 2018, ["val"], mirror=server.url, workers=1)
    assert [path for method, path, _ in server.requests if method == "GET"] == paths(facts)


def test_the_next_run_resumes_after_kill_9(server, facts, root):
    for path in paths(facts):
        server.faults[path] = [{"hold": 700}, {}]
    process = command(server, facts, root)
    parts = [root / f"{archive.zip}.part" for archive in facts["val"]]
    wait_for(lambda: all(part.exists() and part.stat().st_size == 700 for part in parts))
    process.kill()
    process.communicate()
    server.released.set()
    assert not any((root / archive.folder).exists() for archive in facts["val"])
    download_isic(root, 2018, ["val"], mirror=server.url)
    for path in paths(facts):
        assert server.gets(path) == [None, "bytes=700-"]
        assert server.sent[path] == len(server.files[path])
    assert len(ISICDataset(root, 2018, "val")) == 3
    assert names(root) == sorted(archive.folder for archive in facts["val"])


def test_ctrl_c_ends_at_once_even_without_data(server, facts, root):
    server.faults[paths(facts)[0]] = [{"hold": 700}, {}]
    process = command(server, facts, root, "--workers", "1")
    part = root / f"{facts['val'].images.zip}.part"
    wait_for(lambda: part.exists() and part.stat().st_size == 700)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=10)
    assert process.returncode == 130
    assert "download: stopped; the same command resumes\n" in said
    assert said.endswith("lesionseg: error: interrupted\n")
    assert part.stat().st_size == 700


def test_two_processes_at_once_download_once(server, facts, root):
    first = paths(facts)[0]
    server.faults[first] = [{"hold": 700}, {}]
    first_process = command(server, facts, root)
    wait_for(lambda: server.sent.get(first) == 700)
    second_process = command(server, facts, root)
    assert second_process.stderr.readline() == (
        f"download: waiting for the process that downloads into {root}\n"
    )
    server.released.set()
    assert (first_process.wait(20), second_process.wait(20)) == (0, 0)
    assert "is complete" in first_process.stdout.read()
    assert "is complete" in second_process.stdout.read().replace("already ", "")
    for process in (first_process, second_process):
        process.communicate()
    assert server.sent[first] == len(server.files[first])
    assert len(server.gets(paths(facts)[1])) == 1


def test_a_flipped_byte_is_an_error_of_its_archive_only(server, facts, root):
    path = paths(facts)[0]
    right = server.files[path]
    server.files[path] = right[:99] + bytes([right[99] ^ 1]) + right[100:]
    with pytest.raises(LesionsegError, match=r"Input\.zip is not the official .* was deleted"):
        download_isic(root, 2018, ["val"], mirror=server.url)
    assert names(root) == [facts["val"].masks.folder]
    server.files[path] = right
    assert download_isic(root, 2018, ["val"], mirror=server.url) == [facts["val"].images.folder]
    assert len(ISICDataset(root, 2018, "val")) == 3


def test_two_archives_that_fail_are_one_sentence(server, facts, root, capsys):
    for path in paths(facts):
        server.files[path] = server.files[path] + b"x"
    with pytest.raises(LesionsegError, match=r"^2 of 2 archives failed; run .* first: .*zip"):
        download_isic(root, 2018, ["val"], mirror=server.url)
    said = capsys.readouterr().err
    assert all(said.count(f"{archive.zip} is not the official") == 1 for archive in facts["val"])


def test_an_absent_archive_is_one_sentence_before_any_download(server, facts, root, capsys):
    del server.files[paths(facts)[1]]
    options = ["--root", str(root), "--mirror", server.url, "--splits", "val"]
    assert cli.main(["download", "isic2018", *options]) == 1
    said = capsys.readouterr().err
    assert said.count("error: ") == 1
    assert f"{server.url}{paths(facts)[1]}: the server answered 404 (Not Found); check" in said
    assert server.gets() == []


def test_a_zip_that_is_there_is_not_downloaded_and_not_deleted(server, facts, root):
    root.mkdir()
    images = facts["val"].images
    (root / images.zip).write_bytes(server.files[f"/2018/{images.zip}"])
    download_isic(root, 2018, ["val"], mirror=server.url)
    assert server.gets() == [None]
    assert names(root) == sorted([images.zip, *(archive.folder for archive in facts["val"])])


def test_another_file_with_the_name_of_the_zip_is_unchanged(server, facts, root):
    root.mkdir()
    images = facts["val"].images
    other = bytes(len(server.files[f"/2018/{images.zip}"]))
    (root / images.zip).write_bytes(other)
    with pytest.raises(LesionsegError, match=r"is not the official .*rename it to .*\.part"):
        download_isic(root, 2018, ["val"], mirror=server.url)
    assert (root / images.zip).read_bytes() == other


def test_a_folder_gets_only_what_it_lacks(server, facts, root):
    download_isic(root, 2018, ["val"], mirror=server.url)
    home = root / facts["val"].images.folder
    kept, *gone = sorted(path for path in home.iterdir() if path.name.startswith("ISIC_"))
    kept.write_bytes(b"mine")
    for path in gone:
        path.unlink()
    assert download_isic(root, 2018, ["val"], mirror=server.url) == [home.name]
    assert kept.read_bytes() == b"mine"
    assert all(path.exists() for path in gone)


def test_a_full_disk_is_an_error_before_any_download(server, root, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(download.shutil, "disk_usage", lambda path: usage(9000, 8000, 1000))
    with pytest.raises(
        LesionsegError,
        match=r"too full for ISIC 2018: .* kB to download, about .* to extract, "
        r"and 1\.0 kB are free in .*data; make room, .*--splits",
    ):
        download_isic(root, 2018, mirror=server.url)
    assert server.gets() == []
    assert names(root) == []


def test_a_server_that_reports_no_length(server, root, monkeypatch, capsys):
    monkeypatch.setattr(download, "remote_size", lambda url, stop: None)
    download_isic(root, 2018, ["val"], mirror=server.url)
    assert "at least 0 bytes to download" in capsys.readouterr().err


def test_a_folder_of_files_is_a_mirror_too(server, facts, root, tmp_path):
    (tmp_path / "mirror" / "2018").mkdir(parents=True)
    for path, data in server.files.items():
        (tmp_path / f"mirror{path}").write_bytes(data)
    mirror = (tmp_path / "mirror").as_uri()
    download_isic(root, 2018, ["val"], mirror=mirror)
    assert len(ISICDataset(root, 2018, "val")) == 3
    (tmp_path / f"mirror{paths(facts, 'test')[0]}").unlink()
    with pytest.raises(LesionsegError, match=r"Test_Input\.zip cannot be read"):
        download_isic(root, 2018, ["test"], mirror=mirror)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["isic2016", "--splits", "val"], "ISIC 2016 has no validation split"),
        (["isic2018", "--mirror", "example.org"], "expected mirror to start with http://"),
        (["isic2018", "--workers", "0"], "expected workers to be at least 1, got 0"),
    ],
)
def test_mistakes_are_one_sentence_and_make_no_folder(options, words, root, capsys):
    assert cli.main(["download", *options, "--root", str(root)]) == 1
    assert words in capsys.readouterr().err
    assert not root.exists()


def test_an_unknown_year_is_an_argument_error(root):
    with pytest.raises(ValueError, match="2016, 2017 or 2018, got 2019"):
        download_isic(root, 2019)


def test_the_dataset_downloads_its_own_split(server, facts, root):
    assert len(ISICDataset(root, 2018, "test", masks=False, download=True)) == 2
    assert names(root) == [facts["test"].images.folder]
    assert ISICDataset(root, 2018, "test", download=True)[0].keys() >= {"image", "mask"}
    assert names(root) == sorted(archive.folder for archive in facts["test"])
    with pytest.raises(DatasetNotFoundError, match=rf"isic2018 --root {root} --splits val"):
        ISICDataset(root, 2018, "val")


@pytest.mark.parametrize(
    ("options", "stage", "expected"),
    [
        ({}, None, {"train", "val", "test"}),
        ({}, "fit", {"train", "val"}),
        ({}, "validate", {"val"}),
        ({}, "test", {"test"}),
        ({"test_split": "val"}, "test", {"val"}),
        ({"split": "holdout"}, "fit", {"train"}),
        ({"split": "holdout"}, "test", {"test"}),
        ({"split": "k-fold"}, "test", {"train"}),
        ({"split": "k-fold"}, "predict", {"test"}),
        ({"predict_split": "val"}, "predict", {"val"}),
    ],
)
def test_the_module_downloads_what_a_stage_reads(root, monkeypatch, options, stage, expected):
    from lightning.pytorch.trainer.states import TrainerFn

    asked = []
    monkeypatch.setattr(
        "lesionseg.data.datamodules.isic.download_isic",
        lambda root, year, splits, mirror: asked.append((root, year, set(splits), mirror)),
    )
    state = namedtuple("state", "fn")(stage and TrainerFn(stage))
    for wanted in (False, True):
        module = ISICDataModule(root, download=wanted, **options)
        module.trainer = stage and namedtuple("trainer", "state")(state)
        module.prepare_data()
    assert asked == [(root, 2018, expected, ISICDataset.url)]


def test_archives_have_the_official_names_and_checksums():
    assert {len(splits) for splits in ARCHIVES.values()} == {2, 3}
    for splits in ARCHIVES.values():
        for official in splits.values():
            for archive in official:
                name, digest = archive.checksum
                assert len(digest) == 2 * hashlib.new(name).digest_size
                assert archive.home(Path("d")) == Path("d", archive.zip.removesuffix(".zip"))


def test_foreign_images_do_not_stand_for_official_ones(server, facts, root):
    download_isic(root, 2018, ["val"], mirror=server.url)
    folder = root / facts["val"].images.folder
    lost, *_ = sorted(folder.glob("ISIC_*"))
    lost.rename(folder / "ISIC_9999999.jpg")
    assert download_isic(root, 2018, ["val"], mirror=server.url) == [folder.name]
    assert lost.exists()
    with pytest.raises(InvalidDataError, match="ISIC_9999999; they are not of this split: remove"):
        ISICDataset(root, 2018, "val")


def test_the_home_folder_is_expanded(server, facts, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert len(ISICDataset("~/data", 2018, "val", download=True)) == COUNTS["val"]
    assert ISICDataset.has("~/data", 2018, "val")
    data = ISICDataModule("~/data", 2017, cache="~/cache")
    assert (data.root, data.cache) == (tmp_path / "data", tmp_path / "cache")


def test_a_broken_link_is_an_error_before_any_download(server, facts, root):
    root.mkdir()
    folder = root / facts["val"].masks.folder
    folder.symlink_to("unplugged")
    with pytest.raises(LesionsegError, match=f"{folder.name} is not a folder, or a broken link"):
        download_isic(root, 2018, ["val"], mirror=server.url)
    assert server.requests == []


def test_a_mirror_may_have_spaces_and_accents(server, facts, root):
    for path in paths(facts):
        server.files[f"/my%20donn%C3%A9es{path}"] = server.files[path]
    download_isic(root, 2018, ["val"], mirror=f"{server.url}/my données")


@pytest.mark.skipif(sys.platform == "win32", reason="there are no such rights")
def test_others_may_hold_the_lock_of_a_shared_folder(server, root):
    download_isic(root, 2018, ["val"], mirror=server.url)
    assert (root / LOCK).stat().st_mode & 0o777 == 0o666
