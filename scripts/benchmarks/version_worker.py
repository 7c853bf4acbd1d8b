"""One measurement for compare_versions.py, of the version of the library on PYTHONPATH. Prints the result as a number.

It uses only `build` and `PaperSGD`, whose names and arguments do not change between versions.
"""

import pathlib
import sys
import time
from collections.abc import Callable

import numpy as np

SIZE, CLASSES, SECONDS = 227, 1000, 4.0


def _rate(step: Callable[[], object], work: int) -> float:
    """Return the work per second of a function, after two calls that are not counted."""
    step(), step()
    calls, started = 0, time.perf_counter()
    while (elapsed := time.perf_counter() - started) < SECONDS:
        step()
        calls += 1
    return work * calls / elapsed


def _training_step(batch, precision):
    import keras

    import keras_alexnet

    keras.mixed_precision.set_global_policy(precision)
    model = keras_alexnet.build("paper", input_shape=(SIZE, SIZE, 3), classes=CLASSES)
    optimizer = keras_alexnet.PaperSGD(0.001)
    model.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=False)
    random = np.random.default_rng(0)
    images = random.uniform(-128, 128, (batch, SIZE, SIZE, 3)).astype("float32")
    labels = random.integers(0, CLASSES, batch)
    return lambda: model.train_on_batch(images, labels)


def training(batch: str, precision: str) -> float:
    """Return the training speed in images per second."""
    return _rate(_training_step(int(batch), precision), int(batch))


def memory(batch: str, precision: str) -> float:
    """Return the peak memory of the process after five training steps, in MB."""
    import resource

    step = _training_step(int(batch), precision)
    for _ in range(5):
        step()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1000


def picture(path: str) -> float:
    """Write a picture of noise."""
    from PIL import Image

    Image.fromarray(np.random.default_rng(0).integers(0, 256, (300, 400, 3), np.uint8)).save(path)
    return 0


def network(path: str) -> float:
    """Write a network with random weights."""
    import keras_alexnet

    keras_alexnet.build("caffe", input_shape=(SIZE, SIZE, 3), classes=CLASSES).save(path)
    return 0


def file(path: str, batch: str) -> float:
    """Return the speed of the fastest function of an exported file in images per second, without this library."""
    pixels = np.random.default_rng(0).integers(0, 256, (int(batch), SIZE, SIZE, 3), np.uint8)
    read = {".onnx": _onnx, ".tflite": _tflite, ".savedmodel": _savedmodel}[pathlib.Path(path).suffix]
    return max(_rate(step, int(batch)) for step in read(path, pixels))


def _onnx(path, pixels):
    import onnxruntime

    session = onnxruntime.InferenceSession(path)
    return [lambda: session.run(None, {session.get_inputs()[0].name: pixels})]


def _tflite(path, pixels):
    import os

    import tensorflow as tf

    interpreter = tf.lite.Interpreter(path, num_threads=len(os.sched_getaffinity(0)))
    inputs = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(inputs, pixels.shape)
    interpreter.allocate_tensors()

    def step():
        interpreter.set_tensor(inputs, pixels)
        interpreter.invoke()

    return [step]


def _savedmodel(path, pixels):
    import tensorflow as tf

    loaded, images = tf.saved_model.load(path), tf.constant(pixels)
    signatures = {str(signature.name): signature for signature in loaded.signatures.values()}  # each once
    (name,) = loaded.signatures["serving_default"].structured_input_signature[1]
    return [lambda run=run: next(iter(run(**{name: images}).values())).numpy() for run in signatures.values()]


if __name__ == "__main__":
    print(globals()[sys.argv[1]](*sys.argv[2:]))
