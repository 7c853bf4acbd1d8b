"""One-line errors for failures during training."""

import contextlib
import errno
import os
from collections.abc import Callable, Iterator

import tensorflow as tf

from keras_alexnet.data.errors import first_line, is_about_data
from keras_alexnet.files import WriteError
from keras_alexnet.recipes import Recipe

ABOUT_FILES = (errno.ENOSPC, errno.EDQUOT)  # TensorFlow has one error for these and for too little memory


@contextlib.contextmanager
def readable_errors(recipe: Recipe, how_to_go_on: Callable[[], str]) -> Iterator[None]:
    """Turn errors about memory, files and workers into one line that says how to go on.

    Args:
        recipe: The recipe of the training.
        how_to_go_on: Returns what to do when the cause is removed, such as "start again".

    Raises:
        ValueError: If a batch does not fit into memory.
        OSError: If pictures can no longer be read, a file cannot be written, or another worker has stopped.
    """
    try:
        yield
    except WriteError as error:
        raise WriteError(error.path, error.cause, how_to_go_on()) from error
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        if any(os.strerror(number) in str(error) for number in ABOUT_FILES):
            raise OSError(
                f"A file could not be written: free some space, then {how_to_go_on()}. Received: {first_line(error)}"
            ) from error
        raise _too_large(recipe, error) from error
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError) as error:
        raise OSError(
            f"Another worker has stopped: {how_to_go_on()}, with all workers. Received: {first_line(error)}"
        ) from error
    except tf.errors.OpError as error:
        if not is_about_data(error):
            raise
        raise OSError(
            f"The pictures can no longer be read: restore them, then {how_to_go_on()}. Received: {first_line(error)}"
        ) from error
    except RuntimeError as error:
        if not str(error).startswith("RESOURCE_EXHAUSTED"):  # of JAX
            raise
        raise _too_large(recipe, error) from error


def _too_large(recipe: Recipe, error: Exception) -> ValueError:
    return ValueError(
        "A batch does not fit into memory: use a smaller `batch_size` or `crop_size`, or more devices. "
        f"Received: batch_size={recipe.batch_size}, crop_size={recipe.crop_size} ({first_line(error)})"
    )
