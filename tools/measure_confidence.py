"""Compare the confidence of the released models with their Jaccard index, image by image.

    python tools/measure_confidence.py --root DIR --output docs/results/released/confidence.csv

``--root`` holds the validation images of ISIC 2018 with their masks. The confidence of an empty
mask is an empty cell.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from tqdm import tqdm

from lesionseg import list_pretrained
from lesionseg.data import ISICDataset, read_image
from lesionseg.inference import load_predictor
from lesionseg.metrics.official import GRAY_THRESHOLD, confusion_counts, scores_from_counts

COLUMNS = ("model", "id", "confidence", "jaccard")


def rows(model: str, root: Path) -> Iterator[list[object]]:
    """Return the rows of a model."""
    predictor = load_predictor(model)
    data = ISICDataset(root, 2018, "val", (32, 32), with_truth=True)
    for index in tqdm(range(len(data)), desc=model, unit="image", disable=None):
        sample = data[index]
        result = predictor(read_image(data.pairs[index].image))
        counts = confusion_counts(result.mask, sample["truth"].numpy() > GRAY_THRESHOLD)
        (jaccard,) = scores_from_counts(np.array([counts]))["jaccard"]
        confidence = "" if result.confidence is None else f"{result.confidence:.6f}"
        yield [model, sample["id"], confidence, f"{jaccard:.6f}"]


def main() -> None:
    """Measure all released models."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="folder of ISIC 2018")
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    options = parser.parse_args()
    with options.output.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for model in list_pretrained():
            writer.writerows(rows(model, options.root))


if __name__ == "__main__":
    main()
