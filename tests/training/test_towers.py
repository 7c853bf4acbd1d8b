"""The paper's two towers on two devices.

What they compute is compared with the plain network, here on one device. Where it is computed, and what travels, is
read from the graph that TensorFlow has placed on two logical devices of the CPU. This file is also the program that
makes it: TensorFlow must know of the devices before it starts.
"""

import collections
import dataclasses
import json
import math
import re
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_alexnet.models import ARCHITECTURES, Convolution, build, sketch
from keras_alexnet.models.fusion import set_fusion
from keras_alexnet.training import sharing, towers
from keras_alexnet.training.optimizers import PaperSGD

SIZE, CLASSES, BATCH, STEPS = 67, 5, 8, 4  # classes that do not divide among the towers
PAPER = ARCHITECTURES["paper"]
ONE_DEVICE = ("CPU:0", "CPU:0")


def small(name, **changes):
    """The network with an eighth of its kernels and few hidden units."""
    net = ARCHITECTURES[name]
    rows = {n: dataclasses.replace(row, filters=row.filters // 8) for n, row in net.convolutions.items()}
    return dataclasses.replace(net, convolutions=rows, **{"hidden": (64, 48)} | changes)


def compiled(net, devices=None, **optimizer):
    keras.utils.set_random_seed(0)
    model = build(net, input_shape=(SIZE, SIZE, 3), classes=CLASSES)
    model = towers.split(model, devices) if devices else model
    optimizer = PaperSGD(0.01, bias_learning_rate_factor=2.0, **optimizer)
    model.compile(optimizer, "sparse_categorical_crossentropy", jit_compile=False)
    return model


def pictures():
    random = np.random.default_rng(0)
    images = random.normal(0, 60, (BATCH * STEPS, SIZE, SIZE, 3)).astype("float32")
    return images, random.integers(CLASSES, size=len(images))


def losses_of(model, epochs=1):
    """Loss of each step."""
    losses = []
    record = keras.callbacks.LambdaCallback(on_train_batch_end=lambda step, logs: losses.append(float(logs["loss"])))
    model.fit(*pictures(), batch_size=BATCH, epochs=epochs, shuffle=False, verbose=0, callbacks=[record])
    return losses


def assert_same_weights(model, other, atol):
    for one, two in zip(model.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_allclose(one, two, rtol=0, atol=atol)


# What the towers compute, which is the same on any devices


@pytest.mark.parametrize(
    "name",
    [
        "source",
        pytest.param("paper", marks=pytest.mark.slow),
        pytest.param("source_no_communication", marks=pytest.mark.slow),
        pytest.param("source_low_resolution", marks=pytest.mark.slow),
    ],
)
def test_outputs_are_those_of_the_plain_network(name):
    arguments = {"classifier_activation": None, "include_preprocessing": True}
    network = build(small(name), input_shape=(SIZE, SIZE, 3), classes=CLASSES, **arguments)
    random = np.random.default_rng(1)
    for layer in network.layers:  # weights of a size that lets every layer decide the outputs
        for weight in layer.weights:
            inputs = math.prod(weight.shape[:-1])
            weight.assign(random.normal(0, (2 / inputs) ** 0.5, weight.shape))
    model = towers.split(network, ONE_DEVICE)
    images = random.integers(0, 256, (4, SIZE, SIZE, 3)).astype("float32")
    with set_fusion(enabled=False):
        expected, outputs = np.array(network(images)), np.array(model(images))
    scale = np.abs(expected).max()
    assert np.ptp(expected, axis=0).max() > 0.1 * scale  # they depend on the picture
    np.testing.assert_allclose(outputs, expected, atol=1e-5 * scale)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("changes", "optimizer"),
    [
        pytest.param({"dropout": 0.0}, {}, id="without dropout"),
        pytest.param({"dropout_form": "paper"}, {"global_clipnorm": 0.5}, id="with the same masks, clipped gradients"),
    ],
)
def test_training_is_that_of_the_plain_network(changes, optimizer):
    network = compiled(small("paper", **changes), **optimizer)
    start, model = network.get_weights(), towers.split(network, ONE_DEVICE)
    with set_fusion(enabled=False):
        expected, losses = losses_of(network), losses_of(model)
    moved = max(np.abs(one - two).max() for one, two in zip(start, network.get_weights(), strict=True))
    np.testing.assert_allclose(losses, expected, atol=1e-4)
    assert_same_weights(towers.plain(model), network, atol=moved / 1000)


@pytest.mark.slow
def test_training_in_bfloat16_is_that_of_the_plain_network():
    keras.config.set_dtype_policy("mixed_bfloat16")
    network = compiled(small("source"))
    model = towers.split(network, ONE_DEVICE)
    with set_fusion(enabled=False):
        expected, losses = losses_of(network), losses_of(model)
    np.testing.assert_allclose(losses, expected, atol=0.02)
    assert {weight.dtype for weight in model.trainable_weights} == {"float32"}
    assert model.get_layer("conv2").output[0].dtype == "bfloat16"


@pytest.mark.slow
def test_the_plain_network_continues_where_the_towers_stopped(tmp_path):
    """With velocities, the state of dropout and the number of steps; through a file, as a checkpoint does."""
    model = towers.split(compiled(small("paper")), ONE_DEVICE)
    with set_fusion(enabled=False):
        losses_of(model)
        model.optimizer.learning_rate = 0.005
        model.save(tmp_path / "network.keras")
        network = keras.models.load_model(tmp_path / "network.keras")
        again = towers.split(network, ONE_DEVICE)
        for one, two in zip(again.optimizer.variables, model.optimizer.variables, strict=True):
            np.testing.assert_array_equal(one, two)
        assert_same_weights(again, model, atol=0)
        seeds = [layer.seed_generator.state for layer in network.layers if hasattr(layer, "seed_generator")]
        for seed, drawn in zip(seeds, (model.get_layer(name).parts[0] for name in ("drop6", "drop7")), strict=True):
            seed.assign(drawn.seed_generator.state)  # a .keras file has them as they were at the beginning
        expected, losses = losses_of(network), losses_of(model)
    assert type(network) is not towers.TowerModel
    np.testing.assert_allclose(losses, expected, atol=1e-4)
    assert_same_weights(towers.plain(model), network, atol=1e-5)


def test_both_towers_have_half_of_each_layer():
    model = towers.split(build(small("paper"), input_shape=(SIZE, SIZE, 3), classes=CLASSES), ONE_DEVICE)
    shapes = {layer.name: [tuple(weight.shape) for weight in layer.weights] for layer in model.layers if layer.weights}
    half = {"conv1": (11, 11, 3, 6), "conv2": (5, 5, 6, 16), "conv3": (3, 3, 32, 24), "conv4": (3, 3, 24, 24)}
    half |= {"conv5": (3, 3, 24, 16), "fc6": (32, 32), "fc7": (64, 24)}
    assert shapes == {name: [kernel, kernel[-1:]] * 2 for name, kernel in half.items()} | {"fc8": [(48, 5), (5,)]}


# What is refused


@pytest.mark.parametrize(
    ("net", "message"),
    [
        ("single_tower", r"layers in groups of two.*Received: alexnet_single_tower, without groups$"),
        (dataclasses.replace(PAPER, hidden=(4095, 4096)), "even width.* Received: fc6 of 4095$"),
        (
            dataclasses.replace(PAPER, convolutions=PAPER.convolutions | {4: Convolution(384, 3, padding=1, groups=3)}),
            "divide among two towers. Received: conv4 in 3 groups$",
        ),
    ],
)
def test_networks_without_two_towers_are_refused(net, message):
    with pytest.raises(ValueError, match=message):
        towers.check(sketch(net))


@pytest.mark.parametrize("devices", [["CPU:0"], ["CPU:0", "CPU:1", "CPU:2"]])
def test_other_numbers_of_devices_are_refused(devices):
    with pytest.raises(ValueError, match=rf"name two devices. Received: {', '.join(devices)}$"):
        towers.split(sketch("paper"), devices)


def test_other_optimizers_are_refused():
    model = towers.split(build(small("paper"), input_shape=(SIZE, SIZE, 3), classes=CLASSES), ONE_DEVICE)
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=False)
    with pytest.raises(ValueError, match=r"trained by `PaperSGD`.*Received: SGD"):
        model.train_step(pictures())


# Where it is computed, and what travels


def measure(name, clip):
    """Train on two devices, and return what their graphs say."""
    import tensorflow as tf

    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    network = compiled(small(name), global_clipnorm=clip)
    model = compiled(small(name), ("CPU:0", "CPU:1"), global_clipnorm=clip)
    images = pictures()[0][:BATCH]
    differ = float(np.abs(np.array(network(images)) - np.array(model(images))).max())
    losses = [losses_of(network, 2), losses_of(model, 2)]
    graph, parts = placed_step(model)
    variables = [*model.variables, *model.optimizer.variables]
    return {
        "outputs differ": differ,
        "losses": losses,
        "variables": [(each.path, math.prod(each.shape), device_of(each.value)) for each in variables],
        "operations": [(node.name, node.op, device) for device, part in parts.items() for node in part.node],
        "updates": updates(graph),
        "sent": [row for part in parts.values() for row in sent(part, graph, parts)],
    }


TRANSFERS = ("_Send", "_Recv", "Identity", "Const")  # named after what they hand over


def device_of(thing):
    return thing.device[-1:]


def placed_step(model):
    """Return the graph of a step, and its parts by device, as they ran."""
    import tensorflow as tf
    from tensorflow.python.eager import context

    images, labels = (tf.constant(values[:BATCH]) for values in pictures())
    step = tf.function(lambda images, labels: model.train_step((images, labels))).get_concrete_function(images, labels)
    context.context().enable_run_metadata()
    step(images, labels)
    metadata = context.context().export_run_metadata()
    context.context().disable_run_metadata()
    return step.graph, {device_of(part.node[0]): part for part in metadata.partition_graphs}


def updates(graph):
    """Devices of each operation that changes a variable, and of the variables."""
    held = {inner.name: device_of(outer) for outer, inner in graph.captures if outer.dtype.name == "resource"}
    for op in graph.get_operations():
        handles = [held[each.name] for each in op.inputs if each.name in held]
        if op.type == "StatefulPartitionedCall" and handles:
            yield device_of(op), *handles


def sent(part, graph, parts):
    """Yield what leaves a device: source, layer or operation that reads it, phase, sender, receiver, bytes."""
    for node in part.node:
        if node.op != "_Send":
            continue
        source = node.input[0]
        if "/ctrl/" in source or source.startswith("^"):  # one operation waits for another
            continue
        receiver = node.attr["recv_device"].s.decode()[-1:]
        label = node.attr["tensor_name"].s
        (received,) = (each.name for each in parts[receiver].node if each.attr["tensor_name"].s == label)
        readers = [each.name for each in parts[receiver].node if received in each.input]
        phase = "backward" if source.startswith("gradients") else "forward"
        named = [source] if phase == "backward" else readers
        layers = {match[1] for text in named if (match := re.search(r"((?:conv|norm|fc)\d)(?:_\d+)?/", text))}
        yield source, "".join(layers), phase, device_of(part.node[0]), receiver, bytes_of(source, part, graph)


def bytes_of(source, part, graph):
    import tensorflow as tf

    constants = {node.name: node for node in part.node if node.op == "Const"}
    if source in constants:  # made by TensorFlow, from operations of the graph
        return tf.make_ndarray(constants[source].attr["value"].tensor).nbytes
    tensor = graph.get_tensor_by_name(source if ":" in source else f"{source}:0")
    return math.prod(tensor.shape) * tensor.dtype.size


@pytest.fixture(scope="module", params=[("source", None), ("paper", 0.5)], ids=["source", "paper, clipped"])
def measured(request, tmp_path_factory):
    name, clip = request.param
    path = tmp_path_factory.mktemp("towers") / "measured.json"
    subprocess.run([sys.executable, __file__, name, json.dumps(clip), str(path)], check=True)
    return name, json.loads(path.read_text())


@pytest.mark.slow
def test_two_devices_compute_what_one_does(measured):
    assert measured[1]["outputs differ"] < 1e-5
    expected, losses = measured[1]["losses"]
    assert len(losses) == 2 * STEPS
    np.testing.assert_allclose(losses, expected, atol=1e-4)


@pytest.mark.slow
def test_variables_are_on_the_device_of_their_tower(measured):
    found = measured[1]["variables"]
    of_towers = [(path, device) for path, _, device in found if "tower" in path]
    assert len(of_towers) == 2 * (7 * 2 * 2 + 2)  # seven layers in two towers and one in one, weights and velocities
    assert all(device == ("1" if "tower2" in path else "0") for path, device in of_towers)


@pytest.mark.slow
def test_each_device_holds_about_half(measured):
    held = collections.Counter()
    for _, numbers, device in measured[1]["variables"]:
        held[device] += numbers
    assert 0.45 < held["1"] / held.total() < 0.5
    share = sharing.share("towers", small(measured[0], size=SIZE), classes=CLASSES)
    few = 100  # the number of steps, the learning rate, the loss and the seeds
    assert 2 * share.parameters <= held["0"] < 2 * share.parameters + few


@pytest.mark.slow
def test_operations_are_on_the_device_of_their_tower(measured):
    work = re.compile(r"Conv2D|MatMul|MaxPool|Relu|BiasAdd|LRN|PartitionedCall|AddN|Random|Concat")
    found = collections.Counter()
    for name, kind, device in measured[1]["operations"]:
        tower = re.search(r"/tower(\d)", name)
        if tower and kind not in TRANSFERS:
            assert device == str(int(tower[1]) - 1), (name, kind)
            found[device] += bool(work.search(kind))
    assert min(found.values()) > 30
    assert {device for name, _, device in measured[1]["operations"] if "conv3" in name} == {"0", "1"}
    assert len(measured[1]["updates"]) == 7 * 2 * 2 + 2
    assert all(len(set(devices)) == 1 for devices in measured[1]["updates"])


@pytest.mark.slow
def test_what_travels_in_a_step_is_what_the_arithmetic_says(measured):
    """Beside it, each step, the pictures go to the second tower, and scalars: the learning rate, norms of gradients."""
    name, found = measured
    expected = collections.Counter()
    for crossing in sharing.crossings(sketch(small(name), input_shape=(SIZE, SIZE, 3), classes=CLASSES)):
        key = crossing.layer, crossing.phase, str(crossing.sender), str(crossing.receiver)
        expected[key] += 4 * BATCH * crossing.numbers
    traveled, others = collections.Counter(), {}
    for source, layer, phase, sender, receiver, size in found["sent"]:
        if layer in {key[0] for key in expected} and size > 8:
            traveled[layer, phase, sender, receiver] += size
        elif size > 8:
            others[source] = size
    assert traveled == expected
    assert {key[0] for key in traveled} == {"conv3", "fc6", "fc7", "fc8"} | (
        {"norm1", "norm2"} if name == "paper" else set()
    )
    assert others == {"images": 4 * BATCH * SIZE * SIZE * 3}


if __name__ == "__main__":
    from pathlib import Path

    architecture, clip, path = sys.argv[1:]
    Path(path).write_text(json.dumps(measure(architecture, json.loads(clip)), default=list))
