"""Archive finished runs in this repository."""

import fnmatch
import os
import pathlib
import shutil

from keras_alexnet.files import temporary_folder
from keras_alexnet.runs import Run

FILES = ("recipe.json", "log.csv", "results.json")
RESULTS = ("evaluation-*.json", "ensemble-*.json", "recoveries.json", "kernels.npz")
FIGURES = ("curves.png", "kernels.png")
OWN = (*FILES, *RESULTS, *(f"figures/{name}" for name in FIGURES))
MOST_BYTES = 300 * 1024  # ours, per run: archived runs are part of the repository


def archive_run(run: Run, folder: str | pathlib.Path) -> Run:
    """Copy the recipe, log, results, first kernels and two figures of a finished run, without its network.

    An older archived run of the same name is replaced when the copy is complete.

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
    with temporary_folder(target.parent) as temporary:
        new = temporary / "new"
        for path in files:
            copy = new / path.relative_to(run.folder)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, copy)
        _replace(target, new, temporary.with_name(f"{temporary.name}-old"))
    return Run(target)


def _check_target(target: pathlib.Path, run: Run) -> None:
    """Raise if this would replace the run itself or files that `archive_run` did not write."""
    if not os.path.lexists(target):
        return
    if target.exists() and target.samefile(run.folder):
        raise ValueError(f"This run is already in the archive. Received: {run.folder}")
    if target.is_symlink() or not target.is_dir():
        raise ValueError(f"Expected the folder of an archived run to replace: move this file away. Received: {target}")
    for path in sorted(target.rglob("*")):
        name = path.relative_to(target).as_posix()
        known = name == "figures" or any(
            fnmatch.fnmatch(name, pattern) and name.count("/") == pattern.count("/") for pattern in OWN
        )
        if not known:
            raise ValueError(f"Expected an archived run to replace: move the other files away. Received: {path}")


def _replace(target: pathlib.Path, new: pathlib.Path, old: pathlib.Path) -> None:
    """Move a folder to its place and remove the old one. If that fails, move the old folder back.

    `old` is outside of the temporary folder, so that a signal between two moves does not remove it.
    """
    if target.exists():
        target.rename(old)
    try:
        new.rename(target)
    except OSError:
        if old.exists():
            old.rename(target)
        raise
    if old.exists():
        shutil.rmtree(old)
