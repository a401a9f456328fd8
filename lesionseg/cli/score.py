"""``lesionseg score``: score a folder or zip of predicted masks like the official scorer."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from lesionseg.errors import LesionsegError
from lesionseg.files import check_outputs
from lesionseg.scoring.predictions import score_predictions, score_predictions_extended


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg score`` to its parser."""
    parser.description = (
        "Score predicted masks with the official scores of the ISIC challenges. TRUTH and "
        "PREDICTION are folders or zips; masks are paired by the seven-digit number in their file "
        "names where those of TRUTH begin with ISIC_, and else by file stem, without endings such "
        "as _mask and _segmentation."
    )
    parser.add_argument("truth", metavar="TRUTH", type=Path, help="folder or zip of the true masks")
    parser.add_argument(
        "prediction", metavar="PREDICTION", type=Path, help="folder or zip of the predicted masks"
    )
    parser.add_argument(
        "-o",
        "--output",
        choices=["table", "json"],
        default="table",
        help="output format (default: %(default)s); json has the official scorer's keys and more",
    )
    parser.add_argument(
        "--csv",
        metavar="FILE",
        type=Path,
        help="also write the counts and scores of every image to FILE",
    )
    parser.add_argument(
        "--aggregation",
        choices=["image", "pooled"],
        default="image",
        help="mean over images (official) or score of all pixels together (default: %(default)s)",
    )
    parser.add_argument(
        "--extended",
        action="store_true",
        help="also print distances between outlines, surface Dice and boundary IoU; with --csv, "
        "write those of every image to extended.csv beside FILE",
    )
    parser.add_argument(
        "--tolerance",
        type=float,
        default=2.0,
        metavar="X",
        help="tolerance of the surface Dice, in pixels or, with --spacing, in millimeters "
        "(default: %(default)s)",
    )
    parser.add_argument(
        "--spacing",
        type=float,
        metavar="MM",
        help="size of a pixel in millimeters, the same for all images (default: measure in pixels)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="number of threads that read masks (default: number of cores, at most 8)",
    )
    parser.add_argument(
        "--mask-threshold",
        type=int,
        metavar="N",
        help="gray value above which a pixel is lesion (default: 128, which is official, or 0 "
        "where all masks contain only 0 and another number up to 128)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="also replace files of these names that lesionseg did not write",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run ``lesionseg score`` and return its exit code.

    Raises:
        LesionsegError: If the masks cannot be scored or the CSV cannot be written.
    """
    csv: Path | None = arguments.csv
    beside = csv.with_name("extended.csv") if csv is not None and arguments.extended else None
    if csv is not None and beside == csv:
        raise LesionsegError(f"{csv} is the file of --extended; give --csv another name.")
    if not arguments.extended and (arguments.spacing is not None or arguments.tolerance != 2.0):
        raise LesionsegError("--spacing and --tolerance are for --extended; add it.")
    if csv is not None:
        # Checked before the scoring, which may take minutes.
        inputs = [arguments.truth, arguments.prediction]
        outputs = [csv] if beside is None else [csv, beside]
        check_outputs(outputs, inputs + _files(inputs), arguments.overwrite)
    options = {
        "progress": sys.stderr.isatty(),
        "workers": arguments.workers,
        "mask_threshold": arguments.mask_threshold,
    }
    extended = None
    if arguments.extended:
        table, extended = score_predictions_extended(
            arguments.truth,
            arguments.prediction,
            tolerance=arguments.tolerance,
            spacing=arguments.spacing,
            **options,
        )
    else:
        table = score_predictions(arguments.truth, arguments.prediction, **options)
    if csv is not None:
        table.to_csv(csv)
    if extended is not None and beside is not None:
        extended.to_csv(beside)
    if arguments.output == "json":
        text = table.to_json(arguments.aggregation)
        if extended is not None:
            text = json.dumps(json.loads(text) | {"extended": extended.to_dict()}, indent=2)
        print(text)
    else:
        print(table.render(arguments.aggregation))
        if extended is not None:
            print(f"\n{extended.render()}")
    return 0


def _files(paths: list[Path]) -> list[Path]:
    return [file for path in paths if path.is_dir() for file in path.iterdir()]
