"""Show where the time of a training step goes in fp32 and in bf16, by kind of operator.

Each row is a fresh process with a single thread, whose convolutions report their own times
(``ONEDNN_VERBOSE=profile_exec``) and whose other operators PyTorch's profiler times. Medians of
several steps; all networks use channels_last.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from collections import Counter

import measure
import torch
from precision import CASES, Case
from torch.profiler import ProfilerActivity, profile

from lesionseg.networks import create_network

_STEP = "one training step"
#: Columns of convolutions and of conversions between types and memory orders, by words of a line of
#: oneDNN's report.
CONVOLUTIONS = {
    "forward_training": "convolutions, forward",
    "backward_data": "their inputs' gradients",
    "backward_weights": "their weights' gradients",
}
#: Columns of the other operators, by the beginnings of their names.
OPERATORS = {
    "aten::_scaled_dot_product": "attention",
    "aten::native_batch_norm": "batch normalization",
    "aten::upsample": "resizing",
    "aten::copy_": "conversions and copies",
}
CONVERSIONS = "conversions and copies"


def run(case: Case, bfloat16: bool, steps: int) -> None:
    """Train for some steps and print what the profiler saw of each; in a process of its own."""
    torch.manual_seed(0)
    network = create_network(case.network).train().to(memory_format=torch.channels_last)
    count, height, width = case.shape
    image = torch.rand(count, 3, height, width).to(memory_format=torch.channels_last)
    mask = (torch.rand(count, 1, height, width) > 0.5).float()
    for step in range(steps + 1):
        print(_STEP, flush=True)
        with profile(activities=[ProfilerActivity.CPU]) as profiled:
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                logits = network(image)
            loss = torch.nn.functional.binary_cross_entropy_with_logits(logits.float(), mask)
            loss.backward()
        if step:  # the first creates oneDNN's primitives
            spent = {
                event.key: event.self_cpu_time_total / 1e3 for event in profiled.key_averages()
            }
            print(json.dumps(spent), flush=True)


def milliseconds(output: str) -> list[Counter[str]]:
    """Return the milliseconds of each step by column."""
    steps = []
    for text in output.split(_STEP)[2:]:
        columns: Counter[str] = Counter()
        for line in text.splitlines():
            if line.startswith("{"):
                spent = json.loads(line)
            elif line.startswith("onednn_verbose") and ",exec," in line:
                fields = line.split(",")
                kind, _, direction = fields[5:8]
                if kind == "convolution":
                    columns[CONVOLUTIONS[direction]] += float(fields[-1])
                elif kind == "reorder":
                    columns[CONVERSIONS] += float(fields[-1])
        for name, time in spent.items():
            for beginning, column in OPERATORS.items():
                if name.startswith(beginning):
                    columns[column] += time
        columns["all"] = sum(spent.values())
        steps.append(columns)
    return steps


def main() -> None:
    parser = measure.arguments(__doc__ or "", rounds=5)
    parser.add_argument("--child", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    cases = [Case("mobilegan", (1, 32, 32))] if options.small else CASES
    if options.child is not None:
        torch.set_num_threads(1)
        index, precision = options.child
        run(cases[int(index)], precision == "bf16", options.rounds)
        return
    columns = [*CONVOLUTIONS.values(), *dict.fromkeys(OPERATORS.values())]
    rows = []
    for index, case in enumerate(cases):
        for precision in ("fp32", "bf16"):
            command = [sys.executable, __file__, "--rounds", str(options.rounds)]
            command += ["--small"] * options.small + ["--child", str(index), precision]
            environment = {**os.environ, "ONEDNN_VERBOSE": "profile_exec", "OMP_NUM_THREADS": "1"}
            output = subprocess.run(
                command, env=environment, stdout=subprocess.PIPE, text=True, check=True
            ).stdout
            steps = milliseconds(output)
            medians = {
                column: statistics.median(step[column] for step in steps)
                for column in (*columns, "all")
            }
            rest = medians["all"] - sum(medians[column] for column in columns)
            count, height, width = case.shape
            rows.append(
                [
                    f"{case.network}, {count} x {height} x {width}",
                    precision,
                    f"{medians['all']:.0f}",
                    *(f"{medians[column]:.0f}" for column in columns),
                    f"{max(rest, 0):.0f}",
                ]
            )
    header = ["training step", "precision", "ms", *columns, "the rest"]
    measure.report("bf16-profile", header, rows, options, [measure.bf16_abilities()])


if __name__ == "__main__":
    main()
