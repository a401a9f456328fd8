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

from pathlib import Path
from typing import TYPE_CHECKING

from lesionseg.scoring.mask_pairing import pair_masks
from lesionseg.scoring.mask_source import open_source

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
    as ``_segmentation`` and ``_lesion`` (:func:`lesionseg.data.discovery.names.match_stems`).
    Predictions of images without a truth are left out, as the official scorer does, with a warning
    in the log.
    Masks are gray (or 1-bit) images of a raster format, such as PNG; gray values > 128 are lesion.
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
        mask_threshold: Lesion is what lies above this gray value in all masks; None takes 128, or,
            for truths or predictions that all hold 0 and one other number up to 128, that number.

    Returns:
        The table of all images, by rising file name of the truth.

    Raises:
        DatasetNotFoundError: If a path does not exist.
        InvalidDataError: If a mask is missing, doubled, of another size, not gray or not readable,
            or there are none; the message names the file and the mend, and of several unreadable
            pairs the first.
        ValueError: If ``workers`` is less than 1.
    """
    from lesionseg.metrics.table import ScoreTable
    from lesionseg.scoring.pair_counting import count_pairs

    if workers is not None and workers < 1:
        raise ValueError(f"workers is {workers}; take 1 or more")
    if mask_threshold is not None and not 0 <= mask_threshold <= 254:
        raise ValueError(f"mask_threshold is {mask_threshold}; take a gray value from 0 to 254")
    with (
        open_source(Path(truth), "ground truth") as truths,
        open_source(Path(prediction), "prediction") as predictions,
    ):
        pairs = pair_masks(truths, predictions)
        counts = count_pairs(truths, predictions, pairs, workers, progress, mask_threshold)
    return ScoreTable([pair.name for pair in pairs], counts)
