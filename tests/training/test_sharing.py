"""What each device holds, computes and sends, against numbers worked out by hand from the paper's sizes."""

import pytest

from keras_alexnet.models import sketch
from keras_alexnet.training import sharing

FC8 = 4096 * 1000 + 1000
PARAMETERS = 60_965_224
CONVOLUTIONS = 34_944 + 307_456 + 885_120 + 663_936 + 442_624
READ_BY_BOTH = {"conv3": 13 * 13 * 256, "fc6": 6 * 6 * 256, "fc7": 4096, "fc8": 4096}


def of(way, devices=2, batch=128, architecture="source"):
    return sharing.share(way, architecture, devices, batch)


def by_phase(share):
    return {(exchange.layer, exchange.phase): (exchange.sent, exchange.received) for exchange in share.exchanges}


def test_towers_send_half_of_what_both_read():
    """The classifier is on the first device, which sends no activations for it, but their gradients."""
    half = {layer: 128 * numbers // 2 * 4 for layer, numbers in READ_BY_BOTH.items()}
    expected = {(layer, phase): (half[layer], half[layer]) for layer in half for phase in ("forward", "backward")}
    expected |= {("fc8", "forward"): (0, half["fc8"]), ("fc8", "backward"): (half["fc8"], 0)}
    share = of("towers")
    assert by_phase(share) == expected
    assert share.sent == share.received == 2 * sum(half.values()) - half["fc8"]
    assert share.pictures == 128
    assert share.parameters == (PARAMETERS - FC8) / 2 + FC8


@pytest.mark.parametrize("way", ["data_parallel", "one_weird_trick"])
def test_what_does_not_divide_is_refused(way):
    with pytest.raises(ValueError, match=r"batch must be divisible by the number of devices, 3\. Received: 128"):
        of(way, devices=3)
    if way == "one_weird_trick":
        with pytest.raises(ValueError, match="Received: 3 devices, layers of 4096 and 4096 units"):
            of(way, devices=3, batch=129)


def test_normalization_windows_of_the_text_reach_two_channels_into_the_other_tower():
    found = {(each.layer, each.phase, each.sender): each.numbers for each in sharing.crossings(sketch("paper"))}
    assert found["norm1", "forward", 0] == found["norm1", "backward", 1] == 2 * 55 * 55
    assert found["norm2", "forward", 1] == 2 * 27 * 27
    assert {layer for layer, *_ in found} == {"norm1", "norm2", *READ_BY_BOTH}


def test_towers_that_do_not_communicate_meet_in_the_classifier():
    assert {each.layer for each in sharing.crossings(sketch("source_no_communication"))} == {"fc8"}


@pytest.mark.parametrize("devices", [4, 8])
def test_more_towers_are_more_groups_with_fewer_weights(devices):
    """Weights without the classifier's, by hand: those in groups become fewer, the others are divided."""
    grouped = sum(kernel * filters for kernel, filters in ((5 * 5 * 96, 256), (3 * 3 * 384, 384), (3 * 3 * 384, 256)))
    whole = 11 * 11 * 3 * 96 + 3 * 3 * 256 * 384 + 9216 * 4096 + 4096 * 4096
    biases = 96 + 256 + 384 + 384 + 256 + 4096 + 4096
    share = of("towers", devices)
    assert share.parameters == (grouped / devices + whole + biases) / devices + FC8
    sent = {layer: 128 * 4 * numbers * (devices - 1) / devices for layer, numbers in READ_BY_BOTH.items()}
    assert share.sent == 2 * (sent["conv3"] + sent["fc6"] + sent["fc7"]) + sent["fc8"]


@pytest.mark.parametrize("batch", [128, 1024])
@pytest.mark.parametrize("devices", [2, 4, 8])
def test_data_parallel_devices_send_all_gradients_whatever_the_batch(devices, batch):
    share = of("data_parallel", devices, batch)
    assert share.sent == share.received == pytest.approx(2 * (devices - 1) / devices * 4 * PARAMETERS)
    assert share.parameters == PARAMETERS
    assert share.pictures == batch / devices


@pytest.mark.parametrize("devices", [2, 8])
def test_one_weird_trick_sends_gradients_of_convolutions_and_activations_of_the_rest(devices):
    """Maps and outputs of fc6 are gathered and their gradients summed; with the outputs of fc8 it is the other way."""
    activations, scores = 128 * (9216 + 4096), 128 * 1000
    numbers = activations + 2 * activations + 2 * scores + scores + 2 * CONVOLUTIONS
    share = of("one_weird_trick", devices)
    assert share.sent == share.received == pytest.approx(4 * numbers * (devices - 1) / devices)
    assert share.parameters == CONVOLUTIONS + (PARAMETERS - CONVOLUTIONS) / devices


def test_the_work_is_divided_evenly():
    """4.14 GFLOP a picture, as the gradient of the image is not needed: 2 x (3 x 724.4 - 105.4) million."""
    total = 2 * (3 * 724_406_816 - 105_415_200) * 128
    assert of("data_parallel", 8).operations == of("one_weird_trick", 8).operations == pytest.approx(total / 8)
    assert of("towers").operations == pytest.approx(total / 2 + 3 * 2 * 128 * 4_096_000 / 2)  # of the classifier


def test_seconds_are_those_of_the_work_and_of_the_slower_direction():
    share = sharing.Share(1, 0, 0, 8e9, (sharing.Exchange("a", "forward", 3e6, 1e6),))
    assert share.seconds(flops_per_second=4e9, bytes_per_second=1e6) == 2 + 3


def test_unknown_schemes_are_refused():
    with pytest.raises(ValueError, match=r"Unknown scheme to share a network\. Did you mean towers"):
        of("two_towers")
