"""Summarize a data set before training: lesionseg inspect --data PATH [PATH ...]."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lesionseg.errors import LesionsegError, printable
from lesionseg.files import MARK, atomic_path, check_outputs

# NumPy, Pillow and SciPy, and torch for --augment, are imported where they are used.

_SHEET = Path("augment.png")
_PICTURES = (".png", ".jpg")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the options of ``lesionseg inspect``."""
    parser.description = (
        "Summarize a data set: counts, sizes, lesion areas, copies, ids that years or splits\n"
        "share, revised masks, and broken or unpaired files. With --model, also rank the masks by\n"
        "their difference from a model's predictions and list those that look wrong. With\n"
        "--augment, show what augmentation does to a few images instead."
    )
    parser.add_argument(
        "--data",
        required=True,
        nargs="+",
        type=Path,
        metavar="PATH",
        help="folders of unpacked ISIC archives, of PH2, or of your images and masks; a folder "
        "that holds such folders; or a CSV file of image and mask paths",
    )
    parser.add_argument(
        "--masks",
        type=Path,
        metavar="DIR",
        help="masks of the images in PATH, if their folder is not found by its name",
    )
    parser.add_argument(
        "--model",
        metavar="NAME",
        help="compare the masks with the predictions of a model: folder of lesionseg "
        "cross-validate, whose predictions are of held-out images; or name of a pretrained model, "
        "or path of a checkpoint, an exported .onnx file or a folder of save_pretrained",
    )
    parser.add_argument(
        "--device",
        default="auto",
        help="device of the model, such as cpu or cuda (default: a GPU if there is one)",
    )
    parser.add_argument(
        "--html", type=Path, metavar="FILE", help="also write a page with pictures, one file"
    )
    parser.add_argument(
        "--markdown", type=Path, metavar="FILE", help="also write the report as Markdown"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="also replace existing files that lesionseg did not write",
    )
    sheet = parser.add_argument_group("contact sheet of augmentation")
    sheet.add_argument(
        "--augment",
        nargs="*",
        metavar="NAME",
        help="show these augmentations, or all if no name is given",
    )
    sheet.add_argument(
        "--output", type=Path, metavar="FILE", help=f"picture to write (default: {_SHEET})"
    )
    sheet.add_argument(
        "--images", type=int, default=3, metavar="N", help="rows of each (default: %(default)s)"
    )
    sheet.add_argument(
        "--draws", type=int, default=4, metavar="N", help="results per row (default: %(default)s)"
    )
    sheet.add_argument(
        "--size",
        nargs=2,
        type=int,
        default=(192, 256),
        metavar=("H", "W"),
        help="height and width of the augmented images (default: 192 256)",
    )
    sheet.add_argument("--seed", type=int, default=0, help="seed of images and draws (default: 0)")


def run(options: argparse.Namespace) -> int:
    """Run ``lesionseg inspect``; findings are not a failure.

    Returns:
        The exit code, 0.

    Raises:
        LesionsegError: If a path or an option cannot be used.
        OSError: If a result cannot be written.
    """
    page: Path | None = options.html
    markdown: Path | None = options.markdown
    if options.augment is not None:
        if page is not None or markdown is not None:
            option = "--html" if page is not None else "--markdown"
            raise LesionsegError(f"{option} does not work with --augment; run them separately.")
        if options.model is not None:
            raise LesionsegError("--model does not work with --augment; run them separately.")
        return _show_augmentation(options)
    if options.output is not None:
        raise LesionsegError("--output is for --augment; a page is written with --html FILE.")
    # Before reading, which may take minutes.
    check_outputs([path for path in (page, markdown) if path], overwrite=options.overwrite)

    from lesionseg.inspection.report import render_report
    from lesionseg.inspection.scan import inspect_data

    predictions = None
    if options.model is not None:
        from lesionseg.cli.mask_predictions import open_predictions

        predictions = open_predictions(options.model, options.device)  # errors before reading
    inspection = inspect_data(options.data, options.masks)
    if predictions is not None:
        from dataclasses import replace

        from lesionseg.inspection.comparison import compare_masks

        comparison = compare_masks(
            inspection.records, predictions.predict, options.model, predictions.trained_on
        )
        inspection = replace(inspection, comparison=comparison)
    _print(render_report(inspection, ascii_only=not _encodable("█")) + "\n")
    if markdown is not None:
        text = f"{render_report(inspection, style='markdown')}\n\n<!-- {MARK} -->\n"
        with atomic_path(markdown) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
        _print(f"Markdown: {markdown}")
    if page is None:
        _print("For pictures, add --html FILE")
        return 0
    from lesionseg.inspection.page import write_page

    write_page(inspection, page)
    _print(f"Page:     {page} (opens in any browser)")
    return 0


def _show_augmentation(options: argparse.Namespace) -> int:
    for name in ("images", "draws"):
        if (value := getattr(options, name)) < 1:
            raise ValueError(f"expected --{name} to be 1 or more, got {value}")
    output: Path = options.output or _SHEET
    if output.suffix.lower() not in _PICTURES or output.is_dir():
        raise LesionsegError(
            f"expected --output to be a file name that ends in {' or '.join(_PICTURES)}, "
            f"got {output}"
        )

    from lesionseg.data.discovery.scanner import find_sets
    from lesionseg.data.io.reading import check_size
    from lesionseg.data.transforms.augmentation import AUGMENTATION_NAMES, Augmentation
    from lesionseg.inspection.contact import augmentation_sheet, load_samples
    from lesionseg.visualization import save_picture

    names = options.augment or list(AUGMENTATION_NAMES)
    Augmentation(names)  # unknown names are refused before the data are searched
    sets = find_sets(options.data, options.masks)
    inputs = [p for found in sets for p in (*found.images.values(), *(found.masks or {}).values())]
    check_outputs([output], inputs, options.overwrite)
    samples = load_samples(sets, options.images, check_size(tuple(options.size)), options.seed)
    sheet = augmentation_sheet(samples, names, options.draws, options.seed)
    save_picture(sheet, output)
    _print(f"Contact sheet: {output}")
    return 0


def _print(text: str) -> None:
    """Print also characters that the terminal cannot show, such as in names of files."""
    encoding = sys.stdout.encoding or "utf-8"
    print(printable(text).encode(encoding, "replace").decode(encoding))


def _encodable(text: str) -> bool:
    try:
        text.encode(sys.stdout.encoding or "utf-8")
    except UnicodeEncodeError:
        return False
    return True
