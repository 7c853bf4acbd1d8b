"""PyTorch files of torchvision's AlexNet: state dicts, checkpoints that contain them, and safetensors."""

import argparse
import pathlib
import pickle  # only for the name of its error
import warnings
from collections.abc import Mapping
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
    """Return the state dict in a checkpoint, or the argument if it is not a checkpoint.

    Example:
        >>> state_dict_of({"epoch": 90, "arch": "alexnet", "state_dict": {"features.0.bias": 1}})
        {'features.0.bias': 1}
    """
    key = next((key for key in _KEYS if isinstance(saved, dict) and isinstance(saved.get(key), dict)), None)
    return saved if key is None else saved[key]


def without_wrappers(name: str) -> str:
    """Return the name of an array without the parts added by wrappers of a network.

    Example:
        >>> without_wrappers("_orig_mod.features.module.0.weight")
        'features.0.weight'
    """
    return ".".join(part for part in name.split(".") if part not in _WRAPPERS)


def by_torchvision_names(arrays: Mapping[str, Any]) -> dict[str, Any]:
    """Return arrays by their names without the parts added by wrappers.

    Raises:
        ValueError: If two arrays then have the same name.
    """
    pairs = [(without_wrappers(name), array) for name, array in arrays.items()]
    named = dict(pairs)
    if len(named) < len(pairs):
        raise ValueError("it contains an array twice, with and without the prefix of a wrapper such as DataParallel")
    return named


def read_torch(path: pathlib.Path) -> WeightFile:
    """Read a state dict, or a checkpoint that contains one.

    A checkpoint of torchvision's scripts also contains the command line, an `argparse.Namespace`, which is not code.

    Raises:
        ValueError: If the file contains anything other than tensors and plain values, or no state dict.
    """
    import torch

    try:
        with warnings.catch_warnings(action="ignore"), torch.serialization.safe_globals([argparse.Namespace]):
            saved = torch.load(path, map_location="cpu", weights_only=True)  # warns about pickles of other programs
    except pickle.UnpicklingError:  # PyTorch's own message recommends loading the file with its code
        raise ValueError("it is damaged, or contains more than tensors, which may be code") from None
    tensors = state_dict_of(saved)
    if not isinstance(tensors, dict) or not all(isinstance(tensor, torch.Tensor) for tensor in tensors.values()):
        raise ValueError("it is not a state dict from torch.save(model.state_dict(), file)")
    arrays = {name: tensor.detach().float().numpy() for name, tensor in tensors.items()}
    return WeightFile(by_torchvision_names(arrays), TORCHVISION)


def read_safetensors(path: pathlib.Path) -> WeightFile:
    """Read a safetensors file of a state dict."""
    import safetensors.numpy

    arrays = safetensors.numpy.load_file(path).items()
    widened_arrays = {name: widened(array, array.dtype.name) for name, array in arrays}
    return WeightFile(by_torchvision_names(widened_arrays), TORCHVISION)
