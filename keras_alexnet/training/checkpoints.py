"""Checkpoints: the complete state of a training run, verified by a digest."""

import dataclasses
import json
import pathlib
import re
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence

import keras
import numpy as np

from keras_alexnet.files import atomic_write, digest, write_text
from keras_alexnet.recipes import Options
from keras_alexnet.runs import CHECKPOINT, Run
from keras_alexnet.text import printable
from keras_alexnet.training import towers

NAME = re.compile(r"epoch-(\d{5,})(?:-step-(\d{8,}))?\.json")


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The state of a training run between two steps.

    Attributes:
        network: Path of the `.keras` file: the network with its optimizer.
        epochs: Number of finished epochs.
        steps: Number of finished steps of the next epoch.
        seeds: State of the random seed of each dropout layer, which a `.keras` file does not contain.
        metrics: Running sums of the loss and the errors in the unfinished epoch.
        recoveries: How often training went back, and why; see `training.recovery`.
    """

    network: pathlib.Path
    epochs: int
    steps: int
    seeds: list
    metrics: list
    recoveries: list = dataclasses.field(default_factory=list)

    def loss(self, rows: Sequence[Mapping[str, float]]) -> float:
        """Return the mean training loss of the unfinished epoch, or if there is none, of the last finished one.

        Args:
            rows: The log of the run.
        """
        if self.steps:
            total, count = self.metrics[:2]  # the first metric of a Keras network is the loss
            return total / count
        return rows[self.epochs - 1]["loss"] if 0 < self.epochs <= len(rows) else 0.0

    def load(self) -> keras.Model:
        """Load the compiled network, ready for the next step. Its metrics can be assigned once they are built."""
        model = keras.models.load_model(self.network)
        assign(_seeds(model), self.seeds)
        return model


def values(variables: Iterable[keras.Variable]) -> list:
    """Return the values of Keras variables as lists for JSON. Float32 and integers are restored bit for bit."""
    return [np.asarray(keras.ops.convert_to_numpy(variable)).tolist() for variable in variables]


def assign(variables: Iterable[keras.Variable], values: Iterable) -> None:
    """Assign the lists that `values` returned to Keras variables."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(np.asarray(value, variable.dtype))


def _seeds(model):
    return [variable for variable in model.variables if variable.name == "seed_generator_state"]


def folder_of(run: Run, options: Options) -> pathlib.Path:
    """Return the folder of a run's checkpoints: its own, or one with its first name in the `checkpoint_path` of the
    options."""
    return pathlib.Path(options.checkpoint_path) / run.first_name if options.checkpoint_path else run.last


def save(
    folder: pathlib.Path,
    model: keras.Model,
    epochs: int,
    steps: int = 0,
    metrics: Sequence = (),
    recoveries: Sequence = (),
    kept: int | None = None,
) -> None:
    """Save the state of a training run. When the checkpoint is complete, remove the oldest ones.

    Args:
        folder: Folder of the checkpoints.
        model: The compiled network.
        epochs: Number of finished epochs.
        steps: Number of finished steps of the next epoch.
        metrics: The `values` of its metrics, if there are such steps.
        recoveries: How often training went back.
        kept: Number of checkpoints to keep; None for all.

    Raises:
        OSError: If it cannot be written.
    """
    model = towers.plain(model)
    folder.mkdir(parents=True, exist_ok=True)
    name = f"epoch-{epochs:05d}" + (f"-step-{steps:08d}" if steps else "")
    with atomic_write(folder / f"{name}.keras") as temporary:
        model.save(temporary)
        state = {"sha256": digest(temporary), "seeds": values(_seeds(model)), "metrics": list(metrics)}
    state |= {"recoveries": list(recoveries)} if recoveries else {}
    write_text(folder / f"{name}.json", json.dumps(state) + "\n")  # this file makes the checkpoint valid
    files = _newest_first(folder)
    if kept is not None:  # a later one, which training did not continue from, is damaged
        files = [file for file in files if _progress(file) <= (epochs, steps)][:kept]
    _remove_all_but({file.stem for file in files}, folder)


def exist(folder: pathlib.Path) -> bool:
    """Return whether there are checkpoints in a folder, complete or damaged."""
    return any(_newest_first(folder))


def finished_epochs(folder: pathlib.Path) -> int:
    """Return the number of finished epochs of the newest checkpoint, complete or damaged; 0 without one."""
    return _progress(_newest_first(folder)[0])[0] if exist(folder) else 0


def initial(folder: pathlib.Path) -> Checkpoint | None:
    """Return the checkpoint of the initial weights, which exists if training went back to them."""
    return _read(folder / "epoch-00000.json")


def go_back(checkpoint: Checkpoint, recoveries: Sequence) -> None:
    """Make a checkpoint the newest: store the recoveries in it, then remove all newer ones.

    If this is interrupted, the newer checkpoints still exist, so training fails and goes back again.
    """
    file = checkpoint.network.with_suffix(".json")
    state = json.loads(file.read_text(encoding="utf-8")) | {"recoveries": list(recoveries)}
    write_text(file, json.dumps(state) + "\n")
    older = [other.stem for other in _newest_first(file.parent) if _progress(other) <= _progress(file)]
    _remove_all_but(set(older), file.parent)


def _remove_all_but(kept, folder):
    """Remove the other checkpoints. States are removed first, so that no state is left without its network."""
    for file in sorted(folder.iterdir(), key=lambda file: file.suffix):  # .json, then .keras
        if re.fullmatch(CHECKPOINT, file.name) and file.stem not in kept:
            file.unlink()


def newest(folder: pathlib.Path, logged: int = 0) -> Checkpoint | None:
    """Return the newest complete checkpoint, None if there is none yet. Damaged ones are reported on stderr.

    Args:
        folder: Folder of the checkpoints.
        logged: Number of epochs in the run's log.

    Raises:
        ValueError: If all checkpoints are damaged, or a run of several epochs has none.
    """
    files = _newest_first(folder)
    for checkpoint in _complete(files):
        return checkpoint
    if files or logged > 1:  # the second epoch is logged when the first has its checkpoint
        raise ValueError(f"No complete checkpoint is left: start a new run. Received: {folder}")
    return None


def older_than(checkpoint: Checkpoint) -> Iterator[Checkpoint]:
    """Yield the older complete checkpoints, newest first. Damaged ones are reported on stderr."""
    file = checkpoint.network.with_suffix(".json")
    return _complete([other for other in _newest_first(file.parent) if _progress(other) < _progress(file)])


def _complete(files):
    for file in files:
        if checkpoint := _read(file):
            yield checkpoint
        else:
            name = printable(str(file.with_suffix(".keras")))
            print(f"This checkpoint is damaged, using the previous one: {name}", file=sys.stderr)


def _newest_first(folder):
    return sorted((file for file in folder.glob("*.json") if NAME.fullmatch(file.name)), key=_progress, reverse=True)


def _progress(file):
    return tuple(int(number or 0) for number in NAME.fullmatch(file.name).groups())


def _read(file):
    """Return the checkpoint of a file, None if the file or its network is damaged."""
    network = file.with_suffix(".keras")
    try:
        state = json.loads(file.read_text())
        whole = digest(network) == state["sha256"]
        state = state["seeds"], state["metrics"], state.get("recoveries", [])
        return Checkpoint(network, *_progress(file), *state) if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
