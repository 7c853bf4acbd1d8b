"""The kinds of files that networks are exported to: how one is written, and how it is asked for answers."""

import dataclasses
import importlib.util
import os
import typing
import warnings

import keras

from keras_alexnet.export import onnx_graph
from keras_alexnet.models.fusion import fusion, unfused


@dataclasses.dataclass(frozen=True)
class Kind:
    """One kind of file.

    Attributes:
        write: Function of a network as `exports.serving_model` makes it, and of the path of the new file.
        load: Function of the path; gives the file's functions of pictures, uint8 `(batch, size, size, 3)`, to
            probabilities: most have one.
        packages: What must be installed.
        by_tensorflow: Whether TensorFlow must be the backend.
    """

    write: typing.Callable
    load: typing.Callable
    packages: tuple[str, ...] = ()
    by_tensorflow: bool = False


def _write_savedmodel(server, path):
    """One signature that runs everywhere, and one that is faster where XLA is: TensorFlow Serving leaves XLA out."""
    import tensorflow as tf

    def portable(images):
        with unfused():
            return server(images, training=False)

    def compiled(images):
        with fusion(enabled=True):
            return server(images, training=False)

    pictures = tf.TensorSpec((None, *server.input_shape[1:]), tf.uint8, name="image")
    archive = keras.export.ExportArchive()
    archive.track(server)
    archive.add_endpoint("serve", portable, [pictures])
    archive.add_endpoint("compiled", compiled, [pictures])
    archive.write_out(path, verbose=False)


def _load_savedmodel(path):
    import tensorflow as tf

    served = tf.saved_model.load(path)
    signatures = (served.signatures[name] for name in ("serving_default", "compiled"))
    return [lambda images, f=f: f(image=tf.constant(images))["probabilities"].numpy() for f in signatures]


def _write_onnx(server, path):
    path.write_bytes(onnx_graph.convert(server).SerializeToString())


def _load_onnx(path):
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return [lambda images: session.run(["probabilities"], {"image": images})[0]]


def _write_tflite(server, path):
    with unfused():
        server.export(path, format="litert", verbose=False)


def _load_tflite(path):
    import tensorflow as tf

    with warnings.catch_warnings():  # it is moving into a package of its own, LiteRT, which serves on devices
        warnings.filterwarnings("ignore", ".*tf.lite.Interpreter is deprecated", UserWarning)
        interpreter = tf.lite.Interpreter(str(path), num_threads=os.cpu_count())
    runner = interpreter.get_signature_runner()
    return [lambda images: runner(image=images)["probabilities"]]


KINDS = {
    "savedmodel": Kind(_write_savedmodel, _load_savedmodel, by_tensorflow=True),
    "onnx": Kind(_write_onnx, _load_onnx, packages=("onnx", "onnxruntime")),
    "tflite": Kind(_write_tflite, _load_tflite, by_tensorflow=True),
}


def find(name):
    """A kind by its name, with what it needs looked for before any work is done.

    Raises:
        ValueError: If there is none of this name, or something that it needs is missing.

    Example:
        >>> find("onnx").packages
        ('onnx', 'onnxruntime')
    """
    if name not in KINDS:
        raise ValueError(f"Expected one of {', '.join(KINDS)}. Received: {name!r}")
    kind = KINDS[name]
    if kind.by_tensorflow and keras.backend.backend() != "tensorflow":
        raise ValueError(f"{name} needs KERAS_BACKEND=tensorflow. Received: {keras.backend.backend()}")
    missing = [package for package in kind.packages if importlib.util.find_spec(package) is None]
    if missing:
        raise ValueError(f"{name} needs pip install 'keras-alexnet[export]'. Received: no {' and no '.join(missing)}")
    return kind
