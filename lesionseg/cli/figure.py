"""``lesionseg figure``: image, truth and several models side by side."""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from lesionseg.errors import InvalidDataError, LesionsegError, shorten
from lesionseg.files import check_outputs

# Pillow, numpy and torch are imported where they are used, so that --help is quick.

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt
    from PIL import Image

    from lesionseg.data.datasets.paired import PairedDataset

_PICTURES = (".png", ".jpg", ".jpeg")
_STYLES = ("outlines", "masks")  # FIGURE_STYLES, whose module imports numpy


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg figure`` to its parser."""
    parser.description = (
        "Draw a row for each image: the image, its true mask and the prediction of each model, "
        "with the official Jaccard index below it."
    )
    parser.add_argument(
        "models",
        nargs="+",
        metavar="MODEL",
        help="name of a pretrained model (see lesionseg models --pretrained), or path of a "
        "checkpoint, an exported .onnx file or a folder of save_pretrained, or owner/name on the "
        "Hugging Face Hub; LABEL=MODEL sets the label of its column",
    )
    parser.add_argument(
        "--data",
        required=True,
        nargs="+",
        type=Path,
        metavar="PATH",
        help="images with masks: folders or a CSV file, as for lesionseg inspect",
    )
    parser.add_argument(
        "--masks",
        type=Path,
        metavar="DIR",
        help="masks of the images in PATH, if their folder is not found by its name",
    )
    parser.add_argument(
        "--split",
        choices=["train", "val", "test"],
        help="only images of this split (default: all images with masks)",
    )
    parser.add_argument("--ids", nargs="+", metavar="ID", help="images to draw, in this order")
    parser.add_argument(
        "--images",
        type=int,
        default=4,
        metavar="N",
        help="without --ids: number of images, chosen by --seed (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="seed of the choice (default: 0)")
    parser.add_argument(
        "--style",
        choices=_STYLES,
        default="outlines",
        help="truth outlined in green and prediction in red, or masks in white on black (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("figure.png"),
        metavar="FILE",
        help="PNG or JPEG to write (default: %(default)s)",
    )
    parser.add_argument(
        "--device",
        default="auto",
        help="device of the models, such as cpu or cuda (default: a GPU if there is one)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="also replace a file that lesionseg did not write",
    )


def run(options: argparse.Namespace) -> int:
    """Run ``lesionseg figure`` and return its exit code.

    Raises:
        LesionsegError: If a path, id or option cannot be used.
        CheckpointError: If a model cannot be used.
    """
    output: Path = options.output
    if output.suffix.lower() not in _PICTURES:
        raise LesionsegError(
            f"expected --output to be a file name that ends in .png or .jpg, got {output}."
        )
    if options.images < 1:
        raise LesionsegError(f"expected --images to be at least 1, got {options.images}.")
    sources = _labelled(options.models)

    from lesionseg.data.discovery.scanner import find_sets

    sets = [found for found in find_sets(options.data, options.masks) if found.masks]
    where = ", ".join(map(str, options.data))
    if not sets:
        raise InvalidDataError(
            f"no masks were found for the images in {where}; give their folder with --masks."
        )
    splits = {found.split for found in sets}
    if options.split is not None and options.split not in splits:
        names = ", ".join(sorted(filter(None, splits))) or "no split"
        raise InvalidDataError(
            f"there are no {options.split} images with masks in {where}, which has {names}; "
            "give another --split or --data."
        )
    sets = [found for found in sets if options.split in (None, found.split)]
    files = [file for found in sets for pair in found.pairs for file in (pair.image, pair.mask)]
    inputs = [file for file in files if file is not None]
    check_outputs([output], inputs, options.overwrite)

    from tqdm import tqdm

    from lesionseg.data.datasets.paired import PairedDataset
    from lesionseg.data.io.mask_values import OFFICIAL
    from lesionseg.inference.loading import load_predictor
    from lesionseg.scoring.figure import model_figure
    from lesionseg.visualization import save_picture

    class Official(PairedDataset):
        official_rule = OFFICIAL

    datasets = [
        (Official if found.is_official else PairedDataset)(found.pairs, (1, 1), with_truth=True)
        for found in sets
    ]
    chosen = _choose(datasets, options.ids, options.images, options.seed)
    predictors = {
        label: load_predictor(source, options.device) for label, source in sources.items()
    }
    samples = tqdm(_read(chosen), total=len(chosen), desc="figure", unit="image", disable=None)
    save_picture(model_figure(samples, predictors, options.style), output)
    print(f"Figure: {output}")
    return 0


def _labelled(models: Sequence[str]) -> dict[str, str]:
    """Return the models by the labels of their columns.

    Raises:
        LesionsegError: If two models have one label.
    """
    labelled: dict[str, str] = {}
    for model in models:
        label, equals, source = model.partition("=")
        if not equals or not label or Path(model).exists():
            label, source = _short(model), model
        if label in labelled:
            raise LesionsegError(
                f"{labelled[label]} and {source} would have the same label {label}; set one with "
                f"LABEL={source}."
            )
        labelled[label] = source
    return labelled


def _short(model: str) -> str:
    """Return the label of a model: its name, or that of the run's folder of a checkpoint."""
    path = Path(model)
    if path.suffix == ".ckpt" and path.parent.name == "checkpoints":
        return "/".join(path.parts[-4:-2])
    return path.stem if path.suffix in (".ckpt", ".onnx") else model


def _choose(
    datasets: Sequence[PairedDataset], ids: Sequence[str] | None, count: int, seed: int
) -> list[tuple[PairedDataset, int]]:
    """Return the places of the chosen images.

    Raises:
        InvalidDataError: If there is no image of an id.
    """
    places = {
        id_: (data, index)
        for data in reversed(datasets)  # of one id in several sets, the first counts
        for index, id_ in enumerate(data.ids)
    }
    if ids is None:
        names = sorted(places)
        return [places[id_] for id_ in random.Random(seed).sample(names, min(count, len(names)))]
    if unknown := [id_ for id_ in ids if id_ not in places]:
        raise InvalidDataError(
            f"{len(unknown)} of {len(ids)} ids are not among the {len(places)} images with masks: "
            f"{shorten(unknown)}."
        )
    return [places[id_] for id_ in ids]


def _read(
    chosen: Sequence[tuple[PairedDataset, int]],
) -> Iterator[tuple[str, Image.Image, npt.NDArray[np.bool_]]]:
    """Yield name, image and true mask at their original size."""
    from lesionseg.data.io.reading import read_image
    from lesionseg.metrics.official import GRAY_THRESHOLD

    for data, index in chosen:
        truth = data[index]["truth"].numpy() > GRAY_THRESHOLD
        yield data.ids[index], read_image(data.pairs[index].image), truth
