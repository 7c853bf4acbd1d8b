"""Initial weights: standard deviations, biases, and which of them fit which networks."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_alexnet.models.alexnet import build
from keras_alexnet.models.architectures import ARCHITECTURES, Convolution
from keras_alexnet.models.initializers import INITIAL_WEIGHTS, Gaussian, Start

CONVOLUTIONAL = ["conv1", "conv2", "conv3", "conv4", "conv5"]
ONES = {"conv2", "conv4", "conv5", "fc6", "fc7"}


def started(name, **arguments):
    """Kernel and bias by layer, with fully connected layers small enough to be quick."""
    net = dataclasses.replace(ARCHITECTURES[name], hidden=(256, 128)[: len(ARCHITECTURES[name].hidden)])
    model = build(net, input_shape=(67, 67, 3), classes=50, **arguments)
    return {layer.name: layer.get_weights() for layer in model.layers if layer.weights}


@pytest.mark.parametrize(
    ("name", "initial_weights", "stds", "bias"),
    [
        ("paper", "text", [0.01] * 8, 1.0),
        ("paper", None, [0.01, 0.01, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01], 1.0),
        ("source", None, [0.01, 0.01, 0.03, 0.03, 0.03, 0.01, 0.01, 0.01], 1.0),
        ("caffe", None, [0.01] * 5 + [0.005, 0.005, 0.01], 0.1),
        ("caffenet", None, [0.01] * 5 + [0.005, 0.005, 0.01], 1.0),
    ],
)
def test_gaussians_of_the_paper_and_of_caffe(name, initial_weights, stds, bias):
    weights = started(name, initial_weights=initial_weights)
    for (layer, (kernel, biases)), std in zip(weights.items(), stds, strict=True):
        assert kernel.std() == pytest.approx(std, rel=0.03)
        assert abs(kernel.mean()) < std / 20
        assert np.abs(kernel).max() > 3 * std  # not truncated
        assert set(biases.tolist()) == {np.float32(bias) if layer in ONES else 0.0}


def test_torch_has_uniform_kernels_and_biases():
    for kernel, bias in started("one_weird_trick").values():
        bound = 1 / np.sqrt(np.prod(kernel.shape[:-1]))
        assert bound * 0.98 < np.abs(kernel).max() <= bound
        assert bound * 0.9 < np.abs(bias).max() <= bound
        assert kernel.std() == pytest.approx(bound / 3**0.5, rel=0.03)


def test_tflearn_has_uniform_kernels_and_truncated_gaussians():
    weights = started("tflearn")
    for name, (kernel, bias) in weights.items():
        assert not bias.any()
        if name in CONVOLUTIONAL:
            assert np.abs(kernel).max() == pytest.approx((3 / np.prod(kernel.shape[:-1])) ** 0.5, rel=0.02)
        else:
            beyond = np.abs(kernel) > 0.0401  # two standard deviations of 0.02
            assert np.abs(kernel).max() > 0.038
            assert beyond.mean() < 1e-5  # on PyTorch, Keras draws four times at most


def test_figure_1():
    weights = started("figure_1")
    stds = [kernel.std() for kernel, _ in weights.values()]
    assert stds == pytest.approx([1e-4, 0.01, 0.01, 0.01], rel=0.05)
    assert not any(bias.any() for _, bias in weights.values())


def test_four_layers():
    weights = started("conv_local")
    stds = [kernel.std() for kernel, _ in weights.values()]
    assert stds == pytest.approx([1e-4, 0.01, 0.04, 0.04, 0.01], rel=0.05)
    assert not any(bias.any() for _, bias in weights.values())


def test_every_architecture_has_known_initial_weights():
    assert {row.initial_weights for row in ARCHITECTURES.values()} <= set(INITIAL_WEIGHTS)


def test_a_seed_repeats_the_weights():
    first, second = ([], [])
    for weights in (first, second):
        keras.utils.set_random_seed(3)
        weights += started("figure_1")["conv1"]
    np.testing.assert_array_equal(first[0], second[0])


def test_unknown_initial_weights_are_refused():
    with pytest.raises(ValueError, match=r"set of initial weights\. Did you mean text.*Received: 'texts'"):
        build(initial_weights="texts")


def test_initial_weights_of_ones_own():
    rows = ARCHITECTURES["paper"].convolutions | {6: Convolution(8, 3, padding=1)}
    own = dataclasses.replace(ARCHITECTURES["paper"], convolutions=rows)
    names = ("conv1", "conv2", "conv3", "conv4", "conv5", "conv6")
    start = {name: Start(Gaussian(0.02), 0.5) for name in names}
    model = build(own, include_top=False, input_shape=(67, 67, 3), initial_weights=start)
    kernel, bias = model.get_layer("conv6").get_weights()
    assert kernel.std() == pytest.approx(0.02, rel=0.05)
    assert set(bias) == {0.5}
    with pytest.raises(ValueError, match=r"Received: one without conv6"):
        build(own, include_top=False, input_shape=(67, 67, 3))


def test_initial_weights_of_another_network_are_refused():
    with pytest.raises(ValueError, match="Received: one without conv4"):
        build("paper", initial_weights="figure_1")


def test_uniform_bounds_follow_the_inputs_within_a_group():
    """As in PyTorch, whose bound is that of a kernel's own inputs: half of the maps in conv2, conv4 and conv5."""
    for kernel, bias in started("paper", initial_weights="torch").values():
        bound = 1 / np.sqrt(np.prod(kernel.shape[:-1]))
        assert bound * 0.98 < np.abs(kernel).max() <= bound
        assert bound * 0.9 < np.abs(bias).max() <= bound
