"""A folder of class folders: its picture files and their splits."""

import difflib
import pathlib
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence

from keras_alexnet.data import csv_labels, picture_files
from keras_alexnet.data.identity import SPLIT_OF_NAME, SPLITS
from keras_alexnet.data.labeled_files import LabeledFiles, check_classes_not_empty, check_printable_names
from keras_alexnet.text import enumerated, plural

SYNSET = re.compile(r"n\d{8}")  # a class of ImageNet
PART = re.compile(r"(fold|split|batch|cam|camera|session)[ _-]?\d+", re.IGNORECASE)


def find(folder: pathlib.Path) -> LabeledFiles:
    """Find the pictures of a folder.

    The folder contains one folder per class; or `train` and one or both of `validation` (also `val` or `valid`) and
    `test`, each with one folder per class. Pictures are the files of `picture_files.files_in` with one of the
    `picture_files.EXTENSIONS`, at any depth. Class names and files are sorted.

    Args:
        folder: Path of the folder, resolved.

    Raises:
        ValueError: If there are fewer than two classes, a class has no pictures or contains only folders that look like
            classes themselves, or another split has a class that `train` does not have.
    """
    sources = _split_folders(folder) or {"all": folder}
    train = next(iter(sources.values()))
    class_folders = picture_files.subfolders(train, folder)
    _check_two_classes(train, folder)
    class_names = tuple(path.name for path in class_folders)
    check_printable_names(class_names, train)
    labels = {name: label for label, name in enumerate(class_names)}
    others = picture_files.files_beside(folder, folder) + picture_files.ignored_links(folder, folder)
    splits = {}
    for split, source in sources.items():
        splits[split], passed_over = _labeled(source, folder, labels)
        others += passed_over
    _check_no_folders_of_classes(splits[next(iter(sources))], class_folders, folder)
    files = LabeledFiles(folder, folder, class_names, splits, tuple(others))
    check_classes_not_empty(files)
    return files


def _check_two_classes(folder: pathlib.Path, root: pathlib.Path) -> None:
    """Check that a folder has at least two classes."""
    folders = picture_files.subfolders(folder, root)
    if len(folders) > 1:
        return
    beside = picture_files.files_beside(folder, root)
    flat = sum(map(picture_files.is_picture, beside))
    received = f"{folder} with {plural(len(folders), 'class folder')}"
    received += f" and {plural(flat, 'picture')} outside" * bool(flat)
    # `_classes.csv`, of Roboflow's exports, has a column for each class
    near = beside if folder == root else [*beside, *picture_files.files_beside(root, root)]
    tables = [file for file in near if csv_labels.is_table(file) and file.name != "_classes.csv"]
    if links := picture_files.ignored_links(folder, root):
        received += f" (symbolic links are ignored: {enumerated([link.name for link in links])})"
    if tables:
        names = enumerated([file.name for file in tables])
        received += f" (if {names} has their labels, use {tables[0]})"
    elif deeper := _with_several_folders(folder, root):
        received += f" (did you mean {deeper}?)"
    raise ValueError(f"Pictures must be in at least two class folders. {picture_files.LAYOUT}. Received: {received}")


def _with_several_folders(folder: pathlib.Path, root: pathlib.Path) -> pathlib.Path | None:
    """Return the folder with several folders in it that is inside single ones; None if there is none."""
    folders = picture_files.subfolders(folder, root)
    while len(folders) == 1:
        (folder,) = folders
        folders = picture_files.subfolders(folder, root)
    return folder if folders else None


def _split_folders(root: pathlib.Path) -> dict[str, pathlib.Path] | None:
    """Return folders by split, train first; None if any folder has another name, since a class may be named train."""
    folders = {path.name: path for path in picture_files.subfolders(root, root)}
    split_of = {name: SPLIT_OF_NAME.get(name.lower()) for name in folders}
    if len(folders) < 2 or "train" not in split_of.values() or None in split_of.values():
        return None
    splits = {split: _unnested(folders[name], root) for split in SPLITS for name in folders if split_of[name] == split}
    if len(splits) < len(folders):
        raise ValueError(f"A folder must have one folder for each split. Received: {root} with {', '.join(folders)}")
    return splits


def _unnested(folder: pathlib.Path, root: pathlib.Path) -> pathlib.Path:
    """Return the only folder in a folder, if it has the same name and there are no pictures beside it.

    Many downloads are nested like this.
    """
    inside, beside = picture_files.subfolders(folder, root), picture_files.files_beside(folder, root)
    is_nested = [path.name.lower() for path in inside] == [folder.name.lower()]
    return inside[0] if is_nested and not any(map(picture_files.is_picture, beside)) else folder


def _labeled(
    source: pathlib.Path, root: pathlib.Path, labels: Mapping[str, int]
) -> tuple[list[tuple[str, int]], list[pathlib.Path]]:
    """Return paths and labels of the picture files of one split, and the other files."""
    entries, others = [], [] if source == root else picture_files.files_beside(source, root)
    composed = {unicodedata.normalize("NFC", name): label for name, label in labels.items()}
    for folder in picture_files.subfolders(source, root):
        label = composed.get(unicodedata.normalize("NFC", folder.name))  # macOS writes accents in another way
        if label is None:
            raise ValueError(
                f"Every split must have the classes of train. Received: {folder}{_similar(folder.name, labels)}"
            )
        for file in picture_files.files_in(folder, root):
            if picture_files.is_picture(file):
                entries.append((str(file), label))
            else:
                others.append(file)
    return entries, others


def _similar(name: str, classes: Iterable[str]) -> str:
    """Return the class that a name is probably meant to be, in parentheses; an empty text if there is none."""
    by_lower_case = {each.casefold(): each for each in classes}
    near = difflib.get_close_matches(name.casefold(), by_lower_case, n=1, cutoff=0.8)
    return f" (train has {by_lower_case[near[0]]})" if near else ""


def _check_no_folders_of_classes(
    entries: Sequence[tuple[str, int]], class_folders: Sequence[pathlib.Path], root: pathlib.Path
) -> None:
    """Check that the class folders do not contain only folders that look like classes.

    Pictures may be at any depth, as in `cat/images/1.jpg` or `cat/2024-05-01/1.jpg`. But if no class folder directly
    contains a picture, and one has several folders named like classes, the classes are probably one level below. They
    are two levels below in a folder that is named like a split and has only one folder, of the same name.
    """
    inside = {folder: {} for folder in class_folders}  # names directly inside, in order; "" where a picture is
    for path, label in entries:
        folder = class_folders[label]
        first, *rest = pathlib.PurePath(path).relative_to(folder).parts
        inside[folder][first if rest else ""] = None
    _check_no_class_in_another(inside, root)
    has_pictures = any("" in names for names in inside.values())
    of_classes = [
        folder
        for folder, names in inside.items()
        if (not has_pictures and [*names] == [folder.name] and folder.name.lower() in SPLIT_OF_NAME)
        or (len(names) > 1 and (all(map(_looks_like_class, names)) or _is_part_like_another(folder, inside)))
    ]
    found = "; ".join(f"{folder.name} with {enumerated([*names])}" for folder, names in inside.items() if any(names))
    if any(folder.name.lower() in SPLIT_OF_NAME for folder in of_classes):
        others = [folder.name for folder in class_folders if folder.name.lower() not in SPLIT_OF_NAME]
        if not others:
            raise ValueError(
                "Splits must include a train folder: add it, or pass the path of one of them to split that one. "
                f"Received: {root} with {found}"
            )
        raise ValueError(
            "Only validation and test folders may be next to a train folder with class folders: move or rename the "
            f"others. Received: {root} with {enumerated(others)}; {found}"
        )
    if of_classes and not has_pictures:
        advice = "move the pictures up into the class folders, or list files and labels in a CSV file"
        if len({tuple(names) for names in inside.values()}) == 1:
            advice = f"name the outer folders train, validation and test if they are splits; otherwise {advice}"
        raise ValueError(
            f"Class folders must contain pictures, not folders of other classes: {advice}. {picture_files.LAYOUT}. "
            f"Received: {root}: {found}"
        )


def _check_no_class_in_another(inside: Mapping[pathlib.Path, Mapping[str, None]], root: pathlib.Path) -> None:
    """Check that no class folder contains a folder with the name of another class."""
    classes = {folder.name.casefold() for folder in inside}
    for folder, names in inside.items():
        if also := [name for name in names if name.casefold() in classes - {folder.name.casefold()}]:
            raise ValueError(
                "A class folder must not contain folders that are named like other classes, since their pictures would "
                f"get the wrong label: move or rename them. Received: {root}: {folder.name} with {enumerated(also)}"
            )


def _is_part_like_another(folder: pathlib.Path, inside: Mapping[pathlib.Path, Mapping[str, None]]) -> bool:
    """Return whether a folder is named like a part of the data and has the same folders as another.

    Parts are splits, such as train and eval, and numbered folds.
    """
    names = {*inside[folder]}
    others = ({*names_of_other} for other, names_of_other in inside.items() if other != folder)
    is_part = folder.name.lower() in SPLIT_OF_NAME or PART.fullmatch(folder.name)
    return bool(is_part) and "" not in names and names in others


def _looks_like_class(name: str) -> bool:
    """Return whether a name has no digits, unlike dates and part numbers, or is a class of ImageNet."""
    return bool(SYNSET.fullmatch(name)) or (bool(name) and not any(character.isdigit() for character in name))
