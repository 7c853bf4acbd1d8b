"""What the commands share: flags made from a dataclass, errors in one line, interrupts, and a quiet terminal."""

import argparse
import contextlib
import dataclasses
import difflib
import logging
import os
import pathlib
import re
import signal
import sys
import threading
import types
import typing
from collections.abc import Callable, Iterator

from keras_alexnet.files import exit_at_once, printable

# TensorFlow reads these when it is imported. A user's own settings win.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # 1.6 times faster in training where it is not the default

# Lines that TensorFlow and JAX print on every start of a machine without a GPU. They do not concern a user.
NOISE = re.compile(
    rb"^WARNING: All log messages before absl::InitializeLog"
    rb"|^I\d{4} \d\d:\d\d"  # information of the C++ side, printed before its log level is known
    rb"|^To enable the following instructions"
    rb"|use_unbounded_threadpool"  # with determinism: an option that this version of TensorFlow does not read yet
    rb"|StartAbort|CoordinationServiceError|coordination_service_agent"  # a worker that ends after the others
)
NOISE_WITHOUT_GPU = re.compile(rb"failed call to cuInit|CUDA_ERROR_NO_DEVICE")
LOGGED_NOISE = re.compile(
    r"triggered tf\.function retracing|No GPU/TPU found|NVIDIA GPU may be present|Unable to initialize backend"
)


class Parser(argparse.ArgumentParser):
    """An `argparse.ArgumentParser` whose errors are one line with exit status 2, and name the nearest flag."""

    def error(self, message: str) -> typing.NoReturn:
        """Print what is wrong and exit."""
        text = " ".join(message.split()) + self._nearest_flags(message)
        self.exit(2, f"{self.prog}: {printable(text)}\n")

    def _nearest_flags(self, message: str) -> str:
        _, found, unknown = message.partition("unrecognized arguments: ")
        if not found:
            return ""
        flags = [flag for action in self._actions for flag in action.option_strings]
        near = [match for word in unknown.split() for match in difflib.get_close_matches(word, flags, 2, 0.5)]
        return f" (did you mean {' or '.join(near)}?)" if near else f" (see {self.prog} --help)"


@contextlib.contextmanager
def one_line_errors(parser: argparse.ArgumentParser) -> Iterator[None]:
    """Turn the library's errors about wrong input into one line with exit status 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        parser.error(str(error))


def add_flags(parser: argparse.ArgumentParser, dataclass: type, show_defaults: bool = True) -> None:
    """Give `parser` a flag for each field of `dataclass`, in the groups that the fields name.

    Flags that a user does not give are missing from the parsed namespace, so that `given_fields` finds the others.
    """
    types, groups = typing.get_type_hints(dataclass), {}
    for field in dataclasses.fields(dataclass):
        title = field.metadata["group"]
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        default = f" (default: {_format_default(field.default)})" if show_defaults else ""
        names = [field.name, *field.metadata["aliases"]]
        groups[title].add_argument(
            *(f"--{name.replace('_', '-')}" for name in names),
            dest=field.name,
            default=argparse.SUPPRESS,
            help=(field.metadata["help"] + default).replace("%", "%%"),
            **_argument_type(types[field.name], field.metadata["choices"]),
        )


def _argument_type(hint: typing.Any, choices: tuple[str, ...] | None) -> dict[str, typing.Any]:
    """How `argparse` reads a value of this type. A bool becomes a flag and its opposite."""
    if typing.get_origin(hint) is types.UnionType:  # tuple[int, ...] | None is tuple[int, ...]
        (hint,) = (kind for kind in typing.get_args(hint) if kind is not type(None))
    kinds = [kind for kind in typing.get_args(hint) if kind is not Ellipsis] or [hint]
    kind, several = kinds[0], typing.get_origin(hint) is tuple  # tuple[str, ...] is several str
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    metavar = "|".join(choices) if choices else {str: "TEXT", int: "N", float: "X"}.get(kind, kind.__name__.upper())
    return {"type": kind, "nargs": "*" if several else None, "metavar": metavar}


def _format_default(default: typing.Any) -> str:
    if isinstance(default, tuple):
        return " ".join(map(str, default)) or "none"
    if default is None or isinstance(default, bool):  # 0 is no bool
        return {None: "none", False: "no", True: "yes"}[default]
    return str(default)


def given_fields(namespace: argparse.Namespace, dataclass: type) -> dict[str, typing.Any]:
    """Return the fields of `dataclass` that the user gave flags for, by name."""
    names = {field.name for field in dataclasses.fields(dataclass)}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(namespace).items()
        if name in names
    }


def say(*words: object, file: typing.TextIO | None = None) -> None:
    """Print a line at once, also into a pipe, with control characters escaped."""
    print(*(printable(str(word)) for word in words), file=file or sys.stdout, flush=True)


@contextlib.contextmanager
def exit_on_signals(last_words: Callable[[], str] | None = None) -> Iterator[None]:
    """Within, SIGINT and SIGTERM print a line and end the process with status 130 or 143, without a traceback.

    An exception would not do: one that is raised inside a callback of TensorFlow or JAX is lost, and the program goes
    on. Files that are half written are removed.

    Args:
        last_words: Called for the line to print; "Stopped." without it.
    """

    def stop(number: int, _frame: object) -> None:
        say("\n" + (last_words() if last_words else "Stopped."))
        exit_at_once(128 + number)

    if threading.current_thread() is not threading.main_thread():  # only a main thread has signals
        yield
        return
    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def quiet_terminal() -> None:
    """Keep the lines of `NOISE` off the terminal. Everything else on stderr, real errors included, passes.

    TensorFlow prints some of them before it reads any setting, straight to file descriptor 2. From here on a small
    child process reads that descriptor and passes on all but these lines. A child rather than a thread: it also passes
    on what a crashing process printed last. Python's own stderr goes to the terminal directly.

    In a notebook, call this in the first cell, before TensorFlow is imported. There the lines that pass go to the cell.
    """
    for name in ("tensorflow", "jax._src.xla_bridge"):
        logging.getLogger(name).addFilter(lambda record: not LOGGED_NOISE.search(record.getMessage()))
    if not hasattr(os, "fork"):  # Windows
        return
    has_gpu = any(pathlib.Path("/dev").glob("nvidia[0-9]*"))
    read_end, write_end = os.pipe()
    terminal = os.dup(2)
    sys.stderr.flush()
    if os.fork() == 0:
        os.close(write_end)
        _pass_on(read_end, terminal, [NOISE] if has_gpu else [NOISE, NOISE_WITHOUT_GPU])
        os._exit(0)
    os.close(read_end)
    os.dup2(write_end, 2)
    os.close(write_end)
    if _descriptor(sys.stderr) == 2:
        sys.stderr = os.fdopen(terminal, "w", buffering=1, errors="backslashreplace")
    else:  # in a notebook it goes to the cell by another way
        os.close(terminal)


def _descriptor(stream: typing.TextIO) -> int | None:
    """The file descriptor of a stream, None where it has none."""
    try:
        return stream.fileno()
    except (AttributeError, OSError):
        return None


def _pass_on(source: int, target: int, noise: list[re.Pattern[bytes]]) -> None:
    """Copy lines from one file descriptor to another, except those that match, until the source is closed."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C reaches the whole process group: the parent decides
    with os.fdopen(source, "rb") as lines:
        for line in lines:
            if not any(pattern.search(line) for pattern in noise):
                os.write(target, line)
