"""The forward pass in NumPy gives what Keras gives. All architectures: tests/evaluation/test_predict_in_numpy.py.

Average pooling with "same" is tested only there, on TensorFlow: on PyTorch, Keras repeats the edge instead.
"""

import json

import keras
import numpy as np
import pytest
from keras import layers

from keras_alexnet.models.layers import (
    AdaptiveAveragePooling2D,
    GaussianSubsampling,
    GroupedConv2D,
    GroupedDense,
    GroupedFlatten,
    LocallyConnected2D,
    PaperDropout,
)
from keras_alexnet.models.network_in_numpy import NumpyNetwork
from keras_alexnet.models.normalization import LocalResponseNormalization, SpatialResponseNormalization

pytestmark = pytest.mark.any_backend

IMAGES = np.random.default_rng(0).normal(0, 20, (2, 17, 14, 4)).astype("float32")


def network_with(*steps, last_activation="softmax"):
    """Some layers between an image of 17 x 14 with 4 channels and a classifier."""
    x = image = keras.Input(IMAGES.shape[1:])
    for step in steps:
        x = step(x)
    x = layers.Flatten()(x)
    small = keras.initializers.RandomNormal(stddev=0.001)  # or one class would have all the probability
    return keras.Model(image, layers.Dense(3, last_activation, kernel_initializer=small)(x))


def in_numpy(model):
    def read_arrays():
        owned = {f"{layer.name}/{w.name}": w for layer in model.layers for w in layer.weights}
        return {name: keras.ops.convert_to_numpy(weight) for name, weight in owned.items()}

    return NumpyNetwork(json.loads(model.to_json()), read_arrays)


LAYERS = {
    "same padding of an even window": lambda: layers.Conv2D(6, 4, 3, "same", activation="tanh"),
    "oblong kernel without bias": lambda: layers.Conv2D(6, (3, 2), (1, 2), use_bias=False),
    "grouped convolution": lambda: GroupedConv2D(6, 3, groups=2, activation="sigmoid"),
    "convolution of every channel by itself": lambda: layers.Conv2D(8, 3, groups=4),
    "local convolution": lambda: LocallyConnected2D(5, 3),
    "padding on two sides": lambda: layers.ZeroPadding2D(((0, 2), (1, 0))),
    "normalization over channels": lambda: LocalResponseNormalization(3, alpha=0.01),
    "normalization within groups": lambda: LocalResponseNormalization(5, 1.0, 0.02, 0.5, groups=2),
    "window wider than the channels": lambda: LocalResponseNormalization(11, alpha=0.01),
    "normalization within maps": lambda: SpatialResponseNormalization(5, alpha=0.01),
    "subsampling": lambda: GaussianSubsampling(7, 2.0, 4),
    "overlapping pooling": lambda: layers.MaxPooling2D(3, 2),
    "same max pooling": lambda: layers.MaxPooling2D(3, 2, "same"),
    "average pooling": lambda: layers.AveragePooling2D(3, 2),
    "pooling to a size": lambda: AdaptiveAveragePooling2D(6),
    "pooling to more than there is": lambda: AdaptiveAveragePooling2D((20, 5)),
    "rescaling": lambda: layers.Rescaling([0.5, 2, 1, 1], [1, 0, 0, -3]),
    "rescaling of all channels": lambda: layers.Rescaling(0.1),
    "relu": lambda: layers.ReLU(),
    "activation": lambda: layers.Activation("sigmoid"),
    "dropout": lambda: layers.Dropout(0.5),
    "paper's dropout": lambda: PaperDropout(0.4),
    "flattened towers": lambda: GroupedFlatten(2),
}


@pytest.mark.parametrize("kind", LAYERS)
def test_a_layer_computes_what_it_does_in_keras(kind):
    model = network_with(LAYERS[kind]())
    expected = keras.ops.convert_to_numpy(model(IMAGES))
    assert expected.max() < 0.999
    np.testing.assert_allclose(in_numpy(model)(IMAGES), expected, rtol=0, atol=2e-6)


def test_towers_of_dense_layers():
    model = network_with(GroupedFlatten(2), GroupedDense(6, 2, activation="relu"))
    expected = keras.ops.convert_to_numpy(model(IMAGES))
    np.testing.assert_allclose(in_numpy(model)(IMAGES), expected, rtol=0, atol=2e-6)


def test_branches_are_added():
    def sum_of_two(x):
        return layers.Add()([layers.Conv2D(4, 3, padding="same")(x), layers.ReLU()(x)])

    model = network_with(sum_of_two)
    expected = keras.ops.convert_to_numpy(model(IMAGES))
    np.testing.assert_allclose(in_numpy(model)(IMAGES), expected, rtol=0, atol=2e-6)


def test_logits_become_probabilities():
    model = network_with(last_activation=None)
    expected = keras.ops.convert_to_numpy(keras.ops.softmax(model(IMAGES)))
    np.testing.assert_allclose(in_numpy(model)(IMAGES), expected, rtol=0, atol=2e-6)


def test_shapes_are_those_of_keras():
    model = network_with(layers.ReLU())
    network = in_numpy(model)
    assert (network.name, network.input_shape, network.output_shape) == (
        model.name,
        model.input_shape,
        model.output_shape,
    )


@keras.saving.register_keras_serializable(package="somebody", name="Flatten")
class Flatten(layers.Flatten):
    """A layer with the name of one of Keras, and other outputs."""

    def call(self, inputs):
        return super().call(inputs)[:, ::-1]


UNKNOWN = {
    "a layer of somebody with a name of Keras": lambda: lambda x: layers.Reshape(x.shape[1:])(Flatten()(x)),
    "another layer": lambda: layers.BatchNormalization(),
    "another activation": lambda: layers.Activation("gelu"),
    "a leaky relu": lambda: layers.ReLU(negative_slope=0.1),
    "a capped relu": lambda: layers.ReLU(max_value=6),
    "a dilated convolution": lambda: layers.Conv2D(3, 2, dilation_rate=2),
    "another precision": lambda: layers.ReLU(dtype="float64"),
    "dropout while predicting": lambda: lambda x: layers.Dropout(0.5)(x, training=True),
}


@pytest.mark.parametrize("kind", UNKNOWN)
def test_what_it_does_not_compute_is_refused(kind):
    with pytest.raises(ValueError, match="Received: "):
        in_numpy(network_with(UNKNOWN[kind]()))


@pytest.mark.parametrize("first", [True, False])
def test_a_network_of_two_outputs_is_refused(first):
    model = network_with()
    other = layers.Dense(1, activation="sigmoid", name="other")(layers.Flatten()(model.input))
    outputs = [other, model.output] if first else [model.output, other]
    with pytest.raises(ValueError, match="as the only output"):
        in_numpy(keras.Model(model.input, outputs))


def test_networks_of_other_forms_are_refused():
    stack = keras.Sequential([keras.Input((4,)), layers.Dense(3)])
    with pytest.raises(ValueError, match="Received: Sequential"):
        in_numpy(stack)
    first, second = keras.Input((4,)), keras.Input((4,))
    with pytest.raises(ValueError, match="one input"):
        in_numpy(keras.Model([first, second], layers.Dense(3)(layers.Add()([first, second]))))
    shared, image = layers.Dense(4), keras.Input((4,))
    with pytest.raises(ValueError, match="used once"):
        in_numpy(keras.Model(image, layers.Dense(3)(shared(shared(image)))))


def test_arrays_of_another_network_are_refused():
    config = json.loads(network_with().to_json())
    size = np.prod(IMAGES.shape[1:])
    arrays = {f"{config['config']['layers'][-1]['name']}/kernel": np.zeros((size, 5), "float32")}
    with pytest.raises(ValueError, match="Expected 3 classes"):
        NumpyNetwork(config, lambda: arrays)(IMAGES)
