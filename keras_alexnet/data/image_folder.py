"""A folder of class folders: its readable pictures, and the split that each belongs to."""

import concurrent.futures
import contextlib
import os
import pathlib
import sys
import warnings
from typing import NamedTuple

import numpy as np
from PIL import Image

from keras_alexnet.data import decoding, errors, picture_files
from keras_alexnet.files import printable

SPLIT_OF_FOLDER = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
}
MAX_BAD_SHARE = 0.01  # ours: of the pictures of a folder
CHUNK = 256  # pictures that are decoded together, before damaged ones among them are looked for


class Picture(NamedTuple):
    """A picture file that was decoded once without error."""

    path: str
    label: int
    needs_rewriting: bool  # by decoding.rewrite, before decoding.decode
    size: int  # bytes


def read(folder: str | os.PathLike) -> tuple[tuple[str, ...], dict[str, list[Picture]]]:
    """Find the pictures of a folder and decode each once, so that training never meets one that it cannot read.

    The folder holds one folder for each class; or `train` and one or both of `validation` (also `val` or `valid`) and
    `test`, with one folder for each class in each. Pictures are the files of `picture_files.files_in` that end in one
    of `picture_files.EXTENSIONS`, at any depth. Files of other kinds are counted on stderr. Pictures that cannot be
    read are named on stderr and left out.

    Args:
        folder: Path of the folder.

    Returns:
        The names of the classes, sorted; and the pictures by the name of the split, sorted by path: `train` and others,
        or `all` where the folder has class folders only.

    Raises:
        ValueError: If there are fewer than two classes, a class has no pictures, another split has a class that `train`
            does not have, or more than 1 % of the pictures cannot be read.
    """
    root = pathlib.Path(folder).expanduser().resolve()
    sources = _split_folders(root) or {"all": root}
    train = next(iter(sources.values()))
    class_names = tuple(path.name for path in picture_files.subfolders(train, root))
    picture_files.refuse_fewer_than_two_folders(train, root)
    _refuse_unprintable(class_names, train)
    found = {split: _labelled_files(source, root, class_names) for split, source in sources.items()}
    entries = [entry for entries in found.values() for entry in entries]
    readable = _check(entries)
    splits = {split: [readable[path] for path, _ in entries if path in readable] for split, entries in found.items()}
    _refuse_empty_classes(splits, class_names, train)
    pictures = {path for path, _ in entries}
    picture_files.report_passed_over(file for file in picture_files.files_in(root) if str(file) not in pictures)
    return class_names, splits


def _split_folders(root):
    """Return folders by the split they hold, train first; None if any has another name: a class may be named train."""
    folders = {path.name: path for path in picture_files.subfolders(root, root)}
    if "train" not in folders or len(folders) < 2 or not folders.keys() <= SPLIT_OF_FOLDER.keys():
        return None
    splits = {SPLIT_OF_FOLDER[name]: folders[name] for name in SPLIT_OF_FOLDER if name in folders}
    if len(splits) < len(folders):
        raise ValueError(f"A folder must have one validation folder. Received: {root} with {', '.join(folders)}")
    return splits


def _refuse_unprintable(class_names, train):
    for name in class_names:
        if not name.isprintable():
            raise ValueError(f"The names of class folders must be printable. Received: {name!r} in {train}")


def _labelled_files(source, root, class_names):
    """Return paths and labels of the picture files of one split."""
    entries = []
    for folder in picture_files.subfolders(source, root):
        if folder.name not in class_names:
            raise ValueError(f"Every split must have the classes of train. Received: {folder}")
        label = class_names.index(folder.name)
        entries += [
            (str(file), label) for file in picture_files.files_in(folder, root) if picture_files.is_picture(file)
        ]
    return entries


def _check(entries):
    """Return the readable pictures by path; name the others on stderr."""
    results, damaged = [], []
    with warnings.catch_warnings(), concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # decoding.MAX_PIXELS is the limit here
        for start in range(0, len(entries), CHUNK):
            with errors.libjpeg_warnings() as lines:
                chunk = list(pool.map(_try, entries[start : start + CHUNK]))
            if lines:
                damaged += [picture for picture in chunk if isinstance(picture, Picture) and _is_damaged(picture)]
            results += chunk
    bad = [f"{path} ({result})" for (path, _), result in zip(entries, results, strict=True) if isinstance(result, str)]
    count = f"{len(bad)} of {len(entries)} pictures"
    if len(bad) > MAX_BAD_SHARE * len(entries):
        raise ValueError(
            f"At most {MAX_BAD_SHARE:.0%} of the pictures of a folder may be unreadable: repair or remove them. "
            f"Received: {count}: {', '.join(bad[:3])}{', ...' if len(bad) > 3 else ''}"
        )
    if bad:
        print(f"Left out, because they cannot be read, {count}:", *map(printable, bad), sep="\n  ", file=sys.stderr)
    if damaged:
        names = ", ".join(printable(picture.path) for picture in damaged[:5]) + ", ..." * (len(damaged) > 5)
        print(
            f"Used, although their JPEG data are damaged, {len(damaged)} of {len(entries)} pictures: {names}",
            file=sys.stderr,
        )
    # Pillow decodes damaged JPEGs without a word, TensorFlow with one on the terminal each time.
    readable = {picture.path: picture for picture in results if isinstance(picture, Picture)}
    return readable | {picture.path: picture._replace(needs_rewriting=True) for picture in damaged}


def _try(entry):
    """Return the picture, or why it cannot be read."""
    path, label = entry
    needs_rewriting = decoding.check(path)
    if isinstance(needs_rewriting, str):
        return needs_rewriting
    return Picture(path, label, needs_rewriting, os.path.getsize(path))


def _is_damaged(picture):
    """Return whether TensorFlow's decoder complains of a picture that Pillow can decode."""
    with errors.libjpeg_warnings() as lines:
        decoding.check(picture.path)
    with contextlib.suppress(Exception):  # Pillow refuses some of them; those stay as they are
        decoding.rewrite(pathlib.Path(picture.path).read_bytes())
        return bool(lines) and not picture.needs_rewriting
    return False


def _refuse_empty_classes(splits, class_names, train):
    labels = {picture.label for picture in next(iter(splits.values()))}
    empty = [name for label, name in enumerate(class_names) if label not in labels]
    if empty:
        raise ValueError(
            f"Every class folder must have pictures ({' '.join(picture_files.EXTENSIONS)}; not by links that lead out "
            f"of the folder). Received: {train} with none in {', '.join(empty[:5])}{', ...' if len(empty) > 5 else ''}"
        )
    for split in [split for split in splits if not splits[split]]:
        raise ValueError(f"Every split must have pictures. Received: {train.parent} with none for {split}")


def stratified(pictures: list[Picture], class_names: tuple[str, ...], seed: int) -> dict[str, list[Picture]]:
    """Split pictures 80 : 10 : 10, class by class.

    Args:
        pictures: The pictures of all classes.
        class_names: Names of the classes.
        seed: Decides which pictures go to which split.

    Returns:
        The pictures of `train`, `validation` and `test`.

    Raises:
        ValueError: If a class has fewer than three pictures.
    """
    splits = {"train": [], "validation": [], "test": []}
    for label, name in enumerate(class_names):
        members = [picture for picture in pictures if picture.label == label]
        if len(members) < 3:
            raise ValueError(
                f"A class must have at least 3 pictures to be split into train, validation and test. "
                f"Received: {len(members)} in {name}"
            )
        tenth = max(1, round(len(members) / 10))
        order = np.random.default_rng([seed, label]).permutation(len(members))
        for split, chosen in zip(("test", "validation", "train"), np.split(order, [tenth, 2 * tenth]), strict=True):
            splits[split] += [members[index] for index in sorted(chosen)]
    return splits
