"""Files of Keras (`.keras`, `.weights.h5`, `.weights.json`, `.h5` of Keras 2) and of NumPy. No layer is created.

The configuration in a file could name code. It is read as plain JSON, and only for the types and constants of layers.
HDF5 files can refer to other files; arrays are never read from those.
"""

import io
import json
import pathlib
import re
import zipfile
from typing import BinaryIO

import h5py
import numpy as np

from keras_alexnet.weights.conventions import (
    EXTERNAL,
    Convention,
    WeightFile,
    input_scales,
    steps_before_dense,
    widened,
)

KERAS = Convention("{}/kernel", "{}/bias")
_KINDS = {
    "Conv2D": "conv",
    "GroupedConv2D": "conv",
    "ReLU": "relu",
    "MaxPooling2D": "pool",
    "LocalResponseNormalization": "norm",
    "SpatialResponseNormalization": "spatial norm",
    "Dense": "dense",
    "GroupedDense": "dense",
}


def read_keras(path: pathlib.Path) -> WeightFile:
    """Read the arrays and the layers of a `.keras` file."""
    with zipfile.ZipFile(path) as archive:
        arrays = _arrays(io.BytesIO(archive.read("model.weights.h5")))
        return WeightFile(arrays, KERAS, **_description(archive.read("config.json")))


def read_h5(path: pathlib.Path) -> WeightFile:
    """Read the arrays of an HDF5 file: Keras 3 weights, or Keras 2 weights or networks."""
    with h5py.File(path, "r") as root:
        if "layer_names" in root.attrs:
            return WeightFile(_arrays_of_keras_2(root), KERAS)
        if "model_weights" in root:
            arrays = _arrays_of_keras_2(_own(root, "model_weights"))
            described = _description(root.attrs["model_config"]) if "model_config" in root.attrs else {}
            return WeightFile(arrays, KERAS, **described)
    return WeightFile(_arrays(path), KERAS, input_scales=None)


def read_sharded(path: pathlib.Path) -> WeightFile:
    """Read the arrays of a `.weights.json` file and of the shards next to it.

    Raises:
        ValueError: If the file names files other than its shards, or a shard is a link.
    """
    own_shard = re.compile(rf"{re.escape(path.name.removesuffix('.weights.json'))}_[0-9]{{5,}}\.weights\.h5")
    shards = []
    for name in _shard_names(json.loads(path.read_bytes())):
        shard = path.with_name(name) if own_shard.fullmatch(name) else None
        if shard is None or shard.is_symlink():
            raise ValueError(f"{name} is not one of its shards")
        shards.append(shard)
    return WeightFile(_arrays(*shards), KERAS, input_scales=None)


def read_npz(path: pathlib.Path) -> WeightFile:
    """Read arrays named `conv1/kernel`, `conv1/bias` and so on."""
    with path.open("rb") as file, np.load(file, allow_pickle=False) as arrays:
        return WeightFile(dict(arrays), KERAS, input_scales=None)


def _shard_names(index):
    """Return the names of the files in the index of a `.weights.json`, each once."""
    names = index["weight_map"].values()
    return sorted({name for each in names for name in (each if isinstance(each, list) else [each])})


def _description(config):
    """Return the fields of a `WeightFile` from the configuration of a network, except its arrays."""
    config = json.loads(config)["config"]
    config = config if isinstance(config, dict) else {}
    layers = config.get("layers", ())
    shapes = (layer["config"].get("batch_shape") for layer in layers if layer["class_name"] == "InputLayer")
    shape = next((shape for shape in shapes if isinstance(shape, list) and len(shape) == 4), [None] * 4)
    return {
        "steps": steps_before_dense([_kind_and_constants(layer) for layer in layers]) or None,
        "network": config.get("name"),
        "size": shape[1],
        "input_scales": _input_scales(layers),
        "activation": _activation(layers),
    }


def _input_scales(layers):
    kinds = [(_class(layer), layer["config"]) for layer in layers]
    return input_scales(
        (config.get("name"), config["rate"] if kind == "PaperDropout" else None, _KINDS.get(kind) == "dense")
        for kind, config in kinds
    )


def _activation(layers):
    dense = (layer["config"].get("activation") for layer in layers if _KINDS.get(_class(layer)) == "dense")
    first = next(dense, None)
    return first if isinstance(first, str) and first != "linear" else None  # the activation may be a separate layer


def _class(layer):
    return layer["class_name"].rpartition(">")[2]  # Keras 2 puts the package before the name


def _kind_and_constants(layer):
    kind = _KINDS.get(_class(layer))
    if kind == "norm" and "keras_alexnet" not in (layer.get("registered_name") or layer["class_name"]):
        kind = None  # a layer of the same name in another package
    config = layer["config"]
    if kind == "norm":
        return kind, (config["window"], config["k"], config["alpha"], config["beta"])
    return kind, (config["pool_size"][0], config["strides"][0]) if kind == "pool" else None


def _arrays(*files: pathlib.Path | BinaryIO) -> dict[str, np.ndarray]:
    """Return the arrays of the Keras 3 files with the weights of one network.

    Keras writes the name of each layer next to its variables. If the first variable of a layer begins a new shard, the
    name is in the previous shard.
    """
    names, variables = {}, {}

    def keep(path, item):
        if not isinstance(item, h5py.Group) or not path.endswith("vars"):
            return
        if "name" in item.attrs:
            names[path] = item.attrs["name"]
        for number, kind in (("0", "kernel"), ("1", "bias")):
            if number in item:
                found = _own(item, number)
                variables[path, kind] = widened(found[()], found.attrs.get("dtype"))

    for file in files:
        with h5py.File(file, "r") as root:
            _own(root, "layers").visititems(keep)  # follows no links
    return {f"{names[path]}/{kind}": array for (path, kind), array in variables.items() if path in names}


def _arrays_of_keras_2(group):
    """Return the arrays of Keras 2, with paths such as `conv1/conv1/kernel:0`: the layer, then its variable."""
    arrays = {}

    def keep(path, item):
        if isinstance(item, h5py.Dataset):
            layer, *_, variable = path.split("/")
            arrays[f"{layer}/{variable.removesuffix(':0')}"] = _of_this_file(item)[()]

    group.visititems(keep)  # follows no links
    return arrays


def _own(group, name):
    """Return the item of a group by name. It must be in this file."""
    if isinstance(group.get(name, getlink=True), h5py.ExternalLink | h5py.SoftLink):
        raise ValueError(EXTERNAL)
    return _of_this_file(group[name])


def _of_this_file(item):
    if isinstance(item, h5py.Dataset) and (item.external or item.is_virtual):
        raise ValueError(EXTERNAL)
    return item
