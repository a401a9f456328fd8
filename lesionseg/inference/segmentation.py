"""The segmentation of a photograph. Without torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import numpy.typing as npt

from lesionseg.errors import printable
from lesionseg.inference.coco import CocoShape, encode_rle, mask_polygons, to_coco
from lesionseg.inference.measures import Measures, check_spacing, measure_lesion

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL import Image


LOW_CONFIDENCE = 0.9
"""Masks of less confidence are worth a second look; see :attr:`Segmentation.review`."""


@dataclass(frozen=True, repr=False, eq=False)
class Segmentation:
    """Segmentation of an image, at the image's size.

    It shows itself in a notebook: the photograph with the outline, and the most important measures.

    Args:
        mask: Bool (height, width), True for lesion.
        probability: float32 (height, width) in [0, 1].
        image: Photograph of the same size; without it, pictures show the probability instead, and
            there is no measure of color.
        pixel_spacing: Distance between pixel centers in millimeters, or (row, column) distances, as
            in DICOM.
        source: Path of the photograph, which names the results.

    Attributes:
        mask: See above.
        probability: See above.
        image: See above.
        pixel_spacing: (row, column) distances in millimeters, or None.
        source: See above.

    Raises:
        ValueError: If mask, probability and image differ in size, or the spacing is not positive.

    Example:
        >>> from PIL import Image
        >>> import lesionseg
        >>> result = lesionseg.segment(Image.new("RGB", (60, 40), "white"), "mobilegan")
        >>> result.mask.shape, result.mask.dtype, result.probability.dtype
        ((40, 60), dtype('bool'), dtype('float32'))
        >>> result
        Segmentation(60 x 40 pixels, no lesion)
    """

    mask: npt.NDArray[np.bool_]
    probability: npt.NDArray[np.float32]
    image: Image.Image | None = None
    pixel_spacing: tuple[float, float] | None = None
    source: Path | None = None

    def __post_init__(self) -> None:
        if self.mask.ndim != 2 or self.probability.shape != self.mask.shape:
            raise ValueError(
                "expected mask and probability to have one shape (height, width), got "
                f"{self.mask.shape} and {self.probability.shape}"
            )
        if self.image is not None and (self.image.height, self.image.width) != self.mask.shape:
            raise ValueError(
                f"expected image to have the mask's size, {self.mask.shape[0]} x "
                f"{self.mask.shape[1]} (height x width), got {self.image.height} x "
                f"{self.image.width}"
            )
        object.__setattr__(self, "pixel_spacing", check_spacing(self.pixel_spacing))
        if self.source is not None:
            object.__setattr__(self, "source", Path(self.source))

    @property
    def name(self) -> str:
        """Name of the results: the stem of the photograph's file, or ``image``."""
        return "image" if self.source is None else self.source.stem

    @property
    def file_name(self) -> str:
        """Name of the photograph's file, or ``image``."""
        return "image" if self.source is None else self.source.name

    @cached_property
    def uncertainty(self) -> npt.NDArray[np.float32]:
        r"""Entropy of each pixel's probability p in bits, float32 (height, width) in [0, 1].

        $$
        -p \log_2 p - (1 - p) \log_2 (1 - p)
        $$

        It is 1 where the model is undecided, 0 where it is sure (Shannon 1948). It is as honest as
        the probabilities are calibrated, and says nothing of an image that is unlike those that the
        model was trained on.

        Example:
            >>> import numpy as np
            >>> from lesionseg.inference import Segmentation
            >>> probability = np.array([[0.0, 0.5, 0.89]], np.float32)
            >>> Segmentation(probability > 0.5, probability).uncertainty.round(2)
            array([[0. , 1. , 0.5]], dtype=float32)
        """
        p = self.probability.astype(np.float32)
        bits = np.zeros_like(p)
        for share in (p, 1 - p):
            bits -= share * np.log2(share, out=np.zeros_like(p), where=share > 0)
        return bits.clip(0, 1)

    @cached_property
    def confidence(self) -> float | None:
        """Jaccard index that the probabilities predict for the mask; None if the mask is empty.

        The sum of p over the mask, divided by the number of pixels of the mask plus the sum of p
        outside of it: the expected intersection over the expected union. In [0, 1].

        Example:
            >>> import numpy as np
            >>> from lesionseg.inference import Segmentation
            >>> probability = np.array([[0.9, 0.9, 0.25, 0.0]], np.float32)
            >>> round(Segmentation(probability > 0.5, probability).confidence, 3)
            0.8
        """
        inside = int(np.count_nonzero(self.mask))
        if not inside:
            return None
        intersection = float(self.probability.sum(where=self.mask, dtype=np.float64))
        total = float(self.probability.sum(dtype=np.float64))
        return intersection / (inside + total - intersection)

    @cached_property
    def measures(self) -> Measures:
        """Area, shape, border and color of the lesion.

        Definitions, units and sources: :class:`~lesionseg.inference.Measures`.
        """
        return measure_lesion(self.mask, self.image, self.pixel_spacing)

    @property
    def review(self) -> tuple[str, ...]:
        """Reasons to look at the mask again; empty if there is none.

        ``nothing found``; ``several pieces``; ``touches the border`` of the image, so that a part
        may be cut off; and ``low confidence``: :attr:`confidence` is below 0.9. Chosen: on the 100
        validation images of ISIC 2018 this finds 6 of the 7 masks of ``asnet-lite`` whose Jaccard
        index is below 0.65, and 8 others. A model whose probabilities are all near 0 or 1 needs
        another limit.

        Example:
            >>> import numpy as np
            >>> from lesionseg.inference import Segmentation
            >>> mask = np.array([[True, False, True]])
            >>> Segmentation(mask, np.where(mask, 0.6, 0.1).astype(np.float32)).review
            ('several pieces', 'touches the border', 'low confidence')
        """
        if self.confidence is None:
            return ("nothing found",)
        reasons = {
            "several pieces": self.measures.pieces > 1,
            "touches the border": self.measures.touches_border,
            "low confidence": self.confidence < LOW_CONFIDENCE,
        }
        return tuple(reason for reason, holds in reasons.items() if holds)

    def polygons(self, tolerance: float = 0.5) -> list[npt.NDArray[np.float64]]:
        """Return the outline of each piece as (x, y) vertices.

        Args:
            tolerance: Largest distance in pixels between the outline and the polygon.

        Returns:
            float64 (vertices, 2) for each piece; see :func:`~lesionseg.inference.mask_polygons`.

        Example:
            >>> import numpy as np
            >>> from lesionseg.inference import Segmentation
            >>> mask = np.pad(np.ones((20, 30), bool), 10)
            >>> [polygon.shape for polygon in Segmentation(mask, mask.astype("f4")).polygons()]
            [(4, 2)]
        """
        return mask_polygons(self.mask, tolerance)

    def overlay(self, color: tuple[int, int, int] | None = None, fill: float = 0.0) -> Image.Image:
        """Draw the outline of the mask on the photograph.

        Args:
            color: RGB, 0 to 255; red by default.
            fill: Opacity of the color inside of the outline, in [0, 1].

        Returns:
            RGB image of the photograph's size.

        Raises:
            ValueError: If ``fill`` is out of range.

        Example:
            >>> import numpy as np
            >>> from PIL import Image
            >>> from lesionseg.inference import Segmentation
            >>> mask = np.pad(np.ones((20, 30), bool), 10)
            >>> result = Segmentation(mask, mask.astype("f4"), Image.new("RGB", (50, 40)))
            >>> result.overlay().getpixel((10, 10)), result.overlay(fill=0.5).getpixel((25, 20))
            ((255, 0, 0), (127, 0, 0))
        """
        from lesionseg.inference.drawing import draw_overlay

        return draw_overlay(self, color, fill)

    def plot(self) -> Figure:
        """Plot the photograph with the outline, the probability and the uncertainty.

        Returns:
            Figure of three panels.

        Example:
            >>> import numpy as np
            >>> from lesionseg.inference import Segmentation
            >>> mask = np.pad(np.ones((20, 30), bool), 10)
            >>> figure = Segmentation(mask, mask.astype(np.float32)).plot()
            >>> [axes.get_title() for axes in figure.axes[:3]]
            ['Lesion', 'Probability', 'Uncertainty (bits)']
        """
        from lesionseg.inference.drawing import plot_segmentation

        return plot_segmentation(self)

    def to_coco(self, shape: CocoShape = "polygons") -> dict[str, Any]:
        """Return the mask as a COCO data set of this image.

        Args:
            shape: ``"polygons"``, or ``"rle"``, which is exact; see
                :func:`lesionseg.inference.to_coco`, which also takes several images.

        Example:
            >>> import numpy as np
            >>> from lesionseg.inference import Segmentation
            >>> mask = np.pad(np.ones((2, 3), bool), 1)
            >>> (annotation,) = Segmentation(mask, mask.astype("f4")).to_coco("rle")["annotations"]
            >>> annotation["segmentation"], annotation["bbox"]
            ({'size': [4, 5], 'counts': '5220003'}, [1, 1, 3, 2])
        """
        return to_coco([self], shape)

    def to_dict(self) -> dict[str, Any]:
        """Return everything but the maps as numbers, texts and lists, which ``json`` writes.

        Returns:
            ``image`` (file name), ``width``, ``height``, ``confidence``, ``review``, ``measures``
            (see :class:`~lesionseg.inference.Measures`), ``polygons`` (a list of [x, y] vertices
            for each piece) and ``mask`` (COCO's run lengths, see
            :func:`~lesionseg.inference.encode_rle`).

        Example:
            >>> import json
            >>> import numpy as np
            >>> from lesionseg.inference import Segmentation, decode_rle
            >>> mask = np.pad(np.ones((20, 30), bool), 10)
            >>> result = json.loads(json.dumps(Segmentation(mask, mask.astype("f4")).to_dict()))
            >>> result["measures"]["area"], result["review"]
            (600, [])
            >>> bool((decode_rle(result["mask"]) == mask).all())
            True
        """
        height, width = self.mask.shape
        return {
            "image": self.file_name,
            "width": width,
            "height": height,
            "confidence": self.confidence,
            "review": list(self.review),
            "measures": self.measures.to_dict(),
            "polygons": [np.round(line, 2).tolist() for line in self.polygons()],
            "mask": encode_rle(self.mask),
        }

    def save(
        self,
        folder: str | Path,
        formats: str | Sequence[str] = ("mask", "overlay"),
        name: str | None = None,
        overwrite: bool = False,
    ) -> list[Path]:
        """Write results to a folder, each whole or not at all.

        Args:
            folder: Folder; created if absent.
            formats: Some of ``mask`` (PNG in {0, 255}), ``overlay`` (PNG), ``probability`` (16-bit
                PNG, 65535 is 1), ``json`` (:meth:`to_dict`), ``csv`` (the measures), ``coco``
                (:meth:`to_coco`) and ``dicom-seg`` (only if ``source`` is a DICOM file); a list, or
                text with commas.
            name: Start of the files' names; None takes :attr:`name`.
            overwrite: Also replace files that this package did not write.

        Returns:
            The files.

        Raises:
            LesionsegError: If a format is unknown, or a file exists that this package did not
                write.

        Example:
            >>> import tempfile
            >>> import numpy as np
            >>> from lesionseg.inference import Segmentation
            >>> mask = np.pad(np.ones((20, 30), bool), 10)
            >>> result = Segmentation(mask, mask.astype(np.float32), source="mole.jpg")
            >>> with tempfile.TemporaryDirectory() as folder:
            ...     [path.name for path in result.save(folder, "mask,json")]
            ['mole_segmentation.png', 'mole_segmentation.json']
        """
        from lesionseg.inference.saving import save_segmentation

        return save_segmentation(self, Path(folder), formats, name, overwrite)

    def __repr__(self) -> str:
        height, width = self.mask.shape
        named = "" if self.source is None else f"{printable(self.file_name, breaks=False)}, "
        found = "no lesion"
        if self.confidence is not None:
            pieces = self.measures.pieces
            found = (
                f"lesion {self.measures.area_share:.1%} in {pieces} piece"
                f"{'s' if pieces > 1 else ''}, confidence {self.confidence:.2f}"
            )
        return f"Segmentation({named}{width} x {height} pixels, {found})"

    def _repr_png_(self) -> bytes:
        from lesionseg.inference.drawing import png_of

        return png_of(self)

    def _repr_html_(self) -> str:
        from lesionseg.inference.drawing import html_of

        return html_of(self)


class ImagePredictor(Protocol):
    """Anything that segments photographs, such as a :class:`Predictor`.

    Example:
        >>> import numpy as np
        >>> from PIL import Image
        >>> import lesionseg
        >>> from lesionseg.inference import Segmentation
        >>> def dark(image):
        ...     probability = 1 - np.asarray(image.convert("L"), np.float32) / 255
        ...     return Segmentation(probability > 0.5, probability)
        >>> lesionseg.segment(Image.new("RGB", (60, 40), "black"), dark).mask.all()
        np.True_
    """

    def __call__(self, image: Image.Image) -> Segmentation:
        """Segment an RGB image of any size."""


def with_photograph(
    result: Segmentation,
    image: Image.Image,
    source: str | Path | None = None,
    pixel_spacing: float | tuple[float, float] | None = None,
) -> Segmentation:
    """Return a predictor's segmentation with its photograph.

    Args:
        result: Segmentation of the photograph.
        image: The photograph.
        source: Its path; None keeps that of the segmentation.
        pixel_spacing: In millimeters; None takes that of a DICOM file, as read.
    """
    if pixel_spacing is None:
        pixel_spacing = result.pixel_spacing or image.info.get("pixel_spacing")
    return replace(
        result,
        image=image,
        source=result.source if source is None else Path(source),
        pixel_spacing=check_spacing(pixel_spacing),
    )
