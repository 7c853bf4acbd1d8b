"""Go back after a training has failed, with a smaller learning rate (ours). `loss_checks` detects the failure.

Going back works like resuming: it loads the newest checkpoint. The checkpoint stores all recoveries so far, so an
interrupted run continues in the same way.
"""

import itertools
import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras

from keras_alexnet.training import checkpoints
from keras_alexnet.training.loss_checks import TrainingFailed

MAX_RECOVERIES = 3  # per run
DIVISOR = 3  # of the learning rate, for each recovery
MAX_RESUMABLE_LOSS = 1.2  # do not go back to a checkpoint with a loss above this multiple of the loss of chance


def factor(recoveries: Sequence) -> float:
    """Return the factor for the learning rates of the recipe."""
    return DIVISOR ** -len(recoveries)


def go_back(
    failure: TrainingFailed,
    folder: pathlib.Path,
    rows: Sequence[Mapping[str, float]],
    chance: float,
    learning_rate: float,
    initial: Callable[[], keras.Model],
) -> list[dict[str, Any]]:
    """Go back to the last good weights: the newest checkpoint with a loss near that of chance or below it.

    A checkpoint to which training went back before, and failed again in its next epoch, is passed over: its last step
    may have spoiled the weights after the loss was measured. Without a good one, and if the network learned nothing,
    training starts again from the initial weights.

    Args:
        failure: The failure to recover from.
        folder: Folder of the checkpoints.
        rows: The log of the run.
        chance: Loss of chance.
        learning_rate: Learning rate of the recipe.
        initial: Builds the network with its initial weights.

    Returns:
        All recoveries so far for the report, oldest first.
    """
    newest = checkpoints.newest(folder)
    before = newest.recoveries if newest else []
    again = [each for each in before if failure.epoch <= each["back_to_epochs"] + 1]
    tried = {(each["back_to_epochs"], each["back_to_steps"]) for each in again}
    found = itertools.chain([newest], checkpoints.older_than(newest)) if newest and not failure.is_stuck else ()
    good = (each for each in found if each.loss(rows) <= MAX_RESUMABLE_LOSS * chance)
    checkpoint = next((each for each in good if (each.epochs, each.steps) not in tried), None)
    epochs, steps = (checkpoint.epochs, checkpoint.steps) if checkpoint else (0, 0)
    recoveries = [
        *before,
        {
            "epoch": failure.epoch,
            "step": failure.step,
            "reason": failure.reason,
            "back_to_epochs": epochs,
            "back_to_steps": steps,
            "learning_rate": learning_rate / DIVISOR ** (len(before) + 1),
        },
    ]
    if not checkpoint and not checkpoints.initial(folder):
        checkpoints.save(folder, initial(), 0, recoveries=recoveries, kept=None)
    checkpoints.go_back(checkpoint or checkpoints.initial(folder), recoveries)
    return recoveries
