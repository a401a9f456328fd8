"""Threads that read files, and that Ctrl-C does not wait for."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

PREFIX = "lesionseg-reader"
"""Start of the names of all threads; see :func:`stuck_threads`."""


@contextmanager
def thread_pool(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a pool of threads that ends with the block.

    After an error it waits for running jobs. After Ctrl-C or SIGTERM it does not: a thread may wait
    forever for a file on a network that is down.

    Args:
        workers: Greatest number of threads.

    Example:
        >>> from lesionseg.data.io.thread_pool import thread_pool
        >>> with thread_pool(2) as pool:
        ...     list(pool.map(abs, [-1, 2, -3]))
        [1, 2, 3]
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
    """Return whether a thread of an interrupted pool is still running.

    Args:
        patience: Seconds to wait for each thread.
    """
    readers = [thread for thread in threading.enumerate() if thread.name.startswith(PREFIX)]
    for thread in readers:
        thread.join(patience)
    return any(thread.is_alive() for thread in readers)
