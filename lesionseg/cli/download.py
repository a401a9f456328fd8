"""Bring the official archives of an ISIC challenge: lesionseg download isic2018 --root DIR.

Several archives at a time, resumed after a cut, checked, and unpacked to DIR; what is there already
is left alone. The same command goes on where a stopped one was.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lesionseg.data.archives import ARCHIVES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``lesionseg download``."""
    parser.add_argument(
        "dataset", choices=[f"isic{year}" for year in ARCHIVES], help="the challenge"
    )
    parser.add_argument(
        "--root", required=True, type=Path, metavar="DIR", help="folder of the official folders"
    )
    parser.add_argument(
        "--splits",
        nargs="+",
        choices=["train", "val", "test"],
        metavar="SPLIT",
        help="train, val, test or several of them (default: all that the year has)",
    )
    parser.add_argument(
        "--mirror",
        metavar="URL",
        help="base address with the same layout, URL/YEAR/FOLDER.zip; file:// too",
    )
    parser.add_argument(
        "--keep-archives", action="store_true", help="keep the zips beside the folders"
    )
    parser.add_argument(
        "--workers", type=int, default=4, metavar="N", help="archives at a time (default: 4)"
    )


def run(options: argparse.Namespace) -> int:
    """Downloads what is not there yet.

    Args:
        options: What :func:`add_arguments` describes.

    Raises:
        LesionsegError: As :func:`lesionseg.data.download_isic`.
        ValueError: The year never had such a split, or the mirror is no address.
    """
    from lesionseg.data.download.isic import download_isic

    year = int(options.dataset.removeprefix("isic"))
    done = download_isic(
        options.root,
        year,
        options.splits,
        mirror=options.mirror,
        keep_archives=options.keep_archives,
        workers=options.workers,
    )
    splits = " ".join(options.splits or ARCHIVES[year])
    how = "" if done else " already"
    print(f"{options.dataset} ({splits}) is{how} complete in {options.root}")
    return 0
