"""Masks and overlays for photographs: lesionseg segment PATHS... --model FILE --output DIR."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

from lesionseg.errors import InvalidDataError, LesionsegError
from lesionseg.inference.test_time import TEST_TIME_AUGMENTATIONS

IMAGE_SUFFIXES = frozenset({".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"})


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
        "--test-time-augmentation",
        "--test_time_augmentation",  # as test and predict spell it
        choices=TEST_TIME_AUGMENTATIONS,
        default="none",
        help="average each image's probabilities over its 4 flips, or over its 8 flips and "
        "rotations, in as many times the time (default: none)",
    )


def run(options: argparse.Namespace) -> int:
    """Segments the images one by one.

    Args:
        options: What :func:`add_arguments` describes.

    Raises:
        InvalidDataError: An image cannot be read; those before it are done.
        CheckpointError: The checkpoint cannot be used.
        LesionsegError: A path does not exist, or two images would be written to one name.
    """
    images = find_images(options.paths)

    from tqdm import tqdm

    from lesionseg.data.reading import read_image
    from lesionseg.inference.loading import load_predictor
    from lesionseg.inference.outputs import save_map, save_mask, save_overlay

    predictor = load_predictor(options.model, options.device, options.test_time_augmentation)
    for path in tqdm(images, desc="segment", unit="image", disable=None):
        image = read_image(path)
        result = predictor(image)
        save_mask(result.mask, options.output / f"{path.stem}_segmentation.png")
        if options.probabilities:
            save_map(result.probability, options.output / f"{path.stem}_probability.png")
        if not options.no_overlays:
            save_overlay(image, result.mask, options.output / f"{path.stem}_overlay.png")
    count = f"{len(images)} image" + ("s" if len(images) > 1 else "")
    print(f"{count} segmented; see {options.output}")
    return 0


def find_images(paths: Sequence[Path]) -> list[Path]:
    """The image files among ``paths`` and, sorted, in the folders among them.

    Raises:
        LesionsegError: A path does not exist, a folder holds no image, or two have one stem.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(
                file for file in path.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES
            )
            if not inside:
                raise InvalidDataError(
                    f"the folder {path} holds no image ({', '.join(sorted(IMAGE_SUFFIXES))})."
                )
            found += inside
        elif path.is_file():
            found.append(path)
        else:
            raise LesionsegError(f"there is no file or folder {path}; check the path.")
    stems: dict[str, Path] = {}
    for path in found:
        other = stems.setdefault(path.stem, path)
        if other != path:
            raise LesionsegError(
                f"{other} and {path} would both be written to {path.stem}_segmentation.png; "
                "segment them into different folders."
            )
    return list(stems.values())
