"""Whether a label is among the most probable classes (paper section 2), without Keras."""

import numbers
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:  # scripts/runs.py needs only `has_top5`
    import numpy as np


def not_in_top_k(probabilities: "np.ndarray", labels: "np.ndarray", k: int) -> "np.ndarray":
    """Return whether the label of each picture is not among the `k` most probable classes.

    Classes that tie with the correct one, and NaN, count as more probable.

    Args:
        probabilities: Shape `(pictures, classes)`.
        labels: Integers, `(pictures,)`.
        k: Number of guesses.

    Returns:
        Booleans, `(pictures,)`.

    Raises:
        ValueError: If `k` is no integer of at least 1, or the labels are one-hot or no classes.

    Source: section 2.
    """
    import numpy as np

    check_k(k)
    labels = np.asarray(labels)
    check_labels(labels)
    classes = probabilities.shape[1]
    if len(labels) and not (labels.min() >= 0 and labels.max() < classes):
        raise ValueError(
            f"Labels must be from 0 to {classes - 1}, as there are {classes} classes. "
            f"Received: labels from {labels.min()} to {labels.max()}"
        )
    of_label = probabilities[np.arange(len(labels)), labels.reshape(-1)]  # (pictures,)
    return (~(probabilities < of_label[:, None])).sum(axis=1) - 1 >= k


def has_top5(classes: int) -> bool:
    """Return whether the top-5 error says anything: with five classes or fewer, it is always zero.

    Example:
        >>> has_top5(5), has_top5(6)
        (False, True)
    """
    return classes > 5


def check_k(k: Any) -> None:
    """Check the number of guesses.

    Raises:
        ValueError: If it is no integer of at least 1.
    """
    if not isinstance(k, numbers.Integral) or isinstance(k, bool) or k < 1:
        raise ValueError(f"`k` must be an integer of at least 1. Received: k={k!r}")


def is_distribution(labels: Any, scores: Any) -> bool:
    """Return whether labels are distributions over the classes, such as one-hot labels.

    Args:
        labels: An array, or a tensor of any backend.
        scores: The scores of the classes, `(batch, classes)`.
    """
    if None in (getattr(each.shape, "rank", 2) for each in (labels, scores)):  # TensorFlow does not know yet
        return False
    return len(labels.shape) == 2 and labels.shape[1] == scores.shape[1] and scores.shape[1] not in (1, None)


def check_labels(labels: Any) -> None:
    """Check that labels are integers, not one-hot.

    Args:
        labels: An array, or a tensor of any backend.

    Raises:
        ValueError: If their shape is another.
    """
    if getattr(labels.shape, "rank", 1) is None:  # a TensorFlow tensor of unknown rank
        return
    shape = tuple(labels.shape)
    if len(shape) > 2 or (len(shape) == 2 and shape[1] not in (1, None)):
        raise ValueError(
            "Labels must be integers of shape (batch,) or (batch, 1): use argmax(labels, axis=-1) for one-hot labels. "
            f"Received: labels of shape {shape}"
        )
