"""Runs of several processes: noticing that one of them has ended, and saying so in a sentence."""

from __future__ import annotations

import os
import re
import sys
import threading
import time

PEER_LOST = (
    "another process of this run has ended, so this one cannot go on; see what it said, then "
    "repeat the command, a fit with --ckpt_path last to go on from its last epoch."
)
"""What the processes that are left say."""

#: What gloo, NCCL and the store of addresses report when the other end is gone.
_LOST = re.compile(
    r"connection (was likely )?closed|connection reset|broken pipe|socket closed|remote process"
    r"|heartbeat|timed out waiting|watchdog|wait timeout",
    re.IGNORECASE,
)
_OUR_LAUNCHER = "LESIONSEG_LAUNCHER"
_GRACE_SECONDS = 20.0


def is_peer_lost(error: BaseException) -> bool:
    """Whether an error says that the connection to another process of the run is gone.

    Args:
        error: Of any kind; ``torch.distributed`` raises RuntimeError or its own sub-classes of it
            (``DistBackendError``, ``DistNetworkError``, ``DistStoreError``).
    """
    return isinstance(error, RuntimeError) and _LOST.search(str(error)) is not None


def end_with_launcher() -> None:
    """Ends this process some seconds after the process that started it as one of a run's is gone.

    A process that waits for another one on gloo fails by itself at once. One that computes, or
    waits on NCCL, would not notice for minutes. Does nothing in the first process of a run, and
    nothing where torchrun or a cluster's scheduler started the processes: they end the others
    themselves.
    """
    if "LOCAL_RANK" not in os.environ:
        os.environ[_OUR_LAUNCHER] = str(os.getpid())  # for those that this process may start
        return
    launcher = os.getppid()
    if os.environ.get(_OUR_LAUNCHER) != str(launcher):
        return

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(1)
        time.sleep(_GRACE_SECONDS)  # to end by itself, with a word of its own
        print(f"lesionseg: error: {PEER_LOST}", file=sys.stderr, flush=True)
        os._exit(1)

    threading.Thread(target=watch, name="launcher-watch", daemon=True).start()
