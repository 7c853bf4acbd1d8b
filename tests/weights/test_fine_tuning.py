"""docs/fine_tuning.md does what it says, from top to bottom."""

import dataclasses
import re
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

import keras_alexnet
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.weights import names

PAGE = Path(__file__).parents[2] / "docs" / "fine_tuning.md"
NAMES = ("daisy", "rose", "tulip")
PICTURES = 4  # of each


@pytest.fixture
def published(tmp_path, monkeypatch):
    """A network of few hidden units, and a file of it where the publisher's would be."""
    small = dataclasses.replace(ARCHITECTURES["one_weird_trick"], hidden=(32, 16))
    monkeypatch.setitem(ARCHITECTURES, "one_weird_trick", small)
    network = keras_alexnet.build("one_weird_trick")
    network.save(tmp_path / "published.keras")
    monkeypatch.setattr(names, "locate", lambda *_: tmp_path / "published.keras")
    return network


@pytest.fixture
def in_a_folder_with_pictures(tmp_path, monkeypatch):
    random = np.random.default_rng(0)
    for name, color in zip(NAMES, np.eye(3), strict=True):
        (tmp_path / "my_pictures" / name).mkdir(parents=True)
        for n in range(PICTURES):
            pixels = 60 * random.random((70, 90, 3)) + 150 * color
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / "my_pictures" / name / f"{n}.png")
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed:UserWarning")  # Keras says so of every tf.data.Dataset
def test_the_page_runs(published, in_a_folder_with_pictures, capsys):
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    assert len(blocks) == 4
    said = {}
    for block in blocks[:3]:
        exec(block, said)
    count = round(0.8 * PICTURES * len(NAMES))
    assert said["descriptors"].shape == (count, 16)
    assert said["labels"].shape == (count,)
    assert said["averages"].shape == (PICTURES * len(NAMES) - count, 256)
    assert "fc8: new, for 3 classes; the file has 1000" in capsys.readouterr().out
    model = said["model"]
    for one, other in zip(model.layers[1:-1], published.layers[1:-1], strict=True):  # frozen, and as published
        for array, expected in zip(one.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(array, expected)

    exec(blocks[3], said)
    for one, other in zip(model.layers[:-1], published.layers[:-1], strict=True):
        assert all((one != other).any() for one, other in zip(one.get_weights(), other.get_weights(), strict=True))
    assert {name for ((_, name, _),) in said["best"]} <= set(NAMES)
    assert keras.models.load_model("my_network.keras").output_shape == (None, 3)
