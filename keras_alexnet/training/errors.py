"""One-line errors for failures during training."""

import contextlib
import errno
import os
import pathlib
from collections.abc import Iterator

import tensorflow as tf

from keras_alexnet.data.errors import first_line, is_about_data
from keras_alexnet.recipes import Recipe

ABOUT_FILES = (errno.ENOSPC, errno.EDQUOT)  # TensorFlow has one error for these and for too little memory


@contextlib.contextmanager
def readable_errors(recipe: Recipe, folder: pathlib.Path, checkpoints: pathlib.Path) -> Iterator[None]:
    """Turn the backend's errors about memory, files and workers into one line.

    Args:
        recipe: The recipe of the training.
        folder: The run folder.
        checkpoints: The folder of its checkpoints. Without one, there is nothing to continue.

    Raises:
        ValueError: If a batch does not fit into memory.
        OSError: If pictures can no longer be read, or another worker has stopped.
    """
    try:
        yield
    except (tf.errors.ResourceExhaustedError, MemoryError) as error:
        if any(os.strerror(number) in str(error) for number in ABOUT_FILES):
            raise OSError(
                f"A file could not be written: free some space, then {_go_on(folder, checkpoints)}. "
                f"Received: {first_line(error)}"
            ) from error
        raise _too_large(recipe, error) from error
    except (tf.errors.UnavailableError, tf.errors.AbortedError, tf.errors.DeadlineExceededError) as error:
        raise OSError(
            f"Another worker has stopped: {_go_on(folder, checkpoints)}, with all workers. "
            f"Received: {first_line(error)}"
        ) from error
    except tf.errors.OpError as error:
        if not is_about_data(error):
            raise
        raise OSError(
            f"The pictures can no longer be read: restore them, then {_go_on(folder, checkpoints)}. "
            f"Received: {first_line(error)}"
        ) from error
    except RuntimeError as error:
        if not str(error).startswith("RESOURCE_EXHAUSTED"):  # of JAX
            raise
        raise _too_large(recipe, error) from error


def _go_on(folder: pathlib.Path, checkpoints: pathlib.Path) -> str:
    return f"continue with --resume {folder}" if any(checkpoints.glob("*.json")) else "start again"


def _too_large(recipe: Recipe, error: Exception) -> ValueError:
    return ValueError(
        "A batch does not fit into memory: use a smaller --batch-size or --crop-size, or more devices. "
        f"Received: --batch-size {recipe.batch_size} --crop-size {recipe.crop_size} ({first_line(error)})"
    )
