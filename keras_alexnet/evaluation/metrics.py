"""Top-1 and top-5 error as defined in the paper, with intervals and likelihood (paper sections 2 and 6)."""

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import ops
from scipy import stats

from keras_alexnet.arguments import positive_integer
from keras_alexnet.evaluation.top_k import as_arrays, check_scores, check_shapes, is_distribution, not_in_top_k


@keras.saving.register_keras_serializable(package="keras_alexnet")
class TopKError(keras.metrics.MeanMetricWrapper):
    """Fraction of images whose label is not among the `k` most probable classes.

    Classes that tie with the correct one count as more probable, and so does NaN. A network with the same output for
    every class is therefore wrong, while `keras.metrics.SparseTopKCategoricalAccuracy` counts it as correct.

    Inputs: labels, integers `(batch,)` or `(batch, 1)`, or distributions over the classes `(batch, classes)`, such as
    one-hot labels, of which the most probable class counts; probabilities or logits `(batch, classes)`. A label that is
    no class, such as -1, is wrong. Result: a fraction from 0 to 1.

    Args:
        k: Number of guesses: 1 or 5 in the paper. If there are no more classes than that, the result is 0.
        name: Name in logs; by default `top1_error` for `k=1`.
        dtype: Precision of the sums.

    Raises:
        ValueError: If `k` is not an integer of at least 1, or the labels or scores have another shape.

    Example:
        >>> import numpy as np
        >>> metric = TopKError(k=1)
        >>> metric.update_state(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
        >>> float(metric.result())
        0.5

    Source: section 2, "the fraction of test images for which the correct label is not among the five labels considered
    most probable by the model".
    """

    def __init__(self, k: int = 5, name: str | None = None, dtype: Any = None):
        self.k = positive_integer(k, "k")
        super().__init__(fn=_not_in_top_k, name=name or f"top{self.k}_error", dtype=dtype, k=self.k)

    def get_config(self) -> dict:
        return {"name": self.name, "dtype": self.dtype, "k": self.k}


def _not_in_top_k(labels, scores, k):
    """1.0 where at least `k` other classes score as well as the label's, else 0.0."""
    scores = ops.convert_to_tensor(scores)
    labels = _as_integers(labels, scores)
    labels = ops.reshape(labels, (-1, 1))  # (batch, 1)
    classes = ops.shape(scores)[-1]
    nearest = ops.clip(labels, 0, classes - 1)  # backends differ in what they do with other indices
    of_label = ops.take_along_axis(scores, nearest, axis=-1)  # (batch, 1)
    ahead = ops.sum(ops.cast(ops.logical_not(scores < of_label), "int32"), axis=-1) - 1  # without the label itself
    is_class = ops.squeeze(ops.equal(labels, nearest), axis=-1)
    return ops.cast(ops.logical_or(ahead >= k, ops.logical_not(is_class)), "float32")  # (batch,)


def _as_integers(labels, scores):
    """Return labels as integers: of a distribution over the classes, the most probable one."""
    check_scores(scores)
    labels = ops.convert_to_tensor(labels)
    if is_distribution(labels, scores):
        return ops.argmax(labels, axis=1)
    check_shapes(labels, scores)
    return ops.cast(labels, "int32")


@keras.saving.register_keras_serializable(package="keras_alexnet")
class MeanClassError(keras.metrics.Metric):
    """Mean per-class top-1 error. Every class has the same weight, regardless of its number of pictures.

    Inputs: labels, and probabilities or logits, as for `TopKError`. Result: a fraction from 0 to 1. Classes without
    pictures are left out.

    Args:
        classes: Number of classes.
        name: Name in logs.
        dtype: Precision of the sums.

    Raises:
        ValueError: If `classes` is not an integer of at least 1, or the labels or scores have another shape.

    Example:
        >>> import numpy as np
        >>> metric = MeanClassError(classes=2)
        >>> metric.update_state(np.array([0, 0, 0, 1]), np.array([[0.9, 0.1]] * 4))
        >>> float(metric.result())
        0.5
    """

    def __init__(self, classes: int, name: str = "mean_class_error", dtype: Any = None):
        super().__init__(name=name, dtype=dtype)
        self.classes = positive_integer(classes, "classes")
        self.wrong = self.add_variable((self.classes,), "zeros", name="wrong")
        self.pictures = self.add_variable((self.classes,), "zeros", name="pictures")

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Count the pictures of a batch by class."""
        y_pred = ops.convert_to_tensor(y_pred)
        labels = ops.reshape(_as_integers(y_true, y_pred), (-1,))  # (batch,)
        if y_pred.shape[-1] not in (self.classes, None):
            raise ValueError(f"Expected scores of {self.classes} classes. Received: shape {tuple(y_pred.shape)}")
        wrong = _not_in_top_k(labels, y_pred, 1)
        weights = (
            ops.ones_like(wrong) if sample_weight is None else ops.reshape(ops.cast(sample_weight, "float32"), (-1,))
        )
        of_class = ops.cast(ops.one_hot(ops.cast(labels, "int32"), self.classes), "float32")  # (batch, classes)
        self.wrong.assign_add(ops.cast(ops.sum(of_class * (wrong * weights)[:, None], axis=0), self.dtype))
        self.pictures.assign_add(ops.cast(ops.sum(of_class * weights[:, None], axis=0), self.dtype))

    def result(self) -> Any:
        """Return the mean over the classes with pictures."""
        there = ops.cast(self.pictures > 0, self.dtype)
        errors = self.wrong / ops.maximum(self.pictures, 1e-7)
        return ops.sum(errors * there) / ops.maximum(ops.sum(there), 1)

    def get_config(self) -> dict:
        return {"name": self.name, "dtype": self.dtype, "classes": self.classes}


# The same for arrays of a whole data set


def top_k_error(probabilities: np.ndarray, labels: np.ndarray, k: int) -> float:
    """Return the fraction of pictures whose label is not among the `k` most probable classes.

    Args:
        probabilities: Shape `(pictures, classes)`.
        labels: Integers, `(pictures,)`.
        k: Number of guesses. If there are no more classes than that, the result is 0.

    Raises:
        ValueError: If `k` is no integer of at least 1, or as for `top_k.as_arrays`.

    Example:
        >>> top_k_error(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 1]), k=1)
        0.5

    Source: section 2.
    """
    return float(not_in_top_k(probabilities, labels, k).mean())


def interval(wrong: int, pictures: int) -> tuple[float, float]:
    """Return the 95 % Wilson interval of an error on pictures of the same kind.

    It shows how much the result depends on the choice of test pictures, not how much it changes when the network is
    trained again.

    Raises:
        ValueError: If there are no pictures, or more wrong ones than pictures.

    Example:
        >>> [round(end, 3) for end in interval(wrong=20, pictures=160)]
        [0.082, 0.185]
    """
    if not 0 <= wrong <= pictures or not pictures:
        raise ValueError(
            f"`wrong` must be a number of the `pictures`. Received: wrong={wrong!r}, pictures={pictures!r}"
        )
    low, high = stats.binomtest(int(wrong), int(pictures)).proportion_ci(method="wilson")
    return float(low), float(high)


def negative_log_likelihood(probabilities: np.ndarray, labels: np.ndarray) -> float:
    """Return the mean negative log probability of the correct class in nats, which is ln(classes) for chance.

    Args:
        probabilities: Shape `(pictures, classes)`.
        labels: Integers, `(pictures,)`.

    Raises:
        ValueError: As for `top_k.as_arrays`.

    Example:
        >>> round(negative_log_likelihood(np.full((2, 10), 0.1), np.array([3, 7])), 4)
        2.3026
    """
    probabilities, labels = as_arrays(probabilities, labels)
    of_label = np.nan_to_num(probabilities[np.arange(len(labels)), labels]).astype(np.float64)
    return float(-np.log(of_label.clip(np.finfo(np.float32).tiny)).mean())  # float32 rounds e^-104 to 0


def class_errors(probabilities: np.ndarray, labels: np.ndarray, class_names: Sequence[str]) -> list[dict[str, Any]]:
    """Return the number of pictures and the top-1 error of each class.

    Args:
        probabilities: Shape `(pictures, classes)`.
        labels: Integers, `(pictures,)`.
        class_names: Names by class.

    Returns:
        For each class, a mapping with `class`, `pictures` and `top1_error`, a fraction from 0 to 1, or None without
        pictures.

    Raises:
        ValueError: As for `top_k.as_arrays`, or if there is not one name per class.
    """
    probabilities, labels = as_arrays(probabilities, labels)
    if len(class_names) != probabilities.shape[1]:
        raise ValueError(
            f"`class_names` must have one name per class, {probabilities.shape[1]}. Received: {len(class_names)} names"
        )
    wrong = not_in_top_k(probabilities, labels, 1)
    return [
        {"class": name, "pictures": int(its.sum()), "top1_error": float(wrong[its].mean()) if its.any() else None}
        for name, its in ((name, labels == n) for n, name in enumerate(class_names))
    ]


def measure(probabilities: np.ndarray, labels: np.ndarray) -> dict[str, Any]:
    """Return the evaluation metrics of a network.

    Args:
        probabilities: Shape `(pictures, classes)`.
        labels: Integers, `(pictures,)`.

    Returns:
        A mapping: top-1 and top-5 error with their 95 % intervals, the mean per-class top-1 error, and the negative
        log-likelihood. Errors are fractions from 0 to 1.

    Raises:
        ValueError: As for `top_k.as_arrays`.

    Source: section 2.
    """
    probabilities, labels = as_arrays(probabilities, labels)
    wrong = {k: not_in_top_k(probabilities, labels, k) for k in (1, 5)}  # booleans (pictures,)
    measures = {}
    for k, its in wrong.items():
        measures |= {f"top{k}_error": float(its.mean()), f"top{k}_interval": interval(its.sum(), len(its))}
    by_class = [wrong[1][labels == n].mean() for n in np.unique(labels)]
    likelihood = negative_log_likelihood(probabilities, labels)
    return measures | {"mean_class_error": float(np.mean(by_class)), "negative_log_likelihood": likelihood}
