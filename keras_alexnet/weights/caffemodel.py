"""The layers of a Caffe network (`.caffemodel`), read without Caffe.

The file is a protocol buffer, the `NetParameter` of Caffe's `caffe.proto`: a list of layers, each with its name, its
type and the arrays it learned. It comes in two forms, the newer `layer` and the older `layers`, in which the files of
the model zoo are.
"""

import collections
import dataclasses
import struct

import numpy as np


@dataclasses.dataclass(frozen=True)
class CaffeLayer:
    """One layer.

    Attributes:
        name: Its name in the file.
        kind: "Convolution", "ReLU", "LRN", "Pooling", "InnerProduct", or "" for all others.
        blobs: The arrays it learned, kernel and bias, in Caffe's order of axes.
        constants: Of an LRN: its window, k, alpha (which Caffe divides by the window) and beta.
    """

    name: str
    kind: str
    blobs: tuple[np.ndarray, ...]
    constants: tuple[int, float, float, float] | None = None


@dataclasses.dataclass(frozen=True)
class _Form:
    """Numbers of the fields in one of the two forms of a layer, and what it calls the types."""

    layers: int
    name: int
    type: int
    blobs: int
    lrn: int
    kinds: dict


_TYPES = {4: "Convolution", 14: "InnerProduct", 15: "LRN", 17: "Pooling", 18: "ReLU"}
_FORMS = (
    _Form(layers=100, name=1, type=2, blobs=7, lrn=118, kinds={kind.encode(): kind for kind in _TYPES.values()}),
    _Form(layers=2, name=4, type=5, blobs=6, lrn=18, kinds=_TYPES),
)


def read(path):
    """The layers of a `.caffemodel`, first to last.

    Args:
        path: `pathlib.Path` of the file.

    Returns:
        A list of `CaffeLayer`.

    Raises:
        ValueError: If the file is cut short or no protocol buffer.

    Source: Caffe's `caffe.proto`, messages NetParameter, LayerParameter, V1LayerParameter, BlobProto, LRNParameter.
    """
    try:
        net = _fields(memoryview(path.read_bytes()))
        return [_layer(_fields(message), form) for form in _FORMS for message in net[form.layers]]
    except (KeyError, IndexError, TypeError, struct.error) as error:  # of wire types, bytes and numbers in wrong places
        raise ValueError("it is no protocol buffer of a network") from error


def _layer(fields, form):
    name, kind = (fields[number][-1] if fields[number] else b"" for number in (form.name, form.type))
    kind = form.kinds.get(bytes(kind) if isinstance(kind, memoryview) else kind, "")
    constants = _constants(_fields(fields[form.lrn][-1] if fields[form.lrn] else b"")) if kind == "LRN" else None
    return CaffeLayer(str(name, "utf-8"), kind, tuple(map(_array, fields[form.blobs])), constants)


def _array(blob):
    """The numbers of a BlobProto with their shape; its old form counts four axes and puts ones in front."""
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
    """Window, k, alpha and beta, each with Caffe's default where the file has none."""
    (window,) = fields[1][-1:] or [5]
    k, alpha, beta = (_float(fields[number], default) for number, default in ((5, 1.0), (2, 1.0), (3, 0.75)))
    return window, k, alpha, beta


def _float(values, default):
    return struct.unpack("<f", values[-1])[0] if values else default


def _integers(values):
    """Integers that each have a field of their own, or stand one behind the other in one."""
    for value in values:
        position = 0
        while not isinstance(value, int) and position < len(value):
            integer, position = _varint(value, position)
            yield integer
        if isinstance(value, int):
            yield value


def _fields(message):
    """The fields of a message by their numbers: of each a list of integers, or of the bytes of what is longer."""
    fields, position = collections.defaultdict(list), 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire_type = key >> 3, key & 7
        value, position = _varint(message, position) if wire_type in (0, 2) else (None, position)
        if wire_type:
            size = value if wire_type == 2 else {1: 8, 5: 4}[wire_type]
            value, position = message[position : position + size], position + size
        if position > len(message):
            raise ValueError(f"field {number} is cut short")
        fields[number].append(value)
    return fields


def _varint(message, position):
    """An integer in groups of seven bits, the least first; each but the last has its highest bit set."""
    value = shift = 0
    while message[position] & 0x80:
        value |= (message[position] & 0x7F) << shift
        shift, position = shift + 7, position + 1
    return value | message[position] << shift, position + 1
