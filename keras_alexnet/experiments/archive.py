"""Archive finished runs in this repository."""

import pathlib
import shutil
import tempfile

from keras_alexnet.runs import Run

FILES = ("recipe.json", "log.csv", "results.json")
RESULTS = ("evaluation-*.json", "ensemble-*.json", "recoveries.json")
FIGURES = ("curves.png", "kernels.png")
MOST_BYTES = 300 * 1024  # ours, for each run: archived runs are part of the repository


def archive_run(run: Run, folder: str | pathlib.Path) -> Run:
    """Copy the recipe, log, results and two figures of a finished run, but not its network.

    An older archived run of the same name is replaced as a whole, once the copy is complete.

    Args:
        run: A finished run.
        folder: The folder of archived runs; the copy has the run's name.

    Returns:
        The archived run.

    Raises:
        ValueError: If the run is not finished, its files are too large, it is the archived run itself, or the folder
            to replace has other files in it.
    """
    if not (run.folder / "results.json").exists():
        raise ValueError(f"Expected a finished run: continue it with --resume {run.folder}. Received: {run.folder}")
    files = [run.folder / name for name in FILES]
    files += sorted(path for pattern in RESULTS for path in run.folder.glob(pattern))
    files += [path for name in FIGURES if (path := run.figures / name).exists()]
    size = sum(path.stat().st_size for path in files)
    if size > MOST_BYTES:
        raise ValueError(f"Expected files of at most {MOST_BYTES} bytes to archive. Received: {size} in {run.folder}")
    target = pathlib.Path(folder) / run.folder.name
    _check_target(target, run)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".archive-") as temporary:
        new, old = pathlib.Path(temporary) / "new", pathlib.Path(temporary) / "old"
        for path in files:
            copy = new / path.relative_to(run.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        _replace(target, new, old)
    return Run(target)


def _check_target(target: pathlib.Path, run: Run) -> None:
    """Refuse to replace the run itself, and anything that `archive_run` did not write."""
    if not target.exists():
        return
    if target.samefile(run.folder):
        raise ValueError(f"Expected a run that is not archived yet. Received: {run.folder}")
    for path in sorted(target.rglob("*")):
        known = any(path.relative_to(target).match(pattern) for pattern in (*FILES, *RESULTS, *FIGURES))
        if path.is_file() and not known:
            raise ValueError(f"Expected an archived run to replace: move the other files away. Received: {path}")


def _replace(target: pathlib.Path, new: pathlib.Path, old: pathlib.Path) -> None:
    """Move a folder to its place, and what was there to `old`; if that fails, the old folder is moved back."""
    if target.exists():
        target.rename(old)
    try:
        new.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
