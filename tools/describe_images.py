"""Describe the images that the released weights are scored on: lesion size, border and contrast.

    python tools/describe_images.py --train DIR --tests DIR

Reads the folders of tools/score_released.py and writes docs/results/released/images.csv.gz, so that
scores by lesion size, contact with the border and contrast can be computed without the images.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import io
from collections.abc import Iterator
from pathlib import Path

import torch

from lesionseg.data import ISICDataset, named_ids
from lesionseg.report import describe_lesion

ROOT = Path(__file__).resolve().parents[1]
OUTPUT = ROOT / "docs" / "results" / "released" / "images.csv.gz"
SCORES = ROOT / "docs" / "results" / "released" / "scores" / "lite-2.csv.gz"
COLUMNS = ("set", "id", "area", "touches_border", "contrast")


def rows(train: Path, tests: Path) -> Iterator[list[object]]:
    """Describe all images that are scored, by their sets."""
    with gzip.open(SCORES, "rt", newline="") as file:
        held_out = {row["id"] for row in csv.DictReader(file) if row["set"] == "held-out"}
    later = sorted(named_ids("isic2017-test") & named_ids("isic2018-train"))
    size = (256, 256)
    sets = {
        "held-out": ISICDataset(train, 2018, "train", size, True).subset(sorted(held_out)),
        "isic2018-val": ISICDataset(tests, 2018, "val", size, True),
        "isic2017-test": ISICDataset(tests, 2018, "train", size, True).subset(later),
    }
    for name, data in sets.items():
        for index in range(len(data)):
            sample = data[index]
            area, border, contrast = describe_lesion(sample["image"], sample["mask"][0].bool())
            yield [name, sample["id"], f"{area:.4f}", int(bool(border)), f"{contrast:.1f}"]


def main() -> None:
    """Write the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--train", type=Path, required=True, help="of prepare_training_data.py")
    parser.add_argument("--tests", type=Path, required=True, help="folder of ISIC 2018")
    options = parser.parse_args()
    torch.set_num_threads(1)
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    writer.writerows(rows(options.train, options.tests))
    OUTPUT.write_bytes(gzip.compress(text.getvalue().encode(), mtime=0))
    print(OUTPUT)


if __name__ == "__main__":
    main()
