"""The loss for integer and for soft labels, beside NumPy."""

import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_alexnet.training.losses import CrossEntropy

GENERATOR = np.random.default_rng(0)
PROBABILITIES = GENERATOR.dirichlet(np.ones(5), 7).astype("float32")


@pytest.mark.parametrize("shape", [(7,), (7, 1)])
def test_integer_labels(shape):
    labels = GENERATOR.integers(0, 5, 7)
    expected = -np.log(PROBABILITIES[np.arange(7), labels]).mean()
    assert float(CrossEntropy()(labels.reshape(shape), PROBABILITIES)) == pytest.approx(expected, rel=1e-5)


def test_soft_labels():
    labels = GENERATOR.dirichlet(np.ones(5), 7).astype("float32")
    expected = -(labels * np.log(PROBABILITIES)).sum(axis=1).mean()
    assert float(CrossEntropy()(labels, PROBABILITIES)) == pytest.approx(expected, rel=1e-5)


def test_it_is_saved_with_a_model(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile("sgd", CrossEntropy())
    images = GENERATOR.random((6, 4))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for labels in (np.arange(6) % 3, np.eye(3)[np.arange(6) % 3]):
        assert loaded.evaluate(images, labels, verbose=0) == pytest.approx(model.evaluate(images, labels, verbose=0))


def test_the_package_registers_it(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile("sgd", CrossEntropy())
    model.save(tmp_path / "model.keras")
    code = "import sys, keras_alexnet, keras; keras.models.load_model(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "model.keras"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
