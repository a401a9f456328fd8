"""What an exported file must prove before it is written."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from lesionseg.data.datasets.sample import Sample
from lesionseg.errors import LesionsegError
from lesionseg.export.deployable import Deployable
from lesionseg.inference.postprocess import binarize, restore_sizes
from lesionseg.metrics import ISICScore

#: Largest difference of a probability from the eager network's.
TOLERANCE = 1e-4
#: Largest loss of Jaccard or thresholded Jaccard by int8, in points of 100.
POINTS = 0.5

#: Images of the file's input type and size in, probabilities float32 (N, 1, H, W) out.
Run = Callable[[Tensor], npt.NDArray[np.float32]]


def check_equal(run: Run, model: Deployable, examples: Sequence[Tensor]) -> float:
    """Compare an exported program with the eager network.

    Args:
        run: The exported program.
        model: The eager network, its attention as it is.
        examples: Image batches of the input's type.

    Returns:
        The largest difference of a probability.

    Raises:
        LesionsegError: It is more than :data:`TOLERANCE`.
    """
    with torch.inference_mode():
        differences = [np.abs(run(one) - model(one).numpy()).max() for one in examples]
    largest = float(np.max(differences))
    if not largest <= TOLERANCE:  # also where it is not a number
        raise LesionsegError(
            f"the exported program differs from the network by {largest:.1e}, more than "
            f"{TOLERANCE:.0e}; nothing was written. Try another --format or --attention."
        )
    return largest


def official_scores(
    run: Run, model: Deployable, samples: Sequence[Sample], threshold: float
) -> dict[str, float]:
    """The six official scores of a program, at the images' original size where it is known.

    Raises:
        LesionsegError: A probability is not a number.
    """
    score = ISICScore()
    for sample in samples:
        probability = torch.from_numpy(run(model.fed(sample["image"][None])))
        if not probability.isfinite().all():
            raise LesionsegError(
                "the program gives probabilities that are no numbers; nothing was written."
            )
        truth = sample.get("truth", sample["mask"][0].bool())
        (restored,) = restore_sizes(probability, [(truth.shape[-2], truth.shape[-1])])
        score.update([binarize(restored, threshold)], [truth], [sample["id"]])
    return {name: float(value) for name, value in score.compute().items()}


def check_scores(before: dict[str, float], after: dict[str, float]) -> None:
    """Refuse a quantized program whose official score is worse.

    Args:
        before: Of the network as it is; see :func:`official_scores`.
        after: Of the quantized program, on the same images.

    Raises:
        LesionsegError: Jaccard or thresholded Jaccard lost more than :data:`POINTS`.
    """
    for name in ("jaccard", "threshold_jaccard"):
        lost = 100 * (before[name] - after[name])
        if not lost <= POINTS:  # also where it is not a number
            raise LesionsegError(
                f"int8 costs {lost:.2f} points of {name} ({100 * before[name]:.2f} to "
                f"{100 * after[name]:.2f}), more than {POINTS}; nothing was written. Calibrate on "
                "more images like those it will see (--images, --masks), or leave --quantize out."
            )
