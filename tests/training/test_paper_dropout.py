"""Training with the paper's dropout, compared with NumPy and with inverted dropout."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_alexnet.models.layers import PaperDropout
from keras_alexnet.training.optimizers import PaperSGD

COMPILED = keras.backend.backend() == "jax"  # elsewhere that takes longer than the steps
STEPS, RATE, DECAY, MOMENTUM = 6, 0.05, 0.01, 0.9
INPUTS, HIDDEN, CLASSES, BATCH = 5, 8, 3, 16


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 1, shape).astype("float32")


def network(dropout):
    image = keras.Input((INPUTS,))
    x = keras.layers.Dense(HIDDEN, activation="relu", name="before")(image)
    x = keras.layers.Dense(CLASSES, use_bias=False, name="behind")(dropout(0.5, seed=7)(x))
    return keras.Model(image, keras.layers.Softmax()(x))


def start():
    """Kernel and bias of the first layer, kernel of the second."""
    return random(INPUTS, HIDDEN), random(HIDDEN, seed=1), random(HIDDEN, CLASSES, seed=2)


def batches():
    generator = np.random.default_rng(3)
    return [(random(BATCH, INPUTS, seed=10 + n), generator.integers(0, CLASSES, BATCH)) for n in range(STEPS)]


def trained(dropout, weights, **settings):
    """The weights after the steps. The first kernel does not decay, so that the decay can be that of the second."""
    model = network(dropout)
    model.set_weights(weights)
    optimizer = PaperSGD(RATE, MOMENTUM, **settings)
    optimizer.exclude_from_weight_decay(var_list=[model.get_layer("before").kernel])
    model.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=COMPILED)
    for x, y in batches():
        model.train_on_batch(x, y)
    return model


@pytest.fixture(scope="module")
def paper():
    """A network that was trained with the paper's dropout and decay."""
    return trained(PaperDropout, start(), weight_decay=DECAY)


def probabilities(x, kernel, bias, behind, mask):
    hidden = np.maximum(x @ kernel + bias, 0) * mask
    exponentials = np.exp(hidden @ behind)
    return hidden, exponentials / exponentials.sum(1, keepdims=True)


def trained_by_numpy(weights):
    """Units are dropped and never scaled. The masks are those that the layer draws, one after another."""
    weights, velocities = [w.astype("float64") for w in weights], [0, 0, 0]
    twin = PaperDropout(0.5, seed=7)
    for x, y in batches():
        mask = ops.convert_to_numpy(twin(np.ones((BATCH, HIDDEN), "float32"), training=True))
        assert set(np.unique(mask)) == {0, 1}
        behind = weights[2]
        hidden, outputs = probabilities(x, *weights, mask)
        slope = (outputs - np.eye(CLASSES)[y]) / BATCH  # of the mean cross-entropy
        back = slope @ behind.T * (hidden > 0)
        decay = (0, 0, DECAY * behind)
        gradients = (x.T @ back, back.sum(0), hidden.T @ slope)
        for n in range(3):
            velocities[n] = MOMENTUM * velocities[n] - RATE * (gradients[n] + decay[n])
            weights[n] = weights[n] + velocities[n]
    return weights


def test_training_is_that_of_numpy(paper):
    expected = trained_by_numpy(start())
    for received, array in zip(paper.get_weights(), expected, strict=True):
        np.testing.assert_allclose(received, array, rtol=1e-4, atol=1e-6)
    x = random(4, INPUTS, seed=99)
    _, halved = probabilities(x, *expected, mask=0.5)
    np.testing.assert_allclose(ops.convert_to_numpy(paper(x)), halved, rtol=1e-4)


def test_inverted_dropout_trains_the_same_with_adjusted_std_rate_and_decay(paper):
    kernel, bias, behind = start()
    inverted = trained(
        keras.layers.Dropout,
        (kernel, bias, behind / 2),
        weight_decay=4 * DECAY,
        learning_rate_factors={"behind": 0.25},
    )
    ours, theirs = paper.get_weights(), inverted.get_weights()
    for one, other, scale in zip(ours, theirs, (1, 1, 2), strict=True):
        np.testing.assert_allclose(one, scale * other, rtol=1e-4, atol=1e-6)
    x = random(4, INPUTS, seed=99)
    np.testing.assert_allclose(ops.convert_to_numpy(paper(x)), ops.convert_to_numpy(inverted(x)), rtol=1e-4)


def test_inverted_dropout_trains_differently_with_the_same_settings(paper):
    kernel, bias, behind = start()
    inverted = trained(keras.layers.Dropout, (kernel, bias, behind / 2), weight_decay=DECAY)
    assert np.abs(paper.get_weights()[2] - 2 * inverted.get_weights()[2]).max() > 0.01
