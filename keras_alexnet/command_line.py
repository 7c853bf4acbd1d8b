"""What the scripts share: flags made from a dataclass, and errors of one line."""

import argparse
import contextlib
import dataclasses
import os
import sys
import typing

from keras_alexnet.files import printable

# What TensorFlow reads when it is imported. A user's own setting goes before.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only: it greets with a page about the processor
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # where it is not the default already, 1.6 times faster in training


class Parser(argparse.ArgumentParser):
    """An `argparse.ArgumentParser` whose errors are one line, with exit status 2."""

    def error(self, message):
        """Say what is wrong and leave."""
        self.exit(2, f"{self.prog}: {printable(' '.join(message.split()))}\n")


@contextlib.contextmanager
def one_line_errors(parser):
    """Turn what the library says of wrong input into one line and exit status 2."""
    try:
        yield
    except (ValueError, OSError) as error:
        parser.error(str(error))


def add_flags(parser, dataclass):
    """Give `parser` a flag for each field of `dataclass`; flags that are not given stay out of the namespace."""
    types = typing.get_type_hints(dataclass)
    for field in dataclasses.fields(dataclass):
        names = [field.name, *([field.metadata["alias"]] if field.metadata["alias"] else [])]
        parser.add_argument(
            *(f"--{name.replace('_', '-')}" for name in names),
            dest=field.name,
            default=argparse.SUPPRESS,
            help=f"{field.metadata['help']} (default: {_shown(field.default)})",
            **_reading(types[field.name]),
        )


def _reading(hint):
    """How `argparse` reads a value of this type; a bool is a flag and its opposite."""
    kind, several = _kind(hint)
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    return {"type": kind, "nargs": "*" if several else None, "metavar": kind.__name__.upper()}


def _kind(hint):
    """The type of one value, and whether there are several: `int | None` is int, `tuple[str, ...]` is several str."""
    kinds = [kind for kind in typing.get_args(hint) if kind not in (type(None), Ellipsis)] or [hint]
    return kinds[0], typing.get_origin(hint) is tuple


def _shown(default):
    if isinstance(default, tuple):
        return " ".join(map(str, default)) or "none"
    return default


def given(namespace, dataclass):
    """The fields of `dataclass` that the user gave flags for, by name."""
    names = {field.name for field in dataclasses.fields(dataclass)}
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in vars(namespace).items()
        if name in names
    }


def say(*words, file=None):
    """Print a line at once, also into a pipe."""
    print(*(printable(str(word)) for word in words), file=file or sys.stdout, flush=True)
