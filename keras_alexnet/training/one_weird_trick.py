"""One weird trick: data parallelism in the convolutions, model parallelism in the fully connected layers.

The convolutions have 4 % of the weights and 92 % of the arithmetic; the fully connected layers have the rest. So
Krizhevsky (2014) gives each device all convolutions and a part of the batch, but only a part of the units of each fully
connected layer, which the device computes for the whole batch. In between, the devices exchange the last maps of their
pictures. Only the gradients of the convolutions are summed over the devices.

Both parts use the same devices, which are one axis of a `keras.distribution.DeviceMesh`. `layouts` says which variables
and activations are split along which of their axes. JAX adds the communication.
"""

from collections.abc import Sequence

import keras

from keras_alexnet.models.architectures import Architecture

AXIS = "devices"


def layouts(net: Architecture, devices: Sequence[str]) -> keras.distribution.LayoutMap:
    """Return how the layers are split between devices. What the map does not list is the same on all devices.

    Hidden layers are split by their units, and so are their outputs. The last layer is split by its inputs, which are
    already on the device that computed them. Its outputs are then summed over the devices, which sends one number per
    class and works for any number of classes.

    Args:
        net: The architecture.
        devices: Names of the devices, as `keras.distribution.list_devices` returns them.

    Returns:
        A map for `keras.distribution.ModelParallel`, from paths of variables and of layers' outputs to layouts.

    Raises:
        ValueError: If the network has no hidden layer, or the units of one are not divisible by the number of devices.

    Example:
        >>> from keras_alexnet import ARCHITECTURES
        >>> found = layouts(ARCHITECTURES["paper"], ["cpu:0"])
        >>> found["fc6/kernel"].axes, found["fc8/kernel"].axes, found["conv5/kernel"]
        ((None, 'devices'), ('devices', None), None)

    Source: Krizhevsky, "One weird trick for parallelizing convolutional neural networks", 2014, section 4, scheme (a).
    """
    check(net, len(devices))
    found = keras.distribution.LayoutMap(keras.distribution.DeviceMesh((len(devices),), (AXIS,), devices))
    found["flatten/output"] = (None, None)  # (batch, inputs): each device gets the maps of all pictures
    first = max(net.convolutions) + 1
    last = first + len(net.hidden)
    for n in range(first, last):
        found[f"fc{n}/kernel"] = (None, AXIS)  # (inputs, units)
        found[f"fc{n}/bias"] = (AXIS,)
        found[f"fc{n}/output"] = (None, AXIS)  # (batch, units)
    found[f"fc{last}/kernel"] = (AXIS, None)
    found[f"fc{last}/output"] = (None, None)
    return found


def check(net: Architecture, devices: int) -> None:
    """Raise if this number of devices cannot share the fully connected layers.

    Raises:
        ValueError: If there are no hidden layers, or their units are not divisible by the number of devices.
    """
    if not net.hidden:
        raise ValueError(
            "One weird trick splits hidden fully connected layers: choose an architecture that has some. "
            f"Received: {net.name}"
        )
    if any(units % devices for units in net.hidden):
        raise ValueError(
            "The units of each hidden layer must be divisible by the number of devices. "
            f"Received: {devices} devices, layers of {' and '.join(map(str, net.hidden))} units"
        )
