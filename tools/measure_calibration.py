"""Calibrate the released models on held-out images, and keep what is published of it.

    python tools/measure_calibration.py --train DIR --tests DIR

The held-out images of the training (``--train``, the folder of prepare_training_data.py) choose
temperature and threshold; the validation images of ISIC 2018 (``--tests``) test them. Writes to
docs/results/released: calibration.json; calibration-images.csv.gz with counts, squared errors and
calibration error of each image before and after; calibration-bins.csv with the reliability bins;
and thresholds.csv.gz with the counts of each image at several thresholds, and at the network's
size. Draws docs/images/reliability.png.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import hashlib
import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from make_model_pages import RELEASED, read_rows
from torch import Tensor, nn

from lesionseg import list_pretrained
from lesionseg.data import ISICDataset
from lesionseg.inference.calibration import THRESHOLDS, Measured, calibrate, measure
from lesionseg.inference.postprocess import binarize, probabilities
from lesionseg.inference.predictor import predictor_of_checkpoint
from lesionseg.metrics.extended_table import calibration_errors
from lesionseg.metrics.official import confusion_counts
from lesionseg.networks import set_temperature

DOCS = RELEASED.parents[1]
EVERY = 5  # thresholds in steps of 0.05 are kept


class Remembering(nn.Module):
    """A network that computes the logits of an image once, since several passes ask for them."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self.known: dict[bytes, Tensor] = {}

    def forward(self, image: Tensor) -> Tensor:
        """Return the logits of a batch."""
        keys = [hashlib.sha256(single.numpy().tobytes()).digest() for single in image]
        for key, single in zip(keys, image, strict=True):
            if key not in self.known:
                self.known[key] = self.network(single[None])[0]
        return torch.stack([self.known[key] for key in keys])


def write(path: Path, columns: tuple[str, ...], rows: list[list[Any]]) -> None:
    """Write a table, compressed if its name ends in .gz, with the same bytes every time."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(rows)
    content = text.getvalue().encode()
    path.write_bytes(gzip.compress(content, mtime=0) if path.suffix == ".gz" else content)


def save(
    folder: Path,
    facts: dict[str, Any],
    images: list[list[Any]],
    bins: list[list[Any]],
    thresholds: list[list[Any]],
) -> None:
    """Write all files."""
    (folder / "calibration.json").write_text(json.dumps(facts, indent=1) + "\n")
    counts_names = ("tp", "fp", "fn", "tn")
    write(
        folder / "calibration-images.csv.gz",
        ("model", "set", "stage", "id", *counts_names, "squared_error", "calibration_error"),
        images,
    )
    write(
        folder / "calibration-bins.csv",
        ("model", "set", "stage", "bin_low", "bin_high", "pixels", "probability_sum", "lesion"),
        bins,
    )
    write(
        folder / "thresholds.csv.gz",
        ("model", "set", "id", "threshold", *counts_names),
        thresholds,
    )


def main() -> None:
    """Measure all released models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True)
    parser.add_argument("--tests", type=Path, required=True)
    parser.add_argument("--models", nargs="+", default=list_pretrained())
    parser.add_argument("--output", type=Path, default=RELEASED)
    parser.add_argument("--plot", type=Path, default=DOCS / "images" / "reliability.png")
    options = parser.parse_args()
    rows = read_rows(RELEASED / "scores" / "lite-2.csv.gz")
    held_out = sorted({row["id"] for row in rows if row["set"] == "held-out"})
    facts: dict[str, Any] = {}
    images: list[list[Any]] = []
    bins: list[list[Any]] = []
    thresholds: list[list[Any]] = []
    for model in options.models:
        predictor = predictor_of_checkpoint(model)
        predictor = replace(predictor, network=Remembering(predictor.network).eval())
        sets = {
            "held-out": ISICDataset(options.train, 2018, "train", predictor.size, True).subset(
                held_out
            ),
            "isic2018-val": ISICDataset(options.tests, 2018, "val", predictor.size, True),
        }
        small: list[tuple[int, int, int, int]] = []

        def at_network_size(logits: Tensor, mask: Tensor) -> None:
            found = binarize(probabilities(logits))[:, 0].numpy()
            small.extend(map(confusion_counts, found, mask[:, 0].bool().numpy()))  # noqa: B023

        stages: dict[tuple[str, str], Measured] = {}
        for name, data in sets.items():
            small.clear()
            stages[name, "before"] = measure(predictor, data, keep=at_network_size)
            measured = stages[name, "before"]
            for index, id_ in enumerate(measured.ids):
                thresholds.append([model, name, id_, "network", *small[index]])
                for which in range(0, len(THRESHOLDS), EVERY):
                    counts = measured.counts[which, index].tolist()
                    thresholds.append([model, name, id_, f"{THRESHOLDS[which]:.2f}", *counts])
        found = calibrate(predictor, sets["held-out"])
        facts[model] = {"temperature": found.temperature, "threshold": found.threshold}
        stages["held-out", "after"] = found.after
        stages["isic2018-val", "after"] = measure(predictor, sets["isic2018-val"])
        set_temperature(predictor.network, 1.0)
        if model == "asnet-lite":
            found.save_plot(options.plot)
        for (name, stage), measured in sorted(stages.items()):
            threshold = 0.5 if stage == "before" else found.threshold
            counts = measured.counts[int(abs(THRESHOLDS - threshold).argmin())]
            errors = calibration_errors(measured.bins)
            for index, id_ in enumerate(measured.ids):
                squares, error = float(measured.squares[index]), float(errors[index])
                row = [model, name, stage, id_, *counts[index].tolist()]
                images.append([*row, f"{squares:.4f}", f"{error:.6f}"])
            edges = np.linspace(0, 1, measured.bins.shape[1] + 1)
            for which, (pixels, total, lesion) in enumerate(measured.bins.sum(axis=0).tolist()):
                low, high = f"{edges[which]:.4f}", f"{edges[which + 1]:.4f}"
                bins.append(
                    [model, name, stage, low, high, int(pixels), f"{total:.3f}", int(lesion)]
                )
        print(model, facts[model], found.render(), sep="\n", flush=True)
        save(options.output, facts, images, bins, thresholds)  # what is measured so far


if __name__ == "__main__":
    main()
