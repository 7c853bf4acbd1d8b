"""Settings as fields of a dataclass, with the words and rules for their flags."""

import dataclasses
import math
import numbers
import os
import types
import typing
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from keras_alexnet.arguments import is_integer


class Rule(NamedTuple):
    """The values that a setting may have.

    Attributes:
        words: Completes the error message "`name` must be".
        allows: Returns whether a value is allowed.
    """

    words: str
    allows: Callable[[Any], bool]


POSITIVE = Rule("more than zero", lambda value: value > 0)
NOT_NEGATIVE = Rule("at least zero", lambda value: value >= 0)
AT_LEAST_ONE = Rule("at least 1", lambda value: value >= 1)
LESS_THAN_ONE = Rule("at least 0 and less than 1", lambda value: 0 <= value < 1)


def setting(
    default: Any,
    help: str,
    group: str,
    aliases: tuple[str, ...] = (),
    choices: tuple[str, ...] | None = None,
    rule: Rule | None = None,
    metavar: str | None = None,
) -> Any:
    """Declare a field and its flag on the command line.

    Args:
        default: The default value.
        help: Description for `--help`.
        group: Title of its group of flags.
        aliases: Other names of the flag, such as those of version 0.1.0.
        choices: The allowed values, if there are few.
        rule: The allowed values, if they follow a rule. A default of None is always allowed.
        metavar: The word for its value in `--help`, if its type does not say enough.
    """
    metadata = {"help": help, "group": group, "aliases": aliases, "choices": choices, "rule": rule, "metavar": metavar}
    return dataclasses.field(default=default, metadata=metadata)


def as_plain_values(settings: Any) -> None:
    """Convert NumPy numbers and paths in a frozen dataclass, so that its settings can be written as JSON."""
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        plain = tuple(map(_plain, value)) if isinstance(value, (tuple, list)) else _plain(value)
        object.__setattr__(settings, field.name, plain)


def _plain(value):
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    is_of_numpy = hasattr(value, "dtype") and value.shape == ()  # without importing NumPy, for the speed of --help
    return value.item() if is_of_numpy else value


def check_fields(dataclass: type, values: Mapping[str, Any]) -> None:
    """Check each setting by itself.

    Args:
        dataclass: `Recipe` or `Options`.
        values: Some or all of its settings by name.

    Raises:
        ValueError: If a value is none of its choices or breaks its rule.
    """
    for field in dataclasses.fields(dataclass):
        if field.name not in values:
            continue
        value, choices, rule = values[field.name], field.metadata["choices"], field.metadata["rule"]
        if value is None and field.default is None:
            continue
        if choices and value not in choices:
            raise ValueError(f"`{field.name}` must be {' or '.join(choices)}. Received: {value!r}")
        _check_type(field, value)
        if rule and not rule.allows(value):
            raise ValueError(f"`{field.name}` must be {rule.words}. Received: {value}")


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and math.isfinite(value)


def _is_text(value):
    return isinstance(value, str)


# What a value of each type is, in words, and whether a value is one
_TYPES: dict[type, tuple[str, Callable[[Any], bool]]] = {
    bool: ("True or False", lambda value: isinstance(value, bool)),
    int: ("an integer", is_integer),
    float: ("a finite number", _is_number),
    str: ("text", _is_text),
    tuple: ("a tuple", lambda value: isinstance(value, (tuple, list))),
}


def _check_type(field, value):
    """Check that a value has the type of its field."""
    kind = next(kind for kind in _TYPES if _is_of(field.type, kind))
    words, is_one = _TYPES[kind]
    if not is_one(value):
        example = f", such as ({value!r},)" if kind is tuple else ""
        raise ValueError(f"`{field.name}` must be {words}{example}. Received: {value!r}")
    if kind is tuple:
        elements, is_element = ("integers", is_integer) if _is_of(field.type, tuple[int, ...]) else ("texts", _is_text)
        if not all(map(is_element, value)):
            raise ValueError(f"`{field.name}` must be a tuple of {elements}. Received: {value!r}")


def _is_of(declared, kind):
    """Return whether a declared type, such as `tuple[int, ...] | None`, is this kind, or one of its alternatives is."""
    alternatives = typing.get_args(declared) if isinstance(declared, types.UnionType) else (declared,)
    return any(kind in (each, typing.get_origin(each)) for each in alternatives)
