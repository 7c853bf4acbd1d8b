"""Find picture files in folders, for training and for prediction, without TensorFlow."""

import collections
import os
import pathlib
import sys
from collections.abc import Iterable

from keras_alexnet.text import is_unicode, plural, printable

EXTENSIONS = (".jpg", ".jpeg", ".jfif", ".jpe", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".avif")
CONVERTIBLE = (".heic", ".heif", ".jxl", ".psd", ".svg")
CONVERTIBLE += (".raw", ".dng", ".cr2", ".cr3", ".nef", ".arw", ".raf", ".orf", ".rw2")  # of cameras
LINK = "symbolic link"  # in counts of files
# in lower case: of archives made on macOS, of network disks (with thumbnails), of Windows, and of Linux disks
SYSTEM_FOLDERS = ("__macosx", "@eadir", "#recycle", "$recycle.bin", "system volume information", "lost+found")
# in lower case; the last is from macOS, the others from Windows
SYSTEM_FILES = ("thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r")
LAYOUT = (
    "Expected layout: one folder per class, such as FOLDER/daisy/1.jpg and FOLDER/rose/2.jpg; with your own splits, "
    "the same in FOLDER/train, FOLDER/validation and FOLDER/test; or a CSV file of files and labels"
)


def in_order(paths: Iterable[pathlib.PurePath]) -> list[pathlib.PurePath]:
    """Sort paths in the same way on all systems, so that a seed gives the same split everywhere.

    Windows ignores case when it compares paths.

    Example:
        >>> [path.name for path in in_order(map(pathlib.PureWindowsPath, ("dsc_1.jpg", "IMG_1.jpg")))]
        ['IMG_1.jpg', 'dsc_1.jpg']
    """
    return sorted(paths, key=lambda path: path.parts)


def files_in(folder: str | os.PathLike, root: str | os.PathLike | None = None) -> list[pathlib.Path]:
    """Return the files in a folder and its subfolders, sorted.

    These are left out: files and folders whose names begin with a dot (`.thumbnails`, `.DS_Store`), folders and
    files that operating systems add (`__MACOSX`, `@eaDir`, `Thumbs.db`), and symbolic links that lead out of the root.

    Args:
        folder: Path of the folder.
        root: Folder that links must not lead out of, the folder itself if None.
    """
    root = os.path.realpath(root or folder)
    found, folders = [], [os.fspath(folder)]
    while folders:
        with os.scandir(folders.pop()) as entries:
            for entry in entries:
                if not _is_visible(entry, root):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif os.path.isfile(entry.path):
                    found.append(pathlib.Path(entry.path))
    return in_order(found)


def subfolders(folder: pathlib.Path, root: pathlib.Path) -> list[pathlib.Path]:
    """Return the folders directly in a folder, sorted, with the exceptions of `files_in`."""
    real = os.path.realpath(root)
    with os.scandir(folder) as entries:
        visible = [entry.path for entry in entries if _is_visible(entry, real)]
    return in_order(pathlib.Path(path) for path in visible if os.path.isdir(path))


def files_beside(folder: pathlib.Path, root: pathlib.Path) -> list[pathlib.Path]:
    """Return the files directly in a folder, sorted, with the exceptions of `files_in`."""
    real = os.path.realpath(root)
    with os.scandir(folder) as entries:
        visible = [entry.path for entry in entries if _is_visible(entry, real)]
    return in_order(pathlib.Path(path) for path in visible if os.path.isfile(path))


def ignored_links(folder: pathlib.Path, root: pathlib.Path) -> list[pathlib.Path]:
    """Return the symbolic links in a folder and its subfolders that `files_in` leaves out, sorted."""
    real, links, folders = os.path.realpath(root), [], [os.fspath(folder)]
    while folders:
        with os.scandir(path := folders.pop()) as entries:
            for entry in entries:
                if is_system_name(entry.name):
                    continue
                if entry.is_dir(follow_symlinks=False):
                    folders.append(entry.path)
                elif entry.is_symlink():
                    # not `entry.is_dir`, which fails for links in a circle
                    is_nested_folder = os.path.isdir(entry.path) and path != os.fspath(folder)
                    if is_nested_folder or not _is_visible(entry, real) or not os.path.exists(entry.path):
                        links.append(pathlib.Path(entry.path))
    return in_order(links)


def is_system_name(name: str) -> bool:
    """Return whether a file or folder is hidden or was added by an operating system.

    Example:
        >>> [is_system_name(name) for name in (".DS_Store", "__MACOSX", "@eaDir", "Thumbs.db", "rose.jpg")]
        [True, True, True, True, False]
    """
    return name.startswith(".") or name.lower() in SYSTEM_FOLDERS + SYSTEM_FILES


def _is_visible(entry, root):
    if is_system_name(entry.name):
        return False
    if not is_unicode(entry.name):
        raise ValueError(
            f"The names of files and folders must be in UTF-8: rename this one. Received: {os.fsencode(entry.path)!r}"
        )
    return not entry.is_symlink() or pathlib.Path(os.path.realpath(entry.path)).is_relative_to(root)


def is_picture(path: pathlib.PurePath) -> bool:
    """Return whether the extension of a file is one of `EXTENSIONS`, in upper or lower case."""
    return path.suffix.lower() in EXTENSIONS


def picture_files(paths: Iterable[str | os.PathLike]) -> list[pathlib.Path]:
    """Return the picture files among files and in folders, including their subfolders.

    Args:
        paths: Files, with any name; and folders, of which the files of `files_in` count that `is_picture`. Other files
            in folders are counted in one line on stderr.

    Returns:
        The paths; those of one folder sorted.

    Raises:
        ValueError: If a path does not exist, or there is no picture.
    """
    found, others, paths = [], [], [*map(pathlib.Path, paths)]
    for path in paths:
        if not path.exists():
            raise ValueError(f"Expected a picture or a folder of pictures. Received: {path}, which does not exist")
        inside = files_in(path) if path.is_dir() else [path]
        found += [file for file in inside if file == path or is_picture(file)]
        others += [file for file in inside if file != path and not is_picture(file)]
    others += [link for path in paths if path.is_dir() for link in ignored_links(path, path)]
    if not found:
        received = f"{' '.join(map(str, paths))}{f' with {describe_others(others)}' if others else ''}"
        raise ValueError(f"Expected pictures ({' '.join(EXTENSIONS)}). Received: {received}")
    report_passed_over(others)
    return found


def report_passed_over(files: Iterable[pathlib.PurePath]) -> None:
    """Print one line on stderr that counts the ignored files, if there are any."""
    files = list(files)
    if files:
        print(f"Ignored {plural(len(files), 'other file')}: {printable(describe_others(files))}", file=sys.stderr)


def describe_others(files: Iterable[pathlib.PurePath]) -> str:
    """Count ignored files by extension, and say what to do with photographs in other formats.

    Example:
        >>> describe_others([pathlib.Path("a.heic"), pathlib.Path("notes.txt")])
        '1 .heic, 1 .txt; convert .heic to JPEG to use them'
    """
    files = list(files)
    convertible = {extension for file in files if (extension := file.suffix.lower()) in CONVERTIBLE}
    advice = f"; convert {', '.join(sorted(convertible))} to JPEG to use them" if convertible else ""
    return f"{count_by_extension(files)}{advice}"


def count_by_extension(files: Iterable[pathlib.PurePath]) -> str:
    """Count files by extension, and symbolic links.

    Example:
        >>> count_by_extension([pathlib.Path("a.HEIC"), pathlib.Path("b.heic"), pathlib.Path("README")])
        '2 .heic, 1 without extension'
    """
    counts = collections.Counter(
        LINK if os.path.islink(file) else file.suffix.lower() or "without extension" for file in files
    )
    return ", ".join(plural(n, kind) if kind == LINK else f"{n} {kind}" for kind, n in counts.most_common())
