"""The two towers of the paper on two devices (section 3.2).

`split` puts half of the kernels of each layer on each device, as the paper does with its two GPUs. Each tower's
variables, activations, gradients and updates are on its own device. Data cross where a layer reads both towers: at
conv3 and at the fully connected layers; and at a normalization whose windows reach from one tower into the other, as in
the paper's text, though not in the authors' code. The classifier is on the first device, with the loss.

The function is that of the plain network. A `TowerModel` converts to and from the plain network, with its weights, its
velocities and the state of its random numbers, so training can begin on two devices and continue on one. It runs on
TensorFlow.
"""

import dataclasses
import math
from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from keras_alexnet.models.layers import GroupedFlatten
from keras_alexnet.models.normalization import LocalResponseNormalization
from keras_alexnet.training.optimizers import PaperSGD

TOWERS = 2


def check(network: keras.Model) -> None:
    """Refuse a network that does not consist of two towers.

    Args:
        network: A network of `keras_alexnet.build`, or a sketch of one.

    Raises:
        ValueError: If no layer is in groups, or one has a width or a number of groups that is odd.

    Example:
        >>> from keras_alexnet.models import sketch
        >>> check(sketch("paper"))
    """
    weighted = [layer for layer in network.layers if isinstance(layer, (layers.Conv2D, layers.Dense))]
    if not any(_groups(layer) > 1 for layer in weighted):
        raise ValueError(
            "Towers need a network with layers in groups of two, such as paper, source or caffe. "
            f"Received: {network.name}, without groups"
        )
    for layer in weighted[:-1]:
        width = layer.filters if isinstance(layer, layers.Conv2D) else layer.units
        if width % TOWERS:
            raise ValueError(f"Each layer must have an even width, half per tower. Received: {layer.name} of {width}")
    for layer in network.layers:
        if _groups(layer) > 1 and _groups(layer) % TOWERS:
            raise ValueError(f"Groups must divide among two towers. Received: {layer.name} in {_groups(layer)} groups")


def _groups(layer):
    return getattr(layer, "groups", 1)


def split(network: keras.Model, devices: Sequence[str]) -> "TowerModel":
    """Put the two towers of a network on two devices.

    Args:
        network: A network of `keras_alexnet.build` with its classifier. If it is compiled, so is the result, with the
            state of its optimizer.
        devices: Names of the devices, such as `("GPU:0", "GPU:1")`.

    Returns:
        A model with the same outputs, layers of the same names, and the weights divided. `fit` trains it, and `plain`
        returns the plain network again.

    Raises:
        ValueError: If there are not two devices, or the network does not consist of two towers.

    Example:
        >>> from keras_alexnet.models import build
        >>> model = split(build("source", classes=10, input_shape=(67, 67, 3)), ("CPU:0", "CPU:0"))
        >>> [tuple(weight.shape) for weight in model.get_layer("conv2").weights]
        [(5, 5, 48, 128), (128,), (5, 5, 48, 128), (128,)]

    Source: section 3.2.
    """
    if len(devices) != TOWERS:
        raise ValueError(f"The paper's network has two towers: name two devices. Received: {', '.join(devices)}")
    check(network)
    plans, values = _plans(network), {id(network.input): network.input}
    for layer in network.layers[1:]:  # those behind the input
        plan = plans[layer.name]
        inputs = keras.tree.map_structure(lambda tensor: values[id(tensor)], layer.input)
        values[id(layer.output)] = _kind(layer, plan)(layer, plan, devices)(inputs)
    model = TowerModel(network.input, values[id(network.output)], name=network.name)
    model.divided_from, model.devices = network.to_json(), tuple(devices)
    model.read_state(network)
    return model


def plain(model: keras.Model) -> keras.Model:
    """Return the plain network of a model: itself, unless its towers are on two devices."""
    return model.plain() if isinstance(model, TowerModel) else model


class TowerModel(keras.Model):
    """A network with its towers on two devices, made by `split`.

    Attributes:
        devices: Names of the devices.
        divided_from: The plain network without its weights, as JSON.
    """

    def train_step(self, data: Any) -> dict:
        """Take a step in which each operation of the backward pass runs where that of the forward pass did.

        `tf.gradients` puts it there. A `GradientTape`, as in Keras's own step, leaves the place to TensorFlow.
        """
        self._prepare_optimizer()
        images, labels, sample_weight = keras.utils.unpack_x_y_sample_weight(data)
        with tf.device(self.devices[0]):  # the loss and the errors
            predictions = self(images, training=True)
            loss = self.compute_loss(images, labels, predictions, sample_weight, training=True)
            tracker = next(metric for metric in self.metrics if metric.name == "loss")
            tracker.update_state(loss, sample_weight=tf.shape(labels)[0])
            self._update(tf.gradients(loss, [variable.value for variable in self.trainable_variables]))
            return self.compute_metrics(images, labels, predictions, sample_weight=sample_weight)

    def _prepare_optimizer(self):
        optimizer = self.optimizer
        if not isinstance(optimizer, PaperSGD) or optimizer.clipnorm or optimizer.clipvalue or optimizer.use_ema:
            raise ValueError(
                "Towers are trained by `PaperSGD` in float32 or bfloat16, with no clipping but `global_clipnorm`. "
                f"Received: {type(optimizer).__name__}"
            )
        if not optimizer.built:
            with tf.init_scope():  # outside of the graph, a velocity gets the device of its variable
                optimizer.build(self.trainable_variables)

    def _update(self, gradients):
        """Change each variable on its own device.

        `optimizer.apply` would gather all gradients on one device, to sum them over replicas.
        """
        optimizer = self.optimizer
        if optimizer.global_clipnorm:  # by TensorFlow, which sums the squares of each gradient on its device
            gradients, _ = tf.clip_by_global_norm(gradients, optimizer.global_clipnorm)
        learning_rate = tf.convert_to_tensor(optimizer.learning_rate)
        for gradient, variable in zip(gradients, self.trainable_variables, strict=True):
            with tf.device(variable.value.device):
                optimizer.update_step(gradient, variable, learning_rate)
        optimizer.iterations.assign_add(1)

    def save(self, filepath: Any, *arguments: Any, **keywords: Any) -> None:
        """Save the plain network, which loads on one device."""
        self.plain().save(filepath, *arguments, **keywords)

    def read_state(self, network: keras.Model) -> None:
        """Take the weights of the plain network, and if it is compiled, its optimizer, loss and errors as well."""
        if network.compiled:
            self.compile_from_config(network.get_compile_config() | {"jit_compile": False})
            self.optimizer.iterations.assign(network.optimizer.iterations)
        for mine, theirs in self._pairs(network):
            for tower, part in zip(mine, np.split(keras.ops.convert_to_numpy(theirs), len(mine), -1), strict=True):
                tower.assign(part)
        for mine, theirs in _seed_pairs(self, network):
            for tower in mine:
                tower.assign(theirs)

    def plain(self) -> keras.Model:
        """Return the plain network with this state: weights, random numbers, and if it is compiled, the optimizer."""
        with tf.device("CPU:0"):  # which has the memory
            network = keras.models.model_from_json(self.divided_from)
            if self.compiled:
                network.compile_from_config(self.get_compile_config())
                network.optimizer.iterations.assign(self.optimizer.iterations)
            for mine, theirs in self._pairs(network):
                theirs.assign(np.concatenate([keras.ops.convert_to_numpy(part) for part in mine], -1))
            for mine, theirs in _seed_pairs(self, network):
                theirs.assign(mine[0])  # both towers draw the same numbers
        return network

    def _pairs(self, network):
        """Yield the variables of the towers with that of the plain network that they are the parts of.

        The last axis of every kernel, and the only one of biases, are the units. Velocities are as their variables.
        """
        for layer in network.layers:
            parts = [tower.weights for tower in self.get_layer(layer.name).parts] if layer.weights else []
            for whole, *pieces in zip(layer.trainable_weights, *parts, strict=True) if parts else ():
                yield pieces, whole
                if _has_velocities(self) and _has_velocities(network):
                    yield [_velocity(self.optimizer, piece) for piece in pieces], _velocity(network.optimizer, whole)


def _has_velocities(model):
    return model.compiled and model.optimizer.built


def _velocity(optimizer, variable):
    return optimizer.velocities[optimizer._get_variable_index(variable)]


def _seed_pairs(model, network):
    """Yield the states of the random numbers of the towers, with that of the plain network."""
    for layer in network.layers:
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            yield [part.seed_generator.state for part in model.get_layer(layer.name).parts], generator.state


# What the towers do in one layer


@dataclasses.dataclass(frozen=True)
class _Plan:
    """What the towers do in one layer.

    Attributes:
        is_split: Whether its input is divided between the towers.
        positions: Number of positions of the maps that its input was flattened from; 1 if it was not.
        is_last: Whether it is the classifier, which is on the first device.
    """

    is_split: bool
    positions: int
    is_last: bool


def _plans(network):
    """Return the plan of each layer by name, from the image to the classifier."""
    plans, divided, positions = {}, set(), 1
    last = [layer for layer in network.layers if isinstance(layer, layers.Dense)][-1]
    for layer in network.layers[1:]:
        sources = {tensor._keras_history.operation.name for tensor in keras.tree.flatten(layer.input)}
        if isinstance(layer, layers.Flatten) and not isinstance(layer, GroupedFlatten):
            positions = math.prod(layer.input.shape[1:-1])
        plans[layer.name] = _Plan(bool(sources & divided), positions, layer is last)
        if layer.trainable_weights or sources & divided:
            divided.add(layer.name)
        if isinstance(layer, layers.Dense):
            positions = 1
    return plans


def _kind(layer, plan):
    """Return the class that runs such a layer."""
    reads_both = isinstance(layer, (layers.Conv2D, layers.Dense)) and _groups(layer) == 1
    if plan.is_split and reads_both:
        return _JoiningLayer
    if isinstance(layer, LocalResponseNormalization) and layer.groups == 1:
        return _SplitLRN
    return _SplitDropout if isinstance(layer, layers.Dropout) else _SplitLayer


class _SplitLayer(layers.Layer):
    """One layer of the network, in two parts on two devices; here each tower reads its own maps, or the image.

    Input: two tensors, one per tower; or the image. Output: two tensors; of the classifier one.

    Args:
        layer: The layer of the plain network.
        plan: What the towers do in it.
        devices: Names of the devices.
    """

    def __init__(self, layer: layers.Layer, plan: _Plan, devices: Sequence[str]) -> None:
        # Each part casts its input itself, on its own device.
        super().__init__(name=layer.name, dtype=layer.dtype_policy, autocast=False)
        self.supports_jit = False  # XLA compiles for one device
        self.plan, self.devices = plan, devices[: 1 if plan.is_last else TOWERS]
        self.whole_shape = keras.tree.map_structure(lambda tensor: tensor.shape, layer.input)
        self.parts = [self._part(layer, tower) for tower in range(len(self.devices))]

    def _part(self, layer, tower):
        config = layer.get_config() | {"name": f"tower{tower + 1}"}
        if not self.plan.is_last:
            config |= {key: config[key] // TOWERS for key in ("filters", "units") if key in config}
        if _groups(layer) > 1:
            config["groups"] //= TOWERS
        with tf.device(self.devices[tower]):  # a dropout layer makes the state of its random numbers
            return type(layer).from_config(config)

    def build(self, input_shape: Any) -> None:
        for device, part in zip(self.devices, self.parts, strict=True):
            with tf.device(device):
                part.build(self._read_shape())
        self.built = True

    def _read_shape(self):
        """Return the shape of what each tower reads."""
        return _half(self.whole_shape) if self.plan.is_split else self.whole_shape

    def call(self, inputs: Any) -> Any:
        outputs = []
        for tower, device in enumerate(self.devices):
            with tf.device(device):
                outputs.append(self._run(tower, inputs))
        return outputs[0] if self.plan.is_last else outputs

    def _run(self, tower, inputs):
        return self.parts[tower](_own(inputs, tower))


def _half(shape):
    """Return a shape with half of the channels; of inputs that are added, one for each."""
    return [_half(each) for each in shape] if isinstance(shape, list) else (*shape[:-1], shape[-1] // TOWERS)


def _own(inputs, tower):
    """Return the tower's part of the input: of two inputs that are added, of each."""
    if not isinstance(inputs, (list, tuple)):
        return inputs
    return [_own(each, tower) for each in inputs] if isinstance(inputs[0], (list, tuple)) else inputs[tower]


class _JoiningLayer(_SplitLayer):
    """A layer that reads both towers: conv3 and the fully connected ones."""

    def _read_shape(self):
        return self.whole_shape

    def _run(self, tower, inputs):
        return self.parts[tower](_join(inputs, self.plan.positions))


def _join(parts, positions):
    """Put the channels of both towers side by side, at each position of maps that were flattened."""
    if positions == 1:
        return tf.concat(parts, -1)
    maps = [tf.reshape(part, (-1, positions, part.shape[-1] // positions)) for part in parts]
    return tf.reshape(tf.concat(maps, -1), (-1, sum(part.shape[-1] for part in parts)))


class _SplitLRN(_SplitLayer):
    """A normalization whose windows reach from one tower into the other: the nearest channels cross."""

    def _run(self, tower, inputs):
        reach, width = self.parts[tower].window // 2, inputs[tower].shape[-1]
        other = inputs[1 - tower]
        with tf.device(self.devices[1 - tower]):  # the cut, so that no more than these cross
            near = other[..., :reach] if tower == 0 else other[..., -reach:]
        both = [inputs[0], near] if tower == 0 else [near, inputs[1]]
        outputs = self.parts[tower](tf.concat(both, -1))
        return outputs[..., :width] if tower == 0 else outputs[..., -width:]


class _SplitDropout(_SplitLayer):
    """Dropout with the masks of the plain network: each tower draws all of the mask, and takes its own half."""

    def _run(self, tower, inputs):
        x, positions = inputs[tower], self.plan.positions
        width = x.shape[-1]
        ones = tf.ones((tf.shape(x)[0], TOWERS * width), x.dtype)
        mask = tf.reshape(self.parts[tower](ones), (-1, positions, TOWERS, width // positions))
        return x * tf.reshape(mask[:, :, tower], (-1, width))
