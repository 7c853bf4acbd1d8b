"""Checks of arguments that layers and functions share."""

import difflib
import math
import numbers
import os
from collections.abc import Mapping
from typing import Any, TypeVar

Row = TypeVar("Row")

LONGEST_VALUE = 80  # characters of a value in a message


def check_type(name: str, value: Any, kind: type | tuple[type, ...], words: str) -> None:
    """Check that an argument is an object of the expected kind.

    Args:
        name: Name of the argument.
        value: Its value.
        kind: The expected class, or several of them.
        words: What it must be, and how to get one: "a Recipe, such as Recipe(epochs=3)".

    Raises:
        TypeError: If it is another kind of object.
    """
    if isinstance(value, kind):
        return
    text = repr(value)
    received = text if len(text) <= LONGEST_VALUE and "\n" not in text else f"an object of type {type(value).__name__}"
    raise TypeError(f"`{name}` must be {words}. Received: {name}={received}")


def check_path(name: str, value: Any) -> None:
    """Check that an argument is a path.

    Raises:
        TypeError: If it is neither text nor a path.
    """
    check_type(name, value, (str, os.PathLike), "a path, as text or `pathlib.Path`")


def positive_integer(value: Any, name: str) -> int:
    """Return an argument as an integer.

    Raises:
        ValueError: If it is no integer of at least 1.
    """
    if not is_integer(value) or value < 1:
        raise ValueError(f"`{name}` must be an integer of at least 1. Received: {name}={value!r}")
    return int(value)


def odd_window(value: Any, name: str = "window") -> int:
    """Return the length of a window as an integer.

    Raises:
        ValueError: If it is no odd integer of at least 1.
    """
    if not is_integer(value) or value < 1 or value % 2 == 0:
        raise ValueError(
            f"`{name}` must be an odd integer, such as 5, so that it has a center. Received: {name}={value!r}"
        )
    return int(value)


def real_number(value: Any, name: str, least: float = -math.inf) -> float:
    """Return a constant as a float.

    Args:
        value: Its value.
        name: Name of the argument.
        least: The smallest value that is allowed.

    Raises:
        ValueError: If it is no real number, such as an array, is NaN or infinite, or is less than `least`.
    """
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if not is_number or not math.isfinite(value) or value < least:
        at_least = "" if least == -math.inf else f" of at least {least}"
        raise ValueError(f"`{name}` must be a finite number{at_least}. Received: {name}={value!r}")
    return float(value)


def integer(value: Any, name: str) -> int:
    """Return an argument as an integer.

    Raises:
        ValueError: If it is no integer.
    """
    if not is_integer(value):
        raise ValueError(f"`{name}` must be an integer. Received: {name}={value!r}")
    return int(value)


def check_division(width: int | None, groups: int, what: str = "channels") -> None:
    """Check that groups of channels have equal width.

    Args:
        width: Number of channels, None if it is unknown.
        groups: Number of groups.
        what: What is divided, in words.

    Raises:
        ValueError: If the number is unknown, or `groups` does not divide it.
    """
    if width is None:
        raise ValueError(f"The number of {what} must be known. Received: an input with {what}=None")
    if width % groups:
        raise ValueError(
            f"`groups` must divide the {what} into groups of equal width. Received: {width} {what}, groups={groups}"
        )


def is_integer(value: Any) -> bool:
    """Return whether a value is an integer, also one of NumPy, but no bool."""
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def lookup(table: Mapping[str, Row], name: str, kind: str) -> Row:
    """Return the row of a table with this name.

    Args:
        table: Rows by name.
        name: Name of the row.
        kind: Kind of the rows, for the error message.

    Raises:
        ValueError: If there is none. The message lists the most similar names.

    Example:
        >>> lookup({"paper": 227, "source": 224}, "source", "size")
        224
    """
    if name in table:
        return table[name]
    near = difflib.get_close_matches(str(name), table, n=3, cutoff=0.4)
    known = f"Did you mean {', '.join(near)}?" if near else f"Known are {', '.join(sorted(table))}."
    raise ValueError(f"Unknown {kind}. {known} Received: {name!r}")
