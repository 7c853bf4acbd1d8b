"""Convolutions that share the batch and fully connected layers that share the network, on JAX.

Two devices train as one; what each holds and what travels between them is what the arithmetic says. This file is also
the program that trains: it runs in a process of its own, because JAX must know of the devices before it starts.
"""

import json
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from keras_alexnet.models import sketch
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.training import one_weird_trick, strategies

DEVICES, BATCH, STEPS, SIZE, CLASSES = 2, 8, 4, 67, 5  # classes that do not divide among the devices
HIDDEN = (64, 48)
EXCHANGES = "all-gather|all-reduce|reduce-scatter|all-to-all|collective-permute"


def small_network():
    """The paper's network with an eighth of its kernels and few hidden units: it compiles sooner."""
    import dataclasses

    paper = ARCHITECTURES["paper"]
    rows = {n: dataclasses.replace(row, filters=row.filters // 8) for n, row in paper.convolutions.items()}
    return dataclasses.replace(paper, convolutions=rows, hidden=HIDDEN)


def train(kind, count, folder):
    """Train for some steps with dropout, and leave the losses, the weights, and where each variable lies."""
    import keras

    import keras_alexnet
    from keras_alexnet.recipes import Recipe
    from keras_alexnet.training.optimizers import PaperSGD

    strategy = strategies.create_strategy(count, virtual_devices=DEVICES, kind=kind)
    strategy.prepare(Recipe(batch_size=BATCH))
    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = keras_alexnet.build(small_network(), input_shape=(SIZE, SIZE, 3), classes=CLASSES)
        model.compile(PaperSGD(0.001), "sparse_categorical_crossentropy")
    random = np.random.default_rng(0)
    images = random.normal(0, 60, (BATCH * STEPS, SIZE, SIZE, 3)).astype("float32")
    labels = random.integers(CLASSES, size=len(images))
    losses = []
    record = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: losses.append(logs["loss"]))
    with strategy.training_scope():
        model.fit(images, labels, batch_size=BATCH, shuffle=False, verbose=0, callbacks=[record])
    variables = [*model.variables, *model.optimizer.variables]
    held = {each.path: [list(part.data.shape) for part in each.value.addressable_shards] for each in variables}
    (folder / "losses.json").write_text(json.dumps([losses, held]))
    np.savez(folder / "weights.npz", *model.get_weights())


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """What one device leaves, and two in both ways, with the compiled step."""
    pytest.importorskip("jax")
    found = {}
    for name, kind, count in (
        ("one device", "mirrored", 1),
        ("mirrored", "mirrored", DEVICES),
        ("trick", "one_weird_trick", DEVICES),
    ):
        folder = tmp_path_factory.mktemp(kind)
        flags = f"--xla_dump_to={folder} --xla_dump_hlo_as_text --xla_dump_hlo_module_re=jit_train_step"
        environment = os.environ | {"KERAS_BACKEND": "jax", "XLA_FLAGS": flags}
        subprocess.run([sys.executable, __file__, kind, str(count), str(folder)], check=True, env=environment)
        losses, held = json.loads((folder / "losses.json").read_text())
        with np.load(folder / "weights.npz") as weights:
            (compiled,) = folder.glob("*jit_train_step*after_optimizations.txt")
            found[name] = (losses, [weights[each] for each in weights.files], held, compiled.read_text())
    return found


@pytest.mark.slow
@pytest.mark.parametrize("way", ["mirrored", "trick"])
def test_two_devices_train_as_one(trained, way):
    """With the same dropout masks. Sums are made in another order."""
    (one_losses, one_weights, *_), (two_losses, two_weights, *_) = trained["one device"], trained[way]
    assert len(one_losses) == STEPS
    np.testing.assert_allclose(two_losses, one_losses, rtol=1e-4)
    for one, two in zip(one_weights, two_weights, strict=True):
        np.testing.assert_allclose(two, one, rtol=0, atol=1e-4)


def velocity(path):
    return f"paper_sgd/{path.replace('/', '_')}_velocity"


@pytest.mark.slow
def test_each_device_holds_all_convolutions_and_half_of_the_fully_connected_layers(trained):
    held = trained["trick"][2]
    first, second = HIDDEN
    halves = {  # 32 maps of one place come from conv5
        "fc6/kernel": [32, first // 2],
        "fc6/bias": [first // 2],
        "fc7/kernel": [first, second // 2],
        "fc7/bias": [second // 2],
        "fc8/kernel": [second // 2, CLASSES],
    }
    for path, half in halves.items():
        assert held[path] == held[velocity(path)] == [half, half], path
    whole = {"conv1/kernel": [11, 11, 3, 12], "conv2/kernel": [5, 5, 6, 32], "conv5/bias": [32], "fc8/bias": [CLASSES]}
    for path, shape in whole.items():
        assert held[path] == held[velocity(path)] == [shape, shape], path


def what_travels(compiled):
    """Return the shapes that each kind of exchange in a compiled step hands over, as numbers of elements."""
    found = {}
    for line in compiled.splitlines():
        match = re.search(
            r"= (.*?) (all-gather|all-reduce|reduce-scatter|all-to-all|collective-permute)(-start)?\(", line
        )
        if match:
            shapes = re.findall(r"[a-z]+\d+\[([\d,]*)\]", match[1])
            sizes = [math.prod(int(side) for side in shape.split(",") if side) for shape in shapes]
            found.setdefault(match[2], []).extend(sizes)
    return {kind: sorted(sizes, reverse=True) for kind, sizes in found.items()}


KERNELS = (11 * 11 * 3 * 12, 5 * 5 * 6 * 32, 3 * 3 * 32 * 48, 3 * 3 * 24 * 48, 3 * 3 * 24 * 32)
CONVOLUTIONS = sum(KERNELS) + 12 + 32 + 48 + 48 + 32  # with their biases
FULLY_CONNECTED = 32 * 64 + 64 + 64 * 48 + 48 + 48 * CLASSES + CLASSES
LOSS = 1


@pytest.mark.slow
def test_what_travels_in_a_step(trained):
    """Forward: the last maps, the outputs of fc6, and the sums of fc8. Backward: the gradients of all three.

    Of the weights' gradients, those of the convolutions.
    """
    maps, hidden, sums = BATCH * 32, BATCH * HIDDEN[0], BATCH * CLASSES
    found = what_travels(trained["trick"][3])
    assert found.keys() == {"all-gather", "all-reduce"}
    assert sum(found["all-gather"]) == maps + hidden + sums
    assert sum(found["all-reduce"]) == maps + hidden + sums + CONVOLUTIONS + LOSS


@pytest.mark.slow
def test_what_travels_in_a_step_when_only_the_batch_is_shared(trained):
    assert what_travels(trained["one device"][3]) == {}
    found = what_travels(trained["mirrored"][3])
    assert found.keys() == {"all-reduce"}
    assert sum(found["all-reduce"]) == CONVOLUTIONS + FULLY_CONNECTED + LOSS


def test_units_that_do_not_divide_are_refused():
    with pytest.raises(ValueError, match=r"number of devices\. Received: 3 devices, layers of 4096 and 4096"):
        one_weird_trick.layouts(ARCHITECTURES["paper"], ["cpu:0", "cpu:1", "cpu:2"])


def test_a_network_without_hidden_layers_is_refused():
    with pytest.raises(ValueError, match=r"choose an architecture that has some\. Received: figure_1$"):
        one_weird_trick.layouts(ARCHITECTURES["figure_1"], ["cpu:0", "cpu:1"])


@pytest.mark.parametrize(("name", "last"), [("half", "fc8"), ("source_conv6", "fc9"), ("no_conv4", "fc8")])
def test_every_fully_connected_layer_is_divided(name, last):
    dense = [layer.name for layer in sketch(name).layers if hasattr(layer, "units")]
    found = one_weird_trick.layouts(ARCHITECTURES[name], ["cpu:0", "cpu:1"])
    assert dense[-1] == last
    assert [found[f"{layer}/kernel"].axes for layer in dense] == [(None, "devices")] * 2 + [("devices", None)]


if __name__ == "__main__":
    train(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3]))
