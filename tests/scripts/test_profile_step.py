"""The parts of a training step: each operation counts for its layer, and nothing is left out."""

import re
import subprocess
import sys

import pytest
from PIL import Image

import profile_step
from keras_alexnet.models.summary import sketch
from profile_step import FORWARD, MAPS, NORMS, OTHERS, POOLS, UPDATE, WEIGHTS, Profile


@pytest.mark.parametrize(
    ("operation", "expected"),
    [
        ("alexnet_paper_1/relu3_1/Relu:_MklNativeFusedConv2D", ("conv3", FORWARD)),
        ("alexnet_paper_1/conv2_1/convolution_1:_MklNativeConv2D", ("conv2", FORWARD)),
        ("alexnet_paper_1/fc6_1/Relu:_MklNativeFusedMatMul", ("fc6", FORWARD)),
        ("alexnet_paper_1/fc8_1/BiasAdd:_FusedMatMul", ("fc8", FORWARD)),
        (
            "gradient_tape/alexnet_paper_1/conv2_1/convolution_1/Conv2DBackpropInput:Conv2DBackpropInput",
            ("conv2", MAPS),
        ),
        ("gradient_tape/alexnet_paper_1/conv1_1/convolution/Conv2DBackpropFilter:_Mkl", ("conv1", WEIGHTS)),
        ("gradient_tape/alexnet_paper_1/fc7_1/MatMul/MatMul:_MklMatMul", ("fc7", MAPS)),
        ("gradient_tape/alexnet_paper_1/fc7_1/MatMul/MatMul_1:_MklMatMul", ("fc7", WEIGHTS)),
        ("alexnet_paper_1/norm1_1/PartitionedCall:PartitionedCall", (NORMS, FORWARD)),
        ("PartitionedCall_1:PartitionedCall", (NORMS, MAPS)),
        ("gradient_tape/alexnet_paper_1/pool1_1/MaxPool2d/MaxPoolGrad:MaxPoolGrad", (POOLS, MAPS)),
        ("paper_sgd/StatefulPartitionedCall_14:StatefulPartitionedCall", (UPDATE, "")),
        ("gradient_tape/alexnet_paper_1/relu1_1/ReluGrad:ReluGrad", (OTHERS, "")),
        ("gradient_tape/alexnet_paper_1/conv2_1/BiasAdd/BiasAddGrad:BiasAddGrad", (OTHERS, "")),
        ("compile_loss/sparse_categorical_crossentropy/Sum:Sum", (OTHERS, "")),
    ],
)
def test_an_operation_counts_for_its_layer(operation, expected):
    name, _, kind = operation.partition(":")
    assert profile_step.part_of(name, kind) == expected


def test_the_ideal_is_the_arithmetic_of_training_at_one_speed():
    model = sketch("paper", input_shape=(227, 227, 3), classes=1000)
    times = profile_step.ideal(model, batch_size=64, speed=100)
    assert times["conv1"] == pytest.approx(64 * 2 * 105.4e6 / 100e9 * 1000, rel=1e-3)
    multiply_adds = 64 * (3 * 724_406_816 - 105_415_200)
    assert sum(times.values()) == pytest.approx(1000 * multiply_adds / 100e9)


def test_table_and_picture_have_the_layers_in_order():
    parts = {
        (OTHERS, ""): 6.0,
        ("fc6", MAPS): 3.0,
        ("conv1", FORWARD): 10.0,
        ("conv1", WEIGHTS): 20.0,
        (NORMS, MAPS): 1,
    }
    profile = Profile(parts, step=40.0, speed=100.0, ideal={"conv1": 15.0, "fc6": 2.0})
    lines = [[cell.strip() for cell in line.split("|")[1:-1]] for line in profile.table().splitlines()[2:]]
    assert [line[0] for line in lines] == ["conv1", "fc6", NORMS, OTHERS]
    assert lines[0] == ["conv1", "10", "", "20", "30", "75.0%", "15"]
    labels = [tick.get_text() for tick in profile.draw("batch 64").axes[0].get_yticklabels()]
    assert labels == ["conv1", "fc6", NORMS, OTHERS]


def test_wrong_input_is_one_line(capsys, tmp_path):
    for flags in (["--size", "10"], ["--batch-size", "0"], ["--out", str(tmp_path / "step.txt")]):
        with pytest.raises(SystemExit) as left:
            profile_step.main(flags)
        assert left.value.code == 2
        assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.slow
def test_a_small_step_is_profiled(tmp_path):
    """The operations of a traced step take about as long as a step that is not traced.

    In a process of its own, since threads are set before TensorFlow starts.
    """
    command = [sys.executable, profile_step.__file__, "--batch-size", "8", "--size", "131"]
    command += ["--out", str(tmp_path / "step.png")]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert all(f"| {layer} " in printed for layer in ("conv1", "conv5", "fc8", NORMS, POOLS, UPDATE, OTHERS))
    step, traced = map(int, re.search(r"A step takes (\d+) ms; the operations above take (\d+) ms", printed).groups())
    assert 0.5 < traced / step < 2
    with Image.open(tmp_path / "step.png") as picture:
        assert picture.width > 1000
