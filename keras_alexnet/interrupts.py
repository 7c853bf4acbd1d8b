"""SIGINT (Ctrl-C) and SIGTERM end a command at once, and training at the end of a step.

An exception does not work: TensorFlow and JAX lose exceptions that are raised inside their callbacks, and the program
would continue.
"""

import contextlib
import signal
import threading
from collections.abc import Callable, Iterator

from keras_alexnet.files import exit_at_once
from keras_alexnet.text import printable


@contextlib.contextmanager
def exit_on_signals(last_words: Callable[[], str] | None = None) -> Iterator[None]:
    """End the process on SIGINT and SIGTERM with a line and status 130 or 143, without a traceback.

    Partial files are removed.

    Args:
        last_words: Returns the line to print; None prints "Stopped.".
    """

    def stop(number: int, _frame: object) -> None:
        words = printable(last_words()) if last_words else "Stopped."
        with contextlib.suppress(OSError, RuntimeError):  # a pipe without a reader, or an interrupted print
            print(f"\n{words}", flush=True)
        exit_at_once(128 + number)

    with _handled_by(stop):
        yield


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

    After a signal during the last step, the process ends at the end of the block.

    Args:
        enabled: False leaves the signal handlers unchanged, as in any thread other than the main thread.
    """
    request = StopRequest()

    def receive(number: int, _frame: object) -> None:
        if request.is_set():
            exit_at_once(128 + number)
        request.signal = number

    with _handled_by(receive) if enabled else contextlib.nullcontext():
        yield request
    if request.is_set():
        request.exit()


@contextlib.contextmanager
def _handled_by(handler: Callable[[int, object], None]) -> Iterator[None]:
    """Install a handler of SIGINT and SIGTERM. Only the main thread has signals: do nothing in others."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, handler) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, former in before.items():
            signal.signal(number, former)
