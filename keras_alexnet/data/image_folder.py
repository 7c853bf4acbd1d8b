"""A folder of class folders: the pictures in it that can be read, and which split each belongs to."""

import concurrent.futures
import os
import pathlib
import sys
import warnings
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_alexnet.data import decoding
from keras_alexnet.files import printable

SPLIT_OF_FOLDER = {
    "train": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
}
MAX_BAD_SHARE = 0.01  # ours: of the pictures of a folder


class Picture(NamedTuple):
    """A picture file that was decoded once without error."""

    path: str
    label: int
    needs_rewriting: bool  # by decoding.rewrite, before decoding.decode


def read(folder):
    """Finds the pictures of a folder and decodes each once, so that training never meets one that it cannot read.

    The folder holds one folder for each class; or `train` and one or both of `validation` (also `val` or `valid`) and
    `test`, with one folder for each class in each. Pictures are files that end in one of `decoding.EXTENSIONS`, in any
    depth. Names that begin with a dot are passed over, and so are symbolic links that lead out of the folder. Pictures
    that cannot be read are named on stderr and left out.

    Args:
        folder: Path of the folder.

    Returns:
        The names of the classes, sorted; and lists of `Picture`, sorted by path, by the name of the split: `train` and
        others, or `all` where the folder has class folders only.

    Raises:
        ValueError: If there are fewer than two classes, a class has no pictures, another split has a class that `train`
            does not have, or more than 1 % of the pictures cannot be read.
    """
    root = pathlib.Path(folder).expanduser().resolve()
    sources = _split_folders(root) or {"all": root}
    main = next(iter(sources.values()))
    class_names = tuple(path.name for path in _folders(main, root))
    for name in class_names:
        if not name.isprintable():
            raise ValueError(f"The names of class folders must be printable. Received: {name!r} in {main}")
    if len(class_names) < 2:
        raise ValueError(
            "A folder must have at least two class folders with pictures in them. "
            f"Received: {main} with {len(class_names)}"
        )
    found = {split: _find(source, root, class_names) for split, source in sources.items()}
    readable = _check([entry for entries in found.values() for entry in entries])
    splits = {split: [readable[path] for path, _ in entries if path in readable] for split, entries in found.items()}
    _refuse_empty_classes(splits, class_names, main)
    return class_names, splits


def _split_folders(root):
    """Folders by the split they hold, train first; None if any has another name, since a class may be named train."""
    folders = {path.name: path for path in _folders(root, root)}
    if "train" not in folders or len(folders) < 2 or not folders.keys() <= SPLIT_OF_FOLDER.keys():
        return None
    splits = {SPLIT_OF_FOLDER[name]: folders[name] for name in SPLIT_OF_FOLDER if name in folders}
    if len(splits) < len(folders):
        raise ValueError(f"A folder must have one validation folder. Received: {root} with {', '.join(folders)}")
    return splits


def _folders(folder, root):
    return sorted(path for path in folder.iterdir() if path.is_dir() and _belongs(path, root))


def _belongs(path, root):
    hidden = any(part.startswith(".") for part in path.relative_to(root).parts)
    return not hidden and path.resolve().is_relative_to(root)


def _find(source, root, class_names):
    """Paths and labels of the picture files of one split."""
    entries = []
    for folder in _folders(source, root):
        if folder.name not in class_names:
            raise ValueError(f"Every split must have the classes of train. Received: {folder}")
        label = class_names.index(folder.name)
        paths = (path for path in folder.rglob("*") if path.suffix.lower() in decoding.EXTENSIONS and path.is_file())
        entries += [(str(path), label) for path in sorted(paths) if _belongs(path, root)]
    return entries


def _check(entries):
    """The readable pictures by path; names the others."""
    with warnings.catch_warnings(), concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # decoding.MAX_PIXELS is the limit here
        results = list(pool.map(_try, entries))
    bad = [f"{path} ({result})" for (path, _), result in zip(entries, results, strict=True) if isinstance(result, str)]
    account = f"{len(bad)} of {len(entries)} pictures"
    if len(bad) > MAX_BAD_SHARE * len(entries):
        raise ValueError(
            f"At most {MAX_BAD_SHARE:.0%} of the pictures of a folder may be unreadable: mend or remove them. "
            f"Received: {account}: {', '.join(bad[:3])}{', ...' if len(bad) > 3 else ''}"
        )
    if bad:
        print(f"Left out, because they cannot be read, {account}:", *map(printable, bad), sep="\n  ", file=sys.stderr)
    return {result.path: result for result in results if not isinstance(result, str)}


def _try(entry):
    """The picture, or why it cannot be read."""
    path, label = entry
    try:
        needs_rewriting = decoding.needs_rewriting(path)
        contents = pathlib.Path(path).read_bytes()
        with tf.device("CPU"):
            decoding.decode(decoding.rewrite(contents) if needs_rewriting else contents)
    except tf.errors.OpError:
        return "broken or cut short"
    except Exception as error:  # broken headers make Pillow raise errors of many kinds
        return str(error).replace(path, "file").split("\n")[0] or type(error).__name__
    return Picture(path, label, needs_rewriting)


def _refuse_empty_classes(splits, class_names, main):
    labels = {picture.label for picture in next(iter(splits.values()))}
    empty = [name for label, name in enumerate(class_names) if label not in labels]
    if empty:
        raise ValueError(
            f"Every class folder must have pictures ({' '.join(decoding.EXTENSIONS)}; not by links that lead out of "
            f"the folder). Received: {main} with none in {', '.join(empty[:5])}{', ...' if len(empty) > 5 else ''}"
        )
    for split in [split for split in splits if not splits[split]]:
        raise ValueError(f"Every split must have pictures. Received: {main.parent} with none for {split}")


def stratified(pictures, class_names, seed):
    """Splits pictures 80 : 10 : 10, each class by itself.

    Args:
        pictures: List of `Picture`.
        class_names: Names of the classes.
        seed: Integer that decides which pictures go where.

    Returns:
        Lists of `Picture` by the names `train`, `validation` and `test`.

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
            splits[split] += [members[place] for place in sorted(chosen)]
    return splits
