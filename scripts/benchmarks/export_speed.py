"""The speed of exported networks, for benchmark.py.

TensorFlow is imported inside functions, because every worker process imports the main script again.
"""

import argparse
import functools
import tempfile
import typing

import numpy as np

from benchmarks import baselines, network_speed
from benchmarks.measuring import Report, take_turns
from keras_alexnet.files import temporary_folder

if typing.TYPE_CHECKING:
    import keras

NAMES = {  # of the functions of a file, by format
    "savedmodel": ("SavedModel", "SavedModel, compiled"),
    "onnx": ("ONNX",),
    "tflite": ("LiteRT",),
}


def exports(arguments: argparse.Namespace, report: Report) -> None:
    """Compare predictions of the Keras network with those of its exported files, in float32.

    The files take bytes and subtract the mean themselves. The Keras network gets numbers that are ready.
    """
    with network_speed.precision("float32"):
        network = network_speed.ours(arguments)
    with temporary_folder(tempfile.gettempdir()) as folder:
        functions = _functions(network, arguments, folder, report)
        for batch in arguments.batch_sizes:
            predict = network_speed.prediction_step(
                network, *network_speed.random_batch(network, batch, arguments.size)
            )
            pixels = np.random.default_rng(0).integers(0, 256, (batch, *network.input_shape[1:]), np.uint8)
            contenders = {network_speed.OURS: (predict, batch)}
            contenders |= {name: (functools.partial(run, pixels), batch) for name, run in functions.items()}
            rates = take_turns(contenders, arguments.repeats, arguments.seconds)
            report.add("exports", f"batch {batch}, float32", "images/s", rates)


def _functions(network, arguments, folder, report):
    """Export the network to all formats. Return the functions from pictures to probabilities, by their name."""
    from keras_alexnet.export import formats

    server = _serving_model(network, arguments.size)
    functions = {}
    for format, labels in NAMES.items():
        if format == "onnx" and not baselines.HAS_ONNX_RUNTIME:
            report.leave_out(baselines.NO_ONNX_RUNTIME)
            continue
        module, path = formats.find(format), folder / f"alexnet.{format}"
        module.write(server, path)
        functions |= zip(labels, module.load(path), strict=True)
    return functions


def _serving_model(network, size):
    from keras_alexnet.evaluation.classifier import Classifier
    from keras_alexnet.export import serving

    names = tuple(f"class {label}" for label in range(baselines.CLASSES))
    return serving.serving_model(Classifier(network, names, network_speed.recipe(size, mean="architecture")))


class SavedModel(baselines.ExportedNetwork):
    """The network as this library exports it to a SavedModel.

    Args:
        network: The network.
        size: Its crop size in pixels.
        compiled: Whether to use the compiled signature.
    """

    def __init__(self, network: "keras.Model", size: int, compiled: bool):
        from keras_alexnet.export import savedmodel

        with temporary_folder(tempfile.gettempdir()) as folder:
            savedmodel.write(_serving_model(network, size), folder / "alexnet.savedmodel")
            self.predict_on_batch = savedmodel.load(folder / "alexnet.savedmodel")[compiled]
