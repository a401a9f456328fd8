"""Time the start of programs, each in a fresh process."""

from __future__ import annotations

import sys
import tempfile
from argparse import Namespace
from functools import partial
from pathlib import Path

import measure

BARE = """
from lightning.pytorch.cli import LightningCLI
from lightning.pytorch.demos.boring_classes import BoringDataModule, BoringModel

LightningCLI(BoringModel, BoringDataModule)
"""


def main(options: Namespace) -> None:
    python = sys.executable
    ours = [python, "-m", "lesionseg.cli"]
    with tempfile.TemporaryDirectory() as temporary:
        script = Path(temporary) / "bare.py"
        script.write_text(BARE)
        bare = [python, str(script)]
        commands = {
            "python -c pass": [python, "-c", "pass"],
            "import torch": [python, "-c", "import torch"],
            "import lesionseg": [python, "-c", "import lesionseg"],
            "bare LightningCLI: --help": [*bare, "--help"],
            "lesionseg --help": [*ours, "--help"],
            "bare LightningCLI: fit --help": [*bare, "fit", "--help"],
            "lesionseg fit --help": [*ours, "fit", "--help"],
            "lesionseg test --help": [*ours, "test", "--help"],
            "lesionseg score --help": [*ours, "score", "--help"],
            "lesionseg segment --help": [*ours, "segment", "--help"],
        }
        works = {name: partial(measure.run_program, words) for name, words in commands.items()}
        seconds = measure.in_turn(works, options.rounds, warmup=0 if options.small else 1)
    references = {
        "import lesionseg": "import torch",
        "lesionseg --help": "bare LightningCLI: --help",
        "lesionseg fit --help": "bare LightningCLI: fit --help",
        "lesionseg test --help": "bare LightningCLI: fit --help",
    }
    rows = []
    for name in commands:
        other = references.get(name)
        compared = (other, measure.ratio(seconds[other], seconds[name])) if other else ("", "")
        rows.append((name, measure.spread(seconds[name]), *compared))
    measure.report("startup", ("program", "ms", "against", "speedup"), rows, options)


if __name__ == "__main__":
    main(measure.arguments(__doc__, rounds=5).parse_args())
