"""The comparisons of benchmark.py that read no data: training, prediction, response normalization, share of the peak.

Each takes the parsed flags and a report, and adds its measurements to the report.

TensorFlow is imported inside functions, because every worker process imports the main script again.
"""

import argparse
import contextlib
import dataclasses
import functools
import time
import typing
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from benchmarks import baselines
from benchmarks.measuring import Report, take_turns
from keras_alexnet.machine import available_cores
from keras_alexnet.recipes import RECIPES, Recipe

if typing.TYPE_CHECKING:
    import keras

    from keras_alexnet.training.strategies import Strategy

OURS = "keras_alexnet"
POLICIES = {"float32": "float32", "bfloat16": "mixed_bfloat16"}
TRIAL_BATCH = 16  # images at most; a baseline's best setting is found with these
PRODUCT_SIDE = 4096  # of the square matrices whose product is the peak
EMULATED = (
    "baselines in bfloat16: this processor only emulates it, so ours in bfloat16 is compared with ours in float32"
)


def training(arguments: argparse.Namespace, report: Report) -> None:
    """Compare training steps (forward, backward and update) on a batch in memory."""
    _compare("training", training_step, arguments, report)


def prediction(arguments: argparse.Namespace, report: Report) -> None:
    """Compare predictions, from a batch in memory to its probabilities."""
    _compare("prediction", prediction_step, arguments, report)


def training_step(network: Any, images: Any, labels: Any) -> Callable[[], Any]:
    """Return a function without arguments that takes one step on a batch."""
    return lambda: network.train_on_batch(images, labels)


def prediction_step(network: Any, images: Any, labels: Any) -> Callable[[], Any]:
    """Return a function without arguments that predicts a batch."""
    return lambda: network.predict_on_batch(images)


def _compare(topic, step, arguments, report):
    from keras_alexnet.training.hardware import fastest_precision

    for name in arguments.precisions:
        if name == "bfloat16" and fastest_precision() == "float32":
            report.leave_out(EMULATED)
            _compare_precisions(topic, step, arguments, report)
            continue
        with precision(name):
            makers = {OURS: functools.partial(ours, arguments), **_best_baselines(step, arguments, name, report)}
            if topic == "prediction" and name == "float32":
                makers |= _onnx_runtime(arguments, report)
            for batch in arguments.batch_sizes:
                # New networks each time: TensorFlow generalizes a function that sees a second shape.
                rates = _race(step, {who: make() for who, make in makers.items()}, batch, arguments)
                report.add(topic, f"batch {batch}, {name}", "images/s", rates)


def _onnx_runtime(arguments, report):
    """Return a function that builds our network in ONNX Runtime, by name, or nothing if that is not installed."""
    if baselines.HAS_ONNX_RUNTIME:
        return {"ONNX Runtime": lambda: baselines.OnnxNetwork(ours(arguments))}
    report.leave_out(baselines.NO_ONNX_RUNTIME)
    return {}


def _race(step, networks, batch, arguments):
    contenders = {
        name: (step(network, *random_batch(network, batch, arguments.size)), batch)
        for name, network in networks.items()
    }
    return take_turns(contenders, arguments.repeats, arguments.seconds)


def _compare_precisions(topic, step, arguments, report):
    """Compare ours in emulated bfloat16 with ours in float32."""
    batch, networks = arguments.batch_sizes[0], {}
    for name in ("bfloat16", "float32"):
        with precision(name):
            networks[f"{OURS}, {name}"] = ours(arguments)
    report.add(topic, f"batch {batch}, bfloat16 emulated", "images/s", _race(step, networks, batch, arguments))


@contextlib.contextmanager
def precision(name: str) -> Iterator[None]:
    """Build Keras networks in this precision inside the `with` block."""
    import keras

    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(POLICIES[name])
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def recipe(size: int, **changes: Any) -> Recipe:
    """Return the paper's recipe for crops of another size."""
    return dataclasses.replace(RECIPES["text"], crop_size=size, resize_size=size + 29, **changes)  # 29: as 256 to 227


def ours(arguments: argparse.Namespace, strategy: "Strategy | None" = None) -> "keras.Model":
    """Build the network exactly as `trainer.fit` compiles it."""
    from keras_alexnet.training.trainer import compiled_model

    return compiled_model(recipe(arguments.size), baselines.CLASSES, strategy=strategy)


def random_arrays(batch: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Return random images, pixel values less the mean, of shape `(batch, size, size, 3)`, and their labels."""
    random = np.random.default_rng(0)
    images = random.normal(0, 60, (batch, size, size, 3)).astype(np.float32)
    return images, random.integers(baselines.CLASSES, size=batch)


def random_batch(network: Any, batch: int, size: int) -> tuple[Any, Any]:
    """Return random images and labels as tensors of the network's own framework."""
    import keras

    images, labels = random_arrays(batch, size)
    if isinstance(network, baselines.PyTorchNetwork):
        return network.tensors(images, labels)
    if isinstance(network, baselines.ExportedNetwork):
        return np.uint8(np.clip(images + 128, 0, 255)), labels
    return keras.ops.convert_to_tensor(images), keras.ops.convert_to_tensor(labels)


def _best_baselines(step, arguments, name, report):
    """Return functions that build each baseline in the setting that is fastest here, by name and setting."""
    model = ours(arguments)
    choices = {"Keras baseline": baselines.keras_networks(model)}
    if baselines.HAS_PYTORCH:
        choices["PyTorch"] = baselines.pytorch_networks(model, name, available_cores())
    else:
        report.leave_out(baselines.NO_PYTORCH)
    best = {}
    for baseline, makers in choices.items():
        batch = min(TRIAL_BATCH, arguments.batch_sizes[0])
        times = {setting: _trial(step, make(), batch, arguments.size) for setting, make in makers.items()}
        setting = min(times, key=times.get)
        best[f"{baseline}, {setting}"] = makers[setting]
    return best


def _trial(step, network, batch, size):
    """Return the seconds that a network's second step takes on a small batch."""
    call = step(network, *random_batch(network, batch, size))
    call()
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def response_normalization(arguments: argparse.Namespace, report: Report) -> None:
    """Compare forward, and forward with backward, on the maps of conv1 and conv2, with `tf.nn.lrn`."""
    import tensorflow as tf

    from keras_alexnet import LocalResponseNormalization, build

    layers = {OURS: LocalResponseNormalization(), "tf.nn.lrn": baselines.response_normalization}
    model = build(include_top=False, input_shape=(arguments.size, arguments.size, 3))
    for place in ("norm1", "norm2"):
        shape = (arguments.batch_sizes[0], *model.get_layer(place).output.shape[1:])
        maps, upstream = tf.nn.relu(tf.random.normal(shape, stddev=20.0)), tf.random.normal(shape)
        for subject, wrap in (("forward", _forward), ("forward and backward", _forward_and_backward)):
            calls = {name: functools.partial(wrap(layer), maps, upstream) for name, layer in layers.items()}
            contenders = {name: (call, shape[0]) for name, call in calls.items()}
            rates = take_turns(contenders, arguments.repeats, arguments.seconds)
            report.add("lrn", f"{subject}, {' x '.join(map(str, shape))}", "images/s", rates)


def _forward(layer):
    import tensorflow as tf

    return tf.function(lambda maps, upstream: layer(maps))


def _forward_and_backward(layer):
    import tensorflow as tf

    @tf.function
    def both(maps, upstream):
        with tf.GradientTape() as tape:
            tape.watch(maps)
            normalized = layer(maps)
        # Both are returned, because TensorFlow does not compute what is not used.
        return normalized, tape.gradient(normalized, maps, upstream)

    return both


def peak(arguments: argparse.Namespace, report: Report) -> None:
    """Compare the arithmetic of a training step per second with that of the fastest large matrix product."""
    import tensorflow as tf

    from keras_alexnet.models.summary import layer_costs, training_flops

    batch, product = arguments.batch_sizes[0], "tf.matmul, best round"
    with precision("float32"):
        network = ours(arguments)
    operations = sum(training_flops(layer_costs(network)).values())
    matrix = tf.random.normal((PRODUCT_SIDE, PRODUCT_SIDE))
    step = training_step(network, *random_batch(network, batch, arguments.size))
    contenders = {
        "training step": (step, batch * operations / 1e9),
        product: (lambda: tf.matmul(matrix, matrix), 2 * PRODUCT_SIDE**3 / 1e9),
    }
    rates = take_turns(contenders, arguments.repeats, arguments.seconds)
    rates[product] = [max(rates[product])] * arguments.repeats
    report.add("peak", f"batch {batch}, float32, {operations / 1e9:.2f} GFLOP per image", "GFLOP/s", rates)
