"""Files that are whole or not there: written under another name, then moved."""

import contextlib
import os
import pathlib


@contextlib.contextmanager
def written_aside(path):
    """A path to write to; what is written there becomes `path` in one step, or vanishes if the writing fails.

    A crash leaves the old file or the new one, never a half.

    Example:
        >>> import tempfile
        >>> folder = pathlib.Path(tempfile.mkdtemp())
        >>> with written_aside(folder / "classes.txt") as aside:
        ...     _ = aside.write_text("daisy")
        >>> [file.name for file in folder.iterdir()]
        ['classes.txt']
    """
    path = pathlib.Path(path)
    aside = path.with_name(f".{path.stem}.{os.getpid()}{path.suffix}")  # keeps the ending: writers go by it
    try:
        yield aside
        os.replace(aside, path)
    finally:
        aside.unlink(missing_ok=True)
