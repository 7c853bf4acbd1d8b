"""What befalls a training: signals that wait for the step to end, and errors in words that say what to do."""

import contextlib
import math
import signal
import threading

import tensorflow as tf

from keras_alexnet.data.errors import first_line, is_about_data

STUCK_EPOCHS = 5  # ours: with a loss within 1 % of chance


@contextlib.contextmanager
def postponed(number, wanted=True):
    """Within, a signal does nothing but set the `threading.Event` that this gives. Only a main thread has signals."""
    came = threading.Event()
    if not wanted or threading.current_thread() is not threading.main_thread():
        yield came
        return
    before = signal.signal(number, lambda *_: came.set())
    try:
        yield came
    finally:
        signal.signal(number, before)


@contextlib.contextmanager
def explained(recipe, folder):
    """Within, what TensorFlow says of memory and of files becomes one line.

    Args:
        recipe: The `Recipe` that is trained by.
        folder: The run folder.

    Raises:
        ValueError: If a batch does not fit into memory.
        OSError: If pictures cannot be read any longer, or another worker is gone.
    """
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        raise ValueError(
            f"Expected a batch that fits into memory: take a smaller --batch-size, or more devices. "
            f"Received: --batch-size {recipe.batch_size} ({first_line(error)})"
        ) from error
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError) as error:
        raise OSError(
            f"Expected all workers to stay while training: start every one of them again with --resume {folder}. "
            f"Received: {first_line(error)}"
        ) from error
    except tf.errors.OpError as error:
        if not is_about_data(error):
            raise
        raise OSError(
            f"Expected the pictures to stay as they were while training; bring them back, then --resume {folder}. "
            f"Received: {first_line(error)}"
        ) from error


def check_finite(loss, epoch, step, recipe, folder):
    """Refuse a loss that is no number.

    Args:
        loss: A float.
        epoch: Number of the epoch, from 1.
        step: Number of the step in it, from 1; None for validation.
        recipe: The `Recipe` that is trained by.
        folder: The run folder.

    Raises:
        ValueError: If the loss is NaN or infinite.
    """
    if math.isfinite(loss):
        return
    place = f"step {step}" if step else "the validation"
    kept = f"; {folder} keeps the last good weights" if epoch > 1 else ""
    raise ValueError(
        f"Expected a finite loss: train anew with a smaller --learning-rate, or --precision float32{kept}. "
        f"Received: {loss} at {place} of epoch {epoch}, learning_rate={recipe.learning_rate}"
    )


def stuck(losses, classes):
    """What to say of a loss that has not left chance since the beginning; None where there is nothing to say, or again.

    Args:
        losses: Training loss of each epoch so far.
        classes: Number of classes.

    Example:
        >>> stuck([4.62] * 4, classes=102) is None
        True
        >>> stuck([4.62] * 5, classes=102)[:52]
        'The loss is still ln(102) = 4.62, as if by guessing.'
    """
    chance = math.log(classes)
    if len(losses) != STUCK_EPOCHS or any(abs(loss - chance) > 0.01 * chance for loss in losses):
        return None
    return (
        f"The loss is still ln({classes}) = {chance:.2f}, as if by guessing. Usual reasons: initial weights of the "
        "text (std 0.01 in every layer lets the signal fade; leave --initial-weights out), pixels divided by 255 (they "
        "stay on 0 to 255 less the mean), a --learning-rate that is too small or too large, wrong labels."
    )
