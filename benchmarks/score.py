"""``lesionseg score`` against the official scorer, as programs: time, memory, equal numbers."""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from argparse import Namespace
from importlib.util import find_spec
from pathlib import Path

import measure

SHARED = Path(__file__).resolve().parent.parent.parent / "shared" / "data"
ORIGINALS = SHARED / "isic2016-originals" / "ISBI2016_ISIC_Part1_Training_GroundTruth"
#: Width and height of the 20 originals, for when they are not available.
SIZES = (
    [(1022, 767)] * 3
    + [(1504, 1129)] * 7
    + [(2048, 1536)] * 7
    + [(2592, 1944)] * 2
    + [(2816, 2112)]
)
NAME = "ISIC_{:07d}_segmentation.png"


def build_pairs(folder: Path, number: int, small: bool) -> str:
    """Write ``truth`` and ``prediction``; return what they are. Runs in its own process."""
    import numpy as np
    from PIL import Image, ImageDraw

    originals = sorted(ORIGINALS.glob("*.png"))
    generator = np.random.default_rng(0)
    pixels = 0
    for name in ("truth", "prediction"):
        (folder / name).mkdir()
    for index in range(number):
        truth = folder / "truth" / NAME.format(index)
        if originals and not small:
            shutil.copyfile(originals[index % len(originals)], truth)
        else:
            width, height = (side // (8 if small else 1) for side in SIZES[index % len(SIZES)])
            mask = Image.new("L", (width, height))
            box = (width // 4, height // 5, width * 3 // 4, height * 7 // 10)
            ImageDraw.Draw(mask).ellipse(box, fill=255)
            mask.save(truth)
        mask = np.asarray(Image.open(truth))
        # like predictions: shifted and a little larger
        shifts = generator.integers(-mask.shape[0] // 20, mask.shape[0] // 20, (2, 2))
        moved = [np.roll(mask, tuple(shift), (0, 1)) for shift in shifts]
        Image.fromarray(np.maximum(*moved)).save(folder / "prediction" / NAME.format(index))
        pixels += mask.size
    what = "20 of ISIC 2016's masks, repeated" if originals and not small else "drawn ellipses"
    return f"{what}; {pixels / number / 1e6:.1f} megapixels on average"


def first_pairs(folder: Path, number: int) -> Path:
    """A folder with links to the first pairs only."""
    part = folder / f"first{number}"
    for name in ("truth", "prediction"):
        (part / name).mkdir(parents=True)
        for index in range(number):
            file = Path(name, NAME.format(index))
            os.link(folder / file, part / file)
    return part


def commands() -> dict[str, list[str]]:
    """The programs, each to be followed by the two folders."""
    ours = [sys.executable, "-m", "lesionseg.cli", "score", "--output", "json"]
    found = {}
    if find_spec("isic_challenge_scoring"):
        official = [sys.executable, "-m", "isic_challenge_scoring", "--output", "json"]
        found["isic-challenge-scoring"] = [*official, "segmentation"]
    else:
        print("isic-challenge-scoring is not installed and left out")
    found["lesionseg score --workers 1"] = [*ours, "--workers", "1"]
    found["lesionseg score"] = ours
    return found


def check_equal(outputs: dict[str, str]) -> None:
    """Stop unless all say the same to 1e-12."""
    said = {name: json.loads(output)["macro_average"] for name, output in outputs.items()}
    first = next(iter(said.values()))
    for name, scores in said.items():
        for key, value in first.items():
            if abs(scores[key] - value) > 1e-12:
                raise SystemExit(f"{name} gives {key} {scores[key]}, not {value}")


def main(options: Namespace) -> None:
    number = 6 if options.small else options.pairs
    numbers = sorted({number // 10 or 1, number * 3 // 10 or 1, number})
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        what = measure.in_own_process(build_pairs, folder, numbers[-1], options.small)
        programs = commands()
        seconds: dict[str, list[float]] = {}
        work: dict[str, float] = {}
        peaks: dict[str, list[int]] = {name: [] for name in programs}
        for number in numbers:
            part = first_pairs(folder, number)
            paths = [str(part / "truth"), str(part / "prediction")]
            runs: dict[str, list[measure.Ran]] = {name: [] for name in programs}
            # smaller sets are for their memory, and warm up the largest
            for _ in range(options.rounds if number == numbers[-1] else 1):
                for name, command in programs.items():
                    runs[name].append(measure.run_program([*command, *paths]))
                check_equal({name: ran[-1].output for name, ran in runs.items()})
            for name, ran in runs.items():
                seconds[name] = [run.seconds for run in ran]
                work[name] = measure.median([run.core_seconds for run in ran])
                peaks[name].append(max(run.peak for run in ran))
    first = next(iter(programs))
    rows = [
        (
            name,
            measure.spread(seconds[name]),
            measure.ratio(seconds[first], seconds[name]),
            f"{work[name]:.1f}",
            *(f"{peak / 2**20:.0f}" for peak in peaks[name]),
        )
        for name in programs
    ]
    header = ("program", f"{numbers[-1]} pairs, ms", "speedup", "core seconds")
    header += tuple(f"peak at {number}, MiB" for number in numbers)
    notes = [f"Pairs: {what}. The six scores agree to 1e-12 in every round."]
    measure.report("score", header, rows, options, notes)


if __name__ == "__main__":
    parser = measure.arguments(__doc__, rounds=3)
    parser.add_argument("--pairs", type=int, default=1000, help="default: %(default)s")
    main(parser.parse_args())
