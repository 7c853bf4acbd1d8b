"""One-line errors for failures during training."""

import contextlib
import math
import os
from collections.abc import Iterator, Sequence

import tensorflow as tf

from keras_alexnet.data.errors import first_line, is_about_data
from keras_alexnet.evaluation.chance import STUCK_EPOCHS
from keras_alexnet.recipes import Recipe


class TrainingFailed(ValueError):
    """The loss is NaN, far above chance, or stays at chance.

    Attributes:
        reason: The cause, as part of a sentence.
        epoch: Number of the epoch, from 1.
        step: Number of the step in it, from 1; None at its end.
        is_stuck: Whether the loss stays at chance.
    """

    def __init__(self, message: str, reason: str, epoch: int, step: int | None, is_stuck: bool = False) -> None:
        super().__init__(message)
        self.reason, self.epoch, self.step, self.is_stuck = reason, epoch, step, is_stuck


@contextlib.contextmanager
def readable_errors(recipe: Recipe, folder: str | os.PathLike[str]) -> Iterator[None]:
    """Turn the backend's errors about memory, files and workers into one line.

    Args:
        recipe: The recipe of the training.
        folder: The run folder.

    Raises:
        ValueError: If a batch does not fit into memory.
        OSError: If pictures can no longer be read, or another worker has stopped.
    """
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise _too_large(recipe, error) from error
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError) as error:
        raise OSError(
            f"Another worker has stopped: restart all workers with --resume {folder}. Received: {first_line(error)}"
        ) from error
    except tf.errors.OpError as error:
        if not is_about_data(error):
            raise
        raise OSError(
            f"The pictures can no longer be read: restore them, then continue with --resume {folder}. "
            f"Received: {first_line(error)}"
        ) from error
    except RuntimeError as error:
        if not str(error).startswith("RESOURCE_EXHAUSTED"):  # of JAX
            raise
        raise _too_large(recipe, error) from error


def _too_large(recipe: Recipe, error: Exception) -> ValueError:
    return ValueError(
        "A batch does not fit into memory: use a smaller --batch-size or --crop-size, or more devices. "
        f"Received: --batch-size {recipe.batch_size} --crop-size {recipe.crop_size} ({first_line(error)})"
    )


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
        "The loss is NaN or infinite: restart with a smaller --learning-rate, or with --precision float32"
        f"{kept}. Received: {loss} at {place} of epoch {epoch}, learning_rate={recipe.learning_rate}",
        reason=f"the loss was {loss}",
        epoch=epoch,
        step=step,
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
    if len(losses) != STUCK_EPOCHS or any(abs(loss - chance) > 0.01 * chance for loss in losses):
        return None
    return (
        f"The loss is still {chance:.2f}, that of guessing. Common causes: --initial-weights text "
        "(with std 0.01 in every layer the signal fades), pixels divided by 255 (the network expects 0 to 255 minus "
        "the mean), a --learning-rate that is too small or too large, wrong labels."
    )
