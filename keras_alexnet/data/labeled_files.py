"""Picture files with their labels, before any of them is opened. Needs no TensorFlow."""

import dataclasses
import pathlib
from collections.abc import Iterable, Sequence

from keras_alexnet.data import picture_files
from keras_alexnet.text import enumerated, is_plain


@dataclasses.dataclass(frozen=True)
class LabeledFiles:
    """Picture files with their labels.

    Attributes:
        path: The user's folder, CSV file or archive.
        root: The folder that paths are relative to.
        class_names: Names of the classes. A label is an index into them.
        splits: Pairs of path and label by split: `train` and others, or `all` if there are no splits.
        others: Ignored files.
        identical: Groups of byte-identical files, each in the order of `splits`.
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


def check_printable_names(class_names: Sequence[str], where: object) -> None:
    """Check that class names cannot control the terminal.

    Raises:
        ValueError: If a name could.
    """
    for name in class_names:
        if not is_plain(name):
            raise ValueError(
                f"Class names must be text without control characters and line ends: rename it. Received: {name!r} in "
                f"{where}"
            )


def check_classes_not_empty(files: LabeledFiles) -> None:
    """Check that every class has a training picture and that no split is empty.

    Raises:
        ValueError: If one of them is empty.
    """
    training = next(iter(files.splits))
    if empty := without_pictures((label for _, label in files.splits[training]), files.class_names):
        where = files.path if training == "all" else f"the {training} split of {files.path}"
        others = f"; ignored: {picture_files.describe_others(files.others)}" if files.others else ""
        raise ValueError(
            f"Every class must have training pictures ({' '.join(picture_files.EXTENSIONS)}; links that lead out of "
            f"the folder are ignored). Received: {where} with none in {enumerated(empty)}{others}"
        )
    for split in [split for split in files.splits if not files.splits[split]]:
        loose = sum(picture_files.is_picture(file) for file in files.others)
        advice = f", and {loose} outside of class folders: move them away; the command predict can classify them"
        raise ValueError(
            f"Every split must have pictures in class folders. Received: {files.path} with none for {split}"
            f"{advice if loose else ''}"
        )


def without_pictures(labels: Iterable[int], class_names: Sequence[str]) -> list[str]:
    """Return the classes that have no picture.

    Example:
        >>> without_pictures([0, 2, 0], ["cat", "dog", "cow"])
        ['dog']
    """
    labels = set(labels)
    return [name for label, name in enumerate(class_names) if label not in labels]
