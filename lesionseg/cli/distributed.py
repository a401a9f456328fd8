"""Runs of several processes: end with a clear message when one of the processes has ended."""

from __future__ import annotations

import os
import re
import sys
import threading
import time

PROCESS_LOST = (
    "another process of this run has ended, so this one cannot continue; see its message, then "
    "repeat the command, a fit with --ckpt_path last to resume from its last epoch."
)
"""What each remaining process prints."""

#: What gloo, NCCL and torch's store report when the other end is gone.
_LOST = (
    r"connection (was likely )?closed|connection reset|broken pipe|socket closed|remote process"
    r"|heartbeat|timed out waiting|watchdog|wait timeout"
)
_LAUNCHER = "LESIONSEG_LAUNCHER"
_GRACE_SECONDS = 20.0


def is_process_lost(error: BaseException) -> bool:
    """Return whether an error reports that the connection to another process is gone.

    Args:
        error: Any exception; ``torch.distributed`` raises RuntimeError or its subclasses
            (``DistBackendError``, ``DistNetworkError``, ``DistStoreError``).
    """
    return isinstance(error, RuntimeError) and bool(re.search(_LOST, str(error), re.IGNORECASE))


def end_with_launcher() -> None:
    """End this process some seconds after the process of the run that started it has ended.

    A process that waits on gloo fails at once. A process that computes, or waits on NCCL, would not
    notice for minutes. Does nothing in the first process of a run, and nothing where torchrun or a
    cluster's scheduler started the processes, which end them.
    """
    if "LOCAL_RANK" not in os.environ:
        os.environ[_LAUNCHER] = str(os.getpid())  # for the processes that this one may start
        return
    launcher = os.getppid()
    if os.environ.get(_LAUNCHER) != str(launcher):
        return

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(1)
        time.sleep(_GRACE_SECONDS)  # time to fail with its own message
        print(f"lesionseg: error: {PROCESS_LOST}", file=sys.stderr, flush=True)
        os._exit(1)

    threading.Thread(target=watch, name="launcher-watch", daemon=True).start()
