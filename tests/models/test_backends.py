"""The same weights give the same logits on every Keras backend, each in a separate process."""

import dataclasses
import importlib.util
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_alexnet.models.alexnet import build
from keras_alexnet.models.architectures import ARCHITECTURES

SIDE, CLASSES, HIDDEN = 99, 7, (32, 16)
PROGRAM = f"""
import dataclasses, sys
import numpy as np
import keras_alexnet

name, folder = sys.argv[1:]
row = dataclasses.replace(keras_alexnet.ARCHITECTURES[name], hidden={HIDDEN})
model = keras_alexnet.build(
    row, weights=f"{{folder}}/alexnet.npz", input_shape=({SIDE}, {SIDE}, 3), classes={CLASSES},
    classifier_activation=None,
)
np.save(f"{{folder}}/logits.npy", model.predict_on_batch(np.load(f"{{folder}}/images.npy")))
"""
slow = pytest.mark.slow


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax", "torch"])
@pytest.mark.parametrize(
    "name", ["source", *(pytest.param(name, marks=slow) for name in ("paper", "caffenet", "one_weird_trick"))]
)
def test_same_logits(tmp_path, name, backend):
    if backend == keras.backend.backend():
        pytest.skip("this is the backend that the others are compared with")
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    images, expected = drawn(name, tmp_path)
    np.save(tmp_path / "images.npy", images)
    environment = os.environ | {"KERAS_BACKEND": backend}
    subprocess.run([sys.executable, "-c", PROGRAM, name, tmp_path], env=environment, check=True, capture_output=True)
    received = np.load(tmp_path / "logits.npy")
    assert np.ptp(expected, axis=0).max() > 0.1
    np.testing.assert_allclose(received, expected, atol=1e-4 * np.abs(expected).max(), rtol=0)


def drawn(name, folder):
    """Images and their logits on this backend, with weights from a file."""
    row = dataclasses.replace(ARCHITECTURES[name], hidden=HIDDEN)
    model = build(row, input_shape=(SIDE, SIDE, 3), classes=CLASSES, classifier_activation=None)
    random, arrays = np.random.default_rng(5), {}
    for variable in model.trainable_variables:
        std = (2 / np.prod(variable.shape[:-1])) ** 0.5 if len(variable.shape) > 1 else 0.1
        arrays[variable.path] = random.normal(0, std, variable.shape).astype("float32")
        variable.assign(arrays[variable.path])
    np.savez(folder / "alexnet.npz", **arrays)
    images = random.normal(0, 60, (3, SIDE, SIDE, 3)).astype("float32")
    return images, keras.ops.convert_to_numpy(model(images))
