"""Warn about pictures that were divided by 255 if the network expects pixel values 0 to 255.

With such small inputs and the paper's initial weights, the loss stays at ln(classes) without any other sign of the
cause.
"""

import functools
import itertools
import sys
import types
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import keras
import numpy as np
from keras import ops

MAX_DIVIDED_VALUE = 1.5  # ours: includes pictures on 0 to 1 or -1 to 1, also after small changes of brightness
CHECKED_PICTURES = 32  # pictures of the first batch that are checked


def watch_first_fit(model: keras.Model, includes_preprocessing: bool = False) -> None:
    """Make the first `fit` of a network check its first batch, and warn if its pictures were divided by 255.

    It supports arrays, tensors, `tf.data` datasets, generators and `PyDataset`s. The first call restores Keras's own
    method. The method is set on the object, because a subclass would be named in saved files.

    Args:
        model: A network whose input has pixel values 0 to 255, with or without the mean.
        includes_preprocessing: Whether the network subtracts the mean itself.
    """

    @functools.wraps(type(model).fit)
    def fit(x: Any = None, *arguments: Any, **named: Any) -> Any:
        unwatch(model)
        look = functools.partial(warn_if_divided, includes_preprocessing=includes_preprocessing)
        # A strategy for several devices rewrites the steps of a dataset, so it must not be changed.
        strategy = getattr(model, "distribute_strategy", None)  # only on Keras's TensorFlow backend
        is_shared = getattr(strategy, "num_replicas_in_sync", 1) > 1
        return model.fit(x if is_shared else _watched(x, look), *arguments, **named)

    model.fit = fit


def unwatch(model: keras.Model) -> None:
    """Restore Keras's own `fit`, for pictures with the right pixel values."""
    vars(model).pop("fit", None)


def warn_if_divided(pictures: Any, includes_preprocessing: bool = False) -> None:
    """Warn if the pictures of a batch seem to have been divided by 255.

    Args:
        pictures: `(batch, height, width, channels)`. Anything else is ignored.
        includes_preprocessing: Whether the network subtracts the mean itself.
    """
    if not seem_divided(pictures):
        return
    do = (
        "This network takes pixel values 0 to 255 and subtracts the mean itself: do not divide."
        if includes_preprocessing
        else "This network expects pixel values 0 to 255 minus the mean: do not divide, and use "
        "keras_alexnet.preprocess_input, or build the network with include_preprocessing=True."
    )
    warnings.warn(
        "The pictures of the first batch seem to have been divided by 255, so the loss will stay near ln(classes). "
        f"{do} Received: values from {np.min(pictures):.3g} to {np.max(pictures):.3g}",
        stacklevel=2,
    )


def seem_divided(pictures: np.ndarray) -> bool:
    """Return whether pictures have fractional values around 0 to 1. A single color, a mask of 0 and 1, or NaN is not.

    Args:
        pictures: `(batch, height, width, channels)`. Anything else is ignored.

    Example:
        >>> seem_divided(np.linspace(0, 1, 12).reshape(1, 2, 2, 3)), seem_divided(np.ones((1, 2, 2, 3)))
        (True, False)
    """
    if not isinstance(pictures, np.ndarray) or not np.issubdtype(pictures.dtype, np.floating):
        return False
    if pictures.ndim != 4 or not pictures.size:
        return False
    is_near_one = -MAX_DIVIDED_VALUE <= np.min(pictures) < np.max(pictures) <= MAX_DIVIDED_VALUE
    return bool(is_near_one and (pictures != np.round(pictures)).any())


def _first_pictures(batch: Any) -> Any:
    """Return the first pictures of a batch, which is pictures alone, or pictures, labels and weights."""
    pictures = batch[0] if isinstance(batch, (tuple, list)) else batch
    if isinstance(pictures, np.ndarray) or ops.is_tensor(pictures):
        return ops.convert_to_numpy(pictures[:CHECKED_PICTURES]) if len(pictures.shape) == 4 else None
    return None


def _watched(x: Any, look: Callable[[Any], None]) -> Any:
    """Return the data after a check, or wrapped so that the first batch is checked."""
    if isinstance(x, np.ndarray) or ops.is_tensor(x):
        look(_first_pictures(x))
    elif isinstance(x, types.GeneratorType):
        return _watched_generator(x, look)
    elif isinstance(x, keras.utils.PyDataset) and not x.use_multiprocessing:
        return _WatchedDataset(x, look)
    elif type(x).__module__.startswith("tensorflow") and hasattr(x, "enumerate"):
        return _watched_tf_data(x, look)
    return x


def _watched_generator(batches: Iterator, look: Callable[[Any], None]) -> Iterator:
    first = next(batches, None)
    if first is None:
        return
    look(_first_pictures(first))
    yield from itertools.chain([first], batches)


class _WatchedDataset(keras.utils.PyDataset):
    """A `PyDataset` whose first batch is checked."""

    def __init__(self, batches: keras.utils.PyDataset, look: Callable[[Any], None]):
        super().__init__(batches.workers, batches.use_multiprocessing, batches.max_queue_size)
        self.batches, self.look = batches, look

    @property
    def num_batches(self) -> int | None:
        return self.batches.num_batches

    def __getitem__(self, index: int) -> Any:
        batch, look, self.look = self.batches[index], self.look, None
        if look:
            look(_first_pictures(batch))
        return batch

    def on_epoch_begin(self) -> None:
        self.batches.on_epoch_begin()

    def on_epoch_end(self) -> None:
        self.batches.on_epoch_end()


def _watched_tf_data(batches: Any, look: Callable[[Any], None]) -> Any:
    """Return a `tf.data.Dataset` with the same elements that checks the first one."""
    tf = sys.modules["tensorflow"]
    once = [look]  # on JAX, Keras starts the dataset twice

    def look_at(pictures):
        if once:
            once.pop()(pictures)
        return np.int64(0)

    def pass_on(number, batch):
        pictures = batch[0] if isinstance(batch, (tuple, list)) else batch
        if isinstance(pictures, tf.Tensor) and pictures.shape.rank == 4:
            first = pictures[:CHECKED_PICTURES]
            tf.cond(
                number == 0, lambda: tf.numpy_function(look_at, [first], tf.int64), lambda: tf.constant(0, tf.int64)
            )
        return batch

    return batches.enumerate().map(tf.autograph.experimental.do_not_convert(pass_on))
