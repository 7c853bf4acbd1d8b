"""LiteRT, formerly TensorFlow Lite (`.tflite`), for phones and small devices."""

import pathlib
import warnings
from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_alexnet.export.formats import DEFAULTS, Settings
from keras_alexnet.machine import available_cores
from keras_alexnet.models.fusion import set_fusion
from keras_alexnet.models.normalization import LocalResponseNormalization, is_over_all_channels


def write(server: keras.Model, path: pathlib.Path, settings: Settings = DEFAULTS) -> None:
    """Write a network as a `.tflite` file."""
    if settings.native_normalization:
        server = _with_native_normalization(server)
    with set_fusion(enabled=False):
        server.export(path, format="litert", verbose=False, **_converter_options(settings.precision))


def _converter_options(precision: str) -> dict[str, Any]:
    """Return attributes for `tf.lite.TFLiteConverter`. With int8, LiteRT also rounds the inputs of each layer."""
    if precision == "float32":
        return {}
    import tensorflow as tf

    types = {"target_spec": {"supported_types": [tf.float16]}} if precision == "float16" else {}
    return {"optimizations": [tf.lite.Optimize.DEFAULT], **types}


class _NativeNormalization(keras.layers.Layer):
    """Local response normalization by `tf.nn.lrn`, which the converter replaces with LiteRT's operator."""

    def __init__(self, layer: LocalResponseNormalization):
        super().__init__(name=layer.name, dtype="float32")
        self.constants = {
            "depth_radius": layer.window // 2,
            "bias": layer.k,
            "alpha": layer.alpha,
            "beta": layer.beta,
        }

    def call(self, inputs: Any) -> Any:
        import tensorflow as tf

        return tf.nn.lrn(inputs, **self.constants)


def _with_native_normalization(server):
    """Return a copy whose normalization over all channels is LiteRT's operator. The copy shares the other layers."""

    def replaced(layer):
        return _NativeNormalization(layer) if is_over_all_channels(layer) else layer

    return keras.models.clone_model(server, clone_function=replaced)


def load(path: pathlib.Path) -> list[Callable[[np.ndarray], np.ndarray]]:
    """Return the function of a `.tflite` file from pictures to probabilities."""
    import tensorflow as tf

    with warnings.catch_warnings():  # the interpreter is moving to the LiteRT package
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", UserWarning)
        interpreter = tf.lite.Interpreter(str(path), num_threads=available_cores())
    runner = interpreter.get_signature_runner()
    return [lambda images: runner(image=images)["probabilities"]]
