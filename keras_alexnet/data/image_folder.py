"""A folder of class folders: its picture files, and the split that each belongs to."""

import pathlib
import re
from collections.abc import Mapping, Sequence

from keras_alexnet.data import picture_files
from keras_alexnet.data.labelled_files import LabelledFiles, enumerated, refuse_empty, refuse_unprintable

SPLIT_OF_FOLDER = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
    "testing": "test",
}
SYNSET = re.compile(r"n\d{8}")  # a class of ImageNet


def find(folder: pathlib.Path) -> LabelledFiles:
    """Find the pictures of a folder.

    The folder holds one folder for each class; or `train` and one or both of `validation` (also `val` or `valid`) and
    `test`, with one folder for each class in each. Pictures are the files of `picture_files.files_in` that end in one
    of `picture_files.EXTENSIONS`, at any depth. The names of the classes are sorted, and so are the files by path.

    Args:
        folder: Path of the folder, resolved.

    Raises:
        ValueError: If there are fewer than two classes, a class has no pictures or nothing but folders that look like
            classes themselves, or another split has a class that `train` does not have.
    """
    sources = _split_folders(folder) or {"all": folder}
    train = next(iter(sources.values()))
    class_folders = picture_files.subfolders(train, folder)
    _refuse_fewer_than_two_classes(train, folder)
    class_names = tuple(path.name for path in class_folders)
    refuse_unprintable(class_names, train)
    labels = {name: label for label, name in enumerate(class_names)}
    others = picture_files.files_beside(folder, folder)
    splits = {}
    for split, source in sources.items():
        splits[split], passed_over = _labelled(source, folder, labels)
        others += passed_over
    _refuse_folders_of_classes(splits[next(iter(sources))], class_folders, folder)
    files = LabelledFiles(folder, folder, class_names, splits, tuple(others))
    refuse_empty(files)
    return files


def _refuse_fewer_than_two_classes(folder: pathlib.Path, root: pathlib.Path) -> None:
    """Refuse a folder that cannot have two classes, and sketch what it should look like."""
    folders = picture_files.subfolders(folder, root)
    if len(folders) > 1:
        return
    beside = picture_files.files_beside(folder, root)
    flat = sum(map(picture_files.is_picture, beside))
    received = f"{folder} with {len(folders)} class folders" + (f", and {flat} picture files beside them" * bool(flat))
    tables = [file.name for file in beside if file.suffix.lower() in (".csv", ".tsv")]
    if flat and tables:
        received += f" (if {enumerated(tables)} has their labels: --dataset {folder / tables[0]})"
    elif folders and len(picture_files.subfolders(folders[0], root)) > 1:
        received += f" (did you mean --dataset {folders[0]}?)"
    raise ValueError(f"Pictures must be in at least two class folders. {picture_files.LAYOUT}. Received: {received}")


def _split_folders(root: pathlib.Path) -> dict[str, pathlib.Path] | None:
    """Return folders by the split they hold, train first; None if any has another name: a class may be named train."""
    folders = {path.name: path for path in picture_files.subfolders(root, root)}
    split_of = {name: SPLIT_OF_FOLDER.get(name.lower()) for name in folders}
    if len(folders) < 2 or "train" not in split_of.values() or None in split_of.values():
        return None
    splits = {
        split: folders[name] for split in ("train", "validation", "test") for name in folders if split_of[name] == split
    }
    if len(splits) < len(folders):
        raise ValueError(f"A folder must have one folder for each split. Received: {root} with {', '.join(folders)}")
    return splits


def _labelled(
    source: pathlib.Path, root: pathlib.Path, labels: Mapping[str, int]
) -> tuple[list[tuple[str, int]], list[pathlib.Path]]:
    """Return paths and labels of the picture files of one split, and the other files."""
    entries, others = [], [] if source == root else picture_files.files_beside(source, root)
    for folder in picture_files.subfolders(source, root):
        if folder.name not in labels:
            raise ValueError(f"Every split must have the classes of train. Received: {folder}")
        for file in picture_files.files_in(folder, root):
            if picture_files.is_picture(file):
                entries.append((str(file), labels[folder.name]))
            else:
                others.append(file)
    return entries, others


def _refuse_folders_of_classes(
    entries: Sequence[tuple[str, int]], class_folders: Sequence[pathlib.Path], root: pathlib.Path
) -> None:
    """Refuse class folders that hold nothing but folders which look like classes.

    Pictures may be at any depth, as in `cat/images/1.jpg` or `cat/2024-05-01/1.jpg`. But where no class folder has a
    picture of its own, and one has several folders named like classes, the classes are likely one level below.
    """
    inside = {folder: {} for folder in class_folders}  # names directly inside, in order; "" where a picture is
    for path, label in entries:
        folder = class_folders[label]
        first, _, rest = path[len(str(folder)) + 1 :].partition("/")
        inside[folder][first if rest else ""] = None
    of_classes = [folder for folder, names in inside.items() if len(names) > 1 and all(map(_looks_like_class, names))]
    found = "; ".join(f"{folder.name} with {enumerated([*names])}" for folder, names in inside.items() if any(names))
    if any(folder.name.lower() in SPLIT_OF_FOLDER for folder in of_classes):
        others = [folder.name for folder in class_folders if folder.name.lower() not in SPLIT_OF_FOLDER]
        raise ValueError(
            "Beside a train folder with class folders only validation and test may be: move the others elsewhere, or "
            f"rename them. Received: {root} with {enumerated(others)}; {found}"
        )
    if of_classes and not any("" in names for names in inside.values()):
        advice = "move the pictures up into the class folders, or list files and labels in a CSV file"
        if len({tuple(names) for names in inside.values()}) == 1:
            advice = f"name the outer folders train, validation and test if they are splits; otherwise {advice}"
        raise ValueError(
            f"Class folders must hold pictures, and not folders of further classes: {advice}. {picture_files.LAYOUT}. "
            f"Received: {root}: {found}"
        )


def _looks_like_class(name: str) -> bool:
    """Return whether a name has no digits, as dates, numbers and parts have, or is a class of ImageNet."""
    return bool(SYNSET.fullmatch(name)) or (bool(name) and not any(character.isdigit() for character in name))
