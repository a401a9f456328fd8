"""Score trained weights image by image, in every way that is published.

    python tools/score_released.py --weights FILE [FILE ...] --train DIR --tests DIR --output DIR

Writes a CSV for each file of weights: for each image of the test sets, with and without averaging
over flips and with and without post-processing, the counts of true and false positives and
negatives at the size of the ground truth. All official scores follow from these counts.
``--tests`` holds ISIC 2018: its validation images, and in its training folder the test images of
ISIC 2017. The held-out images are those of NAME-val.txt next to NAME.pt, read from ``--train``.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import torch

from lesionseg.data import ISICDataset, load_ids, named_ids
from lesionseg.inference.postprocess import binarize, probabilities, restore_sizes
from lesionseg.inference.predictor import predictor_of_checkpoint
from lesionseg.inference.regions import largest_region
from lesionseg.inference.tta import average_views
from lesionseg.metrics.official import GRAY_THRESHOLD, confusion_counts

COLUMNS = ("set", "id", "views", "postprocessing", "tp", "fp", "fn", "tn")


def rows(path: Path, train: Path, tests: Path, device: str, quick: bool) -> Iterator[list[object]]:
    """Return the rows of a file of weights."""
    predictor = predictor_of_checkpoint(path, device)
    held_out = load_ids(path.with_name(f"{path.stem}-val.txt"))
    sets = {"held-out": ISICDataset(train, 2018, "train", predictor.size, True).subset(held_out)}
    if not quick:
        sets["isic2018-val"] = ISICDataset(tests, 2018, "val", predictor.size, True)
        ids = sorted(named_ids("isic2017-test") & named_ids("isic2018-train"))
        sets["isic2017-test"] = ISICDataset(tests, 2018, "train", predictor.size, True).subset(ids)
    for name, data in sets.items():
        for start in range(0, len(data), 32):
            samples = [data[index] for index in range(start, min(start + 32, len(data)))]
            batch = torch.stack([sample["image"] for sample in samples]).to(predictor.device)
            for views in ("none",) if quick else ("none", "flips"):
                with torch.inference_mode():
                    maps = average_views(
                        lambda view: probabilities(predictor.network(view)), batch, views
                    )
                sizes = [tuple(sample["truth"].shape) for sample in samples]
                restored = restore_sizes(maps.cpu(), sizes)
                for sample, probability in zip(samples, restored, strict=True):
                    mask = binarize(probability, predictor.threshold).numpy()
                    truth = sample["truth"].numpy() > GRAY_THRESHOLD
                    for how, final in (("none", mask), ("largest-region", largest_region(mask))):
                        yield [name, sample["id"], views, how, *confusion_counts(final, truth)]


def main() -> None:
    """Score the files that the command line names."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--weights", nargs="+", type=Path, required=True)
    parser.add_argument("--train", type=Path, required=True, help="of prepare_training_data.py")
    parser.add_argument("--tests", type=Path, required=True, help="folder of ISIC 2018")
    parser.add_argument("--output", type=Path, required=True, help="folder of the CSV files")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--quick", action="store_true", help="held-out images only, without flips")
    options = parser.parse_args()
    options.output.mkdir(parents=True, exist_ok=True)
    for path in options.weights:
        with (options.output / f"{path.stem}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(COLUMNS)
            writer.writerows(
                rows(path, options.train, options.tests, options.device, options.quick)
            )
        print(path.stem, flush=True)


if __name__ == "__main__":
    main()
