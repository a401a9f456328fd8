"""``lesionseg calibrate``: fit a temperature and a threshold on held-out images."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from lesionseg.errors import LesionsegError
from lesionseg.files import check_outputs
from lesionseg.pretrained import find_pretrained

#: Arguments that this command does not know are those of ``lesionseg fit``.
PASSES_ARGUMENTS_TO_FIT = True


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg calibrate`` to its parser."""
    parser.usage = (
        "lesionseg calibrate CKPT --data NAME [--data.OPTION VALUE ...] [--output PATH]\n"
        "                           [--plot FILE] [--device NAME] [--overwrite]"
    )
    parser.description = (
        "Fit a temperature and a threshold on the validation images of a DataModule, on which the "
        "model must not have been trained, and write them to a copy of the checkpoint, which test, "
        "predict, segment and export use like any other. Prints the scores before and after on the "
        "same images; test the copy on others."
    )
    parser.add_argument(
        "checkpoint",
        metavar="CKPT",
        help="checkpoint, or name or folder of a pretrained model",
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="PATH",
        help="file of the copy, or its folder for a pretrained model (default: "
        "NAME-calibrated.ckpt beside CKPT, or the folder NAME-calibrated)",
    )
    parser.add_argument(
        "--plot",
        type=Path,
        metavar="FILE",
        help="reliability diagram before and after, .png, .svg or .pdf (default: "
        "NAME-calibrated.png beside the copy)",
    )
    parser.add_argument(
        "--device", default="auto", help="such as cpu or cuda (default: a GPU if there is one)"
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="also replace files of these names that lesionseg did not write",
    )


def run(options: argparse.Namespace) -> int:
    """Run ``lesionseg calibrate`` and return its exit code.

    Raises:
        LesionsegError: If the checkpoint or the data cannot be used, the model was trained on the
            images, or a result cannot be written.
    """
    folder = find_pretrained(options.checkpoint)
    source = Path(options.checkpoint)
    if folder is None:
        output = options.output or source.with_name(f"{source.stem}-calibrated{source.suffix}")
        picture = options.plot or output.with_suffix(".png")
    else:
        output = options.output or Path(f"{folder.name}-calibrated")
        picture = options.plot or output.with_name(f"{output.name}.png")
    # Before the images are read, which may take minutes.
    if output.exists() and output.resolve() == (folder or source).resolve():
        raise LesionsegError(f"{output} is the original, which is kept; give another --output.")
    empty = output.is_dir() and not any(output.iterdir())
    if output.exists() and not empty and not options.overwrite:
        raise LesionsegError(f"{output} exists; give another --output, or --overwrite.")
    check_outputs([picture], [source] if folder is None else [], options.overwrite)
    data = _data_module(options.rest)

    from tqdm import tqdm

    from lesionseg.checkpoints import read_checkpoint
    from lesionseg.inference.calibration import calibrate, save_calibrated, with_truth
    from lesionseg.inference.predictor import predictor_of_checkpoint
    from lesionseg.models.leakage import refuse_trained

    predictor = predictor_of_checkpoint(options.checkpoint, options.device)
    trained_on = read_checkpoint(options.checkpoint)["lesionseg"].get("trained_on", ())
    data.cache = None  # its masks have the network's size
    data._size = predictor.size
    data.setup("validate")
    images = with_truth(data.datasets["val"])
    refuse_trained(trained_on, images.ids, getattr(data, "allow_trained_images", False))

    def progress(batches: Any) -> Any:
        return tqdm(batches, "calibrate", unit="batch", disable=not sys.stderr.isatty())

    found = calibrate(predictor, images, data.batch_size, progress)
    save_calibrated(options.checkpoint, output, found)
    found.save_plot(picture)
    print(found.render())
    print(f"\nModel:    {output}")
    print(f"Picture:  {picture}")
    return 0


def _data_module(arguments: list[str]) -> Any:
    """Return the DataModule that the command line describes.

    Raises:
        LesionsegError: If there is none, or an argument is wrong.
    """
    from lightning.pytorch import LightningDataModule

    from lesionseg.cli.trainer import DataParser
    from lesionseg.data.datamodules.base import BaseDataModule

    parser = DataParser()
    parser.add_lightning_class_args(LightningDataModule, "data", subclass_mode=True)
    config = parser.parse_args(arguments)
    # instantiate_classes is deprecated since jsonargparse 4.49, which renamed it
    instantiate = getattr(parser, "instantiate", None) or parser.instantiate_classes
    data = instantiate(config).data
    if not isinstance(data, BaseDataModule):
        raise LesionsegError(
            f"calibrate needs a DataModule of lesionseg, got {type(data).__name__}; derive it from "
            "lesionseg.data.BaseDataModule."
        )
    return data
