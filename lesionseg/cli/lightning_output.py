"""What Lightning and jsonargparse print, reduced to what a user of this program can act on."""

from __future__ import annotations

import io
import logging
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout

from lesionseg.cli.distributed import PROCESS_LOST
from lesionseg.cli.help.docstrings import plain

# tests/test_private_api.py checks that Lightning still prints these.
IGNORED_WARNINGS = (
    "LightningCLI's args parameter is intended",
    "Be aware that when using `ckpt_path`",
    "It is recommended to use `self.log",  # losses are logged by the first process only
    "Experiment logs directory .* exists and is not empty",
    "`isinstance\\(treespec, LeafSpec\\)` is deprecated",
    "Using `DistributedSampler` with the dataloaders",  # repeated images are scored once
)
TIP = "Tip: For seamless cloud"
KILLS_PROCESSES = "Forcefully terminating"
LAUNCHER_LOGGER = "lightning.fabric.strategies.launchers.subprocess_script"


def filter_messages() -> None:
    """Hide warnings that come with every run, and word the end of a run of several processes."""
    for message in IGNORED_WARNINGS:
        warnings.filterwarnings("ignore", message)
    logger = logging.getLogger("lightning.pytorch.utilities.rank_zero")
    logger.addFilter(lambda record: TIP not in record.getMessage())
    logging.getLogger(LAUNCHER_LOGGER).addFilter(_report_lost_process)


def _report_lost_process(record: logging.LogRecord) -> bool:
    """Replace the message with which Lightning kills all processes of a run."""
    if KILLS_PROCESSES not in record.getMessage():
        return True
    print(f"lesionseg: error: {PROCESS_LOST}", file=sys.stderr, flush=True)
    return False


@contextmanager
def plain_help(arguments: Sequence[str]) -> Iterator[None]:
    """Remove the Sphinx roles from jsonargparse's help of a class, such as a logger's.

    Args:
        arguments: Command and its arguments.
    """
    if not any(argument.partition("=")[0].endswith(".help") for argument in arguments):
        yield
        return
    printed = io.StringIO()
    try:
        with redirect_stdout(printed):
            yield
    finally:
        sys.stdout.write(plain(printed.getvalue()))
