"""Archives of pictures, unpacked once into a cache."""

import contextlib
import lzma
import os
import pathlib
import shutil
import stat
import sys
import tarfile
import time
import zipfile
import zlib
from collections.abc import Callable, Iterator
from typing import IO, NamedTuple

from keras_alexnet.data import picture_files
from keras_alexnet.files import CAN_LOCK, PARTIAL, LockedError, digest, locked, remove_partial_files, temporary_folder
from keras_alexnet.text import printable, reason

ZIP = (".zip",)
TAR = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")
OTHERS = (".7z", ".rar", ".gz", ".bz2", ".xz", ".zst")  # archives that Python cannot unpack
UTF_8 = 0x800  # flag of a zip member: its name is in UTF-8
FREE_UNPACKED_BYTES = 2**30  # any archive may unpack to this many bytes
MAX_EXPANSION = 200  # ours: a larger archive may unpack to this multiple of its size; pictures hardly compress
STALE_SECONDS = 60  # a folder without a lock counts as abandoned after this time
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
    """Return whether a file has an extension that `unpack` supports.

    Example:
        >>> [is_archive(pathlib.Path(name)) for name in ("pets.zip", "17flowers.tgz", "pets.7z")]
        [True, True, False]
    """
    return path.name.lower().endswith(ZIP + TAR)


def unpack(archive: pathlib.Path, data_dir: str | os.PathLike | None = None) -> pathlib.Path:
    """Unpack an archive into the cache, and return the folder of its pictures.

    The cache is the folder `keras_alexnet` in `data_dir`, or else in `TFDS_DATA_DIR`, `XDG_CACHE_HOME` or `~/.cache`.
    The archive is unpacked atomically into a folder there, named after its SHA-256. Hidden files, links and special
    files are left out.

    Args:
        archive: Path of a zip or tar file.
        data_dir: Folder of data sets.

    Returns:
        The folder, or the only folder in it if that has subfolders.

    Raises:
        ValueError: If the archive is damaged or encrypted, has paths that lead out of its folder, or unpacks to many
            times its size.
        OSError: If the cache cannot be written.
    """
    cache = _cache(data_dir)
    folder = cache / digest(archive)
    if not folder.is_dir():
        _make(cache)
        _remove_stale(cache)
        print(printable(f"Unpacking {archive} to {folder} (only once)"), file=sys.stderr)
        _unpack_into(archive, folder)
    return _without_top_folder(folder)


def _cache(data_dir: str | os.PathLike | None) -> pathlib.Path:
    kept = data_dir or os.environ.get("TFDS_DATA_DIR") or os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return pathlib.Path(os.path.expanduser(kept)).resolve() / "keras_alexnet"


def _make(cache: pathlib.Path) -> None:
    try:
        cache.mkdir(parents=True, exist_ok=True)
        if not os.access(cache, os.W_OK):
            raise PermissionError("it is not writable")
    except OSError as error:
        raise OSError(
            f"The folder to unpack to must be writable: choose another as `data_dir`. Received: {cache}: {error}"
        ) from error


def _remove_stale(cache: pathlib.Path) -> None:
    """Remove the folders of killed processes. Running ones hold the lock of their folder, soon after creating it."""
    if not CAN_LOCK:
        return remove_partial_files(cache)
    for folder in cache.glob(f"{PARTIAL}*"):
        with contextlib.suppress(LockedError, OSError):
            if time.time() - folder.stat().st_mtime > STALE_SECONDS:
                with locked(folder):
                    shutil.rmtree(folder)


def _unpack_into(archive: pathlib.Path, folder: pathlib.Path) -> None:
    """Unpack an archive to a temporary folder, and rename it when it is complete."""
    try:
        with temporary_folder(folder.parent) as temporary, locked(temporary):
            _write_members(archive, temporary / "files")
            try:
                (temporary / "files").rename(folder)
            except OSError:
                if not folder.is_dir():  # no other process was faster
                    raise
    except DAMAGED as error:
        raise ValueError(f"The archive cannot be unpacked. Received: {archive}: {reason(error)}") from error


def _write_members(archive: pathlib.Path, folder: pathlib.Path) -> None:
    limit, total = max(FREE_UNPACKED_BYTES, MAX_EXPANSION * archive.stat().st_size), 0
    free = shutil.disk_usage(folder.parent).free
    folder.mkdir()
    for member in _members(archive):
        total += member.size
        if total > limit:
            raise ValueError(
                f"The archive unpacks to more than {MAX_EXPANSION} times its size: unpack it yourself if you trust it. "
                f"Received: {archive}"
            )
        if total > free:
            raise OSError(
                f"There is not enough space to unpack {archive}: free some, or choose another disk with `data_dir`. "
                f"Received: {free / 2**20:,.0f} MiB in {folder.parents[1]}"
            )
        parts = pathlib.PurePosixPath(member.name.replace("\\", "/")).parts  # some Windows programs write \
        if ".." in parts or pathlib.PurePosixPath(*parts).is_absolute() or any(map(_drive, parts)):
            raise ValueError(
                "An archive must not contain paths that lead out of its folder. "
                f"Received: {archive} with {member.name!r}"
            )
        if any(map(picture_files.is_system_name, parts)):
            continue
        target = folder.joinpath(*parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        with member.open() as source, target.open("wb") as file, _naming_damage():
            shutil.copyfileobj(source, file, 2**20)


def _drive(part: str) -> str:
    """Return the drive of Windows that a part of a path names, such as `C:`, or an empty string."""
    return pathlib.PureWindowsPath(part).drive


@contextlib.contextmanager
def _naming_damage() -> Iterator[None]:
    """Raise one of `DAMAGED` for the errors of bz2 and gzip, which are an `OSError` without a number."""
    try:
        yield
    except OSError as error:
        if error.errno is not None:  # of the disk
            raise
        raise tarfile.ReadError(str(error)) from error


def _members(archive: pathlib.Path) -> Iterator[Member]:
    """Return the regular files of an archive, without links and devices."""
    if archive.name.lower().endswith(ZIP):
        with zipfile.ZipFile(archive) as opened:
            files = [info for info in opened.infolist() if not info.filename.endswith(("/", "\\"))]
            names = [info.filename if info.flag_bits & UTF_8 else _as_utf_8(info.filename) for info in files]
            if None in names:
                print(
                    "The zip file does not say how its names are encoded, so some may be wrong, such as "
                    f"{printable(files[names.index(None)].filename)}. Pass the unpacked folder instead.",
                    file=sys.stderr,
                )
            for info, name in zip(files, names, strict=True):
                if not stat.S_ISLNK(info.external_attr >> 16):
                    yield Member(name or info.filename, info.file_size, lambda info=info: opened.open(info))
    else:
        with tarfile.open(archive) as opened, _naming_damage():
            for info in opened:
                if info.isreg():
                    yield Member(info.name, info.size, lambda info=info: opened.extractfile(info))
            opened.fileobj.seek(opened.offset)
            if any(opened.fileobj.read(tarfile.BLOCKSIZE)):  # `tarfile` stops without an error at a damaged header
                raise tarfile.ReadError(f"damaged after {opened.offset:,} bytes")


def _as_utf_8(name: str) -> str | None:
    """Return a name that `zipfile` read as code page 437 as UTF-8, None if it is not UTF-8."""
    try:
        return name.encode("cp437").decode()
    except UnicodeError:
        return None


def _without_top_folder(folder: pathlib.Path) -> pathlib.Path:
    """Descend into a folder as long as it is the only one and has subfolders."""
    while True:
        inside = picture_files.subfolders(folder, folder)
        pictures = any(map(picture_files.is_picture, picture_files.files_beside(folder, folder)))
        if len(inside) != 1 or pictures or not picture_files.subfolders(inside[0], folder):
            return folder
        folder = inside[0]
