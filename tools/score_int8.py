"""Score the released models in int8, image by image.

    python tools/score_int8.py --root DIR --output docs/results/released/int8.csv

Each model is exported to ONNX in float32 and in int8, calibrated on 64 of its held-out images, and
scored on the validation images of ISIC 2018 at their size in ``--root``: counts of true and false
positives and negatives, from which all official scores follow. The scores of ``int8-full-range``,
whose weights use all 8 bits, depend on the processor.
"""

from __future__ import annotations

import argparse
import csv
import gzip
import tempfile
from collections.abc import Iterator
from pathlib import Path

import torch

from lesionseg.data import ISICDataset
from lesionseg.export import Deployable
from lesionseg.export.quantize_onnx import quantize_onnx
from lesionseg.export.to_onnx import save_onnx, to_onnx
from lesionseg.inference import ExportedPredictor, ExportMetadata
from lesionseg.inference.postprocess import binarize, restore_sizes
from lesionseg.inference.predictor import predictor_of_checkpoint
from lesionseg.metrics.official import GRAY_THRESHOLD, confusion_counts

SCORES = Path(__file__).resolve().parent.parent / "docs" / "results" / "released" / "scores"
#: Released models and the files of their scores, which name the held-out images.
MODELS = {"asnet-lite": "lite-2", "mobilegan": "mobilegan-fast-plain-0"}
COLUMNS = ("model", "form", "bytes", "id", "tp", "fp", "fn", "tn")
CALIBRATION_IMAGES = 64


def held_out(run: str) -> list[str]:
    """Return the first held-out images of a run."""
    with gzip.open(SCORES / f"{run}.csv.gz", "rt") as file:
        ids = {row["id"]: None for row in csv.DictReader(file) if row["set"] == "held-out"}
    return list(ids)[:CALIBRATION_IMAGES]


def rows(model: str, root: Path, folder: Path) -> Iterator[list[object]]:
    """Return the rows of a model."""
    predictor = predictor_of_checkpoint(model)
    size = predictor.size
    network = Deployable(predictor.network, attention="standard")
    metadata = ExportMetadata(size=size, threshold=predictor.threshold)
    data = ISICDataset(root, 2018, "train", size).subset(held_out(MODELS[model]))
    images = [data[index]["image"][None] for index in range(len(data))]
    proto = to_onnx(network, images[0], None)
    arrays = [image.numpy() for image in images]
    forms = {
        "float32": proto,
        "int8": quantize_onnx(proto, arrays),
        "int8-full-range": quantize_onnx(proto, arrays, reduce_range=False),
    }
    tests = ISICDataset(root, 2018, "val", size, True)
    for form, content in forms.items():
        path = folder / f"{model}-{form}.onnx"
        save_onnx(content, metadata, path)
        exported = ExportedPredictor(path)
        for index in range(len(tests)):
            sample = tests[index]
            truth = sample["truth"]
            probability = torch.from_numpy(exported.run(sample["image"][None].numpy()))
            (restored,) = restore_sizes(probability, [(truth.shape[-2], truth.shape[-1])])
            mask = binarize(restored, predictor.threshold).numpy()
            counts = confusion_counts(mask, truth.numpy() > GRAY_THRESHOLD)
            yield [model, form, path.stat().st_size, sample["id"], *counts]


def main() -> None:
    """Score both models in all forms."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--root", type=Path, required=True, help="folder of ISIC 2018")
    parser.add_argument("--output", type=Path, required=True, help="CSV file to write")
    options = parser.parse_args()
    with options.output.open("w", newline="") as file, tempfile.TemporaryDirectory() as folder:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for model in MODELS:
            writer.writerows(rows(model, options.root, Path(folder)))
            print(model, flush=True)


if __name__ == "__main__":
    main()
