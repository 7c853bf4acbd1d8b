"""The parts that a network is put together from, made as a row of `architectures` says."""

import dataclasses
import math

from keras import initializers, layers

from keras_alexnet.models.initializers import Gaussian, Uniform
from keras_alexnet.models.layers import GroupedConv2D, LocalResponseNormalization, SpatialResponseNormalization

# Layers that learn


def convolve(x, row, rounding, name, start):
    """One convolution with its zeros; Keras's own padding where that means the same."""
    padding = "same" if row.strides == 1 and row.padding == (row.kernel - 1) / 2 else row.padding
    if padding != "same":
        x = _pad(x, row.kernel, row.strides, rounding, name, padding)
        padding = "valid"
    kind, grouped = (GroupedConv2D, {"groups": row.groups}) if row.groups > 1 else (layers.Conv2D, {})
    initial = _initial(start, name, inputs=row.kernel**2 * x.shape[-1] // row.groups)
    return kind(row.filters, row.kernel, row.strides, padding, name=name, **grouped, **initial)(x)


def hidden(x, units, net, n, start):
    """One hidden layer with its dropout."""
    drop = layers.Dropout(net.dropout, name=f"drop{n}")
    if net.dropout_before:
        return dense(drop(x), units, net.hidden_activation, f"fc{n}", start)
    return drop(dense(x, units, net.hidden_activation, f"fc{n}", start))


def dense(x, units, activation, name, start, dtype=None):
    """One fully connected layer."""
    return layers.Dense(units, activation, name=name, dtype=dtype, **_initial(start, name, inputs=x.shape[-1]))(x)


def _initial(start, name, inputs):
    """How a layer starts, each of whose units has so many inputs."""
    if name not in start:
        raise ValueError(
            "`initial_weights` must have each layer of the network: name another set, or give a mapping of your own. "
            f"Received: one without {name}"
        )
    return {
        "kernel_initializer": _initializer(start[name].kernel, inputs),
        "bias_initializer": _initializer(start[name].bias, inputs),
    }


def _initializer(distribution, inputs):
    match distribution:
        case Gaussian(std=std, truncated=True):
            return initializers.TruncatedNormal(stddev=std)
        case Gaussian(std=std):
            return initializers.RandomNormal(stddev=std)
        case Uniform(factor=factor):
            return initializers.RandomUniform(-factor / math.sqrt(inputs), factor / math.sqrt(inputs))
        case constant:
            return initializers.Constant(constant)


# Steps behind a convolution: the maps, the step's name, the architecture, the convolution's number


def _norm(x, step, net, n):
    if net.norm is None:
        return x
    constants = dataclasses.asdict(net.norm)
    return LocalResponseNormalization(**constants, groups=net.norm_groups, name=f"norm{n}")(x)


def _spatial_norm(x, step, net, n):
    if net.spatial_norm is None:
        return x
    return SpatialResponseNormalization(**dataclasses.asdict(net.spatial_norm), name=f"spatial_norm{n}")(x)


def _nonlinearity(x, step, net, n):
    return layers.ReLU(name=f"relu{n}")(x) if step == "relu" else layers.Activation(step, name=f"{step}{n}")(x)


def _pool(x, step, net, n):
    kind = layers.MaxPooling2D if step == "pool" else layers.AveragePooling2D
    size, strides = net.pool
    if net.pool_rounding == "same":
        return kind(size, strides, "same", name=f"pool{n}")(x)
    # Zeros do not change a maximum here: where they join, an `Architecture` has a ReLU before the pooling or behind it.
    return kind(size, strides, name=f"pool{n}")(_pad(x, size, strides, net.pool_rounding, f"pool{n}"))


def _pad(x, window, strides, rounding, name, margin=0):
    """Zeros on every side, and at bottom and right what makes the last window whole where sizes are rounded up.

    Where a size is not known, one less than the stride is always enough, and too many are never seen by a window.
    """
    up = rounding == "ceil"
    sizes = (strides - 1 if size is None else (window - size - 2 * margin) % strides for size in x.shape[1:3])
    rest = [up * missing for missing in sizes]
    if not margin and not any(rest):
        return x
    return layers.ZeroPadding2D([(margin, margin + missing) for missing in rest], name=f"{name}_zeros")(x)


_STEPS = {"norm": _norm, "spatial_norm": _spatial_norm, "pool": _pool, "average_pool": _pool}


def follow(x, step, net, n):
    """One of the steps behind convolution `n`, as `Convolution.then` names it."""
    return _STEPS.get(step, _nonlinearity)(x, step, net, n)


def flatten(x, net):
    """Maps to one vector an image, place by place."""
    if net.top_size and x.shape[1:3] != (net.top_size, net.top_size):
        x = layers.AdaptiveAveragePooling2D(net.top_size, name="average_pool")(x)
    return layers.Flatten(name="flatten")(x)
