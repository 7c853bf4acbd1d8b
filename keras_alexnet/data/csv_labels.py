"""CSV files of picture files and their labels."""

import csv
import os
import pathlib
import re
from collections.abc import Sequence
from typing import NamedTuple

from keras_alexnet.data import picture_files
from keras_alexnet.data.identity import SPLIT_OF_NAME, SPLITS
from keras_alexnet.data.labeled_files import LabeledFiles, check_classes_not_empty, check_printable_names
from keras_alexnet.text import enumerated, plural

EXTENSIONS = (".csv", ".tsv")
FILE_COLUMNS = (
    *("file", "path", "image", "filename", "image_id", "filepath", "file_name", "file_path", "image_path"),
    *("image_name", "picture", "img", "id"),
)
LABEL_COLUMNS = ("label", "class", "target", "category", "label_name", "class_name")
SPLIT_COLUMN = "split"
SEPARATOR_LINE = re.compile("sep=([,;\t])", re.IGNORECASE)  # the first line of some files for Excel
EXPECTED = (
    f"Expected a line for each picture with its file ({', '.join(FILE_COLUMNS[:5])}), its label "
    f"({', '.join(LABEL_COLUMNS[:3])}) and optionally its split ({', '.join(SPLITS)})"
)


class Row(NamedTuple):
    """A line of the file."""

    line: int
    file: str
    label: str
    split: str


def is_table(path: pathlib.PurePath) -> bool:
    """Return whether a file has the extension of a CSV file."""
    return path.suffix.lower() in EXTENSIONS


def find(table: pathlib.Path) -> LabeledFiles:
    """Find the pictures that a CSV file lists.

    The first line may be a header such as `file,label` or `image_id,target,split`, in any order and with additional
    columns. Without a header the first column is the file, the second the label, and the third, if any, the split. File
    names are relative to the folder of the CSV file, or to a folder in it, as in `train.csv` beside `train/`; the
    extension may be missing and the folders may be separated by backslashes. Labels are names or numbers. Numbers
    determine the order of the classes. Values are separated by commas, semicolons or tabs.

    Args:
        table: Path of the CSV file, resolved.

    Raises:
        ValueError: If the columns are unknown, a line has no file or no label, a file does not exist, is not a picture
            or is listed twice, or there are fewer than two classes.
    """
    rows = _rows(table)
    class_names = _class_names(rows, table)
    labels = {name: label for label, name in enumerate(class_names)}
    splits: dict[str, list[tuple[str, int]]] = {}
    for row, path in zip(rows, _paths(rows, table), strict=True):
        splits.setdefault(_split_of(row, table), []).append((path, labels[row.label]))
    splits = {split: sorted(splits[split], key=_on_any_system) for split in ("all", *SPLITS) if split in splits}
    if [*splits] != ["all"] and ("all" in splits or "train" not in splits):
        found = ", ".join("lines without a split" if split == "all" else split for split in splits)
        raise ValueError(
            "Either all lines or no line must have a split, and train must be one of them. "
            f"Received: {table} with {found}"
        )
    files = LabeledFiles(table, table.parent, class_names, splits)
    check_classes_not_empty(files)
    return files


def _on_any_system(entry: tuple[str, int]) -> tuple[str, int]:
    """Return a key that sorts paths in the same way where they have backslashes."""
    path, label = entry
    return pathlib.PurePath(path).as_posix(), label


def _rows(table: pathlib.Path) -> list[Row]:
    """Return the non-empty lines."""
    try:
        with table.open(encoding="utf-8-sig", newline="") as file:
            first = next(filter(str.strip, file), "")
            named = SEPARATOR_LINE.fullmatch(first.strip())
            file.seek(0)
            delimiter = named[1] if named else max(",;\t", key=first.count)
            reader = csv.reader(file, delimiter=delimiter, skipinitialspace=True)
            lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader if any(cells)]
            lines = lines[1:] if named else lines
    except (UnicodeDecodeError, csv.Error) as error:
        raise ValueError(
            f"A CSV file must be text in UTF-8: in Excel, save it as CSV UTF-8. {EXPECTED}. Received: {table}: {error}"
        ) from None
    if not lines:
        raise ValueError(f"The CSV file is empty. {EXPECTED}. Received: {table}")
    columns = _columns(lines[0][1], table)
    rows = [Row(number, *(_cell(cells, column) for column in columns[1])) for number, cells in lines[columns[0] :]]
    for row in rows:
        for name, value, other in (("file", row.file, row.label), ("label", row.label, row.file)):
            if not value:
                raise ValueError(
                    f"Every line must have a file and a label. Received: {table}, line {row.line}, with {other!r} and "
                    f"no {name}"
                )
    return rows


def _columns(first: Sequence[str], table: pathlib.Path) -> tuple[int, tuple[int | None, int | None, int | None]]:
    """Return the number of header lines, 0 or 1, and the columns of file, label and split."""
    names = [cell.lower() for cell in first]
    file, label = (next((names.index(n) for n in known if n in names), None) for known in (FILE_COLUMNS, LABEL_COLUMNS))
    split = names.index(SPLIT_COLUMN) if SPLIT_COLUMN in names else None
    if file is not None and label is None and len(names) == 2:  # as in image_id,breed
        label = 1 - file
    if file is not None and label is not None:
        return 1, (file, label, split)
    if file is None and label is None and len(first) in (2, 3) and _existing(_base(table, first[0]), first[0]):
        return 0, (0, 1, 2 if len(first) == 3 else None)
    raise ValueError(
        f"The first line must be a header, or an existing file and its label. {EXPECTED}. "
        f"Received: {table} with {enumerated(first, 6)}"
    )


def _cell(cells: Sequence[str], column: int | None) -> str:
    return cells[column] if column is not None and column < len(cells) else ""


def _class_names(rows: Sequence[Row], table: pathlib.Path) -> tuple[str, ...]:
    """Return the labels in order, numerically if all are numbers."""
    labels = {row.label for row in rows}
    names = sorted(labels)
    if all(map(_is_number, labels)):
        names.sort(key=int)
    if len(names) < 2:
        raise ValueError(f"There must be at least two classes. {EXPECTED}. Received: {table} with {len(names)}")
    check_printable_names(names, table)
    return tuple(names)


def _is_number(label: str) -> bool:
    return label.isascii() and label.removeprefix("-").isdigit()


def _split_of(row: Row, table: pathlib.Path) -> str:
    if not row.split:
        return "all"
    split = SPLIT_OF_NAME.get(row.split.lower())
    if split is None:
        raise ValueError(
            f"A split must be one of {', '.join(SPLITS)}. Received: {table}, line {row.line}: {row.split!r}"
        )
    return split


def _paths(rows: Sequence[Row], table: pathlib.Path) -> list[str]:
    """Return the paths of the files."""
    base = _base(table, rows[0].file)
    paths = [_existing(base, row.file) for row in rows]
    missing = [row for row, path in zip(rows, paths, strict=True) if path is None]
    if missing:
        others = f", and {plural(len(missing) - 1, 'other line')}" * (len(missing) > 1)
        raise ValueError(
            f"All files must exist, with paths relative to {base}. Received: {table}, line {missing[0].line}: "
            f"{missing[0].file}{others}"
        )
    lines: dict[str, int] = {}
    for row, path in zip(rows, paths, strict=True):
        if not picture_files.is_picture(pathlib.PurePath(path)):
            advice = "; convert it to JPEG" * (pathlib.PurePath(path).suffix.lower() in picture_files.CONVERTIBLE)
            raise ValueError(
                f"The files must be pictures ({' '.join(picture_files.EXTENSIONS)}){advice}. Received: {table}, line "
                f"{row.line}: {row.file}"
            )
        if path in lines:
            raise ValueError(
                f"A file must be listed once. Received: {table}, lines {lines[path]} and {row.line}: {row.file}"
            )
        lines[path] = row.line
    return paths


def _base(table: pathlib.Path, name: str) -> pathlib.Path:
    """Return the folder that file names are relative to: that of the CSV file, or else one in it that has this file.

    If several have it, it is the one that is named like the CSV file.
    """
    if _existing(table.parent, name):
        return table.parent
    folders = [each for each in picture_files.subfolders(table.parent, table.parent) if _existing(each, name)]
    if len(folders) > 1:
        folders = [each for each in folders if each.name == table.stem]
    return folders[0] if folders else table.parent


def _existing(folder: pathlib.Path, name: str) -> str | None:
    """Return the path of a file, also if its name has no extension or comes from Windows; None if it does not exist."""
    paths = dict.fromkeys(os.path.normpath(folder / each) for each in (name, name.replace("\\", "/")))
    extensions = [written for each in picture_files.EXTENSIONS for written in (each, each.upper())]
    names = (path + extension for path in paths for extension in ("", *extensions))
    return next(filter(os.path.isfile, names), None)
