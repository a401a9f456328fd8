"""A few tasks at a time, in threads that Ctrl-C does not wait for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TypeVar

from lesionseg.data.download.http import Stopped
from lesionseg.data.download.progress import say
from lesionseg.errors import LesionsegError

_PATIENCE = 2.0  # seconds that Ctrl-C waits for threads to stop

Item = TypeVar("Item")


def in_threads(
    work: Callable[[Item], None],
    items: Iterable[Item],
    workers: int,
    stop: threading.Event,
    give_up: bool = False,
) -> None:
    """Do the work for all items, several at a time.

    Daemon threads and no executor: that one would wait, after Ctrl-C, for a line that is silent.
    So all that they write must be safe to be killed at.

    Args:
        work: is done for each item.
        items: are begun in their order.
        workers: threads at most.
        stop: is set on Ctrl-C; ``work`` should then raise
            :class:`lesionseg.data.download.http.Stopped`.
        give_up: set ``stop`` at the first error; otherwise an item's error stops no other.

    Raises:
        LesionsegError: if the work failed for any; with ``give_up`` the first error, otherwise one
            that counts them, after each has been written to stderr.
    """
    waiting = list(items)
    errors: list[Exception] = []
    count = len(waiting)

    def run() -> None:
        while not stop.is_set():
            try:
                item = waiting.pop(0)
            except IndexError:
                return
            try:
                work(item)
            except Exception as error:
                errors.append(error)
                if give_up:
                    stop.set()

    threads = [threading.Thread(target=run, daemon=True) for _ in range(min(workers, count))]
    for thread in threads:
        thread.start()
    try:
        while any(thread.is_alive() for thread in threads):
            for thread in threads:
                thread.join(0.2)  # not for ever: on Windows a join cannot be interrupted
    except BaseException:
        stop.set()
        for thread in threads:
            thread.join(_PATIENCE)
        raise
    failed = [error for error in errors if not isinstance(error, Stopped)]
    unexpected = [error for error in failed if not isinstance(error, LesionsegError)]
    if unexpected or len(failed) == 1 or (failed and give_up):
        raise (unexpected or failed)[0]
    if failed:
        for error in failed:
            say(str(error))
        raise LesionsegError(
            f"{len(failed)} of {count} archives failed, run the same command again for these; the "
            f"first: {failed[0]}"
        )
