"""Score a folder or zip of predicted masks like the official scorer.

Source: the ``segmentation`` command of ``isic-challenge-scoring`` 5. It accepts and refuses the
same files and computes the same scores, with these exceptions:

- truth and prediction may each be a zip instead of a folder;
- where no true mask is named ``ISIC_`` and seven digits, masks are paired by their file stems, and
  files that are not images are ignored (the official scorer refuses such names);
- superpixels, CSV files and the files of operating systems in the truth are ignored (the official
  scorer stops at them);
- two true masks of an image are refused (the official scorer counts the image twice), and so are
  two files of the same name in different folders of a zip (it scores the last);
- in masks of 0 and 1, or of 0 and another number up to 128, that number is lesion (the official
  scorer treats them as empty); such a mask among masks of 0 and 255 is refused, and so are several
  classes up to 128.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from lesionseg.scoring.mask_pairing import pair_masks
from lesionseg.scoring.mask_source import open_source

# numpy and Pillow are imported where they are used, so that the program's --help is quick.
if TYPE_CHECKING:
    from lesionseg.metrics.extended_table import ExtendedTable
    from lesionseg.metrics.surface import Spacing
    from lesionseg.metrics.table import ScoreTable
    from lesionseg.scoring.pair_counting import SurfaceOptions


def score_predictions(
    truth: Path,
    prediction: Path,
    *,
    progress: bool = False,
    workers: int | None = None,
    mask_threshold: int | None = None,
) -> "ScoreTable":
    """Score predicted masks against the truth with the official scores.

    A prediction belongs to the true mask ``ISIC_0012345...`` if its file name contains the number
    ``0012345``. Where no true mask has such a name, masks are paired by file stem, without endings
    such as ``_segmentation`` and ``_lesion`` (:func:`lesionseg.data.discovery.names.match_stems`).
    Predictions of images without a truth are ignored with a warning, as in the official scorer.
    Masks are gray (or 1-bit) images of a raster format, such as PNG; gray values above 128 are
    lesion. Where all masks contain only 0 and another number up to 128, such as 1, that number is
    lesion, with a warning. Each worker holds a single pair in memory.

    Masks of dermoscopic attributes (``ISIC_0012345_attribute_globules.png``) are scored separately
    and named with their attribute.

    Args:
        truth: Folder or zip of the true masks.
        prediction: Folder or zip with a mask for each true mask, of the same height and width.
        progress: Whether to show a progress bar on stderr.
        workers: Threads that read pairs; None for the number of cores, at most 8. The result does
            not depend on it.
        mask_threshold: Gray value above which a pixel is lesion, in all masks, 0 to 254; None for
            128, or for 0 where all masks contain only 0 and another number up to 128.

    Returns:
        The table of all images, sorted by the file name of the truth.

    Raises:
        DatasetNotFoundError: If a path does not exist.
        InvalidDataError: If a mask is missing, doubled, of another size, not gray or not readable,
            or there are none; the message names the file and the fix, and of several unreadable
            pairs the first.
        ValueError: If ``workers`` or ``mask_threshold`` is outside its range.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from PIL import Image
        >>> from lesionseg.scoring import score_predictions
        >>> truth, prediction = np.zeros((2, 8, 8), np.uint8)
        >>> truth[2:6, 2:6], prediction[2:6, 2:8] = 255, 255  # 16 and 24 pixels
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, mask in {"truth": truth, "mine": prediction}.items():
        ...         Path(folder, name).mkdir()
        ...         Image.fromarray(mask).save(Path(folder, name, "ISIC_0000001.png"))
        ...     table = score_predictions(Path(folder, "truth"), Path(folder, "mine"))
        >>> print(f"{table.summary()['jaccard']:.3f} {table.summary()['dice']:.3f}")
        0.667 0.800
    """
    return _score(truth, prediction, progress, workers, mask_threshold, None)[0]


def score_predictions_extended(
    truth: Path,
    prediction: Path,
    *,
    progress: bool = False,
    workers: int | None = None,
    mask_threshold: int | None = None,
    tolerance: float = 2.0,
    spacing: "Spacing | None" = None,
) -> "tuple[ScoreTable, ExtendedTable]":
    """Score predicted masks like :func:`score_predictions`, and also their outlines.

    Args:
        truth: See :func:`score_predictions`.
        prediction: See :func:`score_predictions`.
        progress: See :func:`score_predictions`.
        workers: See :func:`score_predictions`.
        mask_threshold: See :func:`score_predictions`.
        tolerance: Tolerance of the surface Dice, in pixels, or in millimeters if ``spacing`` is
            given.
        spacing: Size of a pixel in millimeters, a number or (height, width), the same for all
            images; None measures in pixels.

    Returns:
        The table of the official scores, and that of the scores of outlines
        (:class:`lesionseg.metrics.ExtendedTable`).

    Raises:
        DatasetNotFoundError: See :func:`score_predictions`.
        InvalidDataError: See :func:`score_predictions`.
        ValueError: If an argument is outside its range.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> import numpy as np
        >>> from PIL import Image
        >>> from lesionseg.scoring import score_predictions_extended
        >>> truth, prediction = np.zeros((2, 8, 8), np.uint8)
        >>> truth[2:6, 2:6], prediction[2:6, 2:8] = 255, 255
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, mask in {"truth": truth, "mine": prediction}.items():
        ...         Path(folder, name).mkdir()
        ...         Image.fromarray(mask).save(Path(folder, name, "ISIC_0000001.png"))
        ...     _, table = score_predictions_extended(Path(folder, "truth"), Path(folder, "mine"))
        >>> table.summary()["hausdorff_95"]
        2.0
    """
    from lesionseg.metrics.extended_table import ExtendedTable
    from lesionseg.metrics.surface import check_tolerance, checked_spacing
    from lesionseg.scoring.pair_counting import SurfaceOptions

    check_tolerance(tolerance)
    checked_spacing(spacing)
    surface = SurfaceOptions(tolerance, spacing)
    table, rows = _score(truth, prediction, progress, workers, mask_threshold, surface)
    return table, ExtendedTable(table.ids, rows, tolerance=tolerance, spacing=spacing)


def _score(
    truth: Path,
    prediction: Path,
    progress: bool,
    workers: int | None,
    mask_threshold: int | None,
    surface: "SurfaceOptions | None",
) -> "tuple[ScoreTable, Any]":
    from lesionseg.metrics.table import ScoreTable
    from lesionseg.scoring.pair_counting import measure_pairs

    if workers is not None and workers < 1:
        raise ValueError(f"expected workers to be at least 1, got {workers}")
    if mask_threshold is not None and not 0 <= mask_threshold <= 254:
        raise ValueError(f"expected mask_threshold to be from 0 to 254, got {mask_threshold}")
    with (
        open_source(Path(truth), "ground truth") as truths,
        open_source(Path(prediction), "prediction") as predictions,
    ):
        pairs = pair_masks(truths, predictions)
        counts, rows = measure_pairs(
            truths, predictions, pairs, workers, progress, mask_threshold, surface
        )
    return ScoreTable([pair.name for pair in pairs], counts), rows
