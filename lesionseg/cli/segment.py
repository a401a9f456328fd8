"""Segment photographs: lesionseg segment PATHS... --output DIR."""

from __future__ import annotations

import argparse
import errno
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lesionseg.data.discovery.names import (
    IMAGE_SUFFIXES,
    check_name,
    list_files,
    stem_of,
    strip_ending,
)
from lesionseg.errors import InvalidDataError, LesionsegError, printable
from lesionseg.files import check_outputs, remove_unfinished
from lesionseg.inference.regions import POST_PROCESSINGS
from lesionseg.inference.saving import (
    COCO_FILE,
    FORMATS,
    MEASURES_TABLE,
    Format,
    ResultWriter,
    parse_formats,
    result_names,
    review_lines,
)
from lesionseg.inference.tta import TEST_TIME_AUGMENTATIONS
from lesionseg.pretrained import DEFAULT

if TYPE_CHECKING:
    from lesionseg.inference.segmentation import ImagePredictor

_DEFAULT_FORMATS = "mask,overlay,csv"
_TABLES = (MEASURES_TABLE, COCO_FILE)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg segment`` to its parser."""
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="images, or folders of images"
    )
    parser.add_argument(
        "--model",
        default=DEFAULT,
        metavar="NAME",
        help="name of a pretrained model (see lesionseg models --pretrained), or path of a "
        "checkpoint, an exported .onnx file or a folder of save_pretrained, or owner/name on the "
        "Hugging Face Hub (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        default=Path("segmented"),
        type=Path,
        metavar="DIR",
        help="output folder (default: %(default)s)",
    )
    parser.add_argument(
        "--format",
        default=_DEFAULT_FORMATS,
        metavar="NAMES",
        help=f"what to write, separated by commas: {', '.join(FORMATS)} (default: %(default)s)",
    )
    parser.add_argument(
        "--probabilities", action="store_true", help="the same as the format probability, too"
    )
    parser.add_argument("--no-overlays", action="store_true", help="leave out the format overlay")
    parser.add_argument(
        "--pixel-spacing",
        type=float,
        metavar="MM",
        help="distance between pixel centers in millimeters, for measures in millimeters "
        "(default: that of a DICOM file)",
    )
    parser.add_argument(
        "--device",
        default="auto",
        help="device for a checkpoint, such as cpu or cuda (default: a GPU if there is one)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="also replace files that lesionseg did not write",
    )
    parser.add_argument(
        "--on-error",
        choices=["stop", "skip"],
        default="stop",
        help="whether to stop at an image that cannot be read, or to skip it and list it at the "
        "end (default: %(default)s)",
    )
    parser.add_argument(
        "--test-time-augmentation",
        choices=TEST_TIME_AUGMENTATIONS,
        default="none",
        help="average the probabilities of each image over 4 flips, or over 8 flips and rotations, "
        "which takes 4 or 8 times as long (default: none)",
    )
    parser.add_argument(
        "--postprocess",
        choices=POST_PROCESSINGS,
        help="largest-region keeps the largest region of each mask and fills its holes (default: "
        "none, or that of an exported file)",
    )


def run(options: argparse.Namespace) -> int:
    """Segment images, each at its size and EXIF orientation.

    Args:
        options: Values of the arguments of :func:`add_arguments`. With ``on_error="skip"``, images
            that cannot be read are skipped and listed on stderr at the end, with the reasons.

    Returns:
        0, also if images were skipped.

    Raises:
        InvalidDataError: If an image cannot be read; the results of earlier images stay. With
            ``"skip"``: if no image can be read.
        CheckpointError: If the checkpoint cannot be used.
        LesionsegError: If a path does not exist, or two images have the same output file.
    """
    skip = options.on_error == "skip"
    skipped: list[str] = []
    ignored: list[Path] = []
    writer = ResultWriter(options.output, _formats(options))
    if options.pixel_spacing is not None and not 0 < options.pixel_spacing < float("inf"):
        raise LesionsegError(
            "expected --pixel-spacing to be a positive number of millimeters, got "
            f"{options.pixel_spacing:g}."
        )
    images = find_images(options.paths, options.output, skipped if skip else None, ignored)
    results = [path for image in images for path in writer.files(image.stem)]
    check_outputs([*results, *writer.tables()], images, options.overwrite)
    if options.output.exists() and not options.output.is_dir():
        raise LesionsegError(f"{options.output} is a file; give a folder with --output.")

    from tqdm import tqdm

    from lesionseg.inference.loading import load_predictor

    remove_unfinished(options.output)
    predictor = load_predictor(
        options.model, options.device, options.test_time_augmentation, options.postprocess
    )
    reviews: dict[str, tuple[str, ...]] = {}
    try:
        for path in tqdm(images, desc="segment", unit="image", disable=None):
            try:
                reviews[path.name] = _segment(path, predictor, writer, options.pixel_spacing)
            except LesionsegError as error:
                if not skip:
                    raise
                skipped.append(printable(str(error)))
    finally:
        if reviews:
            writer.write_tables()
    if ignored:
        print(f"ignored: {printable(_describe_files(ignored))}", file=sys.stderr)
    if skipped:
        print(f"{_count(len(skipped))} skipped:", *skipped, sep="\n  ", file=sys.stderr)
    if not reviews:
        raise InvalidDataError(f"none of {_count(len(skipped))} could be segmented.")
    print(f"{_count(len(reviews))} segmented; see {options.output}")
    for line in review_lines(reviews):
        print(line)
    if all("nothing found" in reasons for reasons in reviews.values()):
        print(
            "warning: no lesion was found in any image, all masks are empty; check that the model "
            "was trained on such images.",
            file=sys.stderr,
        )
    return 0


def _formats(options: argparse.Namespace) -> tuple[Format, ...]:
    """Return the formats to write: ``--format``, and the older options."""
    formats = parse_formats(options.format)
    if options.no_overlays:
        formats = tuple(kind for kind in formats if kind != "overlay")
    if options.probabilities:
        formats = parse_formats([*formats, "probability"])
    return formats


def _segment(
    path: Path, predictor: ImagePredictor, writer: ResultWriter, spacing: float | None
) -> tuple[str, ...]:
    """Write the results of an image, and return the reasons to look at it again."""
    from lesionseg.data.io.reading import read_image
    from lesionseg.inference.segmentation import with_photograph

    image = read_image(path)
    result = with_photograph(predictor(image), image, path, spacing)
    try:
        writer.add(result, path.stem)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise InvalidDataError(
            f"The name of the image {path} is too long for its results; shorten it."
        ) from error
    return result.review


def _count(images: int) -> str:
    return f"{images} image" + ("s" if images != 1 else "")


def _describe_files(files: Sequence[Path]) -> str:
    """Describe files that are not images by number and suffix."""
    kinds = Counter(
        "mask" if path.suffix.lower() in IMAGE_SUFFIXES else path.suffix.lower() or path.name
        for path in files
    )
    listed = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    what = "file that is not an image" if len(files) == 1 else "files that are not images"
    return f"{len(files)} {what} ({listed})."


def find_images(
    paths: Sequence[Path],
    output: Path,
    missing: list[str] | None = None,
    ignored: list[Path] | None = None,
) -> list[Path]:
    """Return the images among paths and, sorted, in the folders among them.

    Args:
        paths: Files and folders.
        output: Output folder; earlier results for these images in it are excluded.
        missing: List to which a message is added for each path that does not exist or has an
            unreadable name; None raises an error.
        ignored: List to which the files in the folders are added that are not images.

    Raises:
        LesionsegError: If a path does not exist, a folder has no image, or two images have the same
            stem.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = list_files(path, "images")
            others = [
                file
                for file in sorted(path.iterdir())
                if file.suffix.lower() not in IMAGE_SUFFIXES
                and not file.name.startswith(".")
                and file.is_file()
                and not (file.name in _TABLES and path.absolute() == output.absolute())
                and file.absolute() not in results_of(inside, output)
            ]
            if not inside:
                what = f", but {_describe_files(others)}" if others else "."
                raise InvalidDataError(
                    f"the folder {path} holds no image ({', '.join(IMAGE_SUFFIXES)}){what}"
                )
            masks = masks_beside(inside)
            found += [file for file in inside if file not in masks]
            if ignored is not None:
                ignored += others
                ignored += sorted(
                    file for file in masks if file.absolute() not in results_of(inside, output)
                )
        elif path.is_file():
            found.append(path)
        else:
            message = f"there is no file or folder {path}; check the path."
            if missing is None:
                raise LesionsegError(message)
            missing.append(message)
    results = results_of(found, output)
    found = [path for path in found if path.absolute() not in results]
    stems: dict[str, Path] = {}
    for path in found:
        try:
            check_name(path)
        except InvalidDataError as error:
            if missing is None:
                raise
            missing.append(str(error))
            continue
        # macOS takes both Unicode forms of a name as the same.
        other = stems.setdefault(stem_of(path), path)
        if other != path:
            raise LesionsegError(
                f"{other} and {path} would both be written to {result_names(path.stem)[0]}; "
                "segment them into different folders."
            )
    return list(stems.values())


def results_of(images: Sequence[Path], output: Path) -> set[Path]:
    """Return the absolute paths of the results that images may have in any format."""
    return {(output / name).absolute() for path in images for name in result_names(path.stem)}


def masks_beside(files: Sequence[Path]) -> set[Path]:
    """Return the files of a folder that are masks of others: ``a_segmentation.png`` of ``a.jpg``.

    Example:
        >>> from pathlib import Path
        >>> from lesionseg.cli.segment import masks_beside
        >>> sorted(path.name for path in masks_beside([Path("a.jpg"), Path("a_Segmentation.png")]))
        ['a_Segmentation.png']
    """
    stems = {stem_of(path) for path in files}
    return {
        path
        for path in files
        if (bare := strip_ending(stem_of(path))) != stem_of(path) and bare in stems
    }
