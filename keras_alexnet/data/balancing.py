"""Count the pictures of each class, and sample those of rare classes more often (ours)."""

from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_alexnet.arguments import check_type
from keras_alexnet.recipes import Recipe

MOST_REPEATS = 10  # ours: most repeats of a picture of a rare class per epoch of the largest class
COUNTED = 20_000  # ours: labels are counted in at most this many pictures of a data set that has to be read for it


@tf.autograph.experimental.do_not_convert
def count_labels(pictures: tf.data.Dataset, classes: int) -> np.ndarray:
    """Return the number of pictures of each class, int64 `(classes,)`.

    Args:
        pictures: A data set of `(picture, label)`.
        classes: Number of classes.

    Raises:
        TypeError: If `pictures` is not a `tf.data.Dataset`.
    """
    check_type("pictures", pictures, tf.data.Dataset, "a tf.data.Dataset of (picture, label)")
    labels = pictures.map(lambda _, label: label).batch(1024).as_numpy_iterator()
    return np.bincount(np.concatenate([np.empty(0, np.int64), *labels]), minlength=classes)


def repeats_by_class(counts: Sequence[int]) -> np.ndarray:
    """Return how many times as often to sample a picture of each class, to balance the classes.

    Args:
        counts: Number of training pictures by class.

    Returns:
        Integers from 1 to `MOST_REPEATS`, `(classes,)`.

    Example:
        >>> repeats_by_class([1000, 400, 20]).tolist()
        [1, 2, 10]
    """
    counts = np.maximum(counts, 1)
    return np.rint(counts.max() / counts).clip(1, MOST_REPEATS).astype(int)


def counts_as_seen(counts: Sequence[int], recipe: Recipe) -> np.ndarray:
    """Return the number of pictures of each class in an epoch, up to a factor, as sampled by the recipe."""
    return np.asarray(counts) * (repeats_by_class(counts) if recipe.balance == "repeat" else 1)
