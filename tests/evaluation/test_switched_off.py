"""A network without its normalization or without a tower, against the same network with weights of zero."""

import dataclasses

import keras
import numpy as np
import pytest

import keras_alexnet
from keras_alexnet.evaluation import switched_off
from keras_alexnet.models.architectures import ARCHITECTURES

PAPER = dataclasses.replace(ARCHITECTURES["paper"], hidden=(32, 16))
IMAGES = np.random.default_rng(0).normal(scale=50, size=(2, 67, 67, 3)).astype(np.float32)


def build(architecture=PAPER):
    keras.utils.set_random_seed(0)
    model = keras_alexnet.build(architecture, classes=5, input_shape=(67, 67, 3))
    random = np.random.default_rng(1)
    model.set_weights([random.normal(0, 0.05, weight.shape) for weight in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def paper():
    return build()


def answers(model):
    return np.asarray(model(IMAGES, training=False))


@pytest.mark.parametrize("tower", [0, 1])
def test_without_a_tower_answers_as_with_its_weights_at_zero(paper, tower):
    dead = build()
    for layer in dead.layers[:-1]:
        if weights := layer.get_weights():
            half = weights[0].shape[-1] // 2
            for weight in weights:
                weight[..., tower * half : (tower + 1) * half] = 0
            layer.set_weights(weights)
    expected = answers(dead)
    assert np.abs(expected - answers(paper)).max() > 0.01
    np.testing.assert_allclose(answers(switched_off.without_tower(paper, tower)), expected, atol=1e-6)


def test_without_normalization_answers_as_a_network_built_without(paper):
    bare = build(dataclasses.replace(PAPER, norm=None))
    expected = answers(bare)
    assert np.abs(expected - answers(paper)).max() > 0.01
    np.testing.assert_allclose(answers(switched_off.without_normalization(paper)), expected, atol=1e-6)


def test_the_whole_network_stays_as_it_is(paper):
    before, layers = answers(paper), len(paper.layers)
    switched_off.without_tower(switched_off.without_normalization(paper), 1)
    assert len(paper.layers) == layers
    np.testing.assert_array_equal(answers(paper), before)


@pytest.mark.parametrize("tower", [-1, 2])
def test_there_is_no_such_tower(paper, tower):
    with pytest.raises(ValueError, match=f"numbered from 0. Received: tower {tower} of 2"):
        switched_off.without_tower(paper, tower)


def test_a_network_without_parts_to_switch_off_is_refused():
    image = keras.Input((8, 8, 3))
    x = keras.layers.Flatten()(keras.layers.Conv2D(2, 3, name="conv1")(image))
    plain = keras.Model(image, keras.layers.Dense(2)(x), name="plain")
    with pytest.raises(ValueError, match="Received: plain, which has none"):
        switched_off.without_normalization(plain)
    with pytest.raises(ValueError, match="Received: tower 0 of 1"):
        switched_off.without_tower(plain, 0)
