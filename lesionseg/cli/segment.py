"""Masks, overlays and measurements of photographs: lesionseg segment PATHS... --output DIR."""

from __future__ import annotations

import argparse
import errno
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lesionseg.data.discovery.names import IMAGE_SUFFIXES, check_name, list_files, stem_of
from lesionseg.errors import InvalidDataError, LesionsegError, printable
from lesionseg.files import check_outputs, remove_unfinished
from lesionseg.inference.measurements import MEASUREMENTS, measure, write_measurements
from lesionseg.inference.tta import TEST_TIME_AUGMENTATIONS
from lesionseg.pretrained import DEFAULT

if TYPE_CHECKING:
    from lesionseg.inference.segmentation import ImagePredictor

_KINDS = ("segmentation", "probability", "overlay")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``lesionseg segment``."""
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="images, or folders of images"
    )
    parser.add_argument(
        "--model",
        default=DEFAULT,
        metavar="NAME",
        help="a pretrained model of lesionseg models --pretrained, or the path of a checkpoint, of "
        "an exported .onnx file or of a folder of save_pretrained (default: %(default)s)",
    )
    parser.add_argument(
        "--output",
        default=Path("segmented"),
        type=Path,
        metavar="DIR",
        help="folder of the results (default: %(default)s)",
    )
    parser.add_argument(
        "--probabilities", action="store_true", help="write 16-bit probability maps too"
    )
    parser.add_argument("--no-overlays", action="store_true", help="write no overlays")
    parser.add_argument(
        "--device",
        default="auto",
        help="where a checkpoint runs, such as cpu or cuda (default: a GPU where there is one)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="also replace files of these names that lesionseg did not write",
    )
    parser.add_argument(
        "--on-error",
        choices=["stop", "skip"],
        default="stop",
        help="at an image that cannot be read, stop, or go on and list it at the end "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--test-time-augmentation",
        choices=TEST_TIME_AUGMENTATIONS,
        default="none",
        help="average each image's probabilities over its 4 flips, or over its 8 flips and "
        "rotations, in as many times the time (default: none)",
    )


def run(options: argparse.Namespace) -> int:
    """Segments the images one by one, each at the size and orientation that a viewer shows.

    Args:
        options: What :func:`add_arguments` describes. With ``on_error`` ``"skip"``, images that
            cannot be used are left out and listed on stderr at the end, each with the reason.

    Returns:
        0, also if images were left out.

    Raises:
        InvalidDataError: An image cannot be used; those before it are done. With ``"skip"``: none
            can be used.
        CheckpointError: The checkpoint cannot be used.
        LesionsegError: A path does not exist, or two images would be written to one name.
    """
    skip = options.on_error == "skip"
    left_out: list[str] = []
    passed_over: list[Path] = []
    missing = left_out if skip else None
    images = find_images(options.paths, options.output, missing, passed_over)
    wanted = {"segmentation": True, "probability": options.probabilities}
    wanted["overlay"] = not options.no_overlays
    kinds = [kind for kind in _KINDS if wanted[kind]]
    results = [options.output / _result_name(path, kind) for path in images for kind in kinds]
    table = options.output / MEASUREMENTS
    check_outputs([*results, table], images, options.overwrite)

    from tqdm import tqdm

    from lesionseg.inference.loading import load_predictor

    remove_unfinished(options.output)
    predictor = load_predictor(options.model, options.device, options.test_time_augmentation)
    measured: list[dict[str, object]] = []
    try:
        for path in tqdm(images, desc="segment", unit="image", disable=None):
            try:
                measured.append(_segment(path, predictor, options))
            except LesionsegError as error:
                if not skip:
                    raise
                left_out.append(printable(str(error)))
    finally:
        if measured:
            write_measurements(measured, table)
    if passed_over:
        print(f"passed over: {printable(_kinds_of(passed_over))}", file=sys.stderr)
    if left_out:
        print(f"{_count(len(left_out))} left out:", *left_out, sep="\n  ", file=sys.stderr)
    if not measured:
        raise InvalidDataError(f"of {_count(len(left_out))} none could be segmented.")
    print(f"{_count(len(measured))} segmented; see {options.output}")
    if not any(one["lesion_pixels"] for one in measured):
        print(
            "warning: no lesion was found in any image, all masks are empty; check that the model "
            "is trained for such images.",
            file=sys.stderr,
        )
    return 0


def _segment(
    path: Path, predictor: ImagePredictor, options: argparse.Namespace
) -> dict[str, object]:
    """Write what is asked for of one image, and return what was measured in its mask."""
    from lesionseg.data.io.reading import read_image
    from lesionseg.inference.outputs import save_map, save_mask, save_overlay

    image = read_image(path)
    result = predictor(image)
    mask, probability, overlay = (options.output / _result_name(path, kind) for kind in _KINDS)
    try:
        save_mask(result.mask, mask)
        if options.probabilities:
            save_map(result.probability, probability)
        if not options.no_overlays:
            save_overlay(image, result.mask, overlay)
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        raise InvalidDataError(
            f"The image {path} has too long a name for its results; shorten it."
        ) from error
    return measure(path.name, result.mask)


def _result_name(path: Path, kind: str) -> str:
    return f"{path.stem}_{kind}.png"


def _count(images: int) -> str:
    return f"{images} image" + ("s" if images != 1 else "")


def _kinds_of(files: Sequence[Path]) -> str:
    """How many files of which kinds are no images, and what can be done."""
    kinds = Counter(path.suffix.lower() or path.name for path in files)
    listed = ", ".join(f"{number} {kind}" for kind, number in sorted(kinds.items()))
    mend = "; save DICOM files as PNG or JPEG" if {".dcm", ".dicom"} & kinds.keys() else ""
    are = "file that is no image" if len(files) == 1 else "files that are no images"
    return f"{len(files)} {are} ({listed}){mend}."


def find_images(
    paths: Sequence[Path],
    output: Path,
    missing: list[str] | None = None,
    passed_over: list[Path] | None = None,
) -> list[Path]:
    """The image files among ``paths`` and, sorted, in the folders among them.

    Args:
        paths: Files and folders.
        output: Folder of the results; what an earlier run has left there for these images is not
            among them.
        missing: Takes a sentence for each path that does not exist or has an unreadable name,
            which is an error otherwise.
        passed_over: Takes the files in these folders that are no images, by their names.

    Raises:
        LesionsegError: A path does not exist, a folder holds no image, or two have one stem.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = list_files(path, "images")
            others = [
                one
                for one in sorted(path.iterdir())
                if one.suffix.lower() not in IMAGE_SUFFIXES
                and not one.name.startswith(".")
                and one.is_file()
                and (one.name != MEASUREMENTS or path.absolute() != output.absolute())
            ]
            if not inside:
                what = f", but {_kinds_of(others)}" if others else "."
                raise InvalidDataError(
                    f"the folder {path} holds no image ({', '.join(IMAGE_SUFFIXES)}){what}"
                )
            found += inside
            if passed_over is not None:
                passed_over += others
        elif path.is_file():
            found.append(path)
        else:
            message = f"there is no file or folder {path}; check the path."
            if missing is None:
                raise LesionsegError(message)
            missing.append(message)
    results = {(output / _result_name(path, kind)).absolute() for path in found for kind in _KINDS}
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
        other = stems.setdefault(stem_of(path), path)  # macOS takes both forms of an accent as one
        if other != path:
            raise LesionsegError(
                f"{other} and {path} would both be written to {_result_name(path, _KINDS[0])}; "
                "segment them into different folders."
            )
    return list(stems.values())
