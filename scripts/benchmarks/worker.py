"""One contender of `frameworks.py`, in a process of its own, because a process has one backend of Keras.

It is told on the command line, in JSON, what to run, and answers one line when it is ready. Then it reads numbers: for
each it takes so many steps and answers one line.
"""

import argparse
import json
import os
import sys
from collections.abc import Callable
from typing import Any

from benchmarks import baselines, export_speed, network_speed

PYTORCH = "pytorch"  # without Keras; "torch" is Keras on PyTorch
ONNX = "onnx"  # exported files
SAVED_MODEL, COMPILED_SAVED_MODEL = "savedmodel", "savedmodel, compiled"


def main() -> None:
    """Build the network, and take steps until there is nothing more to read."""
    settings = argparse.Namespace(**json.loads(sys.argv[1]))
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)  # what the libraries print is not for the reader of the answers
    steps = _STEPS[settings.task](settings)
    steps(1)  # traces and compiles
    print("ready", file=answers)
    for line in sys.stdin:
        steps(int(line))
        print("done", file=answers)


def _training(settings) -> Callable[[int], None]:
    return _repeated(network_speed.training_step, settings)


def _prediction(settings) -> Callable[[int], None]:
    return _repeated(network_speed.prediction_step, settings)


def _repeated(make_step, settings):
    """Return a function that takes a number of steps on one batch, which is on the device."""
    with network_speed.precision(settings.precision):
        network = network_of(settings)
    step = make_step(network, *network_speed.random_batch(network, settings.batch, settings.size))

    def steps(count: int) -> None:
        for _ in range(count):
            step()

    return steps


def network_of(settings: argparse.Namespace) -> Any:
    """Return the contender's network: compiled for training, of this library or in PyTorch, or an exported file."""
    if settings.contender == PYTORCH:
        return baselines.PyTorchNetwork(plain_network(settings), "channels_last", settings.precision, settings.threads)
    network = network_speed.ours(settings)
    if settings.contender == ONNX:
        return baselines.OnnxNetwork(network)
    if settings.contender in (SAVED_MODEL, COMPILED_SAVED_MODEL):
        return export_speed.SavedModel(network, settings.size, compiled=settings.contender == COMPILED_SAVED_MODEL)
    return network


def plain_network(settings: argparse.Namespace) -> Any:
    """Return the network of this library that gives the others their weights."""
    import keras_alexnet

    return keras_alexnet.build(input_shape=(settings.size, settings.size, 3), classes=baselines.CLASSES)


def _product(settings) -> Callable[[int], None]:
    """Return a function that multiplies two square matrices on the device a number of times."""
    import keras

    matrix = keras.random.normal((settings.side, settings.side), dtype=settings.precision)

    def steps(count: int) -> None:
        for _ in range(count):
            first = keras.ops.cast(keras.ops.matmul(matrix, matrix)[0, 0], "float32")
            keras.ops.convert_to_numpy(first)  # waits for the device

    return steps


def _fit(settings) -> Callable[[int], None]:
    """Return a function that takes a number of steps of `fit` on a batch in the computer's memory, on some devices."""
    import tensorflow as tf

    from keras_alexnet.training import strategies

    strategy = strategies.create_strategy(settings.devices, settings.virtual_devices, settings.strategy)
    strategy.prepare(network_speed.recipe(settings.size, batch_size=settings.batch))
    with strategy.scope(), network_speed.precision(settings.precision):
        network = network_speed.ours(settings, strategy)
    images, labels = network_speed.random_arrays(settings.batch, settings.size)
    batches = tf.data.Dataset.from_tensors((images, labels)).repeat()

    def steps(count: int) -> None:
        with strategy.training_scope():
            network.fit(batches, steps_per_epoch=count, shuffle=False, verbose=0)

    return steps


_STEPS = {"training": _training, "prediction": _prediction, "product": _product, "fit": _fit}

if __name__ == "__main__":
    main()
