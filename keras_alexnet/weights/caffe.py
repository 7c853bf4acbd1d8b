"""Caffe networks (`.caffemodel`), read without Caffe.

The file is a protocol buffer, the `NetParameter` of Caffe's `caffe.proto`: a list of layers, each with its name, type
and weights. There are two versions, the newer `layer`, and the older `layers` in the files of Caffe's model zoo.
"""

import collections
import dataclasses
import pathlib
import struct

import numpy as np

from keras_alexnet.weights.conventions import Convention, WeightFile, steps_before_dense

CAFFE = Convention("{} blob 0", "{} blob 1", channels_first=True, bgr=True)
_WITHIN = "LRN within channels"
_STEPS = {"Convolution": "conv", "ReLU": "relu", "Pooling": "pool", "LRN": "norm", "InnerProduct": "dense"}
_STEPS |= {_WITHIN: "spatial norm"}


@dataclasses.dataclass(frozen=True)
class CaffeLayer:
    """A layer of a Caffe network.

    Attributes:
        name: Its name in the file.
        kind: "Convolution", "ReLU", "LRN", "LRN within channels", "Pooling", "InnerProduct", or "" for all others.
        blobs: Its kernel and bias, in Caffe's axis order.
        constants: Window, k, alpha (divided by the window) and beta of an LRN.
    """

    name: str
    kind: str
    blobs: tuple[np.ndarray, ...]
    constants: tuple[int, float, float, float] | None = None


@dataclasses.dataclass(frozen=True)
class _Form:
    """The field numbers in one of the two versions of a layer, and its names or numbers of layer types."""

    layers: int
    name: int
    type: int
    blobs: int
    lrn: int
    kinds: dict[bytes | int, str]


_TYPES = {4: "Convolution", 14: "InnerProduct", 15: "LRN", 17: "Pooling", 18: "ReLU"}
_FORMS = (
    _Form(layers=100, name=1, type=2, blobs=7, lrn=118, kinds={kind.encode(): kind for kind in _TYPES.values()}),
    _Form(layers=2, name=4, type=5, blobs=6, lrn=18, kinds=_TYPES),
)


def read_caffemodel(path: pathlib.Path) -> WeightFile:
    """Read the arrays and the layers of a `.caffemodel`.

    Raises:
        ValueError: If the file is truncated or not a protocol buffer.
    """
    layers = read_layers(path)
    arrays = {f"{layer.name} blob {n}": blob for layer in layers for n, blob in enumerate(layer.blobs)}
    return WeightFile(
        arrays, CAFFE, steps_before_dense([(_STEPS.get(layer.kind), layer.constants) for layer in layers])
    )


def read_layers(path: pathlib.Path) -> list[CaffeLayer]:
    """Read the layers of a `.caffemodel`, first to last.

    Raises:
        ValueError: If the file is truncated or not a protocol buffer.

    Source: Caffe's `caffe.proto`, messages NetParameter, LayerParameter, V1LayerParameter, BlobProto, LRNParameter.
    """
    try:
        net = _fields(memoryview(path.read_bytes()))
        return [_layer(_fields(message), form) for form in _FORMS for message in net[form.layers]]
    except (KeyError, IndexError, TypeError, struct.error) as error:  # invalid wire types or values
        raise ValueError("it is not a protocol buffer of a network") from error


def _layer(fields, form):
    name, kind = (fields[number][-1] if fields[number] else b"" for number in (form.name, form.type))
    kind = form.kinds.get(bytes(kind) if isinstance(kind, memoryview) else kind, "")
    lrn = _fields(fields[form.lrn][-1] if fields[form.lrn] else b"") if kind == "LRN" else None
    if lrn and lrn[4][-1:] == [1]:  # norm_region: within channels
        kind, lrn = _WITHIN, None
    constants = None if lrn is None else _constants(lrn)
    return CaffeLayer(str(name, "utf-8"), kind, tuple(map(_array, fields[form.blobs])), constants)


def _array(blob):
    """Return the array of a BlobProto. The old version always has four axes, padded with ones in front."""
    fields = _fields(blob)
    if fields[7]:
        shape = list(_integers(_fields(fields[7][-1])[1]))
    else:
        shape = [size for number in (1, 2, 3, 4) for size in fields[number]]
        while len(shape) > 1 and shape[0] == 1:
            del shape[0]
    data = np.frombuffer(b"".join(fields[5]), "<f4") if fields[5] else np.frombuffer(b"".join(fields[8]), "<f8")
    return data.reshape(shape)


def _constants(fields):
    """Return window, k, alpha and beta, with Caffe's defaults."""
    (window,) = fields[1][-1:] or [5]
    k, alpha, beta = (_float(fields[number], default) for number, default in ((5, 1.0), (2, 1.0), (3, 0.75)))
    return window, k, alpha / window, beta  # Caffe divides alpha by the window


def _float(values, default):
    return struct.unpack("<f", values[-1])[0] if values else default


def _integers(values):
    """Yield integers that have one field each or are packed into one field."""
    for value in values:
        position = 0
        while not isinstance(value, int) and position < len(value):
            integer, position = _varint(value, position)
            yield integer
        if isinstance(value, int):
            yield value


def _fields(message):
    """Return the fields of a message by number, each as a list of values: integers, or bytes for longer types."""
    fields, position = collections.defaultdict(list), 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire_type = key >> 3, key & 7
        value, position = _varint(message, position) if wire_type in (0, 2) else (None, position)
        if wire_type:
            size = value if wire_type == 2 else {1: 8, 5: 4}[wire_type]
            value, position = message[position : position + size], position + size
        if position > len(message):
            raise ValueError(f"field {number} is truncated")
        fields[number].append(value)
    return fields


def _varint(message, position):
    """Return an integer and the position after it: seven bits per byte, least significant first."""
    value = shift = 0
    while message[position] & 0x80:
        value |= (message[position] & 0x7F) << shift
        shift, position = shift + 7, position + 1
    return value | message[position] << shift, position + 1
