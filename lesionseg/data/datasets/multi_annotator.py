"""Images with masks by several annotators."""

from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from typing_extensions import NotRequired

from lesionseg.data.datasets.base import LesionDataset
from lesionseg.data.datasets.sample import Sample
from lesionseg.data.discovery.annotations import find_annotations, read_annotations
from lesionseg.data.discovery.names import list_files, stem_of
from lesionseg.data.io.mask_values import MaskRule
from lesionseg.data.io.reading import check_size, find_rule, read_mask, read_thumbnail
from lesionseg.data.io.resizing import read_resized, resize_mask
from lesionseg.data.transforms.pipeline import Transforms
from lesionseg.errors import DatasetNotFoundError, InvalidDataError, shorten
from lesionseg.metrics.consensus import majority_vote, staple
from lesionseg.metrics.official import GRAY_THRESHOLD


class AnnotatedSample(Sample):
    """A sample with all of its masks.

    Attributes:
        masks: float32 (masks, H, W) in {0, 1}, at the network's size; absent with transforms,
            which change only ``image`` and ``mask``.
        annotators: Who drew each mask; absent with transforms.

    Example:
        >>> import torch
        >>> masks = torch.tensor([[[1.0, 0.0]], [[1.0, 1.0]]])
        >>> sample: AnnotatedSample = {
        ...     "image": torch.zeros(3, 1, 2), "id": "mole", "size": (1, 2), "masks": masks,
        ...     "annotators": ("ann", "bob"),
        ... }
        >>> dict(zip(sample["annotators"], sample["masks"].sum((1, 2)).tolist()))
        {'ann': 1.0, 'bob': 2.0}
    """

    masks: NotRequired[Tensor]
    annotators: NotRequired[tuple[str, ...]]


class MultiAnnotatorDataset(LesionDataset):
    """Images with masks by several annotators.

    The ``mask`` of a sample is a consensus of all of its masks, so that the data set trains and
    tests a model like any other; ``masks`` and ``annotators`` hold each of them, and
    :meth:`read_masks` returns them at the original size, for
    :class:`~lesionseg.metrics.AnnotatorAgreement`.

    Two layouts are read:

    - Files by name, in a folder for each image or not: ``masks/<image>/<annotator>.png`` or
      ``masks/<image>_<annotator>.png``.
    - With ``metadata``, the table of masks of ISIC MultiAnnot++ (IMA++): 14,967 images of the ISIC
      archive with up to five masks each, ``<ISIC_id>_<annotator>_<tool>_<skill>_<object>.png``. An
      annotator may have drawn an image twice. The published consensus masks, whose annotator is
      ``ST`` or ``MV``, are left out. Any other table with the columns ``ISIC_id``,
      ``seg_filename`` and ``annotator`` is read too.

    IMA++'s columns, file names and values were verified in the tables
    ``IMAplusplus_seg_metadata.csv`` and ``IMAplusplus_multiannotator_subset_seg_metadata.csv`` of
    https://github.com/sfu-mial/IMAplusplus, and the consensus rules in its code. Not verified, for
    want of the download: the folders inside ``segs.zip`` of https://doi.org/10.5281/zenodo.14201692
    (masks are found in ``masks`` and one level of folders below it). Images come from the ISIC
    archive, in any format and with suffixes in capitals or not.

    Args:
        images: Folder of images; their file stems are the ids. Without ``metadata`` every image
            needs a mask; with it, images that are not in the table are ignored.
        masks: Folder of masks.
        metadata: CSV file of masks and annotators.
        size: Height and width in pixels of ``image``, ``mask`` and ``masks``.
        consensus: ``mask`` and ``truth``: ``"majority"``, where at least half of the annotators
            mark lesion, or ``"staple"``; see :func:`~lesionseg.metrics.majority_vote` and
            :func:`~lesionseg.metrics.staple`.
        min_annotators: Leave out images with masks of fewer annotators.
        with_truth: Whether to add ``truth``, the consensus at the original size.
        mask_threshold: Gray value, 0 to 254, above which masks are lesion; None determines it from
            the masks, see :class:`~lesionseg.data.PairedDataset`.
        transforms: Applied to image and mask; see :class:`~lesionseg.data.LesionDataset`.

    Raises:
        DatasetNotFoundError: If a folder or file does not exist, or a folder is empty.
        InvalidDataError: If the table lacks columns, or an image has no mask, or a listed mask or
            image does not exist.
        ValueError: If an argument is out of range.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from PIL import Image
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     photos, masks = Path(folder, "images"), Path(folder, "masks")
        ...     for path in (photos, masks):
        ...         path.mkdir()
        ...     Image.new("RGB", (80, 60)).save(photos / "mole.jpg")
        ...     for name, gray in {"ann": 255, "bob": 255, "eve": 0}.items():
        ...         Image.new("L", (80, 60), gray).save(masks / f"mole_{name}.png")
        ...     sample = MultiAnnotatorDataset(photos, masks, size=(24, 32))[0]
        >>> sample["annotators"], sample["masks"].shape, sample["mask"].unique()
        (('ann', 'bob', 'eve'), torch.Size([3, 24, 32]), tensor([1.]))
    """

    license = "masks of IMA++: see https://doi.org/10.5281/zenodo.14201692; images: see the archive"
    origin = "https://doi.org/10.5281/zenodo.14201692"
    citation = (
        "Abhishek, Kawahara and Hamarneh: IMA++: ISIC Archive Multi-Annotator Dermoscopic Skin "
        "Lesion Segmentation Dataset, 2025, arXiv:2512.21472"
    )

    def __init__(
        self,
        images: str | Path,
        masks: str | Path,
        metadata: str | Path | None = None,
        size: tuple[int, int] = (192, 256),
        consensus: Literal["majority", "staple"] = "majority",
        min_annotators: int = 1,
        with_truth: bool = False,
        mask_threshold: int | None = None,
        transforms: Transforms | None = None,
    ) -> None:
        super().__init__(with_truth, transforms)
        if consensus not in ("majority", "staple"):
            raise ValueError(f"expected consensus to be majority or staple, got {consensus!r}")
        if min_annotators < 1:
            raise ValueError(f"expected min_annotators to be at least 1, got {min_annotators}")
        if mask_threshold is not None and not 0 <= mask_threshold <= 254:
            raise ValueError(f"expected mask_threshold to be 0 to 254, got {mask_threshold}")
        self.size = check_size(size)
        self.consensus = consensus
        images, masks = Path(images).expanduser(), Path(masks).expanduser()
        files = _images_in(images)
        if metadata is None:
            found = find_annotations(masks, files)
            if missing := [files[id_].name for id_ in files if id_ not in found]:
                raise InvalidDataError(
                    f"{len(missing)} of {len(files)} images have no mask in {masks}: "
                    f"{shorten(missing)}; name masks <image>_<annotator>.png or "
                    "<image>/<annotator>.png, or remove the images."
                )
        else:
            found = read_annotations(Path(metadata).expanduser(), masks)
        self.annotations = {
            id_: found[id_]
            for id_ in sorted(found)
            if len({annotation.annotator for annotation in found[id_]}) >= min_annotators
        }
        if not self.annotations:
            raise InvalidDataError(
                f"no image has masks of {min_annotators} annotators or more in {masks}; use a "
                "smaller min_annotators."
            )
        if absent := [id_ for id_ in self.annotations if id_ not in files]:
            raise InvalidDataError(
                f"{len(absent)} of {len(self.annotations)} images in {metadata} are not in "
                f"{images}: {shorten(absent)}; download them from the ISIC archive, or remove "
                "their rows."
            )
        self._ids = list(self.annotations)
        self._images = {id_: files[id_] for id_ in self._ids}
        paths = [annotation.path for group in self.annotations.values() for annotation in group]
        self.mask_rule = (
            find_rule(paths) if mask_threshold is None else MaskRule(mask_threshold, checked=False)
        )

    @property
    def ids(self) -> list[str]:
        """Names of the images, in the order of the items."""
        return list(self._ids)

    @property
    def annotators(self) -> list[str]:
        """Names of all annotators, sorted."""
        return sorted({a.annotator for group in self.annotations.values() for a in group})

    @property
    def images(self) -> dict[str, Path]:
        """Image files by id."""
        return dict(self._images)

    def __len__(self) -> int:
        return len(self._ids)

    def read_masks(self, id: str) -> tuple[list[npt.NDArray[np.bool_]], list[str]]:
        """Read the masks of an image at its size.

        Args:
            id: Name of the image.

        Returns:
            Masks, bool (height, width), and who drew each.

        Raises:
            InvalidDataError: If a mask cannot be read, or the sizes differ.
        """
        _, size = read_thumbnail(self._images[id], 1)
        return self._read_masks(id, size)

    def _read_masks(
        self, id_: str, size: tuple[int, int]
    ) -> tuple[list[npt.NDArray[np.bool_]], list[str]]:
        annotations = self.annotations[id_]
        masks = [
            read_mask(annotation.path, size, self._images[id_], self.mask_rule) > GRAY_THRESHOLD
            for annotation in annotations
        ]
        return masks, [annotation.annotator for annotation in annotations]

    def read_sample(self, index: int) -> AnnotatedSample:
        """Read a sample without transforms.

        Raises:
            InvalidDataError: If a file cannot be read, or a mask has another size than its image.
        """
        id_ = self._ids[index]
        image, original = read_resized(self._images[id_], self.size)
        masks, annotators = self._read_masks(id_, original)
        agreed = majority_vote(masks) if self.consensus == "majority" else staple(masks).mask
        truth = np.where(agreed, np.uint8(255), np.uint8(0))
        sample = AnnotatedSample(
            image=image.float() / 255,
            mask=resize_mask(truth, self.size),
            id=id_,
            size=original,
            masks=torch.cat(
                [resize_mask(np.uint8(255) * mask.astype(np.uint8), self.size) for mask in masks]
            ),
            annotators=tuple(annotators),
        )
        if self.with_truth:
            sample["truth"] = torch.from_numpy(truth)
        return sample


def _images_in(folder: Path) -> dict[str, Path]:
    files = {stem_of(path): path for path in list_files(folder, "images")}
    if not files:
        raise DatasetNotFoundError(f"the folder {folder} has no images; check the path.")
    return files
