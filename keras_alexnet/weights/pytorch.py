"""PyTorch files of torchvision's AlexNet: state dicts, the checkpoints that hold them, and safetensors."""

import argparse
import pathlib
import pickle  # only for the name of its error
import warnings
from collections.abc import Iterable, Mapping
from typing import Any

from keras_alexnet.weights.conventions import Convention, WeightFile, widened

TORCHVISION = Convention(
    "{}.weight",
    "{}.bias",
    channels_first=True,
    layers={f"conv{n}": f"features.{index}" for n, index in enumerate((0, 3, 6, 8, 10), 1)}
    | {f"fc{n}": f"classifier.{index}" for n, index in enumerate((1, 4, 6), 6)},
    top="classifier",
)
_KEYS = ("state_dict", "model_state_dict", "model")  # of PyTorch's ImageNet example, its tutorials, and torchvision
_WRAPPERS = ("module", "_orig_mod")  # of DataParallel and DistributedDataParallel, and of torch.compile


def state_dict_of(saved: Any) -> Any:
    """Return the state dict in a checkpoint, or what is given if it is no checkpoint.

    Example:
        >>> state_dict_of({"epoch": 90, "arch": "alexnet", "state_dict": {"features.0.bias": 1}})
        {'features.0.bias': 1}
    """
    key = next((key for key in _KEYS if isinstance(saved, dict) and isinstance(saved.get(key), dict)), None)
    return saved if key is None else saved[key]


def without_wrappers(name: str) -> str:
    """Return the name of an array without the parts that wrappers of a network add.

    Example:
        >>> without_wrappers("_orig_mod.features.module.0.weight")
        'features.0.weight'
    """
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def by_torchvision_names(arrays: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Return arrays by their names without the parts that wrappers add.

    Raises:
        ValueError: If two arrays then have one name.
    """
    pairs = [(without_wrappers(name), array) for name, array in dict(arrays).items()]
    named = dict(pairs)
    if len(named) < len(pairs):
        raise ValueError("it holds an array twice, with and without the prefix of a wrapper such as DataParallel")
    return named


def read_torch(path: pathlib.Path) -> WeightFile:
    """Read a state dict, or a checkpoint that has one.

    A checkpoint of torchvision's scripts also holds the command line, an `argparse.Namespace`, which has no code.

    Raises:
        ValueError: If the file holds other objects than tensors and plain values, or no state dict.
    """
    import torch

    try:
        with warnings.catch_warnings(action="ignore"), torch.serialization.safe_globals([argparse.Namespace]):
            saved = torch.load(path, map_location="cpu", weights_only=True)  # warns of pickles of other programs
    except pickle.UnpicklingError:  # PyTorch's own message recommends to load the file with its code
        raise ValueError("it is damaged, or holds more than tensors, which may be code") from None
    tensors = state_dict_of(saved)
    if not isinstance(tensors, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in tensors.values()):
        raise ValueError("not a state dict, as torch.save(model.state_dict(), file) writes it")
    arrays = {name: tensor.detach().float().numpy() for name, tensor in tensors.items()}
    return WeightFile(by_torchvision_names(arrays), TORCHVISION)


def read_safetensors(path: pathlib.Path) -> WeightFile:
    """Read a safetensors file of a state dict."""
    import safetensors.numpy

    arrays = safetensors.numpy.load_file(path).items()
    widened_arrays = {name: widened(array, array.dtype.name) for name, array in arrays}
    return WeightFile(by_torchvision_names(widened_arrays), TORCHVISION)
