"""Whether a label is among the most probable classes (paper section 2), without Keras."""

from typing import TYPE_CHECKING, Any

from keras_alexnet.arguments import positive_integer

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
        ValueError: If `k` is no integer of at least 1, or as for `as_arrays`.

    Source: section 2.
    """
    import numpy as np

    positive_integer(k, "k")
    probabilities, labels = as_arrays(probabilities, labels)
    of_label = probabilities[np.arange(len(labels)), labels]  # (pictures,)
    return (~(probabilities < of_label[:, None])).sum(axis=1) - 1 >= k


def as_arrays(probabilities: Any, labels: Any) -> tuple["np.ndarray", "np.ndarray"]:
    """Return the probabilities and labels of a data set as arrays, after checking them.

    Args:
        probabilities: Shape `(pictures, classes)`, an array, a tensor or a list.
        labels: Integers, `(pictures,)` or `(pictures, 1)`.

    Returns:
        Arrays `(pictures, classes)` and `(pictures,)`.

    Raises:
        ValueError: If the shapes are others or there are no pictures, or the labels are one-hot or no classes.
    """
    import numpy as np

    probabilities, labels = np.asarray(probabilities), np.asarray(labels)
    check_shapes(labels, probabilities)
    if not len(probabilities):
        raise ValueError("Expected at least one picture. Received: none")
    if labels.dtype.kind not in "iu":
        raise ValueError(
            "Labels must be integers: use labels.astype(int) if they are whole numbers. "
            f"Received: labels of {labels.dtype}"
        )
    classes = probabilities.shape[1]
    if labels.min() < 0 or labels.max() >= classes:
        raise ValueError(
            f"Labels must be from 0 to {classes - 1}, as there are {classes} classes. "
            f"Received: labels from {labels.min()} to {labels.max()}"
        )
    return probabilities, labels.reshape(-1)


def has_top5(classes: int) -> bool:
    """Return whether the top-5 error says anything: with five classes or fewer, it is always zero.

    Example:
        >>> has_top5(5), has_top5(6)
        (False, True)
    """
    return classes > 5


def is_distribution(labels: Any, scores: Any) -> bool:
    """Return whether labels are distributions over the classes, such as one-hot labels.

    Args:
        labels: An array, or a tensor of any backend.
        scores: The scores of the classes, `(batch, classes)`.
    """
    shape, shape_of_scores = _shape(labels), _shape(scores)
    if shape is None or shape_of_scores is None:
        return False
    return len(shape) == 2 and shape[1] == shape_of_scores[1] and shape[1] not in (1, None)


def check_shapes(labels: Any, scores: Any) -> None:
    """Check that there is one label per row of scores, as far as the shapes are known.

    Args:
        labels: An array, or a tensor of any backend. One-hot labels are not allowed.
        scores: The scores of the classes, `(batch, classes)`.

    Raises:
        ValueError: If a shape is another.
    """
    check_scores(scores)
    shape = _shape(labels)
    if shape is None:
        return
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] not in (1, None)):
        raise ValueError(
            "Labels must be integers of shape (batch,) or (batch, 1): use argmax(labels, axis=-1) for one-hot labels. "
            f"Received: labels of shape {shape}"
        )
    rows = (_shape(scores) or (None,))[0]
    if None not in (shape[0], rows) and shape[0] != rows:
        raise ValueError(f"Expected one label per row of scores. Received: {shape[0]} labels for {rows} rows")


def check_scores(scores: Any) -> None:
    """Check that the probabilities or logits of a batch have one row per picture.

    Args:
        scores: An array, or a tensor of any backend.

    Raises:
        ValueError: If their shape is not `(batch, classes)`.
    """
    shape = _shape(scores)
    if shape is not None and len(shape) != 2:
        raise ValueError(f"Scores must have the shape (batch, classes). Received: scores of shape {shape}")


def _shape(tensor):
    """Return the shape of an array or tensor; None if TensorFlow does not know its rank yet."""
    return None if getattr(tensor.shape, "rank", 0) is None else tuple(tensor.shape)
