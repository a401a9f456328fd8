"""Score a folder or zip of predicted masks as the official scorer does.

Source: ``isic-challenge-scoring`` 5, its ``segmentation`` command. What it accepts is accepted
here with the same numbers, what it refuses is refused, with these exceptions:

- zips may stand where it takes folders, and truth and prediction may be of different kind;
- in the truth, superpixels, CSV files and what operating systems leave behind are passed over
  (it stops at them);
- two truth masks of one image are refused (it counts the image twice), and so are two files of the
  same name in different folders of one zip (it scores the last);
- masks of 0 and 1, or of 0 and another number up to 128, are not all empty: that number is lesion;
  such a mask among others of 0 and 255 is refused, and so are several classes below 129.
"""

import argparse
import logging
import re
import sys
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING

from lesionseg.errors import InvalidDataError, shorten
from lesionseg.evaluation.mask_source import Entry, MaskPair, MaskSource, open_source
from lesionseg.files import check_outputs

# What needs numpy and Pillow is imported where it is used: the program's --help is quick.
if TYPE_CHECKING:
    from lesionseg.metrics.table import ScoreTable

_logger = logging.getLogger(__name__)

_IMAGE_ID = re.compile(r"ISIC_([0-9]{7})")
_IMAGE_NUMBER = re.compile(r"(?=([0-9]{7}))")  # overlapping, as "number in file name" is
_ATTRIBUTE = re.compile(r"attribute_([a-z_]+)")
_NOT_TRUTH = re.compile(
    r"LICENSE\.txt|ATTRIBUTION\.txt|.*\.csv|.*_superpixels\.png|\.DS_Store|\._.*|Thumbs\.db"
    r"|desktop\.ini",
    re.IGNORECASE,
)


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
    ``0012345``. Predictions of images without a truth are left out, as the official scorer does,
    with a warning in the log. Masks are grey (or 1-bit) images of a raster format, such as PNG;
    grey values > 128 are lesion. Masks that all hold 0 and one other number up to 128, such as 1,
    are taken as what they mean, with a warning. Each worker holds one pair in memory, however many
    there are.

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
        pairs = _pair(truths, predictions)
        counts = count_pairs(truths, predictions, pairs, workers, progress, mask_threshold)
    return ScoreTable([pair.name for pair in pairs], counts)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of ``lesionseg score`` to its parser."""
    parser.description = (
        "Score predicted masks as the ISIC challenges do. TRUTH and PREDICTION are folders or "
        "zips; masks are paired by the seven-digit number in their file names."
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


def _pair(truths: MaskSource, predictions: MaskSource) -> list[MaskPair]:
    """Find the prediction of each true mask; report everything amiss of one kind at once."""
    named = _named_truths(truths)
    by_number: defaultdict[str, list[Entry]] = defaultdict(list)
    for entry in predictions.entries:
        for number in set(_IMAGE_NUMBER.findall(entry.stem)):
            by_number[number].append(entry)
    if not by_number:
        raise InvalidDataError(
            f"{predictions.path} holds no prediction: no file name in it has the seven-digit "
            "number of an image; name the masks like ISIC_0012345_segmentation.png"
            f"{_subfolder_hint(predictions)}."
        )
    pairs, missing, doubled = [], [], []
    for name, truth in named.items():
        number, attribute = _identify(truth)
        found = [e for e in by_number.get(number, []) if attribute in e.stem]
        if not found:
            missing.append(name)
        elif len(found) > 1:
            doubled.append(f"{name} ({shorten([e.location for e in found], last='and')})")
        else:
            pairs.append(MaskPair(name, truth, found[0]))
    if missing:
        raise InvalidDataError(
            f"{predictions.path} has no prediction for {shorten(missing)}, "
            f"{len(missing)} of {len(named)} images; predict every image of the truth."
        )
    if doubled:
        raise InvalidDataError(
            f"{predictions.path} has more than one prediction for {shorten(doubled)}; "
            "leave one file for each image."
        )
    used = {pair.prediction for pair in pairs}
    unused = [e.name for found in by_number.values() for e in found if e not in used]
    if unused:
        unused = sorted(set(unused))
        _logger.warning(
            "predictions left out because they have no ground truth (%d): %s",
            len(unused),
            shorten(unused),
        )
    return pairs


def _named_truths(truths: MaskSource) -> dict[str, Entry]:
    named: dict[str, Entry] = {}
    for entry in truths.entries:
        if _NOT_TRUTH.fullmatch(entry.name):
            continue
        if not _IMAGE_ID.search(entry.stem):
            raise InvalidDataError(
                f"{entry.location} in {truths.path} is not a true mask: its name has no ISIC_ and "
                f"seven digits; move it elsewhere{_subfolder_hint(truths)}."
            )
        number, attribute = _identify(entry)
        name = f"ISIC_{number}" + (f"_attribute_{attribute}" if attribute else "")
        if name in named:
            raise InvalidDataError(
                f"{truths.path} has two true masks of {name}, {named[name].location} and "
                f"{entry.location}; leave one."
            )
        named[name] = entry
    if not named:
        raise InvalidDataError(
            f"{truths.path} holds no true mask; give the folder or zip with the files named like "
            "ISIC_0012345_segmentation.png."
        )
    return named


def _identify(truth: Entry) -> tuple[str, str]:
    """Return a true mask's image number, and its attribute ("" where it is a lesion's mask)."""
    image = _IMAGE_ID.search(truth.stem)
    attribute = _ATTRIBUTE.search(truth.stem)
    assert image is not None
    return image[1], attribute[1] if attribute else ""


def _subfolder_hint(source: MaskSource) -> str:
    """Return where the masks may be if they are not here: in the only subfolder."""
    if not source.path.is_dir():
        return ""
    folders = [source.path / e.location for e in source.entries if not e.name.startswith(".")]
    folders = [path for path in folders if path.is_dir()]
    return f", or give the folder {folders[0]}" if len(folders) == 1 else ""
