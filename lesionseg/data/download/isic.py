"""Download, verify and extract the official ISIC archives."""

from __future__ import annotations

import errno
import shutil
import sys
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from dataclasses import dataclass
from pathlib import Path
from re import Pattern
from string import punctuation
from urllib.parse import quote

from tqdm import tqdm

from lesionseg.data.archives import (
    ARCHIVES,
    IMAGE_NAME,
    ISIC_URL,
    MASK_NAME,
    Archive,
    official_archives,
)
from lesionseg.data.discovery.scanner import ids_in
from lesionseg.data.download.extract import extract
from lesionseg.data.download.http import Stopped, digest, download, remote_size, say
from lesionseg.data.id_lists import official_ids
from lesionseg.data.io.thread_pool import thread_pool
from lesionseg.errors import LesionsegError
from lesionseg.files import file_lock, size_text

WORKERS = 4
"""Archives at a time: several connections use more of a fast line than one."""

_EXPANSION = 1.1  # of JPEGs and PNGs in a zip archive, about
_PATIENCE = 2.0  # seconds that Ctrl-C waits for threads


@dataclass
class _Download:
    """An archive that is to be downloaded and extracted."""

    archive: Archive
    ids: frozenset[str]
    name: Pattern[str]
    root: Path
    url: str
    size: int | None = None
    has_zip: bool = False

    @property
    def zip(self) -> Path:
        return self.root / self.archive.zip

    @property
    def part(self) -> Path:
        return self.root / f"{self.archive.zip}.part"

    @property
    def received(self) -> int:
        """Bytes that earlier runs have downloaded."""
        return self.part.stat().st_size if self.part.exists() else 0

    def present(self) -> int:
        """Return how many of the official files exist; others do not count."""
        return len(self.ids & ids_in(self.archive.home(self.root), self.name))

    def is_complete(self) -> bool:
        return self.present() >= self.archive.files

    def is_official(self, path: Path, stop: threading.Event) -> bool:
        """Return whether a file has the official checksum."""
        algorithm, expected = self.archive.checksum
        return digest(path, algorithm, stop) == expected


def download_isic(
    root: str | Path,
    year: int = 2018,
    splits: Sequence[str] | None = None,
    *,
    mirror: str | None = None,
    masks: bool = True,
    keep_archives: bool = False,
    workers: int = WORKERS,
) -> list[str]:
    """Download, verify and extract official splits of an ISIC challenge.

    A folder with all its official images or masks is left unchanged, and no server is contacted
    for it; a folder that lacks some gets those, and its own files are never changed (empty ones do
    not count). A zip archive in ``root`` with the official checksum is used and kept.

    An interrupted download stays in ``root`` as a ``.part`` file, and the next run resumes it. Of
    several processes with the same ``root``, the first downloads and the others wait.

    Args:
        root: Folder of the official folders; created if absent.
        year: 2016, 2017 or 2018.
        splits: Some of ``train``, ``val`` and ``test``; None for all of the year.
        mirror: Base address with the same layout, ``mirror/year/folder.zip``, starting with
            ``http://``, ``https://`` or ``file://``; None for the ISIC archive.
        masks: False downloads images only.
        keep_archives: Keep the zip archives in ``root`` beside the folders.
        workers: Archives that are downloaded at the same time.

    Returns:
        Names of the folders that were extracted or completed.

    Raises:
        ValueError: If there is no such year or split, or an argument is out of range.
        LesionsegError: If the disk is too full, the server cannot be reached or lacks an archive,
            or an archive has a wrong checksum. The other archives are completed nevertheless.

    Example:
        >>> from pathlib import Path
        >>> from tempfile import TemporaryDirectory
        >>> from lesionseg.data import download_isic, official_ids
        >>> with TemporaryDirectory() as root:  # all images are there: no server is contacted
        ...     folder = Path(root, "ISIC2018_Task1-2_Validation_Input")
        ...     folder.mkdir()
        ...     for id_ in official_ids(2018, "val"):
        ...         _ = (folder / f"{id_}.jpg").write_text("...")
        ...     download_isic(root, 2018, ["val"], masks=False)
        []
    """
    if workers < 1:
        raise ValueError(f"expected workers to be at least 1, got {workers}")
    base = ISIC_URL if mirror is None else quote(mirror.rstrip("/"), safe=punctuation)
    if not base.startswith(("http://", "https://", "file://")):
        raise ValueError(
            f"expected mirror to start with http://, https:// or file://, got {mirror!r}"
        )
    root = Path(root).expanduser()
    downloads = list(_downloads(root, year, splits, base, masks))
    if all(item.is_complete() for item in downloads):
        return []
    for item in downloads:
        folder = root / item.archive.folder
        if (folder.exists() or folder.is_symlink()) and not folder.is_dir():
            raise LesionsegError(
                f"{folder} is not a folder, or a broken link; remove it, or choose another --root."
            )
    root.mkdir(parents=True, exist_ok=True)
    waiting = f"waiting for the process that downloads into {root}"
    with file_lock(root / ".lesionseg-download.lock", lambda: say(waiting)):
        missing = [item for item in downloads if not item.is_complete()]  # perhaps none by now
        if missing:
            _download_all(root, f"ISIC {year}", missing, keep_archives, workers)
    return [item.archive.folder for item in missing]


def _downloads(
    root: Path, year: int, splits: Sequence[str] | None, base: str, masks: bool
) -> Iterator[_Download]:
    every = ARCHIVES.get(year, {"train": None})  # official_archives reports an unknown year
    for split in dict.fromkeys(splits or every):
        archives = official_archives(year, split)[: 1 + masks]
        for archive, name in zip(archives, (IMAGE_NAME, MASK_NAME), strict=False):
            url = f"{base}/{year}/{archive.zip}"
            yield _Download(archive, official_ids(year, split), name, root, url)


def _download_all(
    root: Path, what: str, downloads: list[_Download], keep: bool, workers: int
) -> None:
    stop = threading.Event()
    try:
        for item in downloads:
            _look(item, stop)
        _check_space(root, what, downloads)
        errors = _in_threads(downloads, keep, workers, stop)
    except (KeyboardInterrupt, SystemExit):
        say("stopped; the same command resumes")
        raise
    if len(errors) == 1:
        raise errors[0]
    for error in errors:
        say(str(error))
    if errors:
        raise LesionsegError(
            f"{len(errors)} of {len(downloads)} archives failed; run the same command again. The "
            f"first: {errors[0]}"
        ) from errors[0]


def _in_threads(
    downloads: list[_Download], keep: bool, workers: int, stop: threading.Event
) -> list[BaseException]:
    """Complete all archives, several at a time, and return the errors."""
    sizes = [item.size for item in downloads if not item.has_zip]
    bar = tqdm(
        total=None if None in sizes else sum(size or 0 for size in sizes),
        initial=sum(item.received for item in downloads if not item.has_zip),
        desc="download",
        unit="B",
        unit_scale=True,
        # A log file gets a line every half minute.
        mininterval=0.1 if sys.stderr.isatty() else 30.0,
        maxinterval=30.0,
    )
    with bar, thread_pool(workers) as pool:
        jobs = [pool.submit(_complete, item, keep, bar, stop) for item in downloads]
        try:
            while wait(jobs, 0.2).not_done:  # Windows cannot interrupt a wait without a limit
                pass
        except BaseException:
            stop.set()
            wait(jobs, _PATIENCE)
            raise
    found = [job.exception() for job in jobs]
    return [error for error in found if error is not None and not isinstance(error, Stopped)]


def _look(item: _Download, stop: threading.Event) -> None:
    """Find out how much of an archive is to be downloaded."""
    if item.zip.is_file():
        if not item.is_official(item.zip, stop):
            raise LesionsegError(
                f"{item.zip} is not the official archive (its checksum differs); delete it, or, if "
                f"it is an incomplete download, rename it to {item.part.name}."
            )
        item.has_zip, item.size = True, item.zip.stat().st_size
    else:
        item.size = item.archive.size or remote_size(item.url, stop)


def _check_space(root: Path, what: str, downloads: list[_Download]) -> None:
    """Report how much there is to download, and refuse where the disk has no room for it."""
    missing = extracted = 0.0
    for item in downloads:
        size = item.size or 0
        missing += 0 if item.has_zip else max(size - item.received, 0)
        extracted += _EXPANSION * size * (1 - item.present() / item.archive.files)
    free = shutil.disk_usage(root).free
    least = "at least " if any(item.size is None for item in downloads) else ""
    plan = f"{least}{size_text(missing)} to download, about {size_text(extracted)} to extract"
    if missing + extracted > free:
        raise LesionsegError(
            f"the disk is too full for {what}: {plan}, and {size_text(free)} are free in {root}; "
            "make room, choose another --root, or fewer --splits."
        )
    say(f"{what}, {len(downloads)} archives: {plan}; {size_text(free)} are free")


def _complete(item: _Download, keep: bool, bar: tqdm[None], stop: threading.Event) -> None:
    """Download, verify and extract an archive."""
    if stop.is_set():
        raise Stopped
    path = item.zip
    try:
        if not item.has_zip:
            path = item.part
            download(item.url, path, item.size, bar, stop)
            if not item.is_official(path, stop):
                path.unlink()
                raise LesionsegError(
                    f"{item.url} is not the official archive (its checksum differs), and was "
                    "deleted; run the same command again, or choose another --mirror."
                )
            if keep:
                path = path.replace(item.zip)
        say(f"extracting {item.archive.zip}")
        extract(path, item.root, item.archive, item.name, stop)
        if path == item.part:
            path.unlink()
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        stop.set()  # the others would fail too
        raise LesionsegError(
            f"the disk of {item.root} is full; make room and run the same command again, which "
            "resumes."
        ) from error
    say(f"{item.archive.folder} holds {item.present()} files")
