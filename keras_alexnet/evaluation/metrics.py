"""Top-1 and top-5 error, as the paper counts (section 6)."""

import keras
from keras import ops


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
