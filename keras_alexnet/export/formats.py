"""Export formats.

Each format has a module with its name in this folder, with two functions:

- `write(server, path)` writes a network from `exporting.serving_model` to a new file or folder.
- `load(path)` returns the functions of the file; most formats have one. Each takes pictures, uint8
  `(batch, size, size, 3)`, and returns probabilities, float32 `(batch, classes)`.

To add a format, add such a module and a line here.
"""

import dataclasses
import importlib
import importlib.util
import types


@dataclasses.dataclass(frozen=True)
class Requirements:
    """The requirements of a format.

    Attributes:
        packages: Packages that must be installed.
        tensorflow: Whether the Keras backend must be TensorFlow.
    """

    packages: tuple[str, ...] = ()
    tensorflow: bool = False


FORMATS = {
    "savedmodel": Requirements(tensorflow=True),
    "onnx": Requirements(packages=("onnx", "onnxruntime")),
    "tflite": Requirements(tensorflow=True),
}


def find(name: str) -> types.ModuleType:
    """Return the module of a format, after checking its requirements.

    Raises:
        ValueError: If there is no such format, or a requirement is missing.

    Example:
        >>> find("onnx").__name__
        'keras_alexnet.export.onnx'
    """
    import keras  # here, so that `FORMATS` can be listed without loading Keras

    if name not in FORMATS:
        raise ValueError(f"Expected one of {', '.join(FORMATS)}. Received: {name!r}")
    required = FORMATS[name]
    if required.tensorflow and keras.backend.backend() != "tensorflow":
        raise ValueError(f"{name} needs KERAS_BACKEND=tensorflow. Received: {keras.backend.backend()}")
    missing = [package for package in required.packages if importlib.util.find_spec(package) is None]
    if missing:
        raise ValueError(f"{name} needs pip install 'keras-alexnet[export]'. Received: no {' and no '.join(missing)}")
    return importlib.import_module(f"keras_alexnet.export.{name}")
