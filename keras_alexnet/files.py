"""Files that are complete or not there, and folders that only one process writes to."""

import contextlib
import hashlib
import os
import pathlib
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from typing import NoReturn

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there
    fcntl = None

# Control characters except tabs and line ends, and those that change the direction of writing.
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")
PARTIAL = ".keras_alexnet-partial-"  # begins the name of a file that is being written; nobody else's file does

_being_written: set[pathlib.Path] = set()


class LockedError(ValueError):
    """Another process has the lock of a folder."""


@contextlib.contextmanager
def atomic_write(path: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yield a temporary path; what is written there becomes `path` in one step, or is removed if writing fails.

    A crash leaves the old file or the new one, never half of one. So does a power cut: the data are on disk before the
    file gets its name.

    Raises:
        OSError: If it cannot be written. The old file is kept.

    Example:
        >>> import tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> with atomic_write(folder / "classes.txt") as temporary:
        ...     _ = temporary.write_text("daisy")
        >>> [file.name for file in folder.iterdir()]
        ['classes.txt']
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f"{PARTIAL}{os.getpid()}-{path.name}")  # the ending stays: writers go by it
    _being_written.add(temporary)
    try:
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        reason = " ".join(str(error).split())[:300]
        raise OSError(
            f"Could not write {path}; the old file is kept. Free some space or change the permissions. "
            f"Received: {reason}"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)
        _being_written.discard(temporary)


def check_new(path: str | os.PathLike[str], flag: str) -> None:
    """Check that a file that a user names does not exist, so that nothing of the user's is overwritten.

    Args:
        path: The file.
        flag: The flag that names it, for the message.

    Raises:
        ValueError: If it exists, or is a link to nowhere.
    """
    if os.path.lexists(path):
        raise ValueError(f"Expected a new name for the file: give another with {flag}. Received: {path}, which exists")


@contextlib.contextmanager
def temporary_folder(parent: str | os.PathLike[str]) -> Iterator[pathlib.Path]:
    """Yield a new folder in `parent`. It is removed with all that is in it, also where a signal ends the process.

    Example:
        >>> parent = pathlib.Path(tempfile.mkdtemp())
        >>> with temporary_folder(parent) as folder:
        ...     _ = (folder / "half").write_text("")
        >>> list(parent.iterdir())
        []
    """
    folder = pathlib.Path(tempfile.mkdtemp(prefix=PARTIAL, dir=parent))
    _being_written.add(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
        _being_written.discard(folder)


def remove_partial_files(folder: str | os.PathLike[str]) -> None:
    """Remove the files that killed processes were writing in a folder and in the folders below it."""
    for file in pathlib.Path(folder).rglob(f"{PARTIAL}*"):
        if file.is_file():
            file.unlink()


def exit_at_once(status: int) -> NoReturn:
    """End the process without running anything else, and leave no half-written file behind."""
    for temporary in list(_being_written):
        shutil.rmtree(temporary, ignore_errors=True) if temporary.is_dir() else temporary.unlink(missing_ok=True)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)


def printable(text: str) -> str:
    r"""Return a text with the characters escaped that would control a terminal; file names may contain them.

    Example:
        >>> print(printable("rose\x1b[2J.jpg: damaged"))
        rose\x1b[2J.jpg: damaged
    """
    return STEERING.sub(lambda found: repr(found[0])[1:-1], text)


def digest(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file in hexadecimal.

    Example:
        >>> digest(os.devnull)[:8]
        'e3b0c442'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def locked(folder: str | os.PathLike[str]) -> Iterator[None]:
    """Hold the lock of `folder`. The system releases it when the process ends, however it ends.

    Raises:
        LockedError: If another process holds it.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockedError(
                f"Another process is training in this run folder: wait for it, or name another with --run. "
                f"Received: {folder}"
            ) from None
        yield
    finally:
        os.close(handle)
