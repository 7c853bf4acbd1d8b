"""A table of runs that is written after each run, so that the same command can continue it."""

import csv
import datetime
import pathlib
from collections.abc import Iterable, Mapping, Sequence

from benchmarks.measuring import machine
from keras_alexnet.files import atomic_write

Row = Mapping[str, str]


def read(path: pathlib.Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, or no rows if it does not exist."""
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def write(path: pathlib.Path, columns: Iterable[str], rows: Iterable[Row]) -> None:
    """Write rows as a CSV file."""
    with atomic_write(path) as temporary, temporary.open("w", newline="") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def has(rows: Iterable[Row], key: Row) -> bool:
    """Return whether one of the rows has the values of `key`."""
    return any(key.items() <= row.items() for row in rows)


def markdown(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table and a line with the machine, the date and the command."""
    lines = [_line(titles), f"|{'---|' * len(titles)}", *map(_line, rows)]
    here = machine()
    lines += [
        "",
        f"{here['processor']}, {here['cores']} cores ({' '.join(here['instruction_sets'])}), {here['memory_gib']} GiB; "
        f"{datetime.date.today().isoformat()}; `{here['command']}`.",
    ]
    return "\n".join(lines) + "\n"


def _line(cells):
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"
