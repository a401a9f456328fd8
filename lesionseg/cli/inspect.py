"""What is in a data set, before training: lesionseg inspect --data PATH [PATH ...]."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lesionseg.errors import LesionsegError, printable
from lesionseg.files import check_outputs

# What needs numpy, Pillow and scipy, and torch for --augment, is imported where it is used.
if TYPE_CHECKING:
    from lesionseg.data.discovery.image_set import ImageSet

_SHEET = Path("augment.png")
_PICTURES = (".png", ".jpg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``lesionseg inspect``."""
    parser.description = (
        "Tell what is in image data: counts, sizes, lesion areas, copies, ids that the\n"
        "challenge's years share, revised masks, and files that are broken or do not belong\n"
        "together. With --augment, show what augmentation makes of a few images instead."
    )
    parser.add_argument(
        "--data",
        required=True,
        nargs="+",
        type=Path,
        metavar="PATH",
        help="folders of unpacked ISIC archives, PH2, or images and masks of your own; or a folder "
        "that holds such folders",
    )
    parser.add_argument(
        "--masks",
        type=Path,
        metavar="DIR",
        help="masks of the images in PATH, where they are in a folder of another name than masks",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="also write a page with pictures, one file"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="also replace files of these names that lesionseg did not write",
    )
    sheet = parser.add_argument_group("contact sheet of augmentation")
    sheet.add_argument(
        "--augment",
        nargs="*",
        metavar="NAME",
        help="show these augmentations, or all without a name",
    )
    sheet.add_argument(
        "--output", type=Path, metavar="FILE", help=f"picture to write (default: {_SHEET})"
    )
    sheet.add_argument(
        "--images", type=int, default=3, metavar="N", help="rows for each (default: %(default)s)"
    )
    sheet.add_argument(
        "--draws", type=int, default=4, metavar="N", help="results in a row (default: %(default)s)"
    )
    sheet.add_argument(
        "--size",
        nargs=2,
        type=int,
        default=(192, 256),
        metavar=("H", "W"),
        help="height and width that they are applied at (default: 192 256)",
    )
    sheet.add_argument("--seed", type=int, default=0, help="of images and draws (default: 0)")


def run(options: argparse.Namespace) -> int:
    """Runs ``lesionseg inspect``; findings are no failure.

    Returns:
        The exit code, 0.

    Raises:
        LesionsegError: A path or an option cannot be used; the message says why.
        OSError: What is asked for cannot be written.
    """
    if options.augment is not None:
        if options.html is not None:
            raise LesionsegError("--html goes without --augment; run the two one after the other.")
        return _show_augmentation(options)
    if options.output is not None:
        raise LesionsegError("--output is for --augment; a page is written with --html FILE.")
    page: Path | None = options.html
    if page is not None:
        check_outputs([page], overwrite=options.overwrite)  # reading may take minutes

    from lesionseg.inspection.report import render_report
    from lesionseg.inspection.scan import inspect_data

    inspection = inspect_data(options.data, options.masks)
    _print(render_report(inspection, ascii_only=not _encodable("█")))
    if page is None:
        _print("\nPictures of all this: add --html FILE")
        return 0
    from lesionseg.inspection.page import write_page

    write_page(inspection, page)
    _print(f"\nPage:     {page} (opens in any browser)")
    return 0


def _show_augmentation(options: argparse.Namespace) -> int:
    for name in ("images", "draws"):
        if getattr(options, name) < 1:
            raise ValueError(f"--{name} must be 1 or more: {getattr(options, name)}")
    output: Path = options.output or _SHEET
    if output.suffix.lower() not in _PICTURES or output.is_dir():
        raise LesionsegError(
            f"{output} is no name for a picture; give one that ends in {' or '.join(_PICTURES)}."
        )

    from lesionseg.data.discovery.scanner import find_sets
    from lesionseg.data.io.reading import check_size
    from lesionseg.data.transforms.augmentation import AUGMENTATION_NAMES, Augmentation
    from lesionseg.inspection.contact import augmentation_sheet, load_samples
    from lesionseg.visualization import save_picture

    names = options.augment or list(AUGMENTATION_NAMES)
    Augmentation(names)  # says which are known before the data are searched
    sets: tuple[ImageSet, ...] = find_sets(options.data, options.masks)
    read = [path for one in sets for path in (*one.images.values(), *(one.masks or {}).values())]
    check_outputs([output], read, options.overwrite)
    samples = load_samples(sets, options.images, check_size(tuple(options.size)), options.seed)
    sheet = augmentation_sheet(samples, names, options.draws, options.seed)
    save_picture(sheet, output)
    _print(f"Contact sheet: {output}")
    return 0


def _print(text: str) -> None:
    """Prints also what the terminal has no characters for: names of files may be anything."""
    encoding = sys.stdout.encoding or "utf-8"
    print(printable(text).encode(encoding, "replace").decode(encoding))


def _encodable(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
