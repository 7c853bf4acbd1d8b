"""Files that are whole or not there, and folders that one process alone writes to."""

import contextlib
import hashlib
import os
import pathlib
import re

try:
    import fcntl
except ImportError:  # Windows: nothing is locked there
    fcntl = None

# Control characters but for tabs and ends of lines, and those that turn the direction of writing.
STEERING = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069]")


@contextlib.contextmanager
def atomic_write(path):
    """A path to write to; what is written there becomes `path` in one step, or vanishes if the writing fails.

    A crash leaves the old file or the new one, never a half; so does a power cut: the disk has it before it moves.

    Raises:
        OSError: If it cannot be written; what stood there stays.

    Example:
        >>> import tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> with atomic_write(folder / "classes.txt") as temporary:
        ...     _ = temporary.write_text("daisy")
        >>> [file.name for file in folder.iterdir()]
        ['classes.txt']
    """
    path = pathlib.Path(path)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")  # keeps the ending: writers go by it
    try:
        yield temporary
        _flush(temporary)
        os.replace(temporary, path)
    except OSError as error:
        reason = " ".join(str(error).split())[:300]
        raise OSError(
            f"Expected to write {path}; what stood there is kept. Make room or mend the permissions. Received: {reason}"
        ) from error
    finally:
        temporary.unlink(missing_ok=True)


def _flush(path):
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def remove_partial_files(folder):
    """Removes what killed processes left half written, in a folder and the folders in it."""
    for file in pathlib.Path(folder).rglob(".*.*"):
        if file.is_file() and file.suffixes and file.name.split(".")[-2].isdigit():
            file.unlink()


def printable(text):
    r"""A text that may have a stranger's names in it, with those characters escaped that would steer a terminal.

    Example:
        >>> print(printable("rose\x1b[2J.jpg: broken"))
        rose\x1b[2J.jpg: broken
    """
    return STEERING.sub(lambda found: repr(found[0])[1:-1], text)


def digest(path):
    """SHA-256 of a file in hexadecimal.

    Example:
        >>> digest(os.devnull)[:8]
        'e3b0c442'
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def locked(folder):
    """Within, no other process gets the lock of `folder`. The system takes it back from a process that dies.

    Raises:
        ValueError: If another process has it.
    """
    if fcntl is None:
        yield
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        _lock(handle, folder)
        yield
    finally:
        os.close(handle)


def _lock(handle, folder):
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise ValueError(f"Expected a run folder that no other process trains. Received: {folder}, locked") from None
