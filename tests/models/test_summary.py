"""Parameters and multiplications of each layer, and differences from the paper."""

import dataclasses
import math
import re

import keras
import pytest

from keras_alexnet.models.architectures import ARCHITECTURES, Convolution
from keras_alexnet.models.summary import describe, differences, layer_costs, sketch, training_flops

pytestmark = pytest.mark.any_backend


def costs(name):
    return {cost.name: cost for cost in layer_costs(sketch(name))}


def test_parameters_of_the_paper():
    layers = costs("paper")
    learned = {name: cost.parameters for name, cost in layers.items() if cost.parameters}
    assert learned == {
        "conv1": 34_944,
        "conv2": 307_456,
        "conv3": 885_120,
        "conv4": 663_936,
        "conv5": 442_624,
        "fc6": 37_752_832,
        "fc7": 16_781_312,
        "fc8": 4_097_000,
    }


def test_multiply_adds_of_the_paper_in_millions():
    layers = costs("paper")
    convolutions = [round(layers[f"conv{n}"].multiply_adds / 1e6, 1) for n in range(1, 6)]
    assert convolutions == [105.4, 223.9, 149.5, 112.1, 74.8]
    assert round(sum(layers[f"fc{n}"].multiply_adds for n in (6, 7, 8)) / 1e6, 1) == 58.6
    assert round(sum(cost.multiply_adds for cost in layers.values()) / 1e6) == 724


def test_training_takes_three_passes_but_the_first_layer_two():
    """Positions of each layer's output x weights of a position, from the shapes of the paper."""
    conv1, fc8 = 55**2 * 96 * 363, 4096 * 1000
    others = (27**2 * 256 * 1200, 169 * 384 * 2304, 169 * 384 * 1728, 169 * 256 * 1728, 9216 * 4096, 4096 * 4096, fc8)
    flops = training_flops(layer_costs(sketch("paper")))
    assert (flops["conv1"], flops["fc8"], flops["pool1"]) == (2 * 2 * conv1, 2 * 3 * fc8, 0)
    assert sum(flops.values()) == 2 * (2 * conv1 + 3 * sum(others))


def test_a_low_resolution_copy_of_the_image_needs_no_gradient_either():
    """Its convolution gives the 27 x 27 x 256 maps of conv2."""
    network = sketch("source_low_resolution")
    window = math.prod(network.get_layer("conv2_low").kernel.shape[:3])
    assert training_flops(layer_costs(network))["conv2_low"] == 2 * 2 * 27**2 * 256 * window


@pytest.mark.parametrize(
    ("name", "parameters", "work"),
    [("paper", 3.8, 91.9), ("single_tower", 6.0, 94.8), ("one_weird_trick", 4.0, 91.8), ("tflearn", 4.1, 93.8)],
)
def test_share_of_the_convolutions(name, parameters, work):
    sentence = f"The convolutions have {parameters}% of the parameters and do {work}% of the work."
    assert sentence in describe(name).splitlines()


def test_describe_the_paper():
    lines = describe().splitlines()
    assert lines[0] == "paper: the network of the paper's text"
    assert lines[2].split() == ["layer", "kind", "output", "parameters", "mult-adds"]
    rows = {line.split()[0]: line.split() for line in lines[3:] if line}
    assert rows["conv2"] == ["conv2", "GroupedConv2D", "27x27x256", "307,456", "223,948,800"]
    assert rows["drop7"] == ["drop7", "Dropout", "4096"]  # neither parameters nor multiplications
    assert rows["total"] == ["total", "60,965,224", "724,406,816"]
    assert "Differences from paper:" not in lines


def test_describe_shows_what_differs():
    lines = describe("source").splitlines()
    assert lines[lines.index("Differences from paper:") + 1 :] == [
        "  conv1 then: norm, pool, relu (paper: relu, norm, pool)",
        "  conv2 then: relu, norm, spatial_norm, pool (paper: relu, norm, pool)",
        "  conv5 then: pool, relu (paper: relu, pool)",
        "  norm alpha: 2e-05 (paper: 0.0001)",
        "  norm groups: 2 (paper: 1)",
        "  spatial norm: window 5, k 1.0, alpha 4e-05, beta 0.75 (paper: none)",
        "  input size: 224 (paper: 227)",
    ]


def test_describe_shows_the_initial_weights():
    assert describe("tflearn").splitlines()[-3:] == [
        "  initial weights: tflearn, kernels 5 of +-1.73/sqrt(n), 3 of 0.02 truncated,",
        "    biases 8 of 0 (paper: source, kernels 2 of 0.01, 3 of 0.03, 3 of 0.01,",
        "    biases 0, 1, 0, 4 of 1, 0)",
    ]


def test_describe_an_architecture_of_ones_own():
    own = dataclasses.replace(ARCHITECTURES["paper"], name="mine", hidden=(), dropout_before=True)
    assert differences(own, ARCHITECTURES["paper"]) == [
        ("hidden", (), (4096, 4096)),
        ("dropout before", True, False),
    ]
    assert describe(own).splitlines()[-2:] == [
        "  hidden: none (paper: 4096, 4096)",
        "  dropout before the layer, not after it: yes (paper: no)",
    ]


def test_describe_layers_without_initial_weights():
    rows = ARCHITECTURES["paper"].convolutions | {6: Convolution(128, 3, padding=1)}
    described = describe(dataclasses.replace(ARCHITECTURES["paper"], name="deeper", convolutions=rows))
    assert re.search(r"^conv6 +Conv2D +6x6x128 +295,040 ", described, re.MULTILINE)  # 9 * 256 * 128 + 128


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_every_description_fits_a_terminal(name):
    lines = describe(name).splitlines()
    assert lines[0].startswith(f"{name}: ")
    assert max(map(len, lines)) <= 80


def test_describe_for_other_classes():
    rows = {line.split()[0]: line.split()[1:] for line in describe("figure_1", classes=10).splitlines() if line}
    assert rows["fc4"] == ["Dense", "10", "10,250", "10,240"]
    assert rows["total"] == ["89,578", "12,298,240"]


def test_unknown_name_is_refused():
    with pytest.raises(ValueError, match="Received: 'papper'"):
        describe("papper")


def test_a_sketch_never_gets_weights():
    """Not even when Keras allocates the variables that were created without values."""
    kernel = sketch("paper").get_layer("fc6").kernel
    with keras.StatelessScope():
        pass
    assert kernel._value is None
