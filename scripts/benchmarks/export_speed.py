"""The speed of exported networks, for benchmark.py.

TensorFlow is imported inside functions, because every worker process imports the main script again.
"""

import argparse
import dataclasses
import functools
import pathlib
import tempfile

import numpy as np

from benchmarks import network_speed, rivals
from benchmarks.measuring import Report, take_turns

NAMES = {  # of the functions of a file, by format
    "savedmodel": ("SavedModel", "SavedModel, compiled"),
    "onnx": ("ONNX",),
    "tflite": ("LiteRT",),
}
MEAN = 118.0  # of a pixel value; any would do


def exports(arguments: argparse.Namespace, report: Report) -> None:
    """Compare predictions of the Keras network with those of its exported files, in float32.

    The files take bytes and subtract the mean themselves. The Keras network gets numbers that are ready.
    """
    with network_speed.precision("float32"):
        network = network_speed.ours(arguments)
    with tempfile.TemporaryDirectory() as folder:
        functions = _functions(network, arguments, pathlib.Path(folder), report)
        for batch in arguments.batch_sizes:
            pixels = np.random.default_rng(0).integers(0, 256, (batch, *network.input_shape[1:]), np.uint8)
            contenders = {network_speed.OURS: (_prediction(network, pixels), batch)}
            contenders |= {name: (functools.partial(run, pixels), batch) for name, run in functions.items()}
            rates = take_turns(contenders, arguments.repeats, arguments.seconds)
            report.add("exports", f"batch {batch}, float32", "images/s", rates)


def _prediction(network, pixels):
    import keras

    images = keras.ops.convert_to_tensor(pixels.astype(np.float32) - np.float32(MEAN))
    return network_speed.prediction_step(network, images, labels=None)


def _functions(network, arguments, folder, report):
    """Export the network to all formats. Return the functions from pictures to probabilities, by their name."""
    from keras_alexnet.data.statistics import Statistics
    from keras_alexnet.evaluation.classifier import Classifier
    from keras_alexnet.export import exporting, formats

    recipe = dataclasses.replace(network_speed.recipe(arguments.size), mean="color")
    mean_image = np.full((recipe.resize_size, recipe.resize_size, 3), MEAN, np.float32)
    statistics = Statistics(mean_image, np.zeros(3, np.float32), np.eye(3, dtype=np.float32))
    names = tuple(f"class {label}" for label in range(rivals.CLASSES))
    server = exporting.serving_model(Classifier(network, names, recipe, statistics))
    functions = {}
    for format, labels in NAMES.items():
        if format == "onnx" and not rivals.HAS_ONNX_RUNTIME:
            report.leave_out(rivals.NO_ONNX_RUNTIME)
            continue
        module, path = formats.find(format), folder / f"alexnet.{format}"
        module.write(server, path)
        functions |= zip(labels, module.load(path), strict=True)
    return functions
