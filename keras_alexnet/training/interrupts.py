"""Interrupts of a training: SIGINT (Ctrl-C) and SIGTERM wait until the step has ended."""

import contextlib
import signal
import threading
from collections.abc import Iterator

from keras_alexnet.files import exit_at_once


class StopRequest:
    """Whether the training was asked to stop.

    Attributes:
        signal: Number of the signal that arrived, None so far.
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
    """Within, the first SIGINT or SIGTERM only sets the `StopRequest` that this yields; a second one ends the process.

    A signal that comes after the last step, when nothing looks at the request any more, ends the process at the end.

    No exception is raised at the time of the signal: inside a callback of TensorFlow or JAX it would be lost.

    Args:
        enabled: False leaves the signals as they are. So does a thread that is not the main one.
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
