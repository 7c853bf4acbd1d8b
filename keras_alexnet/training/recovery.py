"""Detect training that diverges or stays at chance, and go back with a smaller learning rate (ours).

Going back works like resuming: it loads the newest checkpoint. The checkpoint stores all recoveries so far, so an
interrupted run continues in the same way.
"""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_alexnet.evaluation.chance import AT_CHANCE, STUCK_EPOCHS, has_exploded
from keras_alexnet.training import checkpoints, errors

MAX_RECOVERIES = 3  # per run
DIVISOR = 3  # of the learning rate, for each recovery
TELLING_STEPS = 10  # the mean loss of fewer steps is too noisy
STUCK_STEPS = 2000  # at chance; half of all steps in a short run, a quarter in a long one
SAME_OUTPUT_TOLERANCE = 1e-6  # relative spread over pictures below which outputs count as the same
MAX_RESUMABLE_LOSS = 1.2  # do not go back to a checkpoint with a loss above this multiple of the loss of chance


def check_exploded(loss: float, chance: float, epoch: int, step: int | None) -> None:
    """Raise if a mean loss is far above chance.

    Args:
        loss: Mean training loss of the epoch so far.
        chance: Loss of chance.
        epoch: Number of the epoch, from 1.
        step: Number of the step in it, from 1; None at its end.

    Raises:
        TrainingFailed: If the loss is too high.
    """
    if (step is None or step >= TELLING_STEPS) and has_exploded(loss, chance):
        raise errors.TrainingFailed(
            f"Training diverged. Received: a loss of {loss:.3g}, where chance has {chance:.3g}",
            reason=f"the loss was {loss:.3g}, where chance has {chance:.3g}",
            epoch=epoch,
            step=step,
        )


def check_stuck(losses: Sequence[float], chance: float, steps: int, all_steps: int) -> None:
    """Raise if the network has learned nothing in the last epochs.

    A loss that is above chance but falls, as with a new last layer on pretrained ones, is not stuck.

    Args:
        losses: Training loss of each epoch so far.
        chance: Loss of chance.
        steps: Number of steps per epoch.
        all_steps: Number of steps of all epochs.

    Raises:
        TrainingFailed: If the loss has been at chance for too long.
    """
    below = [n for n, loss in enumerate(losses, start=1) if loss < AT_CHANCE * chance]
    epochs = len(losses) - max(below, default=0)
    patience = max(all_steps / 4, min(STUCK_STEPS, all_steps / 2))
    if epochs < STUCK_EPOCHS or epochs * steps < patience:
        return
    earlier, later = np.array_split(losses[-epochs:], 2)
    if np.median(later) > AT_CHANCE * np.median(earlier):
        raise errors.TrainingFailed(
            f"The network is not learning. Received: a loss of {losses[-1]:.3g}, where chance has {chance:.3g}",
            reason=f"the loss was {losses[-1]:.3g} after {epochs * steps:,} steps, where chance has {chance:.3g}",
            epoch=len(losses),
            step=None,
            is_stuck=True,
        )


def check_dead(outputs: np.ndarray, loss: float, chance: float, epoch: int) -> None:
    """Raise if a network at chance gives the same outputs for every picture, because its units are dead.

    A network that has not started to learn yet gives slightly different outputs for different pictures.

    Args:
        outputs: Probabilities of some pictures, `(pictures, classes)`.
        loss: Mean training loss of the epoch.
        chance: Loss of chance.
        epoch: Number of the epoch, from 1.

    Raises:
        TrainingFailed: If all outputs are the same.
    """
    spread = np.abs(outputs - outputs.mean(axis=0)).max() / outputs.max()
    if loss >= AT_CHANCE * chance and len(outputs) > 1 and spread < SAME_OUTPUT_TOLERANCE:
        raise errors.TrainingFailed(
            f"The network gives the same outputs for every picture. Received: a loss of {loss:.3g}",
            reason="the network gave the same outputs for every picture",
            epoch=epoch,
            step=None,
            is_stuck=True,
        )


def factor(recoveries: Sequence) -> float:
    """Return the factor for the learning rates of the recipe."""
    return DIVISOR ** -len(recoveries)


def go_back(
    failure: errors.TrainingFailed,
    folder: pathlib.Path,
    rows: Sequence[Mapping[str, float]],
    chance: float,
    learning_rate: float,
    initial: Callable[[], keras.Model],
) -> list[dict[str, Any]]:
    """Go back to the last good weights: the newest checkpoint, or the initial weights if it is not usable.

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
    checkpoint = checkpoints.newest(folder)
    before = checkpoint.recoveries if checkpoint else []
    losses = [row["loss"] for row in rows[: checkpoint.epochs]] if checkpoint else []
    if failure.is_stuck or not checkpoint or max(losses[-1:], default=0) > MAX_RESUMABLE_LOSS * chance:
        checkpoint = None
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
