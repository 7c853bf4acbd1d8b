"""Detect training that fails: a loss that is NaN, far above chance, or stays at chance (ours)."""

import math
import os
from collections.abc import Sequence

import numpy as np

from keras_alexnet.evaluation.chance import AT_CHANCE, STUCK_EPOCHS, has_exploded
from keras_alexnet.recipes import Recipe

TELLING_STEPS = 10  # the mean loss of fewer steps is too noisy
STUCK_STEPS = 2000  # at chance; half of all steps in a short run, a quarter in a long one
FEWEST_STUCK_STEPS = 50  # at chance; after fewer, learning may not have begun
SAME_OUTPUT_TOLERANCE = 1e-6  # relative spread over pictures below which outputs count as the same


class TrainingFailed(ValueError):
    """The loss is NaN, far above chance, or stays at chance.

    Args:
        message: The message for the user if training ends here; None for the reason alone.

    Attributes:
        reason: The cause, as part of a sentence.
        epoch: Number of the epoch, from 1.
        step: Number of the step in it, from 1; None at its end.
        is_stuck: Whether the loss stays at chance.
    """

    def __init__(
        self, reason: str, epoch: int, step: int | None, is_stuck: bool = False, message: str | None = None
    ) -> None:
        super().__init__(message or reason)
        self.reason, self.epoch, self.step, self.is_stuck = reason, epoch, step, is_stuck


def check_finite(loss: float, epoch: int, step: int | None, recipe: Recipe, folder: str | os.PathLike[str]) -> None:
    """Raise if a loss is NaN or infinite.

    Args:
        loss: The loss.
        epoch: Number of the epoch, from 1.
        step: Number of the step in it, from 1; None for validation.
        recipe: The recipe of the training.
        folder: The run folder.

    Raises:
        TrainingFailed: If the loss is NaN or infinite.
    """
    if math.isfinite(loss):
        return
    place = f"step {step}" if step else "the validation"
    kept = f"; {folder} has the last good weights" if epoch > 1 else ""
    raise TrainingFailed(
        f"the loss was {loss}",
        epoch,
        step,
        message="The loss is NaN or infinite: restart with a smaller `learning_rate`, or with float32 as `precision`"
        f"{kept}. Received: {loss} at {place} of epoch {epoch}, learning_rate={recipe.learning_rate}",
    )


def stuck_warning(losses: Sequence[float], chance: float) -> str | None:
    """Return a warning if the loss has stayed at chance for the first epochs, None otherwise. It is returned once.

    Args:
        losses: Training loss of each epoch so far.
        chance: The loss of chance, see `evaluation.chance`.

    Example:
        >>> stuck_warning([4.62] * 4, chance=4.625) is None
        True
        >>> stuck_warning([4.62] * 5, chance=4.625)[:41]
        'The loss is still 4.62, that of guessing.'
    """
    if len(losses) != STUCK_EPOCHS or any(abs(loss - chance) > (1 - AT_CHANCE) * chance for loss in losses):
        return None
    return (
        f"The loss is still {chance:.2f}, that of guessing. Common causes: --initial-weights text "
        "(with std 0.01 in every layer the signal fades), a --learning-rate that is too small or too large, wrong "
        "labels."
    )


def check_exploded(loss: float, chance: float, epoch: int, step: int | None, classes: int = 2) -> None:
    """Raise if a mean loss is far above chance.

    Args:
        loss: Mean training loss of the epoch so far.
        chance: Loss of chance.
        epoch: Number of the epoch, from 1.
        step: Number of the step in it, from 1; None at its end.
        classes: Number of classes.

    Raises:
        TrainingFailed: If the loss is too high.
    """
    if (step is None or step >= TELLING_STEPS) and has_exploded(loss, chance, classes):
        raise TrainingFailed(f"the loss was {loss:.3g}, and that of guessing is {chance:.3g}", epoch, step)


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
    patience = max(all_steps / 4, min(STUCK_STEPS, all_steps / 2), FEWEST_STUCK_STEPS)
    if epochs < STUCK_EPOCHS or epochs * steps < patience:
        return
    earlier, later = np.array_split(losses[-epochs:], 2)
    if np.median(later) > AT_CHANCE * np.median(earlier):
        raise TrainingFailed(
            f"the loss was {losses[-1]:.3g} after {epochs * steps:,} steps, and that of guessing is {chance:.3g}",
            len(losses),
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
        raise TrainingFailed("the network gave the same outputs for every picture", epoch, step=None, is_stuck=True)
