"""Complete, damaged and missing checkpoints."""

import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_alexnet.training import checkpoints

COMPILED = keras.backend.backend() == "jax"  # elsewhere that takes longer than the steps


@pytest.fixture
def model():
    """A network with dropout after two training steps."""
    inputs = keras.Input((4,))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Dropout(0.5)(inputs)))
    model.compile(keras.optimizers.SGD(0.1, momentum=0.9), "mse", jit_compile=COMPILED)
    for _ in range(2):
        model.train_on_batch(np.ones((3, 4)), np.ones((3, 2)))
    return model


def test_the_next_step_after_resuming_is_the_same(model, tmp_path):
    checkpoints.save(tmp_path / "last", model, 3, 7, metrics=[0.1, 2])
    again = checkpoints.newest(tmp_path / "last")
    assert (again.epochs, again.steps, again.metrics) == (3, 7, [0.1, 2])
    again = again.load()
    for network in (model, again):
        network.train_on_batch(np.ones((3, 4)), np.ones((3, 2)))
    for one, other in zip(model.get_weights(), again.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


ON_ANOTHER_BACKEND = """
import pathlib
import sys
import numpy as np
from keras_alexnet.training import checkpoints

folder = pathlib.Path(sys.argv[1])
model = checkpoints.newest(folder).load()
print(*checkpoints.values(checkpoints._seeds(model)))
model.train_on_batch(np.ones((3, 4)), np.ones((3, 2)))
checkpoints.save(folder, model, epochs=4)
"""


@pytest.mark.slow  # another process with another backend
def test_a_checkpoint_is_read_on_another_backend_and_back(model, tmp_path):
    """With the state of the random numbers, of which the other backend takes the next ones, and of the momentum."""
    pytest.importorskip("jax")
    checkpoints.save(tmp_path, model, epochs=3)
    other = "jax" if keras.backend.backend() == "tensorflow" else "tensorflow"
    command = [sys.executable, "-c", ON_ANOTHER_BACKEND, str(tmp_path)]
    environment = os.environ | {"KERAS_BACKEND": other}
    told = subprocess.run(command, capture_output=True, text=True, check=True, env=environment)
    ((seed, drawn),) = checkpoints.values(checkpoints._seeds(model))
    assert told.stdout == f"[{seed}, {drawn}]\n"
    again = checkpoints.newest(tmp_path).load()
    assert checkpoints.values(checkpoints._seeds(again)) == [[seed, drawn + 1]]
    assert int(again.optimizer.iterations) == 3


def test_values_are_restored_bit_for_bit():
    variable = keras.Variable(np.float32([1 / 3, 1e-38, 3e38]))
    other = keras.Variable(np.zeros(3, "float32"))
    checkpoints.assign([other], checkpoints.values([variable]))
    np.testing.assert_array_equal(other.numpy(), variable.numpy())


def test_only_the_newest_checkpoints_are_kept(model, tmp_path):
    for epochs, steps in ((8, 0), (9, 0), (9, 5), (10, 0)):
        checkpoints.save(tmp_path, model, epochs, steps, kept=2)
    names = sorted(path.name for path in tmp_path.glob("*.keras"))
    assert names == ["epoch-00009-step-00000005.keras", "epoch-00010.keras"]
    assert checkpoints.newest(tmp_path).epochs == 10
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("place", ["network", "state"])
@pytest.mark.parametrize("damage", ["cut", "bit", "gone"])
def test_a_damaged_checkpoint_is_reported_and_the_previous_one_used(model, tmp_path, capsys, place, damage):
    for epochs in (1, 2):
        checkpoints.save(tmp_path, model, epochs)
    file = tmp_path / ("epoch-00002.keras" if place == "network" else "epoch-00002.json")
    contents = bytearray(file.read_bytes())
    contents[20] ^= 1
    file.write_bytes(contents if damage == "bit" else contents[: len(contents) // 2])
    if damage == "gone":
        file.unlink()
    assert checkpoints.newest(tmp_path).epochs == 1
    if file.exists() or place == "network":
        assert "epoch-00002.keras" in capsys.readouterr().err


def test_a_damaged_checkpoint_does_not_replace_a_good_one(model, tmp_path):
    for epochs in (9, 10):
        checkpoints.save(tmp_path, model, epochs)
    (tmp_path / "epoch-00010.keras").write_bytes(b"damaged")
    assert checkpoints.newest(tmp_path).epochs == 9
    checkpoints.save(tmp_path, model, 9, 5, kept=2)  # training continued from there
    assert sorted(file.name for file in tmp_path.glob("*.keras")) == [
        "epoch-00009-step-00000005.keras",
        "epoch-00009.keras",
    ]
    assert checkpoints.newest(tmp_path).steps == 5


def test_only_damaged_checkpoints_are_an_error(model, tmp_path):
    assert checkpoints.newest(tmp_path) is None
    checkpoints.save(tmp_path, model, 1)
    (tmp_path / "epoch-00001.keras").write_bytes(b"")
    with pytest.raises(ValueError, match=f"No complete checkpoint.*Received: {tmp_path}"):
        checkpoints.newest(tmp_path)


def test_a_run_with_a_log_but_no_checkpoints_does_not_restart(tmp_path):
    assert checkpoints.newest(tmp_path, logged=1) is None  # killed before the first was whole
    with pytest.raises(ValueError, match="start a new run"):
        checkpoints.newest(tmp_path, logged=2)


def test_a_network_without_its_state_does_not_count(model, tmp_path):
    """As after a kill between the two files."""
    checkpoints.save(tmp_path, model, 1)
    (tmp_path / "epoch-00002.keras").write_bytes((tmp_path / "epoch-00001.keras").read_bytes())
    assert checkpoints.newest(tmp_path).epochs == 1
    checkpoints.save(tmp_path, model, 3)
    assert not (tmp_path / "epoch-00002.keras").exists()
