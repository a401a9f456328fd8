"""Measure how costs grow with images, pixels and workers: a fitted power for each, and a plot."""

from __future__ import annotations

import os
import tempfile
import warnings
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

import measure
import numpy as np
import torch
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, NullLocator
from PIL import Image
from torch.utils.data import DataLoader

from lesionseg.blocks import PAM
from lesionseg.data import FolderDataset, SyntheticLesions, collate_samples
from lesionseg.networks import create_network
from lesionseg.scoring.predictions import score_predictions

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "images" / "growth.png"


class Panel(NamedTuple):
    """A cost against an amount of work, and the amounts that its power is fitted to."""

    what: str
    against: str
    unit: str
    expected: str
    points: dict[int, float]
    fitted: Sequence[int]

    @property
    def line(self) -> np.poly1d:
        """The straight line of the logarithms of the fitted points, by least squares."""
        costs = [self.points[amount] for amount in self.fitted]
        return np.poly1d(np.polyfit(np.log(self.fitted), np.log(costs), 1))

    @property
    def power(self) -> float:
        """The cost grows as this power of the amount."""
        return float(self.line.coeffs[0])


def grown(what: str, against: str, unit: str, expected: str, points: dict[int, float]) -> Panel:
    """Fit a power to the larger half, where the constant cost of a call is negligible."""
    return Panel(what, against, unit, expected, points, list(points)[(len(points) - 1) // 2 :])


def write_pairs(folder: Path, number: int, height: int, width: int) -> Path:
    """Write the same synthetic photograph and mask ``number`` times, as JPEG and PNG."""
    sample = SyntheticLesions(1, (384, 512), with_truth=True)[0]
    pixels = (sample["image"].permute(1, 2, 0) * 255).to(torch.uint8).numpy()
    image = Image.fromarray(pixels).resize((width, height))
    mask = Image.fromarray(sample["truth"].numpy()).resize(
        (width, height), Image.Resampling.NEAREST
    )
    for name, picture, ending in (("images", image, "jpg"), ("masks", mask, "png")):
        (folder / name).mkdir(parents=True)
        content = BytesIO()
        picture.save(content, "JPEG" if ending == "jpg" else "PNG")
        for index in range(number):
            (folder / name / f"ISIC_{index:07d}.{ending}").write_bytes(content.getvalue())
    return folder


def score(folder: Path, workers: int) -> None:
    score_predictions(folder / "masks", folder / "masks", workers=workers)


def load(folder: Path, workers: int) -> None:
    data = FolderDataset(folder / "images", folder / "masks", size=(192, 256))
    for _ in DataLoader(data, batch_size=8, num_workers=workers, collate_fn=collate_samples):
        pass


def attend(positions: int) -> int:
    """Return the extra bytes of a training step of position attention; run in a fresh process."""
    torch.manual_seed(0)
    attention = PAM(32)
    features = torch.randn(1, 32, 1, positions)
    attention(features[..., :64]).sum().backward()  # libraries load once
    return measure.extra_memory(lambda: attention(features).sum().backward())


@torch.inference_mode()
def generate(network: torch.nn.Module, side: int) -> None:
    network(torch.zeros(1, 3, side, side))


def timed(works: Mapping[int, Callable[[], object]], rounds: int) -> dict[int, float]:
    """Median seconds by amount of work."""
    seconds = measure.in_turn({str(amount): work for amount, work in works.items()}, rounds)
    return {amount: measure.median(seconds[str(amount)]) for amount in works}


def panels(folder: Path, small: bool, rounds: int) -> list[Panel]:
    """Measure everything."""
    counts = (4, 8, 16) if small else (25, 50, 100, 200, 400)
    heights = (48, 96, 192) if small else (384, 768, 1536, 3072)
    workers = (1, 2) if small else (1, 2, 3, 4)
    fixed = 4 if small else 16
    shape = (45, 60) if small else (768, 1024)
    positions = (1024, 2048) if small else (1024, 4096, 16384, 65536)
    sides = (64, 80) if small else (64, 96, 128, 192, 256)

    by_count = {number: write_pairs(folder / f"n{number}", number, *shape) for number in counts}
    by_pixels = {
        height * height * 4 // 3: write_pairs(folder / f"h{height}", fixed, height, height * 4 // 3)
        for height in heights
    }
    most = by_count[counts[-1]]
    cores = [number for number in workers if number <= max(2, len(os.sched_getaffinity(0)))]
    found = []
    for what, work in (("score", score), ("load data", load)):
        serial = 1 if work is score else 0  # loading in the main process is 0 workers
        for against, folders in (("images", by_count), ("pixels of an image", by_pixels)):
            works = {amount: partial(work, folder, serial) for amount, folder in folders.items()}
            found.append(grown(what, against, "s", "1", timed(works, rounds)))
        works = {number: partial(work, most, number) for number in workers}
        points = timed(works, rounds)
        found.append(Panel(what, "workers", "s", "-1 up to the cores", points, cores))
    memory = {amount: measure.in_own_process(attend, amount) / 2**20 for amount in positions}
    found.append(grown("position attention", "positions", "MiB more", "1", memory))
    network = create_network("mobilegan").eval()
    works = {side * side: partial(generate, network, side) for side in sides}
    points = timed(works, rounds)
    found.append(grown("MobileGAN's generator", "pixels", "s", "between 1 and 2", points))
    return found


def draw(found: Sequence[Panel]) -> Figure:
    """Each cost with its line, both axes logarithmic."""
    figure = Figure(figsize=(11, 9), layout="constrained")
    spaces = list(figure.subplots(3, 3).flat)
    for axes, panel in zip(spaces, found, strict=False):
        amounts, costs = list(panel.points), list(panel.points.values())
        axes.plot(panel.fitted, np.exp(panel.line(np.log(panel.fitted))), color="0.6")
        axes.plot(amounts, costs, "o", color="tab:blue")
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(amounts, [short(amount) for amount in amounts])
        axes.xaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.yaxis.set_major_formatter("{x:g}")
        axes.yaxis.set_minor_formatter(NullFormatter())
        axes.set_ylim(min(costs) / 2, max(costs) * 2)
        axes.set_title(f"{panel.what}: power {panel.power:.2f}")
        axes.set_xlabel(panel.against)
        axes.set_ylabel(panel.unit)
    for axes in spaces[len(found) :]:
        axes.remove()
    return figure


def short(amount: float) -> str:
    """A number with at most four characters."""
    for size, letter in ((10**6, "M"), (10**3, "k")):
        if amount >= size:
            return f"{amount / size:.3g}{letter}"
    return f"{amount:.3g}"


def main(options: Namespace) -> None:
    # more workers than cores are asked for on purpose
    warnings.filterwarnings("ignore", "This DataLoader will create")
    with tempfile.TemporaryDirectory() as temporary:
        found = panels(Path(temporary), options.small, options.rounds)
    rows = []
    for panel in found:
        (first, *_), (*_, last) = panel.points, panel.points
        rows.append(
            (
                panel.what,
                panel.against,
                f"{short(first)} to {short(last)}",
                f"{panel.points[first]:.3g} to {panel.points[last]:.3g} {panel.unit}",
                f"{panel.power:.2f}",
                panel.expected,
            )
        )
    header = ("cost", "against", "from, to", "it takes", "fitted power", "expected")
    measure.report("growth", header, rows, options)
    figure = draw(found)
    if options.save:
        figure.savefig(PICTURE, dpi=80)
    else:
        figure.savefig(BytesIO(), dpi=80)


if __name__ == "__main__":
    main(measure.arguments(__doc__, rounds=3).parse_args())
