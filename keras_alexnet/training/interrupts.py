"""Interrupts: SIGINT (Ctrl-C) and SIGTERM take effect at the end of a training step."""

import contextlib
import signal
import threading
from collections.abc import Iterator

from keras_alexnet.files import exit_at_once


class StopRequest:
    """A request to stop training.

    Attributes:
        signal: Number of the received signal, None if there is none.
    """

    signal: int | None = None

    def is_set(self) -> bool:
        """Return whether a signal has arrived."""
        return self.signal is not None

    def exit(self) -> None:
        """End the process with 128 plus the number of the signal, as shells do."""
        raise SystemExit(128 + self.signal)


@contextlib.contextmanager
def deferred_signals(enabled: bool = True) -> Iterator[StopRequest]:
    """Yield a `StopRequest` that the first SIGINT or SIGTERM sets. A second signal ends the process.

    After a signal during the last step, the process ends at the end of the block. No exception is raised when the
    signal arrives, because a callback of TensorFlow or JAX would lose it.

    Args:
        enabled: False leaves the signal handlers unchanged, as in any thread other than the main thread.
    """
    request = StopRequest()

    def receive(number: int, _frame: object) -> None:
        if request.is_set():
            exit_at_once(128 + number)
        request.signal = number

    if not enabled or threading.current_thread() is not threading.main_thread():
        yield request
        return
    before = {number: signal.signal(number, receive) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if request.is_set():
        request.exit()
