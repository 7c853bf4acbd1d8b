"""Checks of the arguments of layers."""

import numbers
from typing import Any


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


def real_number(value: Any, name: str) -> float:
    """Return a constant as a float.

    Raises:
        ValueError: If it is no real number, such as an array.
    """
    if not isinstance(value, numbers.Real) or isinstance(value, bool):
        raise ValueError(f"`{name}` must be a number. Received: {name}={value!r}")
    return float(value)


def group_count(value: Any) -> int:
    """Return a number of groups as an integer.

    Raises:
        ValueError: If it is no integer of at least 1.
    """
    if not is_integer(value) or value < 1:
        raise ValueError(f"`groups` must be an integer of at least 1. Received: groups={value!r}")
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
