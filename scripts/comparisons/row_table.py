"""A table of runs that is written after each run, so that the same command can continue it."""

import argparse
import collections
import csv
import datetime
import math
import multiprocessing
import pathlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from benchmarks.measuring import machine
from keras_alexnet.command_line import Parser, say
from keras_alexnet.files import atomic_write, write_text
from keras_alexnet.reporting import tables

Row = Mapping[str, str]


def add_flags(parser: Parser) -> None:
    """Add the flags of `Table` to a command line."""
    parser.add_argument(
        "--work", metavar="FOLDER", required=True, type=pathlib.Path, help="folder for the pictures and the table"
    )
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="number of seeds (default: 3)")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, metavar="N", help="do not start another run after this time"
    )


def check_names(names: Iterable[str]) -> None:
    """Check that data sets have different names, which are what the table knows them by.

    Raises:
        ValueError: If two have the same.
    """
    twice = [name for name, count in collections.Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"Data sets must have different names: rename a folder. Received: {', '.join(twice)} twice")


class Table:
    """The rows in `table.csv` and `table.md` of a folder, which is made if it does not exist.

    Args:
        arguments: The flags of `add_flags`.
        columns: Names of the values of a row.
        titles: Titles of the Markdown table.
        lines: Returns the cells of its lines from the rows.

    Attributes:
        rows: The rows so far, those of earlier calls included.
    """

    def __init__(
        self,
        arguments: argparse.Namespace,
        columns: Sequence[str],
        titles: Sequence[str],
        lines: Callable[[list[dict[str, str]]], Iterable[Sequence[str]]],
    ):
        arguments.work.mkdir(parents=True, exist_ok=True)
        self._folder, self._columns, self._titles, self._lines = arguments.work, columns, titles, lines
        self._end = time.monotonic() + 60 * arguments.minutes
        self.rows = read(self._folder / "table.csv")

    def is_late(self) -> bool:
        """Return whether the time is over, and if so, say how to continue."""
        if time.monotonic() <= self._end:
            return False
        say("The time is over. Run the same command again to continue.")
        return True

    def add(self, row: Row) -> None:
        """Add a row and write both files."""
        self.rows.append({name: str(value) for name, value in row.items()})
        write(self._folder / "table.csv", self._columns, self.rows)
        write_text(self._folder / "table.md", markdown(self._titles, self._lines(self.rows)))

    def show(self) -> None:
        """Print the Markdown table."""
        say((self._folder / "table.md").read_text(encoding="utf-8"))


def stop_trainings() -> str:
    """Stop the processes that this one has started, and return what to print when a signal ends this one."""
    for process in multiprocessing.active_children():
        process.terminate()
        process.join()
    return "Stopped. Run the same command again to continue."


def read(path: pathlib.Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file, or no rows if it does not exist."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def write(path: pathlib.Path, columns: Iterable[str], rows: Iterable[Row]) -> None:
    """Write rows as a CSV file."""
    with atomic_write(path) as temporary, temporary.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(rows)


def has(rows: Iterable[Row], key: Row) -> bool:
    """Return whether one of the rows has the values of `key`."""
    return any(key.items() <= row.items() for row in rows)


def markdown(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a Markdown table and a line with the machine, the date and the command."""
    cells = ([cell.replace("|", r"\|") for cell in row] for row in rows)
    here = machine()
    lines = [
        tables.markdown(dict(zip(titles, row, strict=True)) for row in cells),
        "",
        f"{here['processor']}, {here['cores']} cores ({' '.join(here['instruction_sets'])}), {here['memory_gib']} GiB; "
        f"{datetime.date.today().isoformat()}; `{here['command']}`.",
    ]
    return "\n".join(lines) + "\n"
