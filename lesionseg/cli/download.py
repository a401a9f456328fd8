"""Download, verify and extract the official archives of an ISIC challenge.

For example: lesionseg download isic2018 --root DIR. Complete folders in DIR are left unchanged. The
same command resumes an interrupted download.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from lesionseg.data.archives import ARCHIVES


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``lesionseg download``."""
    parser.add_argument("dataset", choices=[f"isic{year}" for year in ARCHIVES], help="challenge")
    parser.add_argument(
        "--root", required=True, type=Path, metavar="DIR", help="folder of the official folders"
    )
    parser.add_argument(
        "--splits",
        nargs="+",
        choices=["train", "val", "test"],
        metavar="SPLIT",
        help="train, val, test or several of them (default: all of the year)",
    )
    parser.add_argument(
        "--mirror",
        metavar="URL",
        help="base address of URL/YEAR/FOLDER.zip; may be a file:// address",
    )
    parser.add_argument(
        "--keep-archives", action="store_true", help="keep the zip archives beside the folders"
    )
    parser.add_argument(
        "--workers", type=int, default=4, metavar="N", help="archives at a time (default: 4)"
    )


def run(options: argparse.Namespace) -> int:
    """Download what is missing.

    Args:
        options: Options of :func:`add_arguments`.

    Raises:
        LesionsegError: If :func:`lesionseg.data.download_isic` raises it.
        ValueError: If the year has no such split, or the mirror is not an address.
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
