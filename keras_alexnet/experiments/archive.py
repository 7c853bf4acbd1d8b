"""Archiving finished runs in this repository."""

import pathlib
import shutil

from keras_alexnet.runs import Run

RECORDED_FIGURES = ("curves.png", "kernels.png")


RECORD_LIMIT = 300 * 1024  # ours: bytes, for records lie in the repository


def keep(run, folder):
    """Copy what is worth keeping of a finished run: its account, record, results and two figures, but no network.

    Args:
        run: A `Run`.
        folder: Where the record is to lie, under the run's own name; one that is there is replaced.

    Returns:
        The record, a `Run`.

    Raises:
        ValueError: If the run is not finished, so much that it is no record, or the record itself.
    """
    if not (run.folder / "results.json").exists():
        raise ValueError(f"Expected a finished run: go on with --resume {run.folder}. Received: {run.folder}")
    files = [run.folder / name for name in ("recipe.json", "log.csv", "results.json")]
    files += sorted(run.folder.glob("e*-*.json"))  # evaluations, and ensembles
    files += sorted(path for path in run.figures.glob("*.png") if path.name in RECORDED_FIGURES)
    size = sum(path.stat().st_size for path in files)
    if size > RECORD_LIMIT:
        raise ValueError(f"Expected a record of at most {RECORD_LIMIT} bytes. Received: {size} in {run.folder}")
    record = Run(pathlib.Path(folder) / run.folder.name)
    if record.folder.exists():
        if record.folder.samefile(run.folder):
            raise ValueError(f"Expected a run that is not on record yet. Received: {run.folder}")
        shutil.rmtree(record.folder)
    for path in files:
        kept = record.folder / path.relative_to(run.folder)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, kept)
    return record
