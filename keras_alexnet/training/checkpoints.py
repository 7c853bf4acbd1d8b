"""Checkpoints: all that a training needs to go on as if it had never stopped, each proved whole by its digest."""

import dataclasses
import json
import pathlib
import re
import sys

import keras
import numpy as np

from keras_alexnet.files import atomic_write, digest

KEPT = 2  # ours: the newest, and the one before in case that is damaged
NAME = re.compile(r"epoch-(\d+)(?:-step-(\d+))?\.json")
OWN_FILE = re.compile(r"epoch-\d+(-step-\d+)?\.(json|keras)")


@dataclasses.dataclass(frozen=True)
class Checkpoint:
    """The state of a training between two steps.

    Attributes:
        network: Path of the `.keras` file: the network with its optimizer.
        epochs: How many epochs are behind it.
        steps: How many steps of the next epoch are behind it, too.
        seeds: State of each dropout's random numbers, which a `.keras` file leaves out.
        metrics: Running sums of the loss and the errors of the epoch begun.
    """

    network: pathlib.Path
    epochs: int
    steps: int
    seeds: list
    metrics: list

    def load(self):
        """The compiled network, ready for the next step. The metrics are for `assign`, once they are built."""
        model = keras.models.load_model(self.network)
        assign(_seeds(model), self.seeds)
        return model


def values(variables):
    """What Keras variables hold, as lists for JSON; float32 and integers come back to the last bit."""
    return [np.asarray(keras.ops.convert_to_numpy(variable)).tolist() for variable in variables]


def assign(variables, values):
    """Give Keras variables what `values` had read."""
    for variable, value in zip(variables, values, strict=True):
        variable.assign(np.asarray(value, variable.dtype))


def _seeds(model):
    return [variable for variable in model.variables if variable.name == "seed_generator_state"]


def save(folder, model, epochs, steps=0, metrics=()):
    """Keep a training's state. The checkpoint before stays; those before that go when the new one is whole.

    Args:
        folder: Path of the folder of checkpoints.
        model: The compiled `keras.Model`.
        epochs: Epochs behind it.
        steps: Steps of the next epoch behind it.
        metrics: The `values` of its metrics, where there are such steps.

    Raises:
        OSError: If it cannot be written.
    """
    folder.mkdir(exist_ok=True)
    name = f"epoch-{epochs:05d}" + (f"-step-{steps:08d}" if steps else "")
    with atomic_write(folder / f"{name}.keras") as temporary:
        model.save(temporary)
        state = {"sha256": digest(temporary), "seeds": values(_seeds(model)), "metrics": list(metrics)}
    with atomic_write(folder / f"{name}.json") as temporary:  # with this one it counts
        temporary.write_text(json.dumps(state) + "\n")
    kept = {file.stem for file in _newest_first(folder)[:KEPT]}
    for file in folder.iterdir():
        if OWN_FILE.fullmatch(file.name) and file.stem not in kept:
            file.unlink()


def newest(folder, logged=0):
    """The newest checkpoint that is whole, None where there is none yet. Damaged ones are named on stderr.

    Args:
        folder: Path of the folder of checkpoints.
        logged: Epochs in the run's record.

    Raises:
        ValueError: If there are checkpoints and all are damaged, or none are left of a run of several epochs.
    """
    files = _newest_first(folder)
    for file in files:
        checkpoint = _read(file)
        if checkpoint:
            return checkpoint
        print(f"Damaged, so the checkpoint before it is used: {file.with_suffix('.keras')}", file=sys.stderr)
    if files or logged > 1:  # the second epoch is logged when the first has its checkpoint
        raise ValueError(
            f"Expected a whole checkpoint with its .json: begin a new run. Received: {folder}, without one"
        )
    return None


def _newest_first(folder):
    return sorted((file for file in folder.glob("*.json") if NAME.fullmatch(file.name)), key=_progress, reverse=True)


def _progress(file):
    return tuple(int(number or 0) for number in NAME.fullmatch(file.name).groups())


def _read(file):
    """None where the file or its network is damaged."""
    network = file.with_suffix(".keras")
    try:
        state = json.loads(file.read_text())
        whole = digest(network) == state["sha256"]
        return Checkpoint(network, *_progress(file), state["seeds"], state["metrics"]) if whole else None
    except (OSError, ValueError, KeyError, TypeError):
        return None
