"""Class names from a user's file."""

import collections
import os
import pathlib
import re
from collections.abc import Sequence

from keras_alexnet.data.labeled_files import check_printable_names
from keras_alexnet.text import enumerated

SEPARATORS = ("\t", ",", ";", None)  # None is a space
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]*)?")  # of a class; pandas writes 1.0 if a value of the column is missing
QUOTED = r'"(?:[^"]|"")*"'  # with two quotes for one


def read(file: str | pathlib.Path, classes: Sequence[str]) -> tuple[str, ...]:
    """Read class names from a file.

    The file has one name per line, in alphabetical order of the classes, or in the order of the numbers if all are
    numbers; or lines of a class and its name in any order, as `n01440764 tench, Tinca tinca` in ImageNet's `words.txt`,
    possibly with other classes. If two classes have the same name, their original names are added in parentheses.
    Classes that already have these names keep them. Names may be in double quotes. A run's `classes.txt` has the names
    in the order of the labels.

    Args:
        file: Path of the file, UTF-8.
        classes: Original names of the classes: folder names, or the numbers in a CSV file.

    Raises:
        ValueError: If the file does not exist, or has the wrong number of names or no name for a class.
    """
    path = pathlib.Path(os.path.expanduser(file))
    if not path.is_file():
        raise ValueError(f"The file of class names must exist. Received: {file}")
    try:
        lines = [line.strip() for line in path.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise ValueError(f"The file of class names must be text in UTF-8. Received: {file}: {error}") from None
    # the names of a run may look like pairs of a class and its name
    is_of_run = path.name == "classes.txt" and (path.parent / "recipe.json").is_file()
    names = lines if is_of_run else _by_class(lines, classes, path) or _in_order(lines, classes)
    if set(names) == set(classes):
        return tuple(classes)
    if len(names) != len(classes):
        raise ValueError(
            f"The file must have a name on each line for the {len(classes)} classes ({enumerated(classes)}), or lines "
            f"of a class and its name. Received: {file} with {len(names)} lines"
        )
    check_printable_names(names, file)
    counts = collections.Counter(names)
    return tuple(name if counts[name] == 1 else f"{name} ({own})" for name, own in zip(names, classes, strict=True))


def _by_class(lines: Sequence[str], classes: Sequence[str], path: pathlib.Path) -> list[str] | None:
    """Return the names in the order of the classes if lines begin or end with classes, else None."""
    tables = [_pairs(lines, separator) for separator in SEPARATORS]
    name_of = max(tables, key=lambda table: len(table.keys() & set(classes)))
    if name_of.keys().isdisjoint(classes):
        return [*classes] if any(set(classes) <= set(table.values()) for table in tables) else None
    missing = [name for name in classes if not name_of.get(name)]
    if missing:
        raise ValueError(
            f"The file must have a name for every class. Received: {path} with none for {enumerated(missing)}"
        )
    return [name_of[name] for name in classes]


def _in_order(lines: Sequence[str], classes: Sequence[str]) -> list[str]:
    """Return the names in the order of the classes. If these are numbers such as 2 and 10, the lines are in theirs."""
    names = [_without_quotes(line) for line in lines]
    if len(names) != len(classes) or not all(map(NUMBER.fullmatch, classes)):
        return names
    name_of = dict(zip(sorted(sorted(classes), key=float), names, strict=True))
    return [name_of[each] for each in classes]


def _pairs(lines: Sequence[str], separator: str | None) -> dict[str, str]:
    """Split the lines that have the separator into the parts before and after it.

    A part in quotes may contain the separator, as in files that spreadsheets write.
    """
    divider = re.escape(separator) if separator else r"\s"
    pairs = [re.fullmatch(f"({QUOTED}|.*?){divider}(.*)", line) for line in lines]
    return dict(map(_without_quotes, pair.groups()) for pair in pairs if pair)


def _without_quotes(name: str) -> str:
    name = name.strip()
    return name[1:-1].replace('""', '"') if re.fullmatch(QUOTED, name) else name
