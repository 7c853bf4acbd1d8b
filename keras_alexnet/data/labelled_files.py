"""Picture files with their labels, before any of them is opened. Needs no TensorFlow."""

import dataclasses
import pathlib
from collections.abc import Sequence

from keras_alexnet.data import picture_files

SHOWN = 3  # names in a message


@dataclasses.dataclass(frozen=True)
class LabelledFiles:
    """Picture files with their labels.

    Attributes:
        path: What the user named: a folder, a CSV file or an archive.
        root: The folder that files are named relative to.
        class_names: Names of the classes. A label is an index into them.
        splits: Pairs of path and label by the name of the split: `train` and others, or `all` where none is given.
        others: Files that are passed over.
        identical: Groups of files whose bytes are the same, each in the order of `splits`.
    """

    path: pathlib.Path
    root: pathlib.Path
    class_names: tuple[str, ...]
    splits: dict[str, list[tuple[str, int]]]
    others: tuple[pathlib.Path, ...] = ()
    identical: tuple[tuple[str, ...], ...] = ()

    @property
    def entries(self) -> list[tuple[str, int]]:
        """The pairs of all splits."""
        return [entry for entries in self.splits.values() for entry in entries]


def refuse_unprintable(class_names: Sequence[str], where: object) -> None:
    """Refuse names that would control the terminal that they are printed to.

    Raises:
        ValueError: If there is one.
    """
    for name in class_names:
        if not name.isprintable():
            raise ValueError(f"The names of classes must be printable. Received: {name!r} in {where}")


def refuse_empty(files: LabelledFiles) -> None:
    """Refuse classes without a training picture, and empty splits.

    Raises:
        ValueError: If there is one.
    """
    training = next(iter(files.splits))
    labels = {label for _, label in files.splits[training]}
    empty = [name for label, name in enumerate(files.class_names) if label not in labels]
    if empty:
        where = files.path if training == "all" else f"the {training} split of {files.path}"
        others = f"; passed over: {picture_files.describe_others(files.others)}" if files.others else ""
        raise ValueError(
            f"Every class must have pictures to train on ({' '.join(picture_files.EXTENSIONS)}; not by links that lead "
            f"out of the folder). Received: {where} with none in {enumerated(empty)}{others}"
        )
    for split in [split for split in files.splits if not files.splits[split]]:
        raise ValueError(f"Every split must have pictures. Received: {files.path} with none for {split}")


def enumerated(names: Sequence[object], most: int = SHOWN) -> str:
    """Return the first names in a line.

    Example:
        >>> enumerated(["a", "b", "c", "d"])
        'a, b, c, ...'
    """
    return ", ".join(map(str, names[:most])) + ", ..." * (len(names) > most)
