"""Export formats.

Each format has a module with its name in this folder, with two functions:

- `write(server, path, settings)` writes a network from `serving.serving_model` to a new file or folder.
- `load(path)` returns the functions of the file; most formats have one. Each takes pictures, uint8
  `(batch, size, size, 3)`, and returns probabilities, float32 `(batch, classes)`.

To add a format, add such a module and a line here.
"""

import dataclasses
import importlib
import importlib.util
import types

PRECISIONS = ("float32", "float16", "int8")


@dataclasses.dataclass(frozen=True)
class Settings:
    """How to write a file.

    Attributes:
        precision: The type in which the weights are stored, a name in `PRECISIONS`. float16 halves the file, and int8
            divides it by four.
        native_normalization: Whether to use the operator of the format for local response normalization instead of
            simpler ones. It is several times slower in ONNX Runtime and LiteRT, but other runtimes may be faster with
            it.
    """

    precision: str = "float32"
    native_normalization: bool = False


DEFAULTS = Settings()


@dataclasses.dataclass(frozen=True)
class Requirements:
    """The requirements of a format.

    Attributes:
        packages: Packages that must be installed.
        tensorflow: Whether the Keras backend must be TensorFlow.
        has_settings: Whether it can be written with other settings than `DEFAULTS`.
    """

    packages: tuple[str, ...] = ()
    tensorflow: bool = False
    has_settings: bool = True


FORMATS = {
    "savedmodel": Requirements(tensorflow=True, has_settings=False),
    "onnx": Requirements(packages=("onnx", "onnxruntime")),
    "tflite": Requirements(tensorflow=True),
}


def find(name: str, settings: Settings = DEFAULTS) -> types.ModuleType:
    """Return the module of a format, after checking its requirements.

    Raises:
        ValueError: If there is no such format, it cannot be written with these settings, or a requirement is missing.

    Example:
        >>> find("onnx").__name__
        'keras_alexnet.export.onnx'
    """
    import keras  # here, so that `FORMATS` can be listed without loading Keras

    if not isinstance(name, str) or name not in FORMATS:
        raise ValueError(f"Expected one of {', '.join(FORMATS)}. Received: {name!r}")
    required = FORMATS[name]
    if settings.precision not in PRECISIONS:
        raise ValueError(f"`precision` must be one of {', '.join(PRECISIONS)}. Received: {settings.precision!r}")
    if settings != DEFAULTS and not required.has_settings:
        able = " or ".join(each for each, requirements in FORMATS.items() if requirements.has_settings)
        raise ValueError(f"Other precisions than float32, and native normalization, need {able}. Received: {name}")
    if required.tensorflow and keras.backend.backend() != "tensorflow":
        raise ValueError(f"{name} needs KERAS_BACKEND=tensorflow. Received: {keras.backend.backend()}")
    missing = [package for package in required.packages if importlib.util.find_spec(package) is None]
    if missing:
        raise ValueError(
            f"{name} needs more packages: pip install 'keras-alexnet[export]'. Received: no {' and no '.join(missing)}"
        )
    return importlib.import_module(f"keras_alexnet.export.{name}")
