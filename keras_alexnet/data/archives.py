"""Zipped folders of pictures, unpacked once into a cache."""

import contextlib
import lzma
import os
import pathlib
import shutil
import stat
import sys
import tarfile
import tempfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from keras_alexnet.data import picture_files
from keras_alexnet.files import PARTIAL, LockedError, digest, locked, printable

ZIP = (".zip",)
TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
OTHERS = (".7z", ".rar", ".gz", ".bz2", ".xz", ".zst")  # archives that Python cannot unpack
HARMLESS = 2**30  # bytes that any archive may unpack to
MOST_TIMES = 200  # ours: a larger archive may unpack to so many times its size; pictures hardly shrink
UNLOCKED = 60  # seconds after which a folder without a lock is nobody's
DAMAGED = (
    zipfile.BadZipFile,
    tarfile.TarError,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
)


class Member(NamedTuple):
    """A file in an archive."""

    name: str
    size: int
    open: Callable[[], IO[bytes] | None]


def is_archive(path: pathlib.PurePath) -> bool:
    """Return whether the name of a file ends as those that `unpack` reads.

    Example:
        >>> [is_archive(pathlib.Path(name)) for name in ("pets.zip", "17flowers.tgz", "pets.7z")]
        [True, True, False]
    """
    return path.name.lower().endswith(ZIP + TAR)


def unpack(archive: pathlib.Path, data_dir: str | os.PathLike | None = None) -> pathlib.Path:
    """Unpack an archive into the cache, and return the folder of its pictures.

    The cache is a folder `keras_alexnet` in `data_dir`, else in `TFDS_DATA_DIR`, else in `~/.cache`. The folder there
    is named after the SHA-256 of the archive, and complete or not there. Hidden files, links and what is neither file
    nor folder are left out.

    Args:
        archive: Path of a zip or tar file.
        data_dir: Where data are kept.

    Returns:
        The folder. Where everything is in one folder with further ones in it, that one.

    Raises:
        ValueError: If the archive is damaged or encrypted, leads out of its folder, or unpacks to far more than it is.
        OSError: If the cache cannot be written.
    """
    cache = _cache(data_dir)
    folder = cache / digest(archive)
    if not folder.is_dir():
        _make(cache)
        _remove_stale(cache)
        print(printable(f"Unpacking {archive} into {folder}, once"), file=sys.stderr)
        _unpack_into(archive, folder)
    return _without_top_folder(folder)


def _cache(data_dir: str | os.PathLike | None) -> pathlib.Path:
    kept = data_dir or os.environ.get("TFDS_DATA_DIR") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(kept).expanduser().resolve() / "keras_alexnet"


def _make(cache: pathlib.Path) -> None:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if not os.access(cache, os.W_OK):
            raise PermissionError("it cannot be written")
    except OSError as error:
        raise OSError(
            f"The folder to unpack into must be writable: name another one with --data-dir. Received: {cache}: {error}"
        ) from error


def _remove_stale(cache: pathlib.Path) -> None:
    """Remove what killed processes were unpacking. Others hold the lock of their folder, a moment after making it."""
    for folder in cache.glob(f"{PARTIAL}*"):
        with contextlib.suppress(LockedError, OSError):
            if time.time() - folder.stat().st_mtime > UNLOCKED:
                with locked(folder):
                    shutil.rmtree(folder)


def _unpack_into(archive: pathlib.Path, folder: pathlib.Path) -> None:
    """Write the files of an archive into a folder of another name, and rename that when all are there."""
    temporary = pathlib.Path(tempfile.mkdtemp(prefix=PARTIAL, dir=folder.parent))
    try:
        with locked(temporary):
            _write_members(archive, temporary / "files")
            with contextlib.suppress(OSError):  # another process was faster
                (temporary / "files").rename(folder)
    except DAMAGED as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise ValueError(f"Expected an archive that can be unpacked. Received: {archive}: {reason}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _write_members(archive: pathlib.Path, folder: pathlib.Path) -> None:
    limit, total = max(HARMLESS, MOST_TIMES * archive.stat().st_size), 0
    free = shutil.disk_usage(folder.parent).free
    folder.mkdir()
    for member in _members(archive):
        total += member.size
        if total > limit:
            raise ValueError(
                f"An archive must not unpack to more than {MOST_TIMES} times its size: unpack it yourself if you trust "
                f"it. Received: {archive}"
            )
        if total > free:
            raise OSError(
                f"There is not enough space to unpack {archive}: free some, or name another disk with --data-dir. "
                f"Received: {free / 2**20:,.0f} MiB in {folder.parents[1]}"
            )
        parts = pathlib.PurePosixPath(member.name.replace("\\", "/")).parts  # some programs of Windows write \
        if ".." in parts or pathlib.PurePosixPath(*parts).is_absolute():
            raise ValueError(f"An archive must stay inside its folder. Received: {archive} with {member.name!r}")
        if any(map(picture_files.is_system_name, parts)):
            continue
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with member.open() as source, target.open("wb") as file:
            shutil.copyfileobj(source, file, 2**20)


def _members(archive: pathlib.Path) -> Iterator[Member]:
    """Return the regular files of an archive, without links and devices."""
    if archive.name.lower().endswith(ZIP):
        with zipfile.ZipFile(archive) as opened:
            for info in opened.infolist():
                if not info.is_dir() and not stat.S_ISLNK(info.external_attr >> 16):
                    yield Member(info.filename, info.file_size, lambda info=info: opened.open(info))
    else:
        with tarfile.open(archive) as opened:
            for info in opened:
                if info.isreg():
                    yield Member(info.name, info.size, lambda info=info: opened.extractfile(info))


def _without_top_folder(folder: pathlib.Path) -> pathlib.Path:
    """Go into a folder as long as there is nothing beside it, and further folders are in it."""
    while True:
        inside = picture_files.subfolders(folder, folder)
        pictures = any(map(picture_files.is_picture, picture_files.files_beside(folder, folder)))
        if len(inside) != 1 or pictures or not picture_files.subfolders(inside[0], folder):
            return folder
        folder = inside[0]
