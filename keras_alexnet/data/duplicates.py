"""Find byte-identical picture files before training, and warn if they affect a result."""

import collections
import dataclasses
import functools
import multiprocessing.pool
import os
import pathlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from keras_alexnet.data.labeled_files import LabeledFiles
from keras_alexnet.files import digest, relative_path
from keras_alexnet.machine import available_cores
from keras_alexnet.text import enumerated, plural

END = 4096  # bytes; most files of the same size already differ here
CHUNK = 64  # files that a thread reads at a time


def identical(paths: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Return the groups of files with the same bytes, in the order of the paths.

    Files of the same size are compared by their last bytes, then by the digest of the whole file. Empty and unreadable
    files are in no group.
    """
    groups = {(): [*paths]}
    with multiprocessing.pool.ThreadPool(available_cores()) as pool:
        for key in (os.path.getsize, _end, digest):
            candidates = [(name, path) for name, group in groups.items() for path in group]
            keys = pool.imap(functools.partial(_try, key), (path for _, path in candidates), CHUNK)
            parts = collections.defaultdict(list)
            for (name, path), value in zip(candidates, keys, strict=True):
                if value:
                    parts[*name, value].append(path)
            groups = {name: part for name, part in parts.items() if len(part) > 1}
    return tuple(map(tuple, groups.values()))


def _try(key: Callable[[str], Any], path: str) -> Any:
    try:
        return key(path)
    except OSError:
        return None


def _end(path: str) -> bytes:
    with open(path, "rb") as file:
        file.seek(-min(END, os.fstat(file.fileno()).st_size), os.SEEK_END)
        return file.read(END)


def check_classes_differ(files: LabeledFiles) -> None:
    """Check that no two classes have exactly the same pictures.

    Raises:
        ValueError: If there are two such classes.
    """
    group_of = {path: number for number, group in enumerate(files.identical) for path in group}
    groups = collections.defaultdict(set)
    for path, label in files.entries:
        groups[label].add(group_of.get(path, path))
    labels = {}
    for label in sorted(groups):
        pictures = frozenset(groups[label])
        if pictures in labels:
            first, second = files.class_names[labels[pictures]], files.class_names[label]
            raise ValueError(
                "Two classes have exactly the same pictures: remove one of them or replace its pictures. "
                f"Received: {first} and {second} in {files.path}"
            )
        labels[pictures] = label


@dataclasses.dataclass(frozen=True)
class Duplicates:
    """Identical files of a data set, for messages and the report. Paths are relative to its folder.

    Attributes:
        count: Number of files that are copies of another file.
        trained_on: Pairs of a training picture and its copy, by the split of the copy.
        two_labels: Pairs of identical files with different labels.
        sizes: Number of pictures of each split.
    """

    count: int = 0
    trained_on: dict[str, list[tuple[str, str]]] = dataclasses.field(default_factory=dict)
    two_labels: list[tuple[str, str]] = dataclasses.field(default_factory=list)
    sizes: dict[str, int] = dataclasses.field(default_factory=dict)

    @classmethod
    def from_groups(
        cls,
        groups: Iterable[Sequence[str]],
        labels: Mapping[str, int],
        splits: Mapping[str, Sequence[str]],
        root: pathlib.Path,
    ) -> "Duplicates":
        """Collect the identical files that affect a result.

        Args:
            groups: The result of `identical`.
            labels: Labels of the pictures by path.
            splits: Paths of the pictures of each split.
            root: The folder that paths are relative to.
        """
        split_of = {path: split for split, paths in splits.items() for path in paths}
        count, trained_on, two_labels = 0, collections.defaultdict(list), []
        for group in groups:
            used = [path for path in group if path in split_of]  # others could not be read
            count += max(0, len(used) - 1)
            training = [path for path in used if split_of[path] == "train"]
            for path in used if training else ():
                if split_of[path] != "train":
                    trained_on[split_of[path]].append((training[0], path))
            first_of = {labels[path]: path for path in reversed(used)}
            if len(first_of) > 1:
                two_labels.append(tuple(sorted(first_of.values())[:2]))
        named = {split: [_relative(pair, root) for pair in pairs] for split, pairs in trained_on.items()}
        sizes = {split: len(paths) for split, paths in splits.items()}
        return cls(count, named, [_relative(pair, root) for pair in two_labels], sizes)

    def warnings(self) -> list[str]:
        """Return a line for each split that contains training pictures, and one about pictures with two labels."""
        lines = [
            f"{len(pairs)} of {self.sizes[split]} {split} pictures are also training pictures, so the {split} error "
            f"will be too low: {_shown(pairs)}"
            for split, pairs in self.trained_on.items()
        ]
        if self.two_labels:
            pictures = plural(len(self.two_labels), "picture")
            lines.append(f"{pictures} in two classes, probably by mistake: {_shown(self.two_labels)}")
        return lines

    def as_json(self) -> dict[str, Any]:
        """Return the fields for a JSON file, where the number is called `files`."""
        fields = dataclasses.asdict(self)
        return {"files": fields.pop("count"), **fields}


def _relative(pair: Iterable[str], root: pathlib.Path) -> tuple[str, ...]:
    return tuple(relative_path(path, root) for path in pair)


def _shown(pairs: Sequence[tuple[str, str]]) -> str:
    return enumerated([" = ".join(pair) for pair in pairs])
