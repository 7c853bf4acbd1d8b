"""Resolve the name of a data set and find its files, without TensorFlow, so that errors appear immediately."""

import collections
import dataclasses
import os
import pathlib
import re
import sys

from keras_alexnet.data import archives, class_names, csv_labels, duplicates, flowers17, image_folder, splitting
from keras_alexnet.data.labeled_files import LabeledFiles
from keras_alexnet.data.picture_files import LAYOUT
from keras_alexnet.files import absolute_if_exists
from keras_alexnet.recipes import Options
from keras_alexnet.text import is_unicode

TFDS_NAME = re.compile(r"[A-Za-z]\w*(/[\w.-]+)?(:[\w.+*-]+)*")  # name, configuration, version and variant


def find(
    name: str | os.PathLike,
    data_dir: str | os.PathLike | None = None,
    names_file: str | os.PathLike | None = None,
    shares: splitting.Shares = splitting.TENTHS,
) -> LabeledFiles | None:
    """Return the picture files of a data set, or None if it is drawn or comes from TensorFlow Datasets.

    Args:
        name: As on the command line: `petals`, `drawn`, the path of a folder, a CSV file or an archive, or a name such
            as `oxford_flowers17` or `cifar10`.
        data_dir: Folder of data sets, see `archives.unpack` and `flowers17.locate`.
        names_file: File of class names, see `class_names.read`.
        shares: Fractions for validation and test, if the data have no splits.

    Raises:
        ValueError: If the path does not exist or contains no pictures in classes, two classes have the same pictures,
            or a class has too few pictures to split.
        OSError: If a folder cannot be read.
    """
    shares.check()
    path = dataset_path(name, data_dir)
    if name == "petals" and pathlib.Path(name).is_dir():
        print("petals are the drawn flowers. For the folder of this name, use ./petals", file=sys.stderr)
    if path is None:
        return None
    files = _files_of(path, data_dir)
    if names_file:
        files = dataclasses.replace(files, class_names=class_names.read(names_file, files.class_names))
    training = next(iter(files.splits.values()))
    counts = collections.Counter(label for _, label in training)
    taken = splitting.taken_from_training(files.splits, shares)
    splitting.check_class_sizes({each: counts[n] for n, each in enumerate(files.class_names)}, taken)
    files = dataclasses.replace(files, identical=duplicates.identical(path for path, _ in files.entries))
    duplicates.check_classes_differ(files)
    return files


def files_for(options: Options) -> LabeledFiles | None:
    """Return the picture files of the data set in the options of a run, see `find`."""
    shares = splitting.Shares(options.validation_share, options.test_share)
    return find(options.dataset, options.data_dir, options.class_names, shares)


def options_for(options: Options, dataset: str | None = None, data_dir: str | None = None) -> Options:
    """Return the options of a run for other pictures.

    Args:
        options: The options.
        dataset: The data set, as for `--dataset`; None for that of the run.
        data_dir: The folder where TFDS stores its data; None for that of the run.

    Raises:
        ValueError: If `dataset` is None and the pictures of the run are no longer where they were.
    """
    if dataset:
        options = dataclasses.replace(options, dataset=stored_name(dataset))
    else:
        check_in_place(options)
    return dataclasses.replace(options, data_dir=data_dir or options.data_dir)


def check_in_place(options: Options) -> None:
    """Check that the pictures of a run are still where they were.

    Raises:
        ValueError: If they are not. The message says to pass their new place.
    """
    if os.path.isabs(options.dataset) and not os.path.exists(options.dataset):
        raise ValueError(
            f"The pictures of the run are no longer where they were: pass their new place as `dataset`. Received: "
            f"{options.dataset}"
        )


def stored_name(name: str) -> str:
    """Return the name of a data set as a run stores it: an absolute path, since it may be resumed from elsewhere.

    Args:
        name: As for `find`.
    """
    return name if name == "petals" else absolute_if_exists(name)


def dataset_path(name: str | os.PathLike, data_dir: str | os.PathLike | None = None) -> pathlib.Path | None:
    """Return the path of a data set, or None if its name can only be a drawn or TFDS data set.

    Raises:
        ValueError: If the path does not exist or is another kind of file.

    Example:
        >>> dataset_path("oxford_flowers102:flipped") is None
        True
    """
    name = os.fspath(name)
    path = pathlib.Path(os.path.expanduser(name))
    if not is_unicode(name):
        raise ValueError(f"The path of the data set must be in UTF-8. Received: {os.fsencode(name)!r}")
    if name == "petals":
        return None
    if path.is_dir():
        return path
    if path.exists():
        _check_file_type(path, name)
        return path
    if name == flowers17.NAME:
        return flowers17.locate(data_dir)
    if TFDS_NAME.fullmatch(name) and not (path.parent != pathlib.Path() and path.parent.is_dir()):
        return None
    if os.sep in name or name.startswith("~") or csv_labels.is_table(path) or archives.is_archive(path):
        raise ValueError(f"The data set does not exist. {LAYOUT}. Received: {name}")
    return None


def _check_file_type(path: pathlib.Path, name: str) -> None:
    if csv_labels.is_table(path) or archives.is_archive(path):
        return
    advice = "unpack it first. " if path.suffix.lower() in archives.OTHERS else ""
    raise ValueError(
        f"The data set must be a folder of pictures, a CSV file, or a zip or tar file: {advice}{LAYOUT}. "
        f"Received: {name}, which is another kind of file"
    )


def _files_of(path: pathlib.Path, data_dir: str | os.PathLike | None) -> LabeledFiles:
    path = path.resolve()
    if path.is_dir():
        return flowers17.find(path) or image_folder.find(path)
    if csv_labels.is_table(path):
        return csv_labels.find(path)
    folder = archives.unpack(path, data_dir)
    try:
        return dataclasses.replace(_files_of(folder, data_dir), path=path)
    except ValueError as error:  # the user knows the archive, not the cache
        advice = rf"(?:use|did you mean) {re.escape(str(folder))}/([^)?]+)\??"
        text = re.sub(advice, r"unpack it and use \1", str(error))
        raise ValueError(text.replace(str(folder), str(path))) from None
