"""Choices where the papers are silent, against their alternatives: cost, and short trainings."""

from __future__ import annotations

import statistics
import tempfile
from argparse import Namespace
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from measure import arguments, in_turn, quiet_trainer, report, spread
from torch.nn import functional as F
from tqdm import tqdm

from lesionseg.data import BaseDataModule, ISICDataModule, SyntheticDataModule
from lesionseg.models import ASNet, MobileGAN, SegmentationModule
from lesionseg.networks import create_network
from lesionseg.networks.summary import network_facts

SCORES = ("jaccard", "threshold_jaccard")


class Choice(NamedTuple):
    """Values of an argument of a network, and how a model with it is trained here.

    A value may also have a precision of the Trainer, which is 32-true by default.
    """

    network: str
    size: tuple[int, int]
    values: Mapping[str, dict[str, Any]]
    model: Callable[..., SegmentationModule]
    training: str
    precisions: Mapping[str, str] = {}
    channels_last: bool = False

    def precision(self, label: str) -> str:
        """Return the Trainer's precision for a value."""
        return self.precisions.get(label, "32-true")

    def network_of(self, label: str) -> torch.nn.Module:
        """Return the network with a value; the maps follow the memory order of its weights."""
        network: torch.nn.Module = create_network(self.network, **self.values[label])
        if self.channels_last:
            network.to(memory_format=torch.channels_last)
        return network


def mobilegan(key_stride: int = 2, **options: Any) -> MobileGAN:
    """Return the generator with pooled keys, without the adversary."""
    return MobileGAN(
        key_stride=key_stride,
        adversarial_weight=0.0,
        generator_optimizer="adamw",
        generator_learning_rate=1e-3,
        generator_weight_decay=0.01,
        schedule="one-cycle",
        **options,
    )


def asnet(**options: Any) -> ASNet:
    """Return ASNet from random weights."""
    return ASNet(
        optimizer="adamw", learning_rate=1e-3, weight_decay=0.01, schedule="one-cycle", **options
    )


def asnet_channels_last(**options: Any) -> ASNet:
    """Return ASNet from random weights in the memory order of its recipes."""
    return asnet(channels_last=True, **options)


def asnet_lite(**options: Any) -> ASNet:
    """Return ASNet with the small encoder and its ImageNet weights, as its recipe trains it."""
    return asnet_channels_last(
        encoder="efficientnet_lite0",
        encoder_weights="imagenet",
        encoder_learning_rate=3e-4,
        **options,
    )


_MOBILEGAN = "MobileGAN with pooled keys (key_stride=2) and without the adversary"
CHOICES = {
    "dilations": Choice(
        "mobilegan",
        (128, 128),
        {
            "2, 4, 8, 16 (default)": {"dilations": (2, 4, 8, 16)},
            "1, 2, 4, 8": {"dilations": (1, 2, 4, 8)},
        },
        mobilegan,
        _MOBILEGAN,
    ),
    "key-pooling": Choice(
        "mobilegan",
        (128, 128),
        {
            "averages (default)": {"key_stride": 2, "key_pooling": "average"},
            "maxima": {"key_stride": 2, "key_pooling": "max"},
        },
        mobilegan,
        _MOBILEGAN,
    ),
    "share-fusion": Choice(
        "asnet",
        (96, 128),
        {
            "two modules (default)": {"share_fusion": False},
            "one module, used twice": {"share_fusion": True},
        },
        asnet,
        "ASNet from random weights",
    ),
    "mixed-precision": Choice(
        "asnet",
        (96, 128),
        {"32-true (default)": {}, "bf16-mixed": {}},
        asnet_channels_last,
        "ASNet from random weights, channels_last",
        {"bf16-mixed": "bf16-mixed"},
        channels_last=True,
    ),
    "mixed-precision-lite": Choice(
        "asnet-lite",
        (96, 128),
        {"32-true (default)": {}, "bf16-mixed": {}},
        asnet_lite,
        "asnet-lite from ImageNet weights, channels_last",
        {"bf16-mixed": "bf16-mixed"},
        channels_last=True,
    ),
    "mixed-precision-mobilegan": Choice(
        "mobilegan",
        (128, 128),
        {"32-true (default)": {"key_stride": 2}, "bf16-mixed": {"key_stride": 2}},
        mobilegan,
        _MOBILEGAN,
        {"bf16-mixed": "bf16-mixed"},
    ),
}


def data_of(
    options: Namespace, size: tuple[int, int], seed: int, cache: str | None
) -> BaseDataModule:
    """Return the same images for each value, others for each seed."""
    flips = ["horizontal_flip", "vertical_flip"]
    common = {"size": size, "batch_size": 8, "augmentation": flips, "seed": seed}
    if options.root is None:
        return SyntheticDataModule(
            train_length=options.images, val_length=1, test_length=options.tested, **common
        )
    return ISICDataModule(
        options.root, 2018, limit=options.images, test_split="val", cache=cache, **common
    )


def score(
    options: Namespace, model: SegmentationModule, data: BaseDataModule, precision: str
) -> dict[str, float]:
    """Train, and test the last epoch."""
    trainer = quiet_trainer(
        max_epochs=options.epochs,
        limit_val_batches=0,
        num_sanity_val_steps=0,
        precision=precision,
    )
    trainer.fit(model, data)
    (found,) = trainer.test(model, data, verbose=False)
    return {name: found[f"test/{name}"] for name in SCORES}


def milliseconds(options: Namespace, choice: Choice, size: tuple[int, int]) -> list[list[str]]:
    """Time inference of an image and a training step of 8, in turns."""

    def autocast(label: str) -> torch.autocast:
        return torch.autocast("cpu", torch.bfloat16, enabled="bf16" in choice.precision(label))

    def inference(label: str) -> Callable[[], object]:
        network = choice.network_of(label).eval()
        image = torch.rand(1, 3, *size)

        def run() -> None:
            with torch.inference_mode(), autocast(label):
                network(image)

        return run

    def step(label: str) -> Callable[[], object]:
        network = choice.network_of(label).train()
        images, masks = torch.rand(8, 3, *size), torch.rand(8, 1, *size).round()

        def run() -> None:
            network.zero_grad()
            with autocast(label):
                loss = F.binary_cross_entropy_with_logits(network(images), masks)
            loss.backward()

        return run

    columns = []
    for make in (inference, step):
        work = {label: make(label) for label in choice.values}
        found = in_turn(work, 1 if options.small else 3)
        columns.append([spread(found[label]) for label in choice.values])
    return columns


def main() -> None:
    parser = arguments(__doc__ or "", rounds=2)
    parser.add_argument("--choice", choices=sorted(CHOICES), default="dilations")
    parser.add_argument("--root", type=Path, help="of ISIC 2018; else synthetic lesions")
    parser.add_argument("--images", type=int, default=200, help="to train on")
    parser.add_argument("--epochs", type=int, default=3)
    options = parser.parse_args()
    choice, options.tested = CHOICES[options.choice], 100
    size = choice.size
    if options.small:
        size, options.images, options.tested, options.epochs = (32, 32), 8, 2, 1
    found: dict[str, list[dict[str, float]]] = {label: [] for label in choice.values}
    jobs = [(seed, label) for seed in range(options.rounds) for label in choice.values]
    with tempfile.TemporaryDirectory() as cache:
        for seed, label in tqdm(jobs, unit="training", disable=None):
            torch.manual_seed(seed)
            model = choice.model(size=size, **choice.values[label])
            data = data_of(options, size, seed, cache)
            found[label].append(score(options, model, data, choice.precision(label)))
            tqdm.write(f"seed {seed}, {label}: {found[label][-1]}")
    inference, step = milliseconds(options, choice, size)
    default = found[next(iter(choice.values))]
    rows = []
    for number, (label, value) in enumerate(choice.values.items()):
        facts = network_facts(choice.network, **value)
        scores = found[label]
        gains = [
            100 * (own["jaccard"] - other["jaccard"])
            for own, other in zip(scores, default, strict=True)
        ]
        rows.append(
            [
                label,
                f"{facts.parameters:,}",
                f"{facts.macs / 1e9:.2f}",
                inference[number],
                step[number],
                *(f"{statistics.mean(each[name] for each in scores):.4f}" for name in SCORES),
                " ".join(f"{each['jaccard']:.4f}" for each in scores),
                " ".join(f"{gain:+.2f}" for gain in gains) if number else "",
            ]
        )
    height, width = network_facts(choice.network).size
    where = "ISIC 2018's" if options.root else "synthetic"
    tested = "its 100 validation images" if options.root else f"{options.tested} others"
    notes = [
        f"{choice.training}, {options.epochs} epochs on {options.images} of {where} training "
        f"images at {size[0]} x {size[1]} in batches of 8, AdamW at 1e-3 with one cycle, scored "
        f"on {tested}. A seed chooses weights and images, the same for both rows. Gains are "
        f"points of Jaccard over the first row. GMAC at {height} x {width} and milliseconds at "
        f"{size[0]} x {size[1]} (one image, and a training step of 8) are of the network with the "
        "arguments of the row.",
    ]
    header = (
        options.choice.replace("-", "_"),
        "parameters",
        "GMAC",
        "inference, ms",
        "training step, ms",
        *SCORES,
        "jaccard of each seed",
        "gain of each seed",
    )
    report(options.choice, header, rows, options, notes)


if __name__ == "__main__":
    main()
