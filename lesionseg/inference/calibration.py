"""Fit a temperature and a threshold on held-out images, and store them in a checkpoint."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from lesionseg.checkpoints import load_weights, read_checkpoint
from lesionseg.data.datasets.sample import collate_samples
from lesionseg.errors import LesionsegError
from lesionseg.files import atomic_path
from lesionseg.inference.postprocess import check_finite, probabilities, restore_sizes
from lesionseg.inference.predictor import Predictor
from lesionseg.metrics.calibration import reliability_sums
from lesionseg.metrics.extended_table import BINS, Sums, calibration_errors
from lesionseg.metrics.official import GRAY_THRESHOLD, Counts, scores_from_counts
from lesionseg.networks import set_temperature
from lesionseg.pretrained import (
    TRAINED_ON,
    find_pretrained,
    network_weights,
    read_card,
    write_pretrained,
)
from lesionseg.visualization import save_figure

Progress = Callable[[Iterable[Any]], Iterable[Any]]

THRESHOLDS = np.round(np.arange(0.05, 0.951, 0.01), 2)
"""Thresholds that are tried."""
_EDGE, _CELLS = 40.0, 16000  # logits beyond are as certain as float32 can be; cells of 0.005
_LEAST, _MOST = 0.05, 20.0
#: Parts of a card that describe other scores than those of the calibrated model.
_OUTDATED = ("format", "weights", "trained_on", "scores", "sets")


@dataclass(frozen=True, eq=False)
class Measured:
    """Probabilities of a model on a set of images, compared with the masks.

    Attributes:
        ids: Ids of the images.
        bins: float64 array (images, 15, 3): pixels, sum of probabilities and lesion pixels in bins
            of equal width, at the original size.
        squares: float64 array (images,), sums of squared errors.
        counts: int64 array (thresholds, images, 4) of true and false positives and negatives.
    """

    ids: tuple[str, ...]
    bins: Sums
    squares: npt.NDArray[np.float64]
    counts: Counts

    def summary(self, threshold: float) -> dict[str, float]:
        """Return scores of the probabilities, pooled, and of the masks, per image."""
        scores = scores_from_counts(self.counts[_index(threshold)])
        pixels = self.bins[:, :, 0].sum()
        return {
            "calibration_error": float(calibration_errors(self.bins.sum(axis=0)[None])[0]),
            "brier_score": float(self.squares.sum() / pixels),
            "jaccard": float(scores["jaccard"].mean()),
            "threshold_jaccard": float(scores["threshold_jaccard"].mean()),
        }

    def best_threshold(self) -> float:
        """Return the threshold of the highest mean Jaccard; of equals that nearest to 0.5."""
        means = [scores_from_counts(counts)["jaccard"].mean() for counts in self.counts]
        ranked = zip(np.round(means, 12), -abs(THRESHOLDS - 0.5), THRESHOLDS, strict=True)
        return float(max(ranked)[2])


@dataclass(frozen=True, eq=False)
class Calibration:
    """Temperature and threshold of a model, with its scores before and after.

    Attributes:
        temperature: Divisor of the logits.
        threshold: A pixel is lesion if its probability after the temperature is above this.
        threshold_before: The threshold so far.
        before: Measurements with the temperature 1.
        after: Measurements with :attr:`temperature`.

    Example:
        >>> import torch
        >>> from lesionseg.data import SyntheticLesions
        >>> from lesionseg.inference import Predictor, calibrate
        >>> network = torch.nn.Conv2d(3, 1, 1).eval()
        >>> _ = torch.nn.init.constant_(network.weight, -60.0)  # dark pixels are lesion
        >>> _ = torch.nn.init.constant_(network.bias, 80.0)
        >>> images = SyntheticLesions(4, (32, 32), with_truth=True)
        >>> found = calibrate(Predictor(network, (32, 32)), images)
        >>> summaries = found.before.summary(0.5), found.after.summary(found.threshold)
        >>> summaries[1]["calibration_error"] < summaries[0]["calibration_error"]
        True
    """

    temperature: float
    threshold: float
    threshold_before: float
    before: Measured
    after: Measured

    def render(self) -> str:
        """Return a plain-text table of at most 80 columns, without a newline at its end."""
        first = self.before.summary(self.threshold_before)
        last = self.after.summary(self.threshold)
        lines = [
            f"{len(self.before.ids)} held-out images: temperature {self.temperature:.4f}, "
            f"threshold {self.threshold:.2f}",
            "",
            f"{'score':<32}{'before':>10}{'after':>10}",
        ]
        titles = ("calibration error, pooled", "Brier score, pooled", "Jaccard, per image")
        for title, name in zip((*titles, "thresholded Jaccard, per image"), first, strict=True):
            lines.append(f"{title:<32}{first[name]:>10.4f}{last[name]:>10.4f}")
        return "\n".join(lines)

    def save_plot(self, path: Path) -> None:
        """Save the reliability diagrams before and after as a picture."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 4.2), layout="constrained")
        axes = figure.subplots(1, 2, sharey=True)
        for axis, title, measured in zip(
            axes, ("before", "after"), (self.before, self.after), strict=True
        ):
            pixels, total, lesion = measured.bins.sum(axis=0).T
            full = pixels > 0
            error = calibration_errors(measured.bins.sum(axis=0)[None])[0]
            axis.plot([0, 1], [0, 1], color="#888888", linewidth=1)
            axis.plot(total[full] / pixels[full], lesion[full] / pixels[full], marker="o")
            axis.set_title(f"{title}: calibration error {error:.4f}")
            axis.set(xlabel="mean probability", xlim=(0, 1), ylim=(0, 1), aspect="equal")
        axes[0].set_ylabel("share of lesion pixels")
        save_figure(figure, path)


def calibrate(
    predictor: Predictor, images: Any, batch_size: int = 8, progress: Progress | None = None
) -> Calibration:
    """Fit a temperature and then a threshold on images that the model was not trained on.

    The temperature minimizes the mean cross-entropy of the pixels at the network's size. The
    threshold, of 0.05 to 0.95 in steps of 0.01, maximizes the mean Jaccard index at the original
    size, with that temperature. The network keeps the temperature.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017, section 4.2.

    Args:
        predictor: Network with its size and threshold.
        images: Data set of samples with ``mask`` and, for scores at the original size, ``truth``.
        batch_size: Number of images in a batch.
        progress: Wraps the batches, for a progress bar.

    Raises:
        LesionsegError: If there is no image, the network's output is not finite, or all pixels are
            of the same class.

    Example:
        >>> import torch
        >>> from lesionseg.data import SyntheticLesions
        >>> from lesionseg.inference import Predictor, calibrate
        >>> network = torch.nn.Conv2d(3, 1, 1).eval()
        >>> _ = torch.nn.init.constant_(network.weight, -60.0)  # dark pixels are lesion
        >>> _ = torch.nn.init.constant_(network.bias, 80.0)
        >>> found = calibrate(Predictor(network, (32, 32)), SyntheticLesions(4, (32, 32)))
        >>> print(f"{found.temperature:.1f} {found.threshold}")
        9.7 0.44
    """
    if not len(images):
        raise LesionsegError("there is no held-out image; calibrate on at least one.")
    set_temperature(predictor.network, 1.0)
    cells = np.zeros((2, _CELLS))

    def keep(logits: Tensor, mask: Tensor) -> None:
        where = ((logits.float() + _EDGE) * (_CELLS / (2 * _EDGE))).long().clamp(0, _CELLS - 1)
        for lesion in (0, 1):
            chosen = where[mask.bool() == bool(lesion)]
            cells[lesion] += torch.bincount(chosen, minlength=_CELLS).cpu().numpy()

    before = measure(predictor, images, batch_size, progress, keep)
    if not cells.sum(axis=1).all():
        raise LesionsegError(
            "all pixels of the held-out images are of one class; calibrate on images with lesions."
        )
    temperature = fit_temperature(cells)
    set_temperature(predictor.network, temperature)
    after = measure(predictor, images, batch_size, progress)
    return Calibration(temperature, after.best_threshold(), predictor.threshold, before, after)


def fit_temperature(cells: npt.NDArray[np.float64]) -> float:
    """Return the temperature of the least cross-entropy.

    Args:
        cells: (2, cells) numbers of skin and of lesion pixels by their logit, in cells of equal
            width from -40 to 40.
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import log_expit

    skin, lesion = cells
    width = 2 * _EDGE / len(skin)
    logits = -_EDGE + width * (np.arange(len(skin)) + 0.5)

    def cross_entropy(log_temperature: float) -> float:
        scaled = logits / np.exp(log_temperature)
        total = (lesion * log_expit(scaled)).sum() + (skin * log_expit(-scaled)).sum()
        return float(-total / cells.sum())

    bounds = (np.log(_LEAST), np.log(_MOST))
    found = minimize_scalar(cross_entropy, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    return float(np.exp(found.x))


@torch.inference_mode()
def measure(
    predictor: Predictor,
    images: Any,
    batch_size: int = 8,
    progress: Progress | None = None,
    keep: Callable[[Tensor, Tensor], None] | None = None,
) -> Measured:
    """Compare the probabilities of a model with the masks of images.

    Args:
        predictor: Network with its size.
        images: Data set of samples; see :func:`calibrate`.
        batch_size: Number of images in a batch.
        progress: Wraps the batches.
        keep: Called with logits and masks, (N, 1, H, W), of each batch.
    """
    loader: Iterable[Any] = DataLoader(images, batch_size, collate_fn=collate_samples)
    parts = []
    for batch in progress(loader) if progress else loader:
        logits = predictor.network(batch["image"].to(predictor.device))
        check_finite(logits, f"{batch['id'][0]} and others")
        if keep is not None:
            keep(logits.cpu(), batch["mask"])
        truth = batch.get("truth")
        if truth is None:
            truth = list(batch["mask"][:, 0].bool())
        lesions = [mask if mask.dtype == torch.bool else mask > GRAY_THRESHOLD for mask in truth]
        sizes = [(mask.shape[0], mask.shape[1]) for mask in lesions]
        maps = restore_sizes(probabilities(logits).cpu(), sizes)
        counts = [_counts(*pair) for pair in zip(maps, lesions, strict=True)]
        parts.append((batch["id"], *reliability_sums(maps, lesions, BINS), counts))
    return Measured(
        tuple(id_ for ids, *_ in parts for id_ in ids),
        np.concatenate([sums for _, sums, _, _ in parts]),
        np.concatenate([squares for _, _, squares, _ in parts]),
        np.stack([count for *_, counts in parts for count in counts], axis=1),
    )


def _counts(probability: Tensor, lesion: Tensor) -> Counts:
    """Return the counts (thresholds, 4) of an image."""
    edges = torch.from_numpy(THRESHOLDS).to(probability.dtype)
    passed = torch.bucketize(probability, edges)  # number of thresholds that it is above
    positive = []
    for chosen in (passed[lesion], passed[~lesion]):
        cells = torch.bincount(chosen, minlength=len(edges) + 1).numpy()
        positive.append(cells[::-1].cumsum()[::-1][1:])
    tp, fp = positive
    inside = int(lesion.sum())
    return np.stack([tp, fp, inside - tp, lesion.numel() - inside - fp], axis=1)


def _index(threshold: float) -> int:
    return int(abs(THRESHOLDS - threshold).argmin())


def with_truth(images: Any) -> Any:
    """Return a data set whose samples have masks at the original size, if it can add them."""
    if not hasattr(images, "with_truth"):
        return images
    images = copy.copy(images)
    images.with_truth = True
    return images


def save_calibrated(source: str | Path, output: Path, calibration: Calibration) -> None:
    """Write a copy of a model with its temperature and threshold; the original is kept.

    Args:
        source: Checkpoint, or name or folder of a pretrained model.
        output: File of the copy, or its folder if ``source`` is a pretrained model.
        calibration: Result of :func:`calibrate`.

    Raises:
        CheckpointError: If ``source`` cannot be read.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from lesionseg import Segmenter
        >>> from lesionseg.data import SyntheticLesions
        >>> from lesionseg.inference import calibrate, load_predictor, save_calibrated
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     model = Segmenter("unet", {"width": 1}, size=(32, 32))
        ...     source = model.save_pretrained(Path(folder, "unet"))
        ...     found = calibrate(load_predictor(source), SyntheticLesions(2, (32, 32)))
        ...     save_calibrated(source, Path(folder, "calibrated"), found)
        ...     load_predictor(Path(folder, "calibrated")).threshold == found.threshold
        True
    """
    stored = {"temperature": calibration.temperature, "threshold": calibration.threshold}
    about = stored | {"calibrated_on": len(calibration.before.ids)}
    folder = find_pretrained(source)
    if folder is None:
        read_checkpoint(source)  # checks it
        checkpoint = load_weights(source)
        checkpoint["lesionseg"].update(about)
        checkpoint["hyper_parameters"]["threshold"] = calibration.threshold
        with atomic_path(output) as temporary:
            torch.save(checkpoint, temporary)
        return
    card = {name: value for name, value in read_card(folder).items() if name not in _OUTDATED}
    card["model"]["init_args"]["threshold"] = calibration.threshold
    state = network_weights(read_checkpoint(folder)["state_dict"])
    ids = (folder / TRAINED_ON).read_text(encoding="ascii").split()
    write_pretrained(output, card | about, state, ids)
