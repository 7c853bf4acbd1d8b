"""What a network's Keras file holds (`.keras`, `.weights.h5`), read without making one of its layers.

The configuration in a `.keras` file could name code, so it is read as plain JSON, for the kinds and constants of layers
alone. Of the arrays, none is taken from a file elsewhere that HDF5 could refer to.
"""

import io
import json
import zipfile

import h5py
import numpy as np

ELSEWHERE = "its data are in another file"
_KINDS = {
    "Conv2D": "conv",
    "GroupedConv2D": "conv",
    "ReLU": "relu",
    "MaxPooling2D": "pool",
    "LocalResponseNormalization": "norm",
    "SpatialResponseNormalization": "spatial norm",
    "Dense": "dense",
}


def read(path):
    """The arrays and the layers of a file.

    Args:
        path: `pathlib.Path` of the file.

    Returns:
        Arrays by names such as `conv1/kernel` and `conv1/bias`; and of each layer, first to last, its kind as
        `weight_files.step` has it, or None, and of a normalization the window, k, alpha times the window, and beta.
        Files of weights alone say nothing of layers.

    Raises:
        ValueError: If an array lies in another file.
        KeyError: If it is the file of something else.
    """
    if path.suffix == ".h5":
        return _arrays(path), []
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))["config"]
        layers = config.get("layers", ()) if isinstance(config, dict) else ()
        return _arrays(io.BytesIO(archive.read("model.weights.h5"))), [_node(layer) for layer in layers]


def _node(layer):
    kind, of = _KINDS.get(layer["class_name"]), layer["config"]
    return kind, (of["window"], of["k"], of["alpha"] * of["window"], of["beta"]) if kind == "norm" else None


def _arrays(file):
    arrays = {}

    def keep(_, item):
        layer = item.attrs.get("name")  # Keras writes it beside the variables of each layer
        if layer is None or not isinstance(item, h5py.Group):
            return
        for number, kind in (("0", "kernel"), ("1", "bias")):
            if number in item:
                found = _own(item, number)
                arrays[f"{layer}/{kind}"] = widened(found[()], found.attrs.get("dtype"))

    with h5py.File(file, "r") as root:
        _own(root, "layers").visititems(keep)  # which follows no links
    return arrays


def _own(group, name):
    """What has a name in an HDF5 file, if it is in this file itself."""
    linked = isinstance(group.get(name, getlink=True), h5py.ExternalLink | h5py.SoftLink)
    if linked or (isinstance(found := group[name], h5py.Dataset) and (found.external or found.is_virtual)):
        raise ValueError(ELSEWHERE)
    return found


def widened(array, dtype):
    """An array of bfloat16, which NumPy does not know, as float32, whose upper halves it has; any other as it is.

    Example:
        >>> widened(np.array([0x3F80, 0xC000], np.uint16), "bfloat16").tolist()
        [1.0, -2.0]
    """
    return (array.view(np.uint16).astype(np.uint32) << 16).view(np.float32) if dtype == "bfloat16" else array
