"""LiteRT, formerly TensorFlow Lite (`.tflite`), for phones and small devices."""

import os
import pathlib
import warnings
from collections.abc import Callable

import keras
import numpy as np

from keras_alexnet.models.fusion import unfused


def write(server: keras.Model, path: pathlib.Path) -> None:
    """Write a network as a `.tflite` file."""
    with unfused():
        server.export(path, format="litert", verbose=False)


def load(path: pathlib.Path) -> list[Callable[[np.ndarray], np.ndarray]]:
    """Return the function of a `.tflite` file from pictures to probabilities."""
    import tensorflow as tf

    with warnings.catch_warnings():  # the interpreter is moving to the LiteRT package
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", UserWarning)
        interpreter = tf.lite.Interpreter(str(path), num_threads=os.cpu_count())
    runner = interpreter.get_signature_runner()
    return [lambda images: runner(image=images)["probabilities"]]
