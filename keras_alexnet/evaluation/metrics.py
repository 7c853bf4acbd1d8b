"""Top-1 and top-5 error as the paper counts them, with intervals and likelihood (paper sections 2 and 6)."""

import keras
import numpy as np
from keras import ops
from scipy import stats


@keras.saving.register_keras_serializable(package="keras_alexnet")
class TopKError(keras.metrics.MeanMetricWrapper):
    """Share of images whose label is not among the `k` classes that the network holds most probable.

    Where several classes tie with the right one, they count as ahead of it, and so does NaN: a network that says
    nothing is wrong. (`keras.metrics.SparseTopKCategoricalAccuracy` calls a network of equal outputs perfect.)

    Inputs: integer labels `(batch,)`, probabilities or logits `(batch, classes)`. Result: a share from 0 to 1.

    Args:
        k: How many guesses the network has: 1 or 5 in the paper.
        name: Name in logs; by default `top1_error` for `k=1`.
        dtype: Precision of the sums.

    Example:
        >>> import numpy as np
        >>> metric = TopKError(k=1)
        >>> metric.update_state(np.array([0, 1]), np.array([[0.9, 0.1], [0.8, 0.2]]))
        >>> float(metric.result())
        0.5

    Source: section 2, "the fraction of test images for which the correct label is not among the five labels considered
    most probable by the model".
    """

    def __init__(self, k=5, name=None, dtype=None):
        super().__init__(fn=_is_beyond, name=name or f"top{k}_error", dtype=dtype, k=k)
        self.k = k

    def get_config(self):
        return {"name": self.name, "dtype": self.dtype, "k": self.k}


def _is_beyond(labels, scores, k):
    """1.0 where at least `k` other classes score as well as the label's, else 0.0."""
    scores = ops.convert_to_tensor(scores)
    labels = ops.cast(ops.reshape(labels, (-1, 1)), "int32")
    of_label = ops.take_along_axis(scores, labels, axis=-1)
    ahead = ops.sum(ops.cast(ops.logical_not(scores < of_label), "int32"), axis=-1) - 1  # the label's own
    return ops.cast(ahead >= k, "float32")


def is_beyond(probabilities, labels, k):
    """Whether the label of each picture is not among the `k` most probable classes, boolean `(pictures,)`.

    Classes that tie with the right one, and NaN, count as ahead of it.

    Source: section 2.
    """
    of_label = probabilities[np.arange(len(labels)), labels]
    return (~(probabilities < of_label[:, None])).sum(axis=1) - 1 >= k


def top_k_error(probabilities, labels, k):
    """Share of pictures whose label is not among the `k` most probable classes.

    Args:
        probabilities: Shape `(pictures, classes)`.
        labels: Integers, `(pictures,)`.
        k: How many classes.

    Example:
        >>> top_k_error(np.array([[0.9, 0.1], [0.8, 0.2]]), np.array([0, 1]), k=1)
        0.5

    Source: section 2.
    """
    return float(is_beyond(probabilities, labels, k).mean())


def interval(wrong, pictures):
    """Wilson's 95 % interval of an error: where it may lie over all pictures like these.

    It says how far the choice of the test pictures moves the result, and nothing of another training's luck.

    Example:
        >>> [round(end, 3) for end in interval(wrong=20, pictures=160)]
        [0.082, 0.185]
    """
    return tuple(float(end) for end in stats.binomtest(int(wrong), int(pictures)).proportion_ci(method="wilson"))


def negative_log_likelihood(probabilities, labels):
    """Mean of -log of the right class's probability, in nats; chance is log of the number of classes.

    Args:
        probabilities: Shape `(pictures, classes)`.
        labels: Integers, `(pictures,)`.

    Example:
        >>> round(negative_log_likelihood(np.full((2, 10), 0.1), np.array([3, 7])), 4)
        2.3026
    """
    of_label = np.nan_to_num(probabilities[np.arange(len(labels)), labels]).astype(np.float64)
    return float(-np.log(of_label.clip(np.finfo(np.float32).tiny)).mean())  # 0 is what float32 makes of e^-104


def class_errors(probabilities, labels, class_names):
    """Pictures and top-1 error of each class.

    Args:
        probabilities: Shape `(pictures, classes)`.
        labels: Integers, `(pictures,)`.
        class_names: By class.

    Returns:
        A list of mappings with `class`, `pictures` and `top1_error`, a share of 1; None where there are no pictures.
    """
    wrong = is_beyond(probabilities, labels, 1)
    return [
        {"class": name, "pictures": int(its.sum()), "top1_error": float(wrong[its].mean()) if its.any() else None}
        for name, its in ((name, labels == n) for n, name in enumerate(class_names))
    ]


def measure(probabilities, labels):
    """The numbers that a network is judged by.

    Args:
        probabilities: Shape `(pictures, classes)`.
        labels: Integers, `(pictures,)`.

    Returns:
        A mapping: top-1 and top-5 error with their 95 % intervals, the mean over classes of the top-1 error, and the
        negative log-likelihood. Errors are shares, 0 to 1.

    Source: section 2.
    """
    numbers = {}
    for k in (1, 5):
        wrong = is_beyond(probabilities, labels, k)
        numbers |= {f"top{k}_error": float(wrong.mean()), f"top{k}_interval": interval(wrong.sum(), len(wrong))}
    by_class = [is_beyond(probabilities[labels == n], labels[labels == n], 1).mean() for n in np.unique(labels)]
    likelihood = negative_log_likelihood(probabilities, labels)
    return numbers | {"mean_class_error": float(np.mean(by_class)), "negative_log_likelihood": likelihood}
