"""Helpers for the commands: flags from a dataclass, one-line errors, interrupts, and a quiet terminal."""

import argparse
import contextlib
import dataclasses
import difflib
import io
import logging
import os
import pathlib
import re
import shlex
import signal
import sys
import types
import typing
from collections.abc import Iterator, Mapping, Sequence

from keras_alexnet import invocation
from keras_alexnet.text import printable

# TensorFlow reads these when it is imported. The user's settings take precedence.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # training is 1.6 times faster where this is not the default

# Lines that TensorFlow and JAX print at every start on a machine without a GPU. They do not matter to users.
NOISE = re.compile(
    rb"^WARNING: All log messages before absl::InitializeLog"
    rb"|^I\d{4} \d\d:\d\d"  # info from C++, printed before the log level is set
    rb"|^To enable the following instructions"
    rb"|^INFO: Created TensorFlow Lite"
    rb"|use_unbounded_threadpool"  # with determinism: an option that this version of TensorFlow does not know
    rb"|StartAbort|CoordinationServiceError|coordination_service_agent"  # when a worker ends after the others
)
NOISE_WITHOUT_GPU = re.compile(rb"failed call to cuInit|CUDA_ERROR_NO_DEVICE")
LOGGED_NOISE = re.compile(
    r"triggered tf\.function retracing|No GPU/TPU found|NVIDIA GPU may be present|Unable to initialize backend"
)

BACKENDS = ("tensorflow", "jax", "torch")


class Parser(argparse.ArgumentParser):
    """An `argparse.ArgumentParser` that prints one-line errors, suggests the nearest flag, and exits with status 2.

    Args:
        prog: File name of the script. Where the program was called in another way, its help and errors say so.
        description: The text of the help.
        settings: Other arguments of `argparse.ArgumentParser`.
    """

    def __init__(self, prog: str, description: str = "", **settings: typing.Any) -> None:
        settings.setdefault("formatter_class", argparse.RawDescriptionHelpFormatter)
        super().__init__(prog=invocation.name_of(prog), description=invocation.with_calls(description), **settings)

    def parse_known_args(
        self, args: Sequence[str] | None = None, namespace: argparse.Namespace | None = None
    ) -> tuple[argparse.Namespace, list[str]]:
        """Refuse empty arguments, as from shell variables that are not set, and expand `~`.

        See `argparse.ArgumentParser`.
        """
        words = [_with_home(word) for word in (sys.argv[1:] if args is None else args)]
        for before, word in zip(["", *words], words, strict=False):
            if not word or (word.startswith("--") and word.endswith("=")):
                place = f" after {before}" if before else ""
                self.error(f"Expected a value{place}: is a shell variable not set? Received: {word or 'nothing'}")
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> typing.NoReturn:
        """Print the error and exit."""
        text = " ".join(message.split()) + self._nearest_flags(message)
        self.exit(2, f"{self.prog}: {printable(text)}\n")

    def _nearest_flags(self, message: str) -> str:
        _, found, unknown = message.partition("unrecognized arguments: ")
        if not found:
            return ""
        flags = [flag for action in self._actions for flag in action.option_strings]
        near = [match for word in unknown.split() for match in difflib.get_close_matches(word, flags, 2, 0.5)]
        return f" (did you mean {' or '.join(near)}?)" if near else f" (see {self.prog} --help)"


def _with_home(word: str) -> str:
    """Expand `~` at the beginning of a value, since shells leave it alone in `--run=~/runs/a` and in quotes."""
    flag, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    return flag + equals + (os.path.expanduser(value) if value.startswith(f"~{os.sep}") else value)


@contextlib.contextmanager
def one_line_errors(parser: argparse.ArgumentParser, **renamed: str) -> Iterator[None]:
    """Print the library's errors about wrong input as one line and exit with status 2.

    The library names an argument as in Python, in backticks. Here it becomes the flag: `batch_size` is --batch-size.

    Args:
        parser: The parser of the command line.
        **renamed: Flags of arguments that have another name in Python, such as `path="--out"`.

    If the reader of the output has ended, as `head` does, exit without a word with the status of SIGPIPE.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more at the end
        sys.exit(128 + 13)
    except (ValueError, OSError) as error:
        flags = {action.dest: action.option_strings[0] for action in parser._actions if action.option_strings} | renamed
        parser.error(re.sub(r"`(\w+)`", lambda found: flags.get(found[1], found[0]), str(error)))
    except ModuleNotFoundError as error:
        if error.name not in BACKENDS:
            raise
        parser.error(
            f"The backend of Keras is not installed: pip install {error.name}, or set KERAS_BACKEND to another one "
            f"of {', '.join(BACKENDS)}. Received: {error.name}, from "
            + ("KERAS_BACKEND" if "KERAS_BACKEND" in os.environ else "~/.keras/keras.json")
        )


def add_flags(parser: argparse.ArgumentParser, dataclass: type, show_defaults: bool = True) -> None:
    """Add a flag to `parser` for each field of `dataclass`, in the groups of the fields.

    Flags that the user leaves out are missing from the parsed namespace, so that `given_fields` finds the others.
    """
    types, groups = typing.get_type_hints(dataclass), {}
    for field in dataclasses.fields(dataclass):
        title = field.metadata["group"]
        if title not in groups:
            groups[title] = parser.add_argument_group(title)
        known = show_defaults and field.default is not None  # None has its own words in the help
        default = f" (default: {_format_default(field.default)})" if known else ""
        names = [field.name, *field.metadata["aliases"]]
        groups[title].add_argument(
            *(f"--{name.replace('_', '-')}" for name in names),
            dest=field.name,
            default=argparse.SUPPRESS,
            help=(field.metadata["help"] + default).replace("%", "%%"),
            **_argument_type(types[field.name], field.metadata),
        )


def _argument_type(hint: typing.Any, metadata: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """Return the arguments of `add_argument` for a type. A bool becomes a flag and its opposite."""
    if typing.get_origin(hint) is types.UnionType:  # tuple[int, ...] | None is tuple[int, ...]
        (hint,) = (kind for kind in typing.get_args(hint) if kind is not type(None))
    kinds = [kind for kind in typing.get_args(hint) if kind is not Ellipsis] or [hint]
    kind, several = kinds[0], typing.get_origin(hint) is tuple  # tuple[str, ...] is several str
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    by_type = {str: "NAME", int: "N", float: "X"}
    metavar = metadata["metavar"] or "|".join(metadata["choices"] or ()) or by_type[kind]
    return {"type": kind, "nargs": "*" if several else None, "metavar": metavar}


def _format_default(default: typing.Any) -> str:
    if isinstance(default, tuple):
        return " ".join(map(str, default)) or "none"
    if isinstance(default, bool):
        return "yes" if default else "no"
    return str(default)


def given_fields(namespace: argparse.Namespace, dataclass: type) -> dict[str, typing.Any]:
    """Return the fields of `dataclass` whose flags the user gave, by name."""
    names = {field.name for field in dataclasses.fields(dataclass)}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(namespace).items()
        if name in names
    }


def quoted(path: str | os.PathLike[str]) -> str:
    """Return a path as a shell needs it in a command.

    Example:
        >>> quoted("runs/my cats-1"), quoted("runs/cats-1")
        ("'runs/my cats-1'", 'runs/cats-1')
    """
    return shlex.quote(os.fspath(path))


def say(*words: object, file: typing.TextIO | None = None) -> None:
    """Print a line and flush, with control characters escaped."""
    print(*(printable(str(word)) for word in words), file=file or sys.stdout, flush=True)


def prepare_streams() -> None:
    """Open closed standard streams, so that nothing fails to print, and never fail at a character.

    A closed one leads nowhere. Characters that the encoding of the terminal or file lacks are printed as escapes.
    """
    for number, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free number
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  until the process ends
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def quiet_terminal() -> None:
    """Filter the lines that match `NOISE` out of stderr. Everything else, including real errors, passes.

    TensorFlow prints some of these lines to file descriptor 2 before it reads any setting. A small child process reads
    that descriptor and forwards all other lines. It is a child and not a thread so that the last lines of a crashing
    process are forwarded too. Python's own stderr goes directly to the terminal.

    In a notebook, call this in the first cell, before TensorFlow is imported. The other lines then go to the cell.
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
        try:
            _pass_on(read_end, terminal, [NOISE] if has_gpu else [NOISE, NOISE_WITHOUT_GPU])
        finally:  # also if the terminal is closed
            os._exit(0)
    os.close(read_end)
    os.dup2(write_end, 2)
    os.close(write_end)
    if _descriptor(sys.stderr) == 2:
        sys.stderr = os.fdopen(terminal, "w", buffering=1, encoding=sys.stderr.encoding, errors="backslashreplace")
    else:  # in a notebook, it already goes to the cell
        os.close(terminal)


def _descriptor(stream: typing.TextIO) -> int | None:
    """Return the file descriptor of a stream, None if it has none."""
    try:
        return stream.fileno()
    except (AttributeError, OSError):
        return None


def _pass_on(source: int, target: int, noise: list[re.Pattern[bytes]]) -> None:
    """Copy lines from one file descriptor to another until the source is closed, except those that match."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # Ctrl-C reaches the whole process group: the parent handles it
    with os.fdopen(source, "rb") as lines:
        for line in lines:
            if not any(pattern.search(line) for pattern in noise):
                os.write(target, line)
