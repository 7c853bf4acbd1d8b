"""Recognize the architecture of a saved network from its layers."""

import collections
import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from keras_alexnet.models.architectures import ARCHITECTURES, Architecture

_CONVOLUTIONS = ("Conv2D", "GroupedConv2D", "LocallyConnected2D")
_NORMALIZATIONS = ("LocalResponseNormalization", "SpatialResponseNormalization")


def recognize(layers: Iterable[tuple[str, Mapping[str, Any]]]) -> Architecture | None:
    """Return the architecture with the same convolutions and normalizations.

    The layers after the convolutions may be different, as in a network with a new head.

    Args:
        layers: The class name and the configuration of each layer, in any order.

    Returns:
        The first of those that match; None if there are none, or if they preprocess pictures in different ways.

    Example:
        >>> from keras_alexnet.models.summary import sketch
        >>> body = sketch("caffenet", include_top=False, name="mine")
        >>> recognize((type(layer).__name__, layer.get_config()) for layer in body.layers).norm
        Normalization(window=5, k=1.0, alpha=2e-05, beta=0.75)
    """
    received = collections.Counter(_of_layers(layers))
    matches = [net for net in ARCHITECTURES.values() if collections.Counter(_of_architecture(net)) == received]
    return matches[0] if len({(net.mean, net.std) for net in matches}) == 1 else None


def _of_layers(layers) -> Iterator[tuple]:
    for kind, config in layers:
        if kind in _CONVOLUTIONS:
            size, strides = config["kernel_size"], config.get("strides", 1)
            is_local = kind == "LocallyConnected2D"
            yield is_local, config["filters"], _side(size), _side(strides), config.get("groups", 1)
        elif kind in _NORMALIZATIONS:
            constants = (config[name] for name in ("window", "k", "alpha", "beta"))
            yield kind, *constants, config.get("groups", 1)


def _side(value):
    """Return the height of a window or stride, which may also be one number."""
    return value if isinstance(value, int) else value[0]


def _of_architecture(net: Architecture) -> Iterator[tuple]:
    channels, within_maps = _NORMALIZATIONS
    for row in net.convolutions.values():
        yield row.is_local, row.filters, row.kernel, row.strides, row.groups
        if row.low_resolution:
            yield False, row.filters, row.low_resolution.kernel, row.low_resolution.strides, 1
        if net.norm and "norm" in row.then:
            yield channels, *dataclasses.astuple(net.norm), net.norm_groups
        if net.spatial_norm and "spatial_norm" in row.then:
            yield within_maps, *dataclasses.astuple(net.spatial_norm), 1
