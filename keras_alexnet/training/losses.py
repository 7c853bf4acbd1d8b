"""The loss of training: the paper's multinomial logistic regression, also for soft labels (paper section 3.5)."""

from typing import Any

import keras

from keras_alexnet.evaluation.top_k import is_distribution


@keras.saving.register_keras_serializable(package="keras_alexnet")
class CrossEntropy(keras.losses.Loss):
    """Mean cross-entropy in nats, for labels that are either integers or distributions over the classes.

    With `mixup`, `cutmix` or label smoothing, training has soft labels, and the validation pictures integers.

    Inputs: labels, integers `(batch,)` or distributions `(batch, classes)`; probabilities `(batch, classes)`.

    Example:
        >>> import numpy as np
        >>> loss, probabilities = CrossEntropy(), np.array([[0.5, 0.5], [0.5, 0.5]])
        >>> round(float(loss(np.array([0, 1]), probabilities)), 3)
        0.693
        >>> round(float(loss(np.array([[0.9, 0.1], [0.0, 1.0]]), probabilities)), 3)
        0.693

    Source: section 3.5, "our network maximizes the multinomial logistic regression objective".
    """

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """Return the cross-entropy of each picture, `(batch,)`."""
        if is_distribution(y_true, y_pred):
            return keras.losses.categorical_crossentropy(y_true, y_pred)
        return keras.losses.sparse_categorical_crossentropy(y_true, y_pred)
