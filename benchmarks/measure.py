"""Shared by the benchmarks: timing in turns, medians and ratios, memory, and the machine.

Every benchmark prints its table; ``--save`` also writes it to ``docs/benchmarks/NAME.json``, from
which ``python docs/make_tables.py`` makes the tables of ``docs/benchmarks.md``.
"""

from __future__ import annotations

import argparse
import datetime
import gc
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from importlib.metadata import PackageNotFoundError, version
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

RESULTS = Path(__file__).resolve().parent.parent / "docs" / "benchmarks"

Result = TypeVar("Result")


def arguments(description: str, rounds: int) -> argparse.ArgumentParser:
    """Return a parser with the options of every benchmark."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--rounds", type=int, default=rounds, help="of each contestant (default: %(default)s)"
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--save", action="store_true", help="write the table for the documentation")
    what.add_argument("--small", action="store_true", help="tiny sizes, to check that it runs")
    return parser


def in_turn(
    contestants: Mapping[str, Callable[[], object]],
    rounds: int,
    warmup: int = 1,
) -> dict[str, list[float]]:
    """Time each contestant, with a call of each in every round.

    Other load of the machine then affects all of them alike.
    """
    for _ in range(warmup):
        for work in contestants.values():
            work()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, work in contestants.items():
            gc.collect()
            start = time.perf_counter()
            work()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def in_turn_apart(
    makers: Mapping[str, tuple[Callable[..., Callable[[], object]], tuple[Any, ...]]],
    rounds: int,
    calls: int = 3,
) -> dict[str, list[float]]:
    """Time as :func:`in_turn`, with each contestant in its own process.

    Runtimes in the same process disturb each other: their idle threads spin on cores that the next
    runtime needs.

    Args:
        makers: Module-level functions with their arguments, which return what is called and timed.
        rounds: Turns of each.
        calls: Timed calls in a turn, after an untimed call.
    """
    context = get_context("spawn")
    pools = {name: ProcessPoolExecutor(1, mp_context=context) for name in makers}
    try:
        started = [pools[name].submit(_make, *maker) for name, maker in makers.items()]
        for future in started:
            future.result()
        seconds: dict[str, list[float]] = {name: [] for name in makers}
        for _ in range(rounds):
            for name, pool in pools.items():
                seconds[name] += pool.submit(_call, calls).result()
    finally:
        for pool in pools.values():
            pool.shutdown()
    return seconds


_work: list[Callable[[], object]] = []


def _make(maker: Callable[..., Callable[[], object]], values: tuple[Any, ...]) -> None:
    _work.append(maker(*values))
    _work[0]()


def _call(calls: int) -> list[float]:
    times = []
    for _ in range(calls + 1):
        start = time.perf_counter()
        _work[0]()
        times.append(time.perf_counter() - start)
    return times[1:]


class TrainerTurns:
    """Batches for ``Trainer.fit`` that time its steps in turn with other work.

    Everything between two requests for a batch is timed, including loops, hooks and logging. The
    first round warms up and is not counted.

    Args:
        batch: The batch of every step.
        steps: Steps in a turn.
        rounds: Turns of each.
        ways: Functions by name that prepare the Trainer's turns, such as by a change of the model.
            Also called at the end of a turn, to wait for the device.
        others: Other contestants; each call is a turn.

    Attributes:
        seconds: Seconds of each turn, by name.
    """

    def __init__(
        self,
        batch: Any,
        steps: int,
        rounds: int,
        ways: Mapping[str, Callable[[], object]],
        others: Mapping[str, Callable[[], object]] | None = None,
    ) -> None:
        self.batch, self.steps, self.rounds = batch, steps, rounds
        self.ways, self.others = ways, others or {}
        self.seconds: dict[str, list[float]] = {name: [] for name in (*ways, *self.others)}

    def __len__(self) -> int:
        return (self.rounds + 1) * len(self.ways) * self.steps + 1

    def __iter__(self) -> Iterator[Any]:
        for counted in (False, *[True] * self.rounds):
            for name, get_ready in self.ways.items():
                get_ready()
                gc.collect()
                start = time.perf_counter()
                for _ in range(self.steps):
                    yield self.batch
                get_ready()
                if counted:
                    self.seconds[name].append(time.perf_counter() - start)
            for name, work in self.others.items():
                gc.collect()
                start = time.perf_counter()
                work()
                if counted:
                    self.seconds[name].append(time.perf_counter() - start)
        yield self.batch  # the last turn ends when the batch after it is asked for


def quiet_trainer(**arguments: Any) -> Any:
    """Return a Trainer for a single epoch on a single device, without output."""
    import logging
    import warnings

    from lightning.pytorch import Trainer

    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning")
    quiet = {
        "accelerator": "cpu",
        "devices": 1,
        "max_epochs": 1,
        "logger": False,
        "enable_checkpointing": False,
        "enable_progress_bar": False,
        "enable_model_summary": False,
    }
    return Trainer(**(quiet | arguments))


def drawn_batch(count: int, size: tuple[int, int]) -> dict[str, Any]:
    """Return a training batch of synthetic lesions."""
    from lesionseg.data import SyntheticDataModule

    data = SyntheticDataModule(
        size=size,
        train_length=count,
        val_length=1,
        test_length=1,
        batch_size=count,
        augmentation=[],
    )
    data.setup("fit")
    batch: dict[str, Any] = dict(next(iter(data.train_dataloader())))
    return batch


def median(seconds: Sequence[float]) -> float:
    """Return the median."""
    return statistics.median(seconds)


def spread(seconds: Sequence[float]) -> str:
    """Return the median in milliseconds and, in brackets, minimum and maximum."""
    low, middle, high = (1e3 * value for value in (min(seconds), median(seconds), max(seconds)))
    digits = 0 if middle >= 100 else 1 if middle >= 1 else 3
    return f"{middle:.{digits}f} [{low:.{digits}f} to {high:.{digits}f}]"


def ratio(other: Sequence[float], ours: Sequence[float]) -> str:
    """Return the ratio of the medians, other to ours."""
    return f"{median(other) / median(ours):.2f}"


def extra_memory(work: Callable[[], object]) -> int:
    """Return the bytes by which the process grows at the peak of a call; Linux only.

    Call it in a fresh process (:func:`in_own_process`): free memory left by earlier work would
    hide some of the growth.
    """
    gc.collect()
    Path("/proc/self/clear_refs").write_text("5")  # resets the peak, VmHWM
    before = _status("VmRSS")
    work()
    return _status("VmHWM") - before


def in_own_process(work: Callable[..., Result], *values: object) -> Result:
    """Call a module-level function in a fresh process and return its result."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *values).result()


class Ran(NamedTuple):
    """Time, memory and output of a program."""

    seconds: float
    core_seconds: float
    peak: int
    output: str


def run_program(command: Sequence[str]) -> Ran:
    """Run a program; ``core_seconds`` is the time on all cores, ``peak`` its memory in bytes.

    Python may write bytecode, as for installed packages, so that only the first run compiles. The
    peak includes the caller's memory at the start of the program: import nothing large in a script
    that compares peaks.

    Raises:
        SystemExit: If the program fails, with its error output.
    """
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        environment = {
            name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"
        }
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)  # already waited for
        for stream in (out, err):
            stream.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(command)} failed:\n{err.read()}")
        core_seconds = usage.ru_utime + usage.ru_stime
        return Ran(seconds, core_seconds, usage.ru_maxrss * 1024, out.read())


def report(
    name: str,
    header: Sequence[str],
    rows: Sequence[Sequence[str]],
    options: argparse.Namespace,
    notes: Sequence[str] = (),
) -> None:
    """Print a table with the machine it was measured on, and save it with ``--save``.

    Args:
        name: Name of the file in ``docs/benchmarks``.
        header: Names of the columns.
        rows: Cells as text.
        options: The parsed :func:`arguments`.
        notes: Sentences below the table.
    """
    widths = [max(len(row[i]) for row in (header, *rows)) for i in range(len(header))]
    for row in (header, ["-" * width for width in widths], *rows):
        print(
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        )
    for note in notes:
        print(note)
    about = machine()
    print("; ".join(f"{key} {value}" for key, value in about.items()))
    if options.save:
        RESULTS.mkdir(exist_ok=True)
        command = " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]])
        content = {
            "command": command,
            "date": datetime.date.today().isoformat(),
            "machine": about,
            "header": header,
            "rows": rows,
            "notes": notes,
        }
        text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
        (RESULTS / f"{name}.json").write_text(text, encoding="utf-8")


def machine() -> dict[str, str]:
    """Return processor, cores, threads and versions, as far as they are known."""
    about = {"processor": _processor(), "cores": str(len(os.sched_getaffinity(0)))}
    if "torch" in sys.modules:
        import torch

        about["threads"] = str(torch.get_num_threads())
        if torch.cuda.is_available():
            about["GPU"] = torch.cuda.get_device_name()
    about["Python"] = platform.python_version()
    for package in (
        "torch",
        "torchvision",
        "lightning",
        "kornia",
        "numpy",
        "pillow",
        "onnxruntime",
    ):
        try:
            about[package] = version(package)
        except PackageNotFoundError:
            continue
    return about


def bf16_abilities() -> str:
    """Return a sentence on the processor's instructions for bf16; Linux only."""
    flags = _cpuinfo("flags").split()
    has = {True: "yes", False: "no"}
    return (
        f"Instructions of the processor: AMX with bf16, {has['amx_bf16' in flags]}; "
        f"AVX-512 with bf16, {has['avx512_bf16' in flags]}."
    )


def _processor() -> str:
    return _cpuinfo("model name") or platform.processor() or platform.machine()


def _cpuinfo(field: str) -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith(field):
            return line.partition(":")[2].strip()
    return ""


def _status(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"this system does not report {field}; measure memory on Linux")
