"""Agreement of the annotators of an image set, and of a model with them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from lesionseg.data.discovery.annotations import Annotation, find_annotations, read_annotations
from lesionseg.data.discovery.names import list_files, match_stems, stem_of
from lesionseg.data.io.mask_values import MaskRule
from lesionseg.data.io.reading import find_rule, read_image, read_mask, read_thumbnail
from lesionseg.errors import InvalidDataError, shorten
from lesionseg.metrics.agreement import AnnotatorAgreement
from lesionseg.metrics.official import GRAY_THRESHOLD

if TYPE_CHECKING:
    from lesionseg.inference.segmentation import ImagePredictor

Bool = npt.NDArray[np.bool_]


class _Predicted(NamedTuple):
    mask: Bool
    uncertainty: npt.NDArray[np.float32] | None


def score_agreement(
    masks: str | Path,
    metadata: str | Path | None = None,
    images: str | Path | None = None,
    predictor: ImagePredictor | None = None,
    predictions: str | Path | None = None,
    score: str = "jaccard",
    min_annotators: int = 2,
    progress: bool = False,
) -> AnnotatorAgreement:
    """Score the annotators of an image set against each other, and a model against them.

    Args:
        masks: Folder of masks, ``<image>/<annotator>.png``, ``<image>_<annotator>.png``, or
            those of ``metadata``; see :class:`~lesionseg.data.MultiAnnotatorDataset`.
        metadata: Table of masks, such as IMA++'s ``IMAplusplus_seg_metadata.csv``.
        images: Folder of the images; needed with ``predictor``. Without ``metadata`` it also says
            where an image's name ends in that of a mask, which is else at the last ``_``.
        predictor: Model, whose uncertainty is compared with the annotators' disagreement too: the
            binary entropy of its probability.
        predictions: Folder of the model's masks instead, named after the images.
        score: See :class:`~lesionseg.metrics.AnnotatorAgreement`.
        min_annotators: Leave out images with masks of fewer annotators.
        progress: Whether to show a progress bar on stderr.

    Raises:
        DatasetNotFoundError: If a folder or file does not exist.
        InvalidDataError: If masks, images or predictions are missing or of different sizes.
        ValueError: If an argument is out of range, or a predictor has no images.

    Example:
        >>> import tempfile
        >>> from PIL import Image
        >>> from lesionseg.scoring import score_agreement
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name, width in {"ann": 20, "bob": 20, "eve": 30}.items():
        ...         mask = Image.new("L", (60, 40))
        ...         mask.paste(255, (10, 10, 10 + width, 30))
        ...         mask.save(Path(folder, f"mole_{name}.png"))
        ...     agreement = score_agreement(folder)
        >>> [(row.reference, round(row.human.mean, 3)) for row in agreement.rows()][:3]
        [('another annotator', 0.778), ('ann', 0.833), ('bob', 0.833)]
    """
    if predictor is not None and predictions is not None:
        raise ValueError("expected predictor or predictions, got both")
    if predictor is not None and images is None:
        raise ValueError("expected images with a predictor, got None")
    if min_annotators < 1:
        raise ValueError(f"expected min_annotators to be at least 1, got {min_annotators}")
    agreement = AnnotatorAgreement(score)
    masks = Path(masks)
    files = None
    if images is not None:
        files = {stem_of(path): path for path in list_files(Path(images), "images")}
    found = (
        find_annotations(masks, files)
        if metadata is None
        else read_annotations(Path(metadata), masks)
    )
    if files is not None and metadata is None:
        _refuse_missing(files, found, f"have no mask in {masks}", "add masks, or remove the images")
    chosen = {
        id_: group
        for id_, group in sorted(found.items())
        if len({annotation.annotator for annotation in group}) >= min_annotators
    }
    if not chosen:
        raise InvalidDataError(
            f"no image has masks of {min_annotators} annotators or more in {masks}; check the "
            "folder and how its files are named, or use --min-annotators 1."
        )
    if files is not None:
        _refuse_missing(chosen, files, f"are not in {images}", "add them, or remove their masks")
    predict = _predict(chosen, files, predictor, predictions)
    rule = find_rule([annotation.path for group in chosen.values() for annotation in group])
    for id_, group in tqdm(chosen.items(), desc="agreement", unit="image", disable=not progress):
        drawn = _read(id_, group, rule, None if files is None else files[id_])
        predicted = None if predict is None else predict(id_, drawn[0].shape)
        agreement.update(
            id_,
            drawn,
            [annotation.annotator for annotation in group],
            None if predicted is None else predicted.mask,
            None if predicted is None else predicted.uncertainty,
        )
    return agreement


def _refuse_missing(
    wanted: dict[str, list[Annotation]] | dict[str, Path],
    found: dict[str, list[Annotation]] | dict[str, Path] | dict[str, str],
    what: str,
    fix: str,
) -> None:
    if missing := [id_ for id_ in wanted if id_ not in found]:
        raise InvalidDataError(
            f"{len(missing)} of {len(wanted)} images {what}: {shorten(missing)}; {fix}."
        )


def _read(id_: str, group: list[Annotation], rule: MaskRule, image: Path | None) -> list[Bool]:
    """Read the masks of an image, which have one size."""
    size = None
    if image is not None:
        _, size = read_thumbnail(image, 1)
    masks = [read_mask(annotation.path, size, image, rule) > GRAY_THRESHOLD for annotation in group]
    for annotation, mask in zip(group, masks, strict=True):
        if mask.shape != masks[0].shape:
            raise InvalidDataError(
                f"the masks {group[0].path} and {annotation.path} of the image {id_} have "
                f"different sizes, {_size(masks[0])} and {_size(mask)} (width x height); every "
                "mask needs the size of its image."
            )
    return masks


def _predict(
    ids: dict[str, list[Annotation]],
    images: dict[str, Path] | None,
    predictor: ImagePredictor | None,
    predictions: str | Path | None,
) -> Callable[[str, tuple[int, ...]], _Predicted] | None:
    """Return a function that gives the model's mask of an image, whose masks have a shape."""
    if predictor is not None and images is not None:

        def segment(id_: str, _: tuple[int, ...]) -> _Predicted:
            result = predictor(read_image(images[id_]))
            return _Predicted(result.mask, result.uncertainty)

        return segment
    if predictions is None:
        return None
    folder = Path(predictions)
    paths = list_files(folder, "masks")
    owners = match_stems(ids, [stem_of(path) for path in paths])
    files = {owner: path for owner, path in zip(owners, paths, strict=True) if owner is not None}
    _refuse_missing(ids, files, f"have no prediction in {folder}", "predict every image")
    rule = find_rule([files[id_] for id_ in ids])

    def read(id_: str, shape: tuple[int, ...]) -> _Predicted:
        mask = read_mask(files[id_], rule=rule) > GRAY_THRESHOLD
        if mask.shape != shape:
            raise InvalidDataError(
                f"the prediction {files[id_]} is {_size(mask)} pixels (width x height), but the "
                f"masks of its image are {shape[1]} x {shape[0]}; predict at the image's size."
            )
        return _Predicted(mask, None)

    return read


def _size(mask: Bool) -> str:
    return f"{mask.shape[1]} x {mask.shape[0]}"
