"""Atomic writes, locks on folders, and other helpers for files."""

import contextlib
import errno
import hashlib
import os
import pathlib
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from typing import NoReturn

from keras_alexnet.text import reason

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there
    fcntl = None
CAN_LOCK = fcntl is not None
WITHOUT_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP}  # from file systems that have no locks

PARTIAL = ".keras_alexnet-partial-"  # prefix of a file that is being written; no other file has it

_being_written: set[pathlib.Path] = set()


class LockedError(ValueError):
    """Another process has the lock of a folder."""


class WriteError(OSError):
    """A file cannot be written.

    Args:
        path: The file, or the folder for it.
        cause: The error of the operating system.
        then: What to do when the cause is removed, as part of a sentence.
    """

    def __init__(self, path: str | os.PathLike[str], cause: OSError, then: str = "") -> None:
        super().__init__(
            f"Could not write {path}; any old file is kept. Free some space or change the permissions"
            f"{then and f', then {then}'}. Received: {reason(cause)}"
        )
        self.path, self.cause = path, cause


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yield a temporary path. It is renamed to `path` on success and removed on failure.

    A crash or a power cut leaves the old file or the new one, never a partial file: the data are on disk before the
    file is renamed.

    Raises:
        WriteError: If the file cannot be written. The old file is kept.

    Example:
        >>> import tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> with atomic_write(folder / "classes.txt") as temporary:
        ...     _ = temporary.write_text("daisy")
        >>> [file.name for file in folder.iterdir()]
        ['classes.txt']
    """
    path = pathlib.Path(path)
    # with the same extension, which writers depend on
    temporary = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")
    _being_written.add(temporary)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise WriteError(path, error) from error
    finally:
        _remove(temporary)
        _being_written.discard(temporary)


def write_text(path: str | os.PathLike[str], text: str) -> None:
    """Write a text file in UTF-8, with `atomic_write`."""
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def absolute_if_exists(name: str) -> str:
    """Return the absolute path of a file or folder that exists, else the name, such as that of a data set."""
    path = pathlib.Path(os.path.expanduser(name))
    return str(path.resolve()) if path.exists() else name


def relative_path(path: str | os.PathLike[str], folder: str | os.PathLike[str]) -> str:
    """Return a path relative to a folder, or the path itself if it is on another drive of Windows."""
    try:
        return os.path.relpath(path, folder)
    except ValueError:
        return os.fspath(path)


def check_new(path: str | os.PathLike[str], name: str) -> None:
    """Check that a file that the user names does not exist, so that it is not overwritten.

    Args:
        path: The file.
        name: The flag or argument that names it, for the message.

    Raises:
        ValueError: If it exists, or is a broken link.
    """
    if os.path.lexists(path):
        raise ValueError(f"The file already exists: choose another name with {name}. Received: {path}")


@contextlib.contextmanager
def temporary_folder(parent: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yield a new folder in `parent`. It is removed with its contents, even if a signal ends the process.

    Raises:
        WriteError: If it cannot be made.

    Example:
        >>> parent = pathlib.Path(tempfile.mkdtemp())
        >>> with temporary_folder(parent) as folder:
        ...     _ = (folder / "half").write_text("")
        >>> list(parent.iterdir())
        []
    """
    try:
        folder = pathlib.Path(tempfile.mkdtemp(prefix=f"{PARTIAL}{os.getpid()}-", dir=parent))
    except OSError as error:
        raise WriteError(parent, error) from error
    _being_written.add(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        _being_written.discard(folder)


def remove_partial_files(folder: str | os.PathLike[str]) -> None:
    """Remove the partial files and temporary folders of killed processes in a folder and its subfolders."""
    import psutil  # here, so that other commands start faster

    for path in [*pathlib.Path(folder).rglob(f"{PARTIAL}*")]:
        process = re.match(r"\d+", path.name.removeprefix(PARTIAL))
        if process and int(process[0]) != os.getpid() and psutil.pid_exists(int(process[0])):
            continue
        _remove(path)


def exit_at_once(status: int) -> NoReturn:
    """End the process immediately, and leave no partial file."""
    for temporary in list(_being_written):
        _remove(temporary)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError, RuntimeError):  # a pipe without a reader, or an interrupted print
            stream.flush()
    os._exit(status)


def _remove(path: pathlib.Path) -> None:
    """Remove a file or folder if possible. In a read-only folder this fails even if there is none."""
    with contextlib.suppress(OSError):
        shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def last_part(name: str) -> str:
    """Return the last part of an absolute path. Other names, such as those of TFDS, do not change.

    Example:
        >>> last_part(os.path.abspath("pets/")), last_part("imagenet_resized/64x64")
        ('pets', 'imagenet_resized/64x64')
    """
    path = pathlib.PurePath(name)
    return path.name if path.is_absolute() else name


def digest(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Example:
        >>> digest(os.devnull)[:8]
        'e3b0c442'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def locked(folder: str | os.PathLike[str], wait: bool = False) -> Iterator[None]:
    """Hold the lock of `folder`. The operating system releases it when the process ends for any reason.

    Nothing is locked on Windows and on file systems without locks.

    Args:
        folder: The folder, or a file.
        wait: Whether to wait for another process that holds it.

    Raises:
        LockedError: If another process holds it, unless `wait` is true.
    """
    if not CAN_LOCK:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(
                f"Another process is using this folder: wait for it, or choose another. Received: {folder}"
            ) from None
        except OSError as error:
            if error.errno not in WITHOUT_LOCKS:
                raise
        yield
    finally:
        os.close(handle)
