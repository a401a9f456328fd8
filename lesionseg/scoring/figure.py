"""Several models side by side: image, true mask, and the prediction of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Literal, get_args

import numpy as np
from PIL import Image

from lesionseg.metrics.official import confusion_counts, scores_from_counts
from lesionseg.visualization import PREDICTION_COLOR, TRUTH_COLOR, contact_sheet, draw_outline

if TYPE_CHECKING:
    import numpy.typing as npt

    from lesionseg.inference.segmentation import ImagePredictor

FigureStyle = Literal["outlines", "masks"]
"""How masks are drawn; see :func:`model_figure`."""
FIGURE_STYLES: tuple[FigureStyle, ...] = get_args(FigureStyle)


def model_figure(
    samples: Iterable[tuple[str, Image.Image, npt.NDArray[np.bool_]]],
    predictors: Mapping[str, ImagePredictor],
    style: FigureStyle = "outlines",
    width: int = 200,
) -> Image.Image:
    """Draw image, true mask and the prediction of each model in a row for each image.

    Below each prediction is its official Jaccard index on that image. As Figure 4 of the ASNet
    paper with outlines, as Figure 2 of the MobileGAN paper with masks.

    Args:
        samples: Name, RGB image and true mask, bool (height, width) of the image's size.
        predictors: What segments an image, by the name of its column.
        style: ``"outlines"`` draws the border of the truth in green and that of the prediction in
            red on the image; ``"masks"`` draws masks in white on black.
        width: Width of a tile in pixels.

    Returns:
        RGB image.

    Raises:
        ValueError: If there is no sample or predictor, ``style`` is unknown, or a true mask has
            another size than its image.

    Example:
        >>> import numpy as np
        >>> from PIL import Image
        >>> from lesionseg.inference import Segmentation
        >>> from lesionseg.scoring import model_figure
        >>> def left(image):
        ...     mask = np.zeros((image.height, image.width), bool)
        ...     mask[:, : image.width // 2] = True
        ...     return Segmentation(mask, mask.astype(np.float32))
        >>> sample = ("a", Image.new("RGB", (60, 40)), np.ones((40, 60), bool))
        >>> model_figure([sample], {"left half": left}, width=100).size
        (332, 105)
    """
    if style not in FIGURE_STYLES:
        raise ValueError(f"expected style to be one of {', '.join(FIGURE_STYLES)}, got {style!r}")
    if not predictors:
        raise ValueError("expected predictors to hold at least one model, got none")
    tiles = []
    for name, image, truth in samples:
        outlined = draw_outline(image, truth, TRUTH_COLOR)  # checks the size, for both styles
        true = outlined if style == "outlines" else _white_on_black(truth)
        tiles += [(image, name), (true, "truth")]
        for label, predict in predictors.items():
            mask = predict(image).mask
            drawn = _white_on_black(mask)
            if style == "outlines":
                drawn = draw_outline(outlined, mask, PREDICTION_COLOR)
            (jaccard,) = scores_from_counts(np.array([confusion_counts(mask, truth)]))["jaccard"]
            tiles.append((drawn, f"{label}  J {jaccard:.3f}"))
    if not tiles:
        raise ValueError("expected samples to hold at least one image, got none")
    return contact_sheet(tiles, columns=2 + len(predictors), width=width)


def _white_on_black(mask: npt.NDArray[np.bool_]) -> Image.Image:
    return Image.fromarray(mask.astype(np.uint8) * np.uint8(255)).convert("RGB")
