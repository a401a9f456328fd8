"""Threads that read files, and that an interruption does not wait for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

PREFIX = "lesionseg-reader"
"""Begins the names of the threads; see :func:`stuck_threads`."""


@contextmanager
def thread_pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Give a pool of threads that ends with the block.

    After an error it waits for the work that has begun. After Ctrl-C or SIGTERM it does not: a
    thread may be waiting for ever for a file on a network that is down.

    Args:
        workers: Threads at most.
    """
    pool = ThreadPoolExecutor(workers, PREFIX)
    wait = True
    try:
        yield pool
    except Exception:
        raise
    except BaseException:  # KeyboardInterrupt, SystemExit
        wait = False
        raise
    finally:
        pool.shutdown(wait=wait, cancel_futures=True)


def stuck_threads(patience: float) -> bool:
    """Return whether a thread of an interrupted pool is still at work.

    Args:
        patience: Seconds to wait for each.
    """
    readers = [one for one in threading.enumerate() if one.name.startswith(PREFIX)]
    for thread in readers:
        thread.join(patience)
    return any(thread.is_alive() for thread in readers)
