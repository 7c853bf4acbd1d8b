"""TensorFlow's SavedModel, with two signatures that share their weights."""

import functools
import pathlib
from collections.abc import Callable

import keras
import numpy as np

from keras_alexnet.export.formats import DEFAULTS, Settings
from keras_alexnet.models.fusion import set_fusion


def write(server: keras.Model, path: pathlib.Path, settings: Settings = DEFAULTS) -> None:
    """Write a network with two signatures: "serve", which runs everywhere, and "compiled", for XLA.

    The second is faster, but TensorFlow Serving does not support XLA on the CPU. `formats.find` allows only the default
    settings.
    """
    import tensorflow as tf

    def portable(images):
        with set_fusion(enabled=False):
            return server(images, training=False)

    def compiled(images):
        with set_fusion(enabled=True):
            return server(images, training=False)

    images = tf.TensorSpec((None, *server.input_shape[1:]), tf.uint8, name="image")
    archive = keras.export.ExportArchive()  # without `track(server)`, which would store all weights a second time
    archive.add_endpoint("serve", portable, [images])
    archive.add_endpoint("compiled", compiled, [images])
    archive.write_out(path, verbose=False)


def load(path: pathlib.Path) -> list[Callable[[np.ndarray], np.ndarray]]:
    """Return the two signatures of a SavedModel as functions from pictures to probabilities."""
    import tensorflow as tf

    signatures = tf.saved_model.load(path).signatures
    return [functools.partial(_answer, signatures[name]) for name in ("serving_default", "compiled")]


def _answer(signature, images):
    import tensorflow as tf

    return signature(image=tf.constant(images))["probabilities"].numpy()
