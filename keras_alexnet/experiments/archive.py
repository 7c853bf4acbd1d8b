"""The archive of finished runs: one file with a line of JSON for each run, sorted by name.

A line is what `Run.to_dict` returns, without the network. Its lists of rows, the log and the errors of the classes, are
stored by column, which is half as long.
"""

import json
import pathlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from keras_alexnet import runs
from keras_alexnet.files import locked, write_text

FILE = "runs.jsonl"
KINDS = ("evaluations", "ensembles")  # of results, each by what was evaluated
PATH_OPTIONS = ("weights", "data_dir", "checkpoint_path", "class_names")  # that may be paths

Record = Mapping[str, Any]  # what `Run.to_dict` returns


def add(run: runs.Run, folder: str | pathlib.Path, replace: bool = False) -> pathlib.Path:
    """Add a finished run to an archive, without its network.

    The line of an archived run of the same name is updated if the run still has everything that the line has, as after
    another evaluation.

    Args:
        run: A finished run.
        folder: The folder of the archive, which is created if it is missing.
        replace: Whether to replace an archived run of the same name even if some of its results are lost.

    Returns:
        The file of the archive.

    Raises:
        ValueError: If the run is not finished, results would be lost, or the folder has run folders.
    """
    if not run.has_results():
        raise ValueError(f"Expected a finished run: continue it with --resume {run.folder}. Received: {run.folder}")
    folder = pathlib.Path(folder)
    if any(folder.glob("*/recipe.json")):
        raise ValueError(f"The folder of the archive must not contain run folders: choose another. Received: {folder}")
    new = _without_folders(run.to_dict())
    runs.summarize(new)  # raises if a setting is invalid
    folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, wait=True):  # another process may add a run at the same time
        records = {record["run"]: record for record in read(folder)} if (folder / FILE).exists() else {}
        if new["run"] in records and not replace:
            _check_kept(records[new["run"]], new)
        records[new["run"]] = new
        lines = [json.dumps(_pack(records[name]), ensure_ascii=False) for name in sorted(records)]
        write_text(folder / FILE, "".join(f"{line}\n" for line in lines))
    return folder / FILE


def read(folder: str | pathlib.Path) -> list[dict[str, Any]]:
    """Return the archived runs as `Run.to_dict` returned them, sorted by name.

    Raises:
        ValueError: If a line is not one of `add`.
    """
    records = []
    with (pathlib.Path(folder) / FILE).open(encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                records.append(_unpack(json.loads(line)))
                runs.summarize(records[-1])
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise ValueError(
                    f"Expected an archived run in each line. Received: {file.name}, line {number}: {error}"
                ) from error
    return records


def rows(folder: str | pathlib.Path, on_problem: Callable[[ValueError], None] | None = None) -> list[dict[str, Any]]:
    """Return the summaries of the runs in an archive, or in a folder of run folders, newest first.

    Args:
        folder: The folder.
        on_problem: Is called with the error about a run folder that cannot be read, which is then left out; None raises
            it.

    Raises:
        ValueError: If there are no runs, or a line of the archive is not one of `add`.
    """
    if not (pathlib.Path(folder) / FILE).exists():
        return [*_summaries(runs.find(folder), on_problem)]
    return sorted(map(runs.summarize, read(folder)), key=lambda row: row["date"] or "", reverse=True)


def _summaries(found, on_problem):
    for run in found:
        try:
            yield run.summary()
        except ValueError as error:
            if on_problem is None:
                raise
            on_problem(error)


def _without_folders(record: Record) -> Record:
    """Return a record that names data, weights and other files and folders of the user without the path to them.

    An archive can be published, and the digest identifies the pictures.
    """
    names = {each.get("data_name", "") for kind in KINDS for each in record[kind].values()}
    options = record["options"]
    names |= {options.get(option) or "" for option in PATH_OPTIONS}
    if isinstance(record.get("data"), dict):  # a sentence in version 0.1.0
        names.add(record["data"]["name"])
    text = json.dumps(record)
    for path in filter(pathlib.PurePath.is_absolute, map(pathlib.PurePath, sorted(names, key=len, reverse=True))):
        kept = "/".join(path.parts[-2:]) if path.name == runs.BEST else path.name  # that of a run with the run's name
        whole, name = (json.dumps(each)[1:-1] for each in (str(path), kept))
        text = re.sub(re.escape(whole) + r"(?![\w.-]|/\w)", lambda _, name=name: name, text)
    return json.loads(text)


def _check_kept(old: Record, new: Record) -> None:
    """Check that the new line has all results that an archived run has."""
    kept = _flat(new)
    lost = [part for part, value in _flat(old).items() if kept.get(part) != value]
    if lost:
        raise ValueError(
            f"An archived run of this name has other results: rename the run folder, or replace the archived run with "
            f"--replace. Received: {new['run']}, which differs in {', '.join(lost)}"
        )


def _flat(record: Record) -> dict[str, Any]:
    """Return the parts of a record as JSON, with each evaluation as a part of its own."""
    parts = {f"{kind} {name}": value for kind in KINDS for name, value in record[kind].items()}
    return {key: json.dumps(value) for key, value in (record | parts).items() if key not in KINDS}


def _pack(record: Record) -> dict[str, Any]:
    """Store the tables of a record by column."""
    return _convert(record, lambda table: {key: [row[key] for row in table] for key in (table[0] if table else ())})


def _unpack(line: Record) -> dict[str, Any]:
    """Restore the tables that `_pack` stored by column."""

    def rows_of(columns: Mapping[str, list]) -> list[dict[str, Any]]:
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    return _convert(line, rows_of)


def _convert(record: Record, table: Callable[[Any], Any]) -> dict[str, Any]:
    """Return a record with its tables, the log and the errors of the classes, converted."""

    def of(evaluation: Record) -> dict[str, Any]:
        return {key: table(value) if key == "classes" else value for key, value in evaluation.items()}

    results = {kind: {name: of(each) for name, each in record[kind].items()} for kind in KINDS}
    return {**record, **results, "log": table(record["log"])}
