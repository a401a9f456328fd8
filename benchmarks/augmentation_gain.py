"""Which augmentation helps: one network, trained with each of them beside the flips."""

from __future__ import annotations

import statistics
import tempfile
from argparse import Namespace
from collections.abc import Sequence
from pathlib import Path

import torch
from measure import arguments, quiet_trainer, report
from tqdm import tqdm

from lesionseg.data import (
    AUGMENTATION_NAMES,
    BaseDataModule,
    ISICDataModule,
    SyntheticDataModule,
)
from lesionseg.models import Segmenter

FLIPS = ("horizontal_flip", "vertical_flip")
OTHERS = tuple(name for name in AUGMENTATION_NAMES if name not in FLIPS)
SCORES = ("jaccard", "threshold_jaccard")


def contestants(chosen: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Names for ``Augmentation``, by what they are called in the table."""
    each = {f"flips, {name}": (*FLIPS, name) for name in chosen}
    together = {"all of them": (*FLIPS, *chosen)} if len(chosen) > 1 else {}
    return {"flips": FLIPS, "nothing": (), **each, **together}


def data_of(options: Namespace, names: Sequence[str], seed: int, cache: str) -> BaseDataModule:
    """The same images for each contestant, others for each seed; tested on the validation set."""
    common = {"size": options.size, "batch_size": 16, "augmentation": names, "seed": seed}
    if options.root is None:
        return SyntheticDataModule(
            train_length=options.images, val_length=1, test_length=options.tested, **common
        )
    return ISICDataModule(
        options.root, 2018, limit=options.images, test_split="val", cache=cache, **common
    )


def score(options: Namespace, names: Sequence[str], seed: int, cache: str) -> dict[str, float]:
    """Train from random weights and test the last epoch; the seed says which weights."""
    torch.manual_seed(seed)
    model = Segmenter(options.network, size=options.size)
    trainer = quiet_trainer(
        accelerator="auto", max_epochs=options.epochs, limit_val_batches=0, num_sanity_val_steps=0
    )
    data = data_of(options, names, seed, cache)
    trainer.fit(model, data)
    (found,) = trainer.test(model, data, verbose=False)
    return {name: found[f"test/{name}"] for name in SCORES}


def main() -> None:
    parser = arguments(__doc__ or "", rounds=3)
    parser.add_argument("--root", type=Path, help="of ISIC 2018; else drawn lesions")
    parser.add_argument("--network", default="smp:unet/resnet18", help="default: %(default)s")
    parser.add_argument("--size", type=int, nargs=2, default=[64, 64], metavar=("H", "W"))
    parser.add_argument("--images", type=int, default=400, help="to train on")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument(
        "--names",
        nargs="+",
        default=OTHERS,
        choices=OTHERS,
        metavar="NAME",
        help=f"of {', '.join(OTHERS)} (default: all)",
    )
    options = parser.parse_args()
    options.tested = 100
    if options.small:
        options.size, options.images, options.tested, options.epochs = [32, 32], 16, 2, 1
    options.size = tuple(options.size)
    found: dict[str, list[dict[str, float]]] = {}
    jobs = [
        (seed, label, names)
        for seed in range(options.rounds)
        for label, names in contestants(options.names).items()
    ]
    with tempfile.TemporaryDirectory() as cache:
        for seed, label, names in tqdm(jobs, unit="training", disable=None):
            scores = score(options, names, seed, cache)
            found.setdefault(label, []).append(scores)
            tqdm.write(f"seed {seed}, {label}: {scores['jaccard']:.4f}")
    flips = [one["jaccard"] for one in found["flips"]]
    rows = []
    for label, scores in found.items():
        values = {name: [one[name] for one in scores] for name in SCORES}
        gains = [one - other for one, other in zip(values["jaccard"], flips, strict=True)]
        rows.append(
            [
                label,
                *(f"{statistics.mean(values[name]):.4f}" for name in SCORES),
                f"{min(values['jaccard']):.4f} to {max(values['jaccard']):.4f}",
                "" if label == "flips" else f"{100 * statistics.mean(gains):+.2f}",
                "" if label == "flips" else " ".join(f"{100 * gain:+.1f}" for gain in gains),
            ]
        )
    where = "ISIC 2018's" if options.root else "drawn"
    tested = "its 100 validation images" if options.root else f"{options.tested} others"
    seeds = f"{options.rounds} seeds" if options.rounds > 1 else "one seed"
    notes = [
        f"{options.network} from random weights at {options.size[0]} x {options.size[1]}, "
        f"{options.epochs} epochs on {options.images} of {where} training images, scored on "
        f"{tested} at their own size; {seeds}, which choose weights and training images, the same "
        "for every row.",
        "Gains are points of Jaccard over flips alone, their mean and seed by seed.",
    ]
    header = ("augmentation", *SCORES, "jaccard from, to", "gain", "of each seed")
    report("augmentation-gain", header, rows, options, notes)


if __name__ == "__main__":
    main()
