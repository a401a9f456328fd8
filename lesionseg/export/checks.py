"""Compare an exported file with its network."""

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

#: Maximum difference of a probability from the eager network's.
TOLERANCE = 1e-4
#: Maximum loss of Jaccard or thresholded Jaccard by int8, in points of 100.
POINTS = 0.5

#: Images of the file's input type and size in, probabilities float32 (N, 1, H, W) out.
Run = Callable[[Tensor], npt.NDArray[np.float32]]


def check_equal(run: Run, model: Deployable, examples: Sequence[Tensor]) -> float:
    """Compare an exported program with the eager network.

    Args:
        run: Exported program.
        model: Eager network with its original attention.
        examples: Image batches of the input's type.

    Returns:
        The maximum difference of a probability.

    Raises:
        LesionsegError: If it is more than :data:`TOLERANCE`.
    """
    with torch.inference_mode():
        differences = [np.abs(run(batch) - model(batch).numpy()).max() for batch in examples]
    largest = float(np.max(differences))
    if not largest <= TOLERANCE:  # also for NaN
        raise LesionsegError(
            f"the exported program differs from the network by {largest:.1e}, more than "
            f"{TOLERANCE:.0e}; nothing was written. Try another --format or --attention."
        )
    return largest


def official_scores(
    run: Run, model: Deployable, samples: Sequence[Sample], threshold: float
) -> dict[str, float]:
    """Return the six official scores of a program, at the images' original size if it is known.

    Args:
        run: Exported program.
        model: Network that encodes its input.
        samples: Images and masks.
        threshold: A pixel is lesion if its probability is above this.

    Raises:
        LesionsegError: If a probability is not finite.
    """
    score = ISICScore()
    for sample in samples:
        probability = torch.from_numpy(run(model.encode(sample["image"][None])))
        if not probability.isfinite().all():
            raise LesionsegError(
                "the exported program returns probabilities that are not finite, so nothing was "
                "written; leave out --quantize, or try another --format."
            )
        truth = sample.get("truth", sample["mask"][0].bool())
        (restored,) = restore_sizes(probability, [(truth.shape[-2], truth.shape[-1])])
        score.update([binarize(restored, threshold)], [truth], [sample["id"]])
    return {name: float(value) for name, value in score.compute().items()}


def check_scores(before: dict[str, float], after: dict[str, float]) -> None:
    """Raise an error if a quantized program has lower scores than its network.

    Args:
        before: Scores of the network; see :func:`official_scores`.
        after: Scores of the quantized program on the same images.

    Raises:
        LesionsegError: If Jaccard or thresholded Jaccard lost more than :data:`POINTS`.
    """
    for name in ("jaccard", "threshold_jaccard"):
        lost = 100 * (before[name] - after[name])
        if not lost <= POINTS:  # also for NaN
            raise LesionsegError(
                f"int8 costs {lost:.2f} points of {name} ({100 * before[name]:.2f} to "
                f"{100 * after[name]:.2f}), more than {POINTS}; nothing was written. Calibrate on "
                "more images like those that it will segment (--images, --masks), or leave out "
                "--quantize."
            )
