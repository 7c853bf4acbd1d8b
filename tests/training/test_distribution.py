"""Several devices and several workers."""

import subprocess
import sys
import types
from unittest import mock

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_alexnet.recipes import Recipe
from keras_alexnet.training import hardware, strategies
from keras_alexnet.training.optimizers import PaperSGD


def test_variables_of_one_shape_are_each_updated_under_a_strategy():
    """By hand: v = -0.1 g, w = w + v, without decay."""
    strategy = tf.distribute.MirroredStrategy(["CPU:0"])
    with strategy.scope():
        weights = [keras.Variable(np.full((2, 2), n, "float32")) for n in (1.0, 2.0, 3.0)]
        optimizer = PaperSGD(learning_rate=0.1, weight_decay=0.0)
        optimizer.build(weights)
    gradients = [tf.fill((2, 2), n) for n in (10.0, 20.0, 30.0)]

    @tf.function
    def step():
        strategy.run(lambda: optimizer.apply(gradients))

    with strategy.scope():
        step()
    np.testing.assert_allclose([weight.numpy()[0, 0] for weight in weights], [0.0, 0.0, 0.0], atol=1e-6)
    np.testing.assert_allclose([v.numpy()[0, 0] for v in optimizer.velocities], [-1.0, -2.0, -3.0], atol=1e-6)


@pytest.mark.parametrize("config", [None, "{}", "worker 1", '{"cluster": {"worker": ["a:1"]}, "task": {"index": 3}}'])
def test_tf_config_must_list_the_workers(monkeypatch, config):
    if config is None:
        monkeypatch.delenv("TF_CONFIG", raising=False)
    else:
        monkeypatch.setenv("TF_CONFIG", config)
    with pytest.raises(ValueError, match=r"TF_CONFIG must list the workers.*Received: "):
        strategies.create_strategy(kind="multiworker")


def test_a_worker_takes_all_that_its_machine_has():
    with pytest.raises(ValueError, match=r"leave out `devices`.*Received: devices=2"):
        strategies.create_strategy(devices=2, kind="multiworker")


def test_one_weird_trick_on_tensorflow():
    with pytest.raises(ValueError, match=r"set KERAS_BACKEND to jax, .*Received: KERAS_BACKEND=tensorflow$"):
        strategies.create_strategy(devices=2, kind="one_weird_trick")


def test_one_weird_trick_on_one_device(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setattr(strategies, "_jax_devices", lambda _: ["cpu:0"])
    with pytest.raises(ValueError, match=r"needs at least two devices: .*use `virtual_devices`=2\. Received: 1$"):
        strategies.create_strategy(kind="one_weird_trick")


@pytest.mark.parametrize("kind", [strategies.Strategy, strategies.OneWeirdTrick])
def test_a_batch_must_divide_among_the_devices(monkeypatch, kind):
    monkeypatch.setattr(kind, "replicas", 2, raising=False)
    with pytest.raises(ValueError, match=r"number of devices, 2\. Received: batch_size=7$"):
        kind.prepare(kind.__new__(kind), Recipe(batch_size=7))


@pytest.mark.parametrize(
    ("replicas", "pictures", "size"), [(2, 16, 8), (2, 17, 6), (2, 5, 8), (2, 25, 5), (2, 1, 8), (4, 14, 7), (4, 28, 7)]
)
def test_every_replica_evaluates_a_picture_of_every_batch_if_possible(replicas, pictures, size):
    strategy = strategies.DistributedStrategy(mock.Mock(num_replicas_in_sync=replicas))
    assert strategy.evaluation_batch_size(pictures, 8) == size


def test_towers_need_a_network_that_has_them():
    strategy = strategies.TowersStrategy(["CPU:0", "CPU:0"])
    strategy.prepare(Recipe(batch_size=7))  # which need not divide among them
    with pytest.raises(ValueError, match=r"layers in groups of two.* Received: alexnet_single_tower, without groups$"):
        strategy.prepare(Recipe(architecture="single_tower"))


@pytest.mark.parametrize("devices", [None, 1, 3])
def test_towers_need_two_devices(devices):
    """Of which the CPU is one."""
    with pytest.raises(ValueError, match=rf"needs two devices, one per tower.* Received: {devices or 1}$"):
        strategies.create_strategy(devices, kind="towers")


def test_towers_name_the_backend_that_has_them(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=r"The strategy towers needs another backend: set KERAS_BACKEND to tensorflow"):
        strategies.create_strategy(kind="towers")


def test_one_device_needs_no_strategy_of_tensorflow():
    strategy = strategies.create_strategy(devices=1)
    assert type(strategy) is strategies.Strategy
    assert (strategy.replicas, strategy.is_chief, strategy.is_alone) == (1, True, True)
    network = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    with strategy.scope():
        assert strategy.adapt(network) is network


@pytest.mark.parametrize(
    ("platform", "capability", "precision"),
    [
        ("gpu", "9.0", "mixed_bfloat16"),
        ("gpu", "10.3", "mixed_bfloat16"),
        ("gpu", "7.5", "float32"),
        ("gpu", "gfx942", "float32"),
        ("cpu", None, None),
    ],
)
def test_precision_on_jax_follows_its_device(monkeypatch, platform, capability, precision):
    device = mock.Mock(platform=platform, compute_capability=capability)
    if capability is None:
        del device.compute_capability
    on_cpu = hardware.fastest_precision()
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    monkeypatch.setitem(sys.modules, "jax", mock.Mock(devices=lambda: [device]))
    assert hardware.fastest_precision() == (precision or on_cpu)


def test_virtual_devices_hide_the_gpus():
    """Precision and compilation are then those of the CPU. In a new process, since TensorFlow starts only once."""
    code = (
        "import tensorflow as tf\n"
        "from unittest import mock\n"
        "from keras_alexnet.training import strategies\n"
        "hide = mock.Mock()\n"
        "with mock.patch.object(tf.config, 'set_visible_devices', hide):\n"
        "    assert strategies.create_strategy(virtual_devices=2).replicas == 2\n"
        "hide.assert_called_once_with([], 'GPU')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_virtual_devices_after_tensorflow_has_started():
    """In a new process, since the tests may have made virtual devices of their own."""
    code = (
        "import tensorflow as tf\n"
        "from keras_alexnet.training import strategies\n"
        "tf.ones(1) + 1\n"
        "assert strategies.create_strategy().replicas == 1\n"
        "try:\n"
        "    strategies.create_strategy(virtual_devices=2)\n"
        "except ValueError as error:\n"
        "    assert str(error).startswith('`virtual_devices` must be set before TensorFlow is used. Received: ')\n"
        "else:\n"
        "    raise SystemExit('no error')\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_memory_of_gpus_that_are_already_in_use_is_left_alone(monkeypatch):
    """As in a notebook that has used TensorFlow before."""
    gpu, message = types.SimpleNamespace(name="GPU:0"), "Physical devices cannot be modified after being initialized"
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [gpu])
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: [gpu])
    monkeypatch.setattr(tf.config.experimental, "set_memory_growth", mock.Mock(side_effect=RuntimeError(message)))
    assert strategies.create_strategy().replicas == 1
    tf.config.experimental.set_memory_growth.assert_called_once_with(gpu, True)


def test_hidden_gpus_do_not_count(monkeypatch):
    on_cpu, hidden = hardware.fastest_precision(), types.SimpleNamespace(name="GPU:0")
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: [hidden])
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [])
    assert hardware.fastest_precision() == on_cpu
    assert hardware.is_tensorflow_on_cpu()


def test_a_batch_is_divided_among_as_many_devices_as_are_asked_for(monkeypatch):
    named, made = [types.SimpleNamespace(name=f"CPU:{n}") for n in range(4)], []
    monkeypatch.setattr(tf.config, "get_visible_devices", lambda kind: [])
    monkeypatch.setattr(tf.config, "list_logical_devices", lambda kind: named)

    def mirrored(names):
        made.append(names)
        return mock.Mock(num_replicas_in_sync=len(names))

    monkeypatch.setattr(tf.distribute, "MirroredStrategy", mirrored)
    assert strategies.create_strategy(devices=2).replicas == 2
    assert strategies.create_strategy().replicas == 4
    assert made == [["CPU:0", "CPU:1"], ["CPU:0", "CPU:1", "CPU:2", "CPU:3"]]


@pytest.mark.parametrize(("setting", "value"), [("devices", "mirrored"), ("devices", 0), ("virtual_devices", "2")])
def test_numbers_of_devices_must_be_integers_of_at_least_1(setting, value):
    with pytest.raises(ValueError, match=rf"^`{setting}` must be .*Received: {value!r}$"):
        strategies.create_strategy(**{setting: value})
