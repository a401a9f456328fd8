"""Score a folder or zip of predicted masks as the official scorer does.

Source: ``isic-challenge-scoring`` 5, its ``segmentation`` command. What it accepts is accepted
here with the same numbers, what it refuses is refused, with these exceptions:

- zips may stand where it takes folders, and truth and prediction may be of different kind;
- where no true mask is named ``ISIC_`` and seven digits, masks are paired by their file stems, and
  other files than images are passed over (it refuses such names);
- in the truth, superpixels, CSV files and what operating systems leave behind are passed over
  (it stops at them);
- two truth masks of one image are refused (it counts the image twice), and so are two files of the
  same name in different folders of one zip (it scores the last);
- masks of 0 and 1, or of 0 and another number up to 128, are not all empty: that number is lesion;
  such a mask among others of 0 and 255 is refused, and so are several classes below 129.
"""

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from lesionseg.evaluation.mask_pairing import pair_masks
from lesionseg.evaluation.mask_source import open_source
from lesionseg.files import check_outputs

# What needs numpy and Pillow is imported where it is used: the program's --help is quick.
if TYPE_CHECKING:
    from lesionseg.metrics.table import ScoreTable


def score_predictions(
    truth: Path,
    prediction: Path,
    *,
    progress: bool = False,
    workers: int | None = None,
    mask_threshold: int | None = None,
) -> "ScoreTable":
    """Score predicted masks against the truth, exactly as the official scorer.

    A prediction belongs to the truth mask ``ISIC_0012345...`` if its file name holds the number
    ``0012345``. Where no true mask is named so, masks are paired by file stem, without endings such
    as ``_segmentation`` and ``_lesion`` (:func:`lesionseg.data.listing.match_stems`). Predictions
    of images without a truth are left out, as the official scorer does, with a warning in the log.
    Masks are grey (or 1-bit) images of a raster format, such as PNG; grey values > 128 are lesion.
    Masks that all hold 0 and one other number up to 128, such as 1, are taken as what they mean,
    with a warning. Each worker holds one pair in memory, however many there are.

    Masks of dermoscopic attributes (``ISIC_0012345_attribute_globules.png``) are scored one by one,
    and named with their attribute.

    Args:
        truth: Folder, or zip, of the true masks.
        prediction: Folder, or zip, of one mask per true mask, of the same height and width.
        progress: Show a progress bar on stderr.
        workers: Pairs that are read at the same time, by as many threads; None takes the
            processor's cores, at most 8. Neither the table nor an error depends on it.
        mask_threshold: Lesion is what lies above this grey value in all masks; None takes 128, or,
            for truths or predictions that all hold 0 and one other number up to 128, that number.

    Returns:
        The table of all images, by rising file name of the truth.

    Raises:
        DatasetNotFoundError: If a path does not exist.
        InvalidDataError: If a mask is missing, doubled, of another size, not grey or not readable,
            or there are none; the message names the file and the mend, and of several unreadable
            pairs the first.
        ValueError: If ``workers`` is less than 1.
    """
    from lesionseg.evaluation.pair_counting import count_pairs
    from lesionseg.metrics.table import ScoreTable

    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; take 1 or more")
    if mask_threshold is not None and not 0 <= mask_threshold <= 254:
        raise ValueError(f"mask_threshold is {mask_threshold}; take a grey value from 0 to 254")
    with (
        open_source(Path(truth), "ground truth") as truths,
        open_source(Path(prediction), "prediction") as predictions,
    ):
        pairs = pair_masks(truths, predictions)
        counts = count_pairs(truths, predictions, pairs, workers, progress, mask_threshold)
    return ScoreTable([pair.name for pair in pairs], counts)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg score`` to its parser."""
    parser.description = (
        "Score predicted masks as the ISIC challenges do. TRUTH and PREDICTION are folders or "
        "zips; masks are paired by the seven-digit number in their file names where those of TRUTH "
        "begin with ISIC_, and else by file stem, without endings such as _mask and _segmentation."
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
        help="what to print (default: %(default)s); json has the official scorer's keys and more",
    )
    parser.add_argument(
        "--csv", metavar="FILE", type=Path, help="also write counts and scores of every image here"
    )
    parser.add_argument(
        "--aggregation",
        choices=["image", "pooled"],
        default="image",
        help="mean over images, which is official, or all pixels together (default: %(default)s)",
    )
    parser.add_argument(
        "--workers",
        type=int,
        metavar="N",
        help="pairs read at the same time (default: one for each core, at most 8)",
    )
    parser.add_argument(
        "--mask-threshold",
        type=int,
        metavar="N",
        help="lesion is what lies above this grey value (default: 128, which is official, or 0 "
        "where all masks hold 0 and one other number up to 128)",
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
    if csv is not None:
        # Said before the scoring, which may take minutes.
        inputs = [arguments.truth, arguments.prediction]
        check_outputs([csv], inputs + _files(inputs), arguments.overwrite)
    table = score_predictions(
        arguments.truth,
        arguments.prediction,
        progress=sys.stderr.isatty(),
        workers=arguments.workers,
        mask_threshold=arguments.mask_threshold,
    )
    if csv is not None:
        table.to_csv(csv)
    if arguments.output == "json":
        print(table.to_json(arguments.aggregation))
    else:
        print(table.render(arguments.aggregation))
    return 0


def _files(places: list[Path]) -> list[Path]:
    return [file for place in places if place.is_dir() for file in place.iterdir()]
