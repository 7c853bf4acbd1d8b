"""The formats of weight files and their readers. Code in a file is never executed."""

import dataclasses
import difflib
import os
import pathlib
from collections.abc import Callable

from keras_alexnet.arguments import check_path
from keras_alexnet.text import reason
from keras_alexnet.weights import names
from keras_alexnet.weights.caffe import read_caffemodel
from keras_alexnet.weights.conventions import WeightFile
from keras_alexnet.weights.keras import read_h5, read_keras, read_npz, read_sharded
from keras_alexnet.weights.onnx import read_onnx
from keras_alexnet.weights.pytorch import read_safetensors, read_torch


@dataclasses.dataclass(frozen=True)
class Format:
    """A format of weight files.

    Attributes:
        description: Description of a file of this format, for messages.
        read: Function from the path of a file to a `WeightFile`.
        extra: The extra of this package that the reader needs, if any.
    """

    description: str
    read: Callable[[pathlib.Path], WeightFile]
    extra: str = ""


_TORCH = Format("a PyTorch state dict", read_torch, "torch")
_H5 = Format("a Keras weight file", read_h5)
FORMATS = {  # by extension
    ".pth": _TORCH,
    ".pt": _TORCH,
    ".pth.tar": _TORCH,  # the extension in PyTorch's ImageNet example
    ".safetensors": Format("a safetensors file", read_safetensors, "weights"),
    ".onnx": Format("an ONNX network", read_onnx, "weights"),
    ".caffemodel": Format("a Caffe network", read_caffemodel),
    ".npz": Format("a NumPy archive of arrays", read_npz),
    ".keras": Format("a Keras file", read_keras),
    ".h5": _H5,
    ".hdf5": _H5,
    ".weights.json": Format("a Keras file of sharded weights", read_sharded),
}


def read(path: str | os.PathLike) -> WeightFile:
    """Read a weight file.

    Args:
        path: A PyTorch file with torchvision's names (`.pth`, `.pt`, `.pth.tar`, `.safetensors`), an ONNX network with
            the model zoo's names or torchvision's (`.onnx`), a Caffe network (`.caffemodel`), arrays in Keras's layout
            named `conv1/kernel`, `conv1/bias` and so on (`.npz`), or a Keras file (`.keras`, `.weights.h5`, `.h5` and
            `.hdf5` of Keras 2, `.weights.json`).

    Raises:
        TypeError: If `path` is no path.
        ValueError: If the file has another format, is damaged, contains more than arrays, or needs a package that is
            not installed.
        OSError: If it cannot be opened.
    """
    check_path("path", path)
    path = pathlib.Path(path)
    file = next((file for ending, file in FORMATS.items() if path.name.endswith(ending)), None)
    if file is None:
        missing = "" if path.exists() else ", which does not exist"
        raise ValueError(
            f"Expected the name of published weights, a run folder, or a weight file: {' '.join(FORMATS)}. "
            f"{_hint(path)}Received: {path}{missing}"
        )
    if not path.exists():
        raise FileNotFoundError(f"The weight file does not exist. Received: {path}")
    path.open("rb").close()  # a file that cannot be opened raises the same error for all formats
    try:
        return file.read(path)
    except ImportError as error:
        needed = f"the package {error.name}" if error.name else "working packages"
        raise ValueError(
            f"Reading {path.suffix} needs {needed}: pip install 'keras-alexnet[{file.extra}]'. Received: {path}: "
            f"{reason(error)}"
        ) from error
    except Exception as error:  # a damaged or malicious file can fail anywhere, and every package has its own errors
        raise ValueError(
            f"Expected {file.description}, undamaged and without code. Received: {path}: {reason(error)}"
        ) from error


def _hint(path):
    if names.is_name(str(path)) or str(path) == names.DRAWN:
        return f"For the published weights of this name, use the path that weights.locate({str(path)!r}) returns. "
    near = difflib.get_close_matches(str(path), (*names.NAMES, names.DRAWN), n=1)
    if near and not path.exists():
        return f"Did you mean {near[0]}? "
    if path.suffix != ".npy":
        return ""
    return (
        "An .npy file with the arrays of several layers, such as bvlc_alexnet.npy, is a pickle and may run code: use "
        "bvlcalexnet-12.onnx or bvlc_alexnet.caffemodel, which contain the same weights. "
    )
