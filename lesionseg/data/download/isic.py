"""The official ISIC archives: downloaded, checked and unpacked, each part of it at most once."""

from __future__ import annotations

import errno
import shutil
import threading
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from re import Pattern
from string import punctuation
from urllib.parse import quote

from lesionseg.data.archives import (
    ARCHIVES,
    IMAGE_NAME,
    ISIC_URL,
    MASK_NAME,
    Archive,
    official_archives,
)
from lesionseg.data.discovery.scanner import ids_in
from lesionseg.data.download.extract import unpack
from lesionseg.data.download.http import remote_length
from lesionseg.data.download.progress import TransferBar, say, size_text
from lesionseg.data.download.threads import in_threads
from lesionseg.data.download.transfer import Transfer, checksum_text, hash_of, note_of
from lesionseg.data.id_lists import official_ids
from lesionseg.errors import LesionsegError
from lesionseg.files import one_at_a_time

WORKERS = 4
"""Archives at a time: what one connection leaves of a line, others take."""

# What zip saves on JPEGs and PNGs is little, see unpack.py.
_EXPANSION = 1.1


@dataclass
class _Piece:
    """One archive on its way."""

    what: str
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

    def files(self) -> int:
        """How many of the official ones are here; others do not count."""
        return len(self.ids & ids_in(self.archive.home(self.root), self.name))

    def is_complete(self) -> bool:
        return self.files() >= self.archive.files

    def checksum(self) -> tuple[str, str]:
        if self.archive.checksum is None:
            raise LesionsegError(f"No checksum of {self.archive.zip} is known; get it yourself.")
        return self.archive.checksum


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
    """Bring official splits of an ISIC challenge to ``root``, as ``lesionseg download`` does.

    A folder with all its images or masks is left alone, and asks no server, whoever unpacked it;
    one that lacks some gets those, and its own files are never changed (empty ones do not count).
    A zip that lies in ``root`` is used if its checksum is right, and not deleted; if it is only
    the beginning of one, its rest is downloaded.

    What a cut or killed run has brought stays in ``root`` as ``.part`` files, and the next run
    asks for the rest. Of several processes that come at once for one ``root``, one works and the
    others wait for it.

    Args:
        root: folder that holds, or is to hold, the official folders; it is made.
        year: 2016, 2017 or 2018.
        splits: some of ``train``, ``val`` and ``test``; None for all of the year.
        mirror: base address with the same layout, ``mirror/year/folder.zip``, starting with
            ``http://``, ``https://`` or ``file://``; None for the ISIC archive.
        masks: False brings images only.
        keep_archives: keep the zips in ``root`` beside the folders.
        workers: archives at a time.

    Returns:
        Names of the folders that were unpacked or filled up; empty if all was there.

    Raises:
        ValueError: if there never was such a year or split, or an argument is out of range.
        LesionsegError: if the disk is too full, the server cannot be reached or lacks an archive,
            one has a wrong checksum or is unsafe, or something else has an official folder's name.
            One that fails on its way stops no other.
    """
    if workers < 1:
        raise ValueError(f"workers must be at least 1: {workers}")
    base = ISIC_URL if mirror is None else quote(mirror.rstrip("/"), safe=punctuation)
    if not base.startswith(("http://", "https://", "file://")):
        raise ValueError(
            f"mirror must start with http://, https:// or file://, as {ISIC_URL} does: {mirror}"
        )
    root = Path(root).expanduser()
    pieces = list(_pieces(root, year, splits, base, masks))
    if all(piece.is_complete() for piece in pieces):
        return []
    for piece in pieces:
        folder = root / piece.archive.folder
        if (folder.exists() or folder.is_symlink()) and not folder.is_dir():
            raise LesionsegError(
                f"{folder} is no folder, or a link to none; remove it, or choose another --root."
            )
    root.mkdir(parents=True, exist_ok=True)
    waiting = f"waits for the process that downloads into {root}"
    with one_at_a_time(root / ".lesionseg-download.lock", lambda: say(waiting)):
        missing = [piece for piece in pieces if not piece.is_complete()]  # after waiting, perhaps
        if missing:
            _bring(root, f"ISIC {year}", missing, keep_archives, workers)
    return [piece.archive.folder for piece in missing]


def _pieces(
    root: Path, year: int, splits: Sequence[str] | None, base: str, masks: bool
) -> Iterator[_Piece]:
    every = ARCHIVES.get(year, {"train": None})  # an unknown year's first split is an error below
    for split in dict.fromkeys(splits or every):
        images, truth = official_archives(year, split)
        chosen = [(images, "images", IMAGE_NAME), (truth, "masks", MASK_NAME)][: 1 + masks]
        for archive, kind, name in chosen:
            url = f"{base}/{year}/{archive.zip}"
            ids = official_ids(year, split)
            yield _Piece(f"{split} {kind}", archive, ids, name, root, url)


def _bring(root: Path, what: str, pieces: list[_Piece], keep: bool, workers: int) -> None:
    stop = threading.Event()
    bars = [TransferBar(piece.what, row) for row, piece in enumerate(pieces)]
    try:
        both = list(zip(pieces, bars, strict=True))
        in_threads(lambda one: _look(*one, stop), both, workers, stop, give_up=True)
        _check_space(root, what, pieces)
        in_threads(lambda one: _get(*one, keep, stop), both, workers, stop)
    except KeyboardInterrupt:
        say("stopped; the same command goes on from here")
        raise
    finally:
        for bar in bars:
            bar.close()


def _look(piece: _Piece, bar: TransferBar, stop: threading.Event) -> None:
    """Find out what is here of an archive and how much there is to come."""
    name, wanted = piece.checksum()
    piece.size = piece.archive.size
    length = piece.zip.stat().st_size if piece.zip.is_file() else None
    if length is not None and piece.size in (None, length):
        bar.begin("checks", length)
        with piece.zip.open("rb") as file:
            piece.has_zip = hash_of(file, name, bar, stop).hexdigest() == wanted
    if piece.has_zip:
        piece.size = length
        return
    if piece.size is None:
        piece.size = remote_length(piece.url, stop, bar.note)
    if length is None:
        return
    shorter = piece.size is not None and length < piece.size
    if shorter and not piece.part.exists() and _is_cut_off(piece.zip):
        bar.say(f"{piece.zip} is cut off; its rest is downloaded")
        note_of(piece.part).unlink(missing_ok=True)
        piece.zip.rename(piece.part)
        return
    raise LesionsegError(
        f"{piece.zip} is not the official archive (its {checksum_text(name)} is another one); "
        "delete or rename it and run the same command again."
    )


def _is_cut_off(path: Path) -> bool:
    """Whether a file is the beginning of a zip without its end, rather than another whole zip."""
    with path.open("rb") as file:
        begins = file.read(4) == b"PK\x03\x04"
    return begins and not zipfile.is_zipfile(path)


def _check_space(root: Path, what: str, pieces: list[_Piece]) -> None:
    """Tell how much is to come, and stop where the disk has no room for it."""
    fetched = unpacked = 0.0
    for piece in pieces:
        size = piece.size or 0
        if not piece.has_zip:
            fetched += max(size - (piece.part.stat().st_size if piece.part.exists() else 0), 0)
        unpacked += _EXPANSION * size * (1 - min(piece.files() / piece.archive.files, 1))
    free = shutil.disk_usage(root).free
    least = "at least " if any(piece.size is None for piece in pieces) else ""
    parts = f"{least}{size_text(fetched)} to download, about {size_text(unpacked)} to unpack"
    if fetched + unpacked > free:
        raise LesionsegError(
            f"The disk is too full for {what}: {parts}, and {size_text(free)} are free in "
            f"{root}; make room, choose another --root, or fewer --splits."
        )
    say(f"{what}, {len(pieces)} archives: {parts}; {size_text(free)} are free")


def _get(piece: _Piece, bar: TransferBar, keep: bool, stop: threading.Event) -> None:
    """Download and unpack one archive."""
    try:
        source = piece.zip
        if not piece.has_zip:
            source = piece.part
            size, told = piece.archive.size, piece.size
            Transfer(piece.url, source, piece.checksum(), size, bar, stop, told).run()
            if keep:
                source = source.replace(piece.zip)
                note_of(piece.part).unlink(missing_ok=True)
        unpack(source, piece.root, piece.archive, piece.name, bar, stop)
        if source == piece.part:
            source.unlink()
            note_of(source).unlink(missing_ok=True)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        stop.set()  # the others would fail too
        raise LesionsegError(
            f"The disk of {piece.root} is full; make room and run the same command again, which "
            "goes on from here."
        ) from error
    bar.note("done")
    bar.say(f"{piece.files()} files in {piece.archive.folder}")
