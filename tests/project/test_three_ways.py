"""The page on the three ways to share the network has the numbers of the library."""

import re
from pathlib import Path

import pytest

from keras_alexnet.training import sharing

PAGE = (Path(__file__).parents[2] / "docs" / "three_ways.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in row[1:-1].split("|")] for row in re.findall(r"^\| [248] \|.*\|$", PAGE, re.MULTILINE)]
BATCHES = (128, 256, 512, 1024)
PICTURES = 90 * 1.2e6 / (5.5 * 86_400)  # per second in 2012: 90 passes in five to six days
CLASSIFIER = 6 * 4_096_000  # operations: a multiply-add is two, forward, for the weights' gradient and for the input's
NETWORK = 4 * 105_415_200 + 6 * (724_406_816 - 105_415_200)  # conv1 needs no gradient of the picture
GPU = PICTURES * ((NETWORK - CLASSIFIER) / 2 + CLASSIFIER)  # operations per second of the first of two
YEARS = ((GPU, 8e9), (100e12, 450e9))  # operations and bytes per second


def milliseconds(seconds):
    return f"{1e3 * seconds:,.0f}" if seconds >= 0.1 else f"{1e3 * seconds:#.3g}"


@pytest.mark.slow  # half a minute: 36 networks are sketched
@pytest.mark.parametrize("devices", [2, 4, 8])
@pytest.mark.parametrize("way", sharing.SCHEMES)
def test_rows_are_those_of_the_arithmetic(way, devices):
    shares = [sharing.share(way, "source", devices, batch) for batch in BATCHES]
    first = shares[0]
    held = [f"{first.parameters / 1e6:.1f}", f"{first.pictures:.0f}", f"{first.held() / 1e9:.2f}"]
    expected = [[*held, *(f"{share.sent / 1e6:.0f}" for share in shares)]]
    for operations, link in YEARS:
        times = [(share.seconds(operations, link), share.operations / operations) for share in shares]
        expected.append([f"{milliseconds(time)} ({1 - computing / time:.0%})" for time, computing in times])
    found = [cells for count, name, *cells in ROWS if (count, name) == (str(devices), way.replace("_", " "))]
    assert found == expected


def test_the_speed_of_2012_is_that_of_the_paper():
    assert f"{PICTURES:.0f} pictures per second, and so {GPU / 1e12:.2f} TFLOP/s" in PAGE
