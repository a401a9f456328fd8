"""What test-time augmentation gives a trained model, and what it costs: scores and time."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from measure import arguments, ratio, report
from torch import Tensor
from tqdm import tqdm

from lesionseg.data import ISICDataset, SyntheticLesions
from lesionseg.inference import TEST_TIME_AUGMENTATIONS, Predictor, average_views
from lesionseg.inference.postprocess import binarize, probabilities, restore_sizes
from lesionseg.inference.predictor import predictor_of_checkpoint
from lesionseg.inference.tta import views_of
from lesionseg.metrics import ISICScore
from lesionseg.networks import create_network
from lesionseg.scoring.comparison import compare_tables

SCORES = ("jaccard", "threshold_jaccard", "dice")


def main() -> None:
    parser = arguments(__doc__ or "", rounds=1)
    parser.add_argument("--checkpoint", type=Path, help="of a trained model; else random weights")
    parser.add_argument("--root", type=Path, help="of ISIC 2018, for its validation images")
    options = parser.parse_args()
    size = (64, 64) if options.small else (128, 128)
    torch.manual_seed(0)
    predictor = Predictor(create_network("mobilegan").eval(), size)
    if options.checkpoint is not None:
        predictor = predictor_of_checkpoint(options.checkpoint)
    data = SyntheticLesions(3 if options.small else 100, predictor.size, with_truth=True)
    if options.root is not None:
        data = ISICDataset(options.root, 2018, "val", predictor.size, with_truth=True)

    def predict(image: Tensor) -> Tensor:
        return probabilities(predictor.network(image))

    scores = {name: ISICScore() for name in TEST_TIME_AUGMENTATIONS}
    seconds: dict[str, list[float]] = {name: [] for name in TEST_TIME_AUGMENTATIONS}
    with torch.inference_mode():
        predict(data[0]["image"][None])  # libraries load once
        for sample in tqdm(
            (data[index] for index in range(len(data))), total=len(data), disable=None
        ):
            for name in TEST_TIME_AUGMENTATIONS:
                for _ in range(options.rounds):
                    start = time.perf_counter()
                    maps = average_views(predict, sample["image"][None], name)
                    seconds[name].append(time.perf_counter() - start)
                (restored,) = restore_sizes(maps, [tuple(sample["truth"].shape)])
                mask = binarize(restored, predictor.threshold)
                scores[name].update([mask], [sample["truth"]], [sample["id"]])
    rows = []
    tables = {name: score.table() for name, score in scores.items()}
    for name in TEST_TIME_AUGMENTATIONS:
        values = scores[name].compute()
        gain = compare_tables(tables[name], tables["none"])
        low, high = (100 * end for end in gain.interval)
        points = f"{100 * gain.difference:+.2f} [{low:+.2f} to {high:+.2f}]"
        rows.append(
            [
                name,
                str(len(views_of(name))),
                *(f"{values[score]:.4f}" for score in SCORES),
                "" if name == "none" else points,
                ratio(seconds[name], seconds["none"]),
            ]
        )
    where = "ISIC 2018's validation images" if options.root else "synthetic lesions"
    height, width = predictor.size
    notes = [
        f"Means over {len(data)} of {where}; the network sees {height} x {width} pixels, and the "
        "masks are scored at the images' own size.",
        "Gains are points of Jaccard over none on the same images, with their 95 % interval by "
        "bootstrap.",
    ]
    header = ("views", "number", *SCORES, "gain [interval]", "time / none")
    report("averaged-views", header, rows, options, notes)


if __name__ == "__main__":
    main()
