"""Pairing of predictions with true masks by their names."""

import logging
import re
import unicodedata
from collections import defaultdict
from pathlib import PurePosixPath

from lesionseg.data.discovery.names import (
    HOW_NAMES_MATCH,
    is_image_name,
    match_stems,
    nearest_misses,
    strip_ending,
)
from lesionseg.errors import InvalidDataError, shorten
from lesionseg.scoring.mask_source import MaskFile, MaskPair, MaskSource

_logger = logging.getLogger(__name__)

_IMAGE_ID = re.compile(r"ISIC_([0-9]{7})")
_IMAGE_NUMBER = re.compile(r"(?=([0-9]{7}))")  # matches may overlap
_ATTRIBUTE = re.compile(r"attribute_([a-z_]+)")
_NOT_TRUTH = re.compile(
    r"LICENSE\.txt|ATTRIBUTION\.txt|.*\.csv|.*_superpixels\.png|\.DS_Store|\._.*|Thumbs\.db"
    r"|desktop\.ini",
    re.IGNORECASE,
)


def pair_masks(truths: MaskSource, predictions: MaskSource) -> list[MaskPair]:
    """Find the prediction of each true mask.

    Masks are paired like the official scorer does if any true mask is named ``ISIC_`` and seven
    digits, and else by their file stems.

    Args:
        truths: True masks.
        predictions: Predicted masks.

    Raises:
        InvalidDataError: If masks are missing or doubled, or there are none; the message names all
            with the same problem.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from lesionseg.scoring.mask_pairing import pair_masks
        >>> from lesionseg.scoring.mask_source import open_source
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     for name in ("truth/ISIC_0000001_segmentation.png", "mine/0000001.png"):
        ...         path = Path(folder, name)
        ...         path.parent.mkdir()
        ...         path.touch()
        ...     with (
        ...         open_source(Path(folder, "truth"), "ground truth") as truths,
        ...         open_source(Path(folder, "mine"), "prediction") as predictions,
        ...     ):
        ...         [pair] = pair_masks(truths, predictions)
        >>> pair.name, pair.prediction.name
        ('ISIC_0000001', '0000001.png')
    """
    named = [file for file in truths.files if is_image_name(PurePosixPath(file.name))]
    if named and not any(_IMAGE_ID.search(file.stem) for file in named):
        return _pair_by_stem(named, truths, predictions)
    return _pair_official(truths, predictions)


def _pair_by_stem(
    truth: list[MaskFile], truths: MaskSource, predictions: MaskSource
) -> list[MaskPair]:
    found = [file for file in predictions.files if is_image_name(PurePosixPath(file.name))]
    if not found:
        raise InvalidDataError(
            f"{predictions.path} holds no prediction: no file in it is named as an image"
            f"{_subfolder_hint(predictions)}."
        )
    by_stem: defaultdict[str, list[MaskFile]] = defaultdict(list)
    for file in found:
        by_stem[strip_ending(_stem(file))].append(file)
    named: dict[str, MaskFile] = {}
    for file in truth:
        name = strip_ending(_stem(file))
        if name in named:
            raise InvalidDataError(
                f"{truths.path} has two true masks of {name}, {named[name].location} and "
                f"{file.location}; remove one of them."
            )
        named[name] = file
    owners = match_stems(by_stem, [_stem(file) for file in named.values()])
    matched = dict(zip(named, owners, strict=True))
    unused = [file.name for stem, found in by_stem.items() if stem not in owners for file in found]
    if missing := [named[name].name for name, owner in matched.items() if owner is None]:
        misses = nearest_misses(missing, unused)
        raise InvalidDataError(
            f"{predictions.path} has no prediction for {shorten(missing)}, {len(missing)} of "
            f"{len(named)} images; found {len(truth)} true masks and {len(found)} predictions; "
            + (f"nearest misses: {misses}; " if misses else "")
            + f"{HOW_NAMES_MATCH}; predict every image of the truth."
        )
    pairs = {name: by_stem[owner] for name, owner in matched.items() if owner is not None}
    return _pairs(named, pairs, predictions, unused)


def _stem(file: MaskFile) -> str:
    return unicodedata.normalize("NFC", file.stem)


def _pair_official(truths: MaskSource, predictions: MaskSource) -> list[MaskPair]:
    """Pair like the official scorer: by the seven-digit number and the attribute, if any."""
    named = _named_truths(truths)
    by_number: defaultdict[str, list[MaskFile]] = defaultdict(list)
    for file in predictions.files:
        for number in set(_IMAGE_NUMBER.findall(file.stem)):
            by_number[number].append(file)
    if not by_number:
        raise InvalidDataError(
            f"{predictions.path} holds no prediction: no file name in it has the seven-digit "
            "number of an image; name the masks like ISIC_0012345_segmentation.png"
            f"{_subfolder_hint(predictions)}."
        )
    found: dict[str, list[MaskFile]] = {}
    for name, truth in named.items():
        number, attribute = _identify(truth)
        found[name] = [e for e in by_number.get(number, []) if attribute in e.stem]
    if missing := [name for name in named if not found[name]]:
        raise InvalidDataError(
            f"{predictions.path} has no prediction for {shorten(missing)}, "
            f"{len(missing)} of {len(named)} images; predict every image of the truth."
        )
    used = {file for files in found.values() for file in files}
    unused = [e.name for files in by_number.values() for e in files if e not in used]
    return _pairs(named, found, predictions, unused)


def _pairs(
    named: dict[str, MaskFile],
    found: dict[str, list[MaskFile]],
    predictions: MaskSource,
    unused: list[str],
) -> list[MaskPair]:
    """Pair each true mask with its prediction, and warn about predictions without a truth."""
    found = {name: _without_pictures(files) for name, files in found.items()}
    doubled = [
        f"{name} ({shorten([file.location for file in files], last='and')})"
        for name, files in found.items()
        if len(files) > 1
    ]
    if doubled:
        raise InvalidDataError(
            f"{predictions.path} has more than one prediction for {shorten(doubled)}; "
            "keep a single file for each image."
        )
    if unused:
        unused = sorted(set(unused))
        _logger.warning(
            "predictions left out because they have no ground truth (%d): %s",
            len(unused),
            shorten(unused),
        )
    return [MaskPair(name, truth, found[name][0]) for name, truth in named.items()]


def _without_pictures(files: list[MaskFile]) -> list[MaskFile]:
    """Leave out what ``lesionseg segment`` writes beside a mask, such as its overlay."""
    names = {file.name for file in files}
    if 1 < len(names) == len(files):
        from lesionseg.inference.saving import result_names  # imports NumPy

        for file in files:
            results = result_names(file.name.removesuffix("_segmentation.png"))
            if file.name in results and names <= set(results):
                return [file]
    return files


def _named_truths(truths: MaskSource) -> dict[str, MaskFile]:
    named: dict[str, MaskFile] = {}
    for file in truths.files:
        if _NOT_TRUTH.fullmatch(file.name):
            continue
        if not _IMAGE_ID.search(file.stem):
            raise InvalidDataError(
                f"{file.location} in {truths.path} is not a true mask: its name has no ISIC_ and "
                f"seven digits; move it elsewhere{_subfolder_hint(truths)}."
            )
        number, attribute = _identify(file)
        name = f"ISIC_{number}" + (f"_attribute_{attribute}" if attribute else "")
        if name in named:
            raise InvalidDataError(
                f"{truths.path} has two true masks of {name}, {named[name].location} and "
                f"{file.location}; remove one of them."
            )
        named[name] = file
    if not named:
        raise InvalidDataError(
            f"{truths.path} holds no true mask; give the folder or zip with the files named like "
            "ISIC_0012345_segmentation.png."
        )
    return named


def _identify(truth: MaskFile) -> tuple[str, str]:
    """Return a true mask's image number, and its attribute ("" for the mask of a lesion)."""
    image = _IMAGE_ID.search(truth.stem)
    attribute = _ATTRIBUTE.search(truth.stem)
    assert image is not None
    return image[1], attribute[1] if attribute else ""


def _subfolder_hint(source: MaskSource) -> str:
    """Return a hint for an error message: the masks may be in the only subfolder."""
    if not source.path.is_dir():
        return ""
    folders = [source.path / e.location for e in source.files if not e.name.startswith(".")]
    folders = [path for path in folders if path.is_dir()]
    return f", or give the folder {folders[0]}" if len(folders) == 1 else ""
