"""Masks and overlays for photographs: lesionseg segment PATHS... --model FILE --output DIR."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from lesionseg.data.listing import IMAGE_SUFFIXES, list_files, stem_of
from lesionseg.errors import InvalidDataError, LesionsegError
from lesionseg.files import remove_unfinished
from lesionseg.inference.views import TEST_TIME_AUGMENTATIONS


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the options of ``lesionseg segment``."""
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="PATH", help="images, or folders of images"
    )
    parser.add_argument(
        "--model",
        required=True,
        type=Path,
        metavar="FILE",
        help="a checkpoint or an exported .onnx file",
    )
    parser.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="folder of the results"
    )
    parser.add_argument(
        "--probabilities", action="store_true", help="write 16-bit probability maps too"
    )
    parser.add_argument("--no-overlays", action="store_true", help="write masks only")
    parser.add_argument(
        "--device", default="cpu", help="where a checkpoint runs, such as cuda (default: cpu)"
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
        "--test_time_augmentation",  # as test and predict spell it
        choices=TEST_TIME_AUGMENTATIONS,
        default="none",
        help="average each image's probabilities over its 4 flips, or over its 8 flips and "
        "rotations, in as many times the time (default: none)",
    )


def run(options: argparse.Namespace) -> int:
    """Segments the images one by one, each at the size and orientation that a viewer shows.

    Args:
        options: What :func:`add_arguments` describes. With ``on_error`` ``"skip"``, images that
            cannot be read are left out and listed on stderr at the end, each with the reason.

    Returns:
        0, also if images were left out.

    Raises:
        InvalidDataError: An image cannot be read; those before it are done. With ``"skip"``: none
            can be read.
        CheckpointError: The checkpoint cannot be used.
        LesionsegError: A path does not exist, or two images would be written to one name.
    """
    images = find_images(options.paths)

    from tqdm import tqdm

    from lesionseg.data.reading import read_image
    from lesionseg.inference.loading import load_predictor
    from lesionseg.inference.outputs import save_map, save_mask, save_overlay

    remove_unfinished(options.output)
    predictor = load_predictor(options.model, options.device, options.test_time_augmentation)
    left_out: list[str] = []
    for path in tqdm(images, desc="segment", unit="image", disable=None):
        try:
            image = read_image(path)
        except LesionsegError as error:
            if options.on_error == "stop":
                raise
            left_out.append(str(error))
            continue
        result = predictor(image)
        save_mask(result.mask, options.output / f"{path.stem}_segmentation.png")
        if options.probabilities:
            save_map(result.probability, options.output / f"{path.stem}_probability.png")
        if not options.no_overlays:
            save_overlay(image, result.mask, options.output / f"{path.stem}_overlay.png")
    if left_out:
        print(f"{_count(len(left_out))} left out:", *left_out, sep="\n  ", file=sys.stderr)
    if len(left_out) == len(images):
        raise InvalidDataError(f"of {_count(len(images))} none could be segmented.")
    print(f"{_count(len(images) - len(left_out))} segmented; see {options.output}")
    return 0


def _count(images: int) -> str:
    return f"{images} image" + ("s" if images != 1 else "")


def find_images(paths: Sequence[Path]) -> list[Path]:
    """The image files among ``paths`` and, sorted, in the folders among them.

    Raises:
        LesionsegError: A path does not exist, a folder holds no image, or two have one stem.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = list_files(path, "images")
            if not inside:
                raise InvalidDataError(
                    f"the folder {path} holds no image ({', '.join(IMAGE_SUFFIXES)})."
                )
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise LesionsegError(f"there is no file or folder {path}; check the path.")
    stems: dict[str, Path] = {}
    for path in found:
        other = stems.setdefault(stem_of(path), path)  # macOS takes both forms of an accent as one
        if other != path:
            raise LesionsegError(
                f"{other} and {path} would both be written to {path.stem}_segmentation.png; "
                "segment them into different folders."
            )
    return list(stems.values())
