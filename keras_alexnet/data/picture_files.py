"""Which files are pictures: the one walk over folders that training and prediction share. Needs no TensorFlow."""

import collections
import os
import pathlib
import re
import sys
from collections.abc import Iterable

from keras_alexnet.files import printable

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
ARCHIVES = (".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")
CONVERTIBLE = (".heic", ".heif", ".avif", ".tif", ".tiff", ".jxl")
SYSTEM_FOLDERS = ("__MACOSX",)  # copies of names, left by archives made on macOS
LAYOUT = (
    "Expected layout: one folder per class, as FOLDER/daisy/1.jpg and FOLDER/rose/2.jpg; or, with splits of your own, "
    "the same in FOLDER/train, FOLDER/validation and FOLDER/test"
)
TFDS_NAME = re.compile(r"[A-Za-z]\w*(/[\w.-]+)?(:[\w.+*-]+)*")  # name, configuration, version and variant


def dataset_folder(name: str | os.PathLike) -> pathlib.Path | None:
    """Return the folder that the name of a data set means, or None if it can only be the name of a TFDS set.

    Args:
        name: As on the command line: a path, or a name such as `cifar10` or `imagenet_resized/64x64`.

    Raises:
        ValueError: If it is a path that does not exist, a file, or a folder without at least two folders in it.

    Example:
        >>> dataset_folder("oxford_flowers102:flipped") is None
        True
    """
    name = os.fspath(name)
    path = pathlib.Path(name).expanduser()
    if path.is_dir():
        refuse_fewer_than_two_folders(path, path.resolve())
        return path
    if path.exists():
        advice = "unpack it first. " if path.suffix.lower() in ARCHIVES else ""
        raise ValueError(f"The data set must be a folder of pictures: {advice}{LAYOUT}. Received: {name}, a file")
    if TFDS_NAME.fullmatch(name) and not (path.parent != pathlib.Path() and path.parent.is_dir()):
        return None
    if os.sep in name or name.startswith("~"):
        raise ValueError(f"The folder of pictures does not exist. {LAYOUT}. Received: {name}")
    return None


def files_in(folder: str | os.PathLike, root: str | os.PathLike | None = None) -> list[pathlib.Path]:
    """Return the files in a folder and its subfolders, sorted.

    Left out are files and folders whose names begin with a dot (`.thumbnails`, `.DS_Store`), what macOS adds to
    archives, and symbolic links that lead out of the root.

    Args:
        folder: Path of the folder.
        root: Folder that links must not lead out of, the folder itself if None.
    """
    folder = pathlib.Path(folder)
    root = pathlib.Path(root or folder).resolve()
    return sorted(path for path in folder.rglob("*") if path.is_file() and _is_visible(path, folder, root))


def subfolders(folder: pathlib.Path, root: pathlib.Path) -> list[pathlib.Path]:
    """Return the folders directly in a folder, sorted, with the exceptions of `files_in`."""
    return sorted(path for path in folder.iterdir() if path.is_dir() and _is_visible(path, folder, root))


def _is_visible(path, folder, root):
    names = path.relative_to(folder).parts
    hidden = any(name.startswith(".") or name in SYSTEM_FOLDERS for name in names)
    return not hidden and path.resolve().is_relative_to(root)


def refuse_fewer_than_two_folders(folder: pathlib.Path, root: pathlib.Path) -> None:
    """Refuse a folder that cannot have two classes, and sketch what it should look like.

    Raises:
        ValueError: If there are fewer than two folders in it.
    """
    count = len(subfolders(folder, root))
    if count < 2:
        flat = sum(is_picture(path) and not path.name.startswith(".") for path in folder.iterdir())
        beside = f", and {flat} picture files beside them" if flat else ""
        raise ValueError(
            f"Pictures must be in at least two class folders. {LAYOUT}. "
            f"Received: {folder} with {count} class folders{beside}"
        )


def is_picture(path: pathlib.Path) -> bool:
    """Return whether the extension of a file is one of `EXTENSIONS`, in upper or lower case."""
    return path.suffix.lower() in EXTENSIONS


def picture_files(paths: Iterable[str | os.PathLike]) -> list[pathlib.Path]:
    """Return the picture files among files and in folders, including their subfolders.

    Args:
        paths: Files, which are taken whatever their names are; and folders, of which the files of `files_in` are taken
            that `is_picture`. Other files in folders are counted in one line on stderr.

    Returns:
        The paths; those of one folder sorted.

    Raises:
        ValueError: If a path does not exist, or there is no picture.
    """
    found, others = [], []
    for path in map(pathlib.Path, paths):
        if not path.exists():
            raise ValueError(f"Expected a picture or a folder of pictures. Received: {path}, which does not exist")
        inside = files_in(path) if path.is_dir() else [path]
        found += [file for file in inside if file == path or is_picture(file)]
        others += [file for file in inside if file != path and not is_picture(file)]
    if not found:
        received = f"{' '.join(map(str, paths))}{f' with {count_by_extension(others)}' if others else ''}"
        raise ValueError(f"Expected pictures ({' '.join(EXTENSIONS)}). Received: {received}")
    report_passed_over(others)
    return found


def report_passed_over(files: Iterable[pathlib.Path]) -> None:
    """Print one line on stderr that counts the files that were passed over; nothing if there are none."""
    files = list(files)
    if files:
        convertible = any(file.suffix.lower() in CONVERTIBLE for file in files)
        advice = "; convert photographs to JPEG or PNG to use them" if convertible else ""
        counts = printable(count_by_extension(files))
        print(f"Passed over {len(files)} other files: {counts}{advice}", file=sys.stderr)


def count_by_extension(files: Iterable[pathlib.Path]) -> str:
    """Count files by their extensions.

    Example:
        >>> count_by_extension([pathlib.Path("a.HEIC"), pathlib.Path("b.heic"), pathlib.Path("README")])
        '2 .heic, 1 without extension'
    """
    counts = collections.Counter(file.suffix.lower() or "without extension" for file in files)
    return ", ".join(f"{count} {extension}" for extension, count in counts.most_common())
