"""Notice a training that diverges or stays at chance, and go back with a smaller learning rate (ours).

What has happened so far is in the checkpoint, so a run that is interrupted after it went back continues in the same
way. Going back is what resuming does: the newest checkpoint is loaded.
"""

import pathlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_alexnet.training import checkpoints, errors

MOST = 3  # times
DIVISOR = 3  # of the learning rate, each time
EXPLODED = 10  # times the loss of chance
TELLING_STEPS = 10  # the mean loss of fewer steps says little
STUCK_STEPS = 2000  # at chance; a short training has half of its steps to leave it, a long one a quarter
STUCK_EPOCHS = 5
SAME = 1e-6  # relative spread of outputs over pictures below which they are the same for every picture
AT_CHANCE = 0.99  # of the loss of chance: above, the network has learned nothing
UNHARMED = 1.2  # times the loss of chance: a checkpoint with a larger loss is no good to go back to


def chance_loss(counts: Sequence[float]) -> float:
    """Return the loss of a network that has learned nothing but how frequent the classes are.

    Args:
        counts: Pictures by class, as the network sees them.

    Returns:
        The entropy in nats; the logarithm of the number of classes where all are equally frequent.

    Example:
        >>> round(chance_loss([100, 100]), 3), round(chance_loss([1000, 20]), 3)
        (0.693, 0.097)
    """
    shares = np.asarray(counts, float) / np.sum(counts)
    return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())


def check_exploded(loss: float, chance: float, epoch: int, step: int | None) -> None:
    """Raise if a mean loss is far above chance.

    Args:
        loss: Mean training loss of the epoch so far.
        chance: Loss of chance.
        epoch: Number of the epoch, from 1.
        step: Number of the step in it, from 1; None at its end.

    Raises:
        TrainingFailed: If it is.
    """
    if (step is None or step >= TELLING_STEPS) and loss > EXPLODED * max(chance, 0.1):
        raise errors.TrainingFailed(
            f"The training diverged. Received: a loss of {loss:.3g}, where chance has {chance:.3g}",
            reason=f"the loss was {loss:.3g}, and chance has {chance:.3g}",
            epoch=epoch,
            step=step,
        )


def check_stuck(losses: Sequence[float], chance: float, steps: int, all_steps: int) -> None:
    """Raise if the last epochs have learned nothing.

    Args:
        losses: Training loss of each epoch so far.
        chance: Loss of chance.
        steps: Steps of an epoch.
        all_steps: Steps of all epochs.

    Raises:
        TrainingFailed: If the loss has been at chance for too long.
    """
    below = [n for n, loss in enumerate(losses, start=1) if loss < AT_CHANCE * chance]
    epochs = len(losses) - max(below, default=0)
    patience = max(all_steps / 4, min(STUCK_STEPS, all_steps / 2))
    if epochs >= STUCK_EPOCHS and epochs * steps >= patience:
        raise errors.TrainingFailed(
            f"The network learns nothing. Received: a loss of {losses[-1]:.3g}, where chance has {chance:.3g}",
            reason=f"the loss was {losses[-1]:.3g} after {epochs * steps:,} steps, and chance has {chance:.3g}",
            epoch=len(losses),
            step=None,
            is_stuck=True,
        )


def check_dead(outputs: np.ndarray, loss: float, chance: float, epoch: int) -> None:
    """Raise if a network at chance gives the same outputs for every picture: its units are dead for good.

    A network that has not left chance yet gives different outputs for different pictures, if only by a little.

    Args:
        outputs: Probabilities for some pictures, `(pictures, classes)`.
        loss: Mean training loss of the epoch.
        chance: Loss of chance.
        epoch: Number of the epoch, from 1.

    Raises:
        TrainingFailed: If it does.
    """
    spread = np.abs(outputs - outputs.mean(axis=0)).max() / outputs.max()
    if loss >= AT_CHANCE * chance and len(outputs) > 1 and spread < SAME:
        raise errors.TrainingFailed(
            f"The network gives the same outputs for every picture. Received: a loss of {loss:.3g}",
            reason="the network gave the same outputs for every picture",
            epoch=epoch,
            step=None,
            is_stuck=True,
        )


def factor(recoveries: Sequence) -> float:
    """Return what the learning rates of the recipe are multiplied by."""
    return DIVISOR ** -len(recoveries)


def go_back(
    failure: errors.TrainingFailed,
    folder: pathlib.Path,
    rows: Sequence[Mapping[str, float]],
    chance: float,
    learning_rate: float,
    initial: Callable[[], keras.Model],
) -> list[dict[str, Any]]:
    """Go back to the last good weights: the newest checkpoint, or the initial weights where that is no good.

    Args:
        failure: What went wrong.
        folder: Folder of the checkpoints.
        rows: The log of the run.
        chance: Loss of chance.
        learning_rate: Learning rate of the recipe.
        initial: Builds the network with its initial weights.

    Returns:
        What the training has gone back for so far, this time last, for the report.
    """
    checkpoint = checkpoints.newest(folder)
    before = checkpoint.recoveries if checkpoint else []
    losses = [row["loss"] for row in rows[: checkpoint.epochs]] if checkpoint else []
    if failure.is_stuck or not checkpoint or max(losses[-1:], default=0) > UNHARMED * chance:
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
