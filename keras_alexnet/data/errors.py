"""TensorFlow's errors about files and memory as one line."""

import contextlib
import re

import tensorflow as tf


@contextlib.contextmanager
def reading(name):
    """Within, what TensorFlow says of a data set's files becomes one line.

    Args:
        name: The data set's.

    Raises:
        OSError: If they cannot be read.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if not is_about_data(error):
            raise
        raise OSError(f"Expected data that can be read. Received: {name}: {first_line(error)}") from error


def is_about_data(error):
    """Whether reading failed, and not the network: an invalid argument may be of either."""
    kinds = tf.errors.NotFoundError, tf.errors.DataLossError, tf.errors.PermissionDeniedError
    return isinstance(error, kinds) or "IteratorGetNext" in str(error)


def first_line(error):
    """The line that names the cause, without the places in TensorFlow where it was met."""
    plain = re.sub(r"{{.*?}}|Error in user-defined function.*?iterator: \S+: ", "", str(error))
    lines = [line.strip() for line in plain.splitlines()]
    told = [line for line in lines if line and not line.startswith(("Detected at", "Graph execution error", "File "))]
    return (told or [type(error).__name__])[0][:200]
