"""The page on mistakes and interview questions: every number in it, computed here from the paper's layers alone."""

import math
import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
TEXT = (ROOT / "docs" / "what_posts_get_wrong.md").read_text(encoding="utf-8")
PAGE = " ".join(re.sub("<!--.*?-->", "", TEXT).split())

# Section 3.5: name, kernels, width of a kernel, channels that it sees, width of the map.
CONVOLUTIONS = [
    ("conv1", 96, 11, 3, 55),
    ("conv2", 256, 5, 48, 27),
    ("conv3", 384, 3, 256, 13),
    ("conv4", 384, 3, 192, 13),
    ("conv5", 256, 3, 192, 13),
]
WHOLE = {"conv2": 96, "conv4": 384, "conv5": 384}  # channels that a kernel sees without groups
FULLY_CONNECTED = [("fc6", 6 * 6 * 256, 4096), ("fc7", 4096, 4096), ("fc8", 4096, 1000)]


def parameters(grouped=True):
    found = {}
    for name, kernels, width, channels, _ in CONVOLUTIONS:
        found[name] = kernels * (width**2 * (channels if grouped else WHOLE.get(name, channels)) + 1)
    return found | {name: units * (inputs + 1) for name, inputs, units in FULLY_CONNECTED}


def multiply_adds():
    found = {n: kernels * width**2 * channels * side**2 for n, kernels, width, channels, side in CONVOLUTIONS}
    return found | {name: inputs * units for name, inputs, units in FULLY_CONNECTED}


def says(*words):
    return [each for each in words if each not in PAGE] == []


def test_sizes():
    assert 227 - 11 / 4 + 1 == 225.25
    assert 227 - 11 == 216
    assert (227 - 11) / 4 + 1 == 55
    assert (224 - 11) / 4 + 1 == 54.25
    assert says("this is 225.25", "227 - 11 = 216", "(227 - 11) / 4 + 1 = 55", "(224 - 11) / 4 + 1 = 54.25")


def test_parameters():
    own = parameters()
    assert sum(own.values()) == 60_965_224
    assert sum(parameters(grouped=False).values()) == 62_378_344
    assert says("60,965,224", "62,378,344 is the count without groups")
    assert says(f"9216 x 4096 + 4096 = {own['fc6']:,}", f"{own['fc6'] / sum(own.values()):.0%}".replace("%", " %"))
    assert says(f"256 x (5 x 5 x 48 + 1) = {own['conv2']:,}", f"= {parameters(grouped=False)['conv2']:,} without")
    last_three, hidden = sum(own[n] for n in ("fc6", "fc7", "fc8")), own["fc6"] + own["fc7"]
    assert says(f"together have {100 * last_three / sum(own.values()):.0f} %")
    assert says(f"have {100 * hidden / sum(own.values()):.0f} % of the parameters")


def test_parameters_of_the_network_of_2014():
    """torchvision's: width of a kernel, channels, kernels."""
    convolutions = [(11, 3, 64), (5, 64, 192), (3, 192, 384), (3, 384, 256), (3, 256, 256)]
    count = sum(kernels * (width**2 * channels + 1) for width, channels, kernels in convolutions)
    count += sum(units * (inputs + 1) for _, inputs, units in FULLY_CONNECTED)
    assert count == 61_100_840
    assert says("61,100,840 parameters")


def test_work():
    work, units = multiply_adds(), sum(kernels * side**2 for _, kernels, _, _, side in CONVOLUTIONS)
    assert max(work, key=work.get) == "conv2"
    assert says(f"conv2, with {work['conv2']:,} multiply-adds of {sum(work.values()) / 1e6:.0f} million")
    assert says(f"computes {units + 2 * 4096:,} ReLUs and {sum(work.values()) / 1e6:.0f} million multiply-adds")


def test_memory():
    weights = 4 * sum(parameters().values())
    convolved = [kernels * side**2 for _, kernels, _, _, side in CONVOLUTIONS]
    normalized = convolved[:2]
    pooled = [96 * 27**2, 256 * 13**2, 256 * 6**2]
    outputs = 4 * 128 * (sum(convolved) + sum(normalized) + sum(pooled) + 4096 + 4096 + 1000)
    assert says(f"weights take {weights / 1e6:.0f} MB", f"velocities {3 * weights / 1e6:.0f} MB")
    assert says(f"another {outputs / 1e6:.0f} MB", f"That is {(3 * weights + 2 * outputs) / 1e9:.1f} GB")


def test_receptive_fields():
    field, apart, fields = 1, 1, {}
    layers = [("conv1", 11, 4), ("pool1", 3, 2), ("conv2", 5, 1), ("pool2", 3, 2)]
    layers += [("conv3", 3, 1), ("conv4", 3, 1), ("conv5", 3, 1), ("pool5", 3, 2), ("fc6", 6, 1)]
    for name, width, step in layers:
        field, apart = field + (width - 1) * apart, apart * step
        fields[name] = field
    assert says(f"{fields['conv5']} pixels; {fields['pool5']} after the last pooling. fc6 sees the whole picture.")
    assert fields["fc6"] > 227


def test_two_small_windows_against_one_large():
    two, one = 2 * 3 * 3 * 256 * 256, 5 * 5 * 256 * 256
    assert says(f"two of 3 x 3 have {two:,} weights", f"5 x 5 has {one:,}")
    assert says(f"so {100 * (1 - two / one):.0f} % are saved")


def test_training():
    steps = 1_200_000 / 128
    assert says(f"{steps:.0f} steps per epoch, and {90 * steps:,.0f} in 90 epochs")
    assert says(f"ln 1000 = {math.log(1000):.1f}", "32 x 32 x 2 = 2048", "33 x 33 x 2 = 2178")
    assert (32 * 32 * 2, 33 * 33 * 2) == (2048, 2178)
    assert says(f"{100 - 100 / 1000:.1f} % (top-1) and {100 - 500 / 1000:.1f} % (top-5)")


def test_noise_and_decay():
    assert says(f"its variance is {0.1**2:.2f}", f"deviation of {math.sqrt(0.1):.2f}, more than three times")
    assert math.sqrt(0.1) / 0.1 > 3
    velocity = outside = weight = inside = 1.0  # a weight that only decays: per step, inside the velocity and outside
    velocity = 0.0
    for _ in range(20_000):
        velocity = 0.9 * velocity - 0.0005 * 0.01 * inside
        inside, outside = inside + velocity, outside * (1 - 0.0005 * 0.01)
    assert 9.5 < math.log(weight / inside) / math.log(weight / outside) < 10.5
    assert says("ten times weaker at a momentum of 0.9")
    slope = (0.00025 * 2.001**2 - 0.00025 * 1.999**2) / 0.002  # of the penalty, at a weight of 2
    assert math.isclose(slope, 0.0005 * 2)
    assert says("the exact form is `L2(0.00025)`")


def test_alpha_and_measured_ratios():
    assert says(f"the text's 0.0001 is `alpha={0.0001 * 5:.0e}`".replace("e-04", "e-4"), f"had {0.0001 / 5:.5f}")
    results = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    ratios = [float(share) for share in re.search(r"^\| ratio.*$", results, re.MULTILINE)[0].split("|")[2:-1]]
    assert says(f"We measured {min(ratios)} to {max(ratios)}.")


def test_every_mistake_leads_to_a_chapter():
    mistakes, questions = TEXT.split("## What interviewers ask")
    sections = re.split(r"^### ", mistakes, flags=re.MULTILINE)[1:]
    assert len(sections) >= 18
    assert [each.splitlines()[0] for each in sections if "../tutorials/" not in each] == []
    answers = re.split(r"^\*\*(?=\w)", questions, flags=re.MULTILINE)[1:]
    assert len(answers) >= 15
    assert [each.splitlines()[0] for each in answers if "../tutorials/" not in each] == []
