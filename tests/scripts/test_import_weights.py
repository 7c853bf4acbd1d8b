"""scripts/import_weights.py from the user's point of view."""

import dataclasses
import re

import foreign_weights
import keras
import numpy as np
import pytest

from keras_alexnet.commands import import_weights
from keras_alexnet.models.architectures import ARCHITECTURES


@pytest.fixture
def caffemodel(tmp_path, monkeypatch):
    """A file and a network with few hidden units."""
    small = dataclasses.replace(ARCHITECTURES["caffenet"], hidden=foreign_weights.HIDDEN)
    monkeypatch.setitem(ARCHITECTURES, "caffenet", small)
    path = tmp_path / "caffenet.caffemodel"
    path.write_bytes(foreign_weights.caffemodel(foreign_weights.of_caffe()))
    return path


def arguments(file, **changed):
    flags = {"architecture": "caffenet", "out": file.with_name("caffenet.keras"), "classes": 10, "size": 99} | changed
    return [str(file), *(word for name, value in flags.items() for word in (f"--{name}", str(value)))]


def leave(words):
    with pytest.raises(SystemExit) as left:
        import_weights.main(words)
    return left.value.code


@pytest.mark.slow
def test_caffemodel_to_keras_file(caffemodel, capsys):
    import_weights.main(arguments(caffemodel))
    *lines, last = capsys.readouterr().out.splitlines()
    assert lines[0] == "conv1: conv1 blob 0, (96, 3, 11, 11) to (11, 11, 3, 96), BGR to RGB"
    assert len(lines) == 8
    assert last.startswith(f"Wrote {caffemodel.with_name('caffenet.keras')} with ")
    model = keras.models.load_model(caffemodel.with_name("caffenet.keras"))
    images = np.random.default_rng(0).normal(0, 60, (2, 99, 99, 3)).astype(np.float32)
    logits = foreign_weights.caffe_answers(foreign_weights.of_caffe(), images)
    expected = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model(images)), expected, atol=1e-4)


WRONG = {
    "architecture": ({"architecture": "cafenet"}, "Did you mean caffenet.* Received: 'cafenet'"),
    "classes": (
        {"classes": 1000},
        r"fc8 expects 1000 classes: .*for the classes of the file \(.*--classes\)\. Received: 10 classes",
    ),
    "size": ({"size": 67}, r"fc6 expects shape \(48, 256\)\. It depends on the input size: .*Received: "),
    "no folder": ({"out": "nowhere/caffenet.keras"}, r"Expected --out in an existing folder\. Received: nowhere/"),
    "no size": ({"size": 0}, "Received: .*0"),
    "too small": ({"size": 9}, "at least 67x67"),
    "ending": ({"out": "caffenet.h5"}, r"Expected --out to end in \.keras\. Received: caffenet\.h5"),
}


@pytest.mark.parametrize(("changed", "message"), WRONG.values(), ids=WRONG)
def test_wrong_input_is_one_line(caffemodel, capsys, changed, message):
    assert leave(arguments(caffemodel, **changed)) == 2
    error = capsys.readouterr().err
    assert error.startswith("import_weights.py: ")
    assert error.count("\n") == 1
    assert re.search(message, error)
    assert not caffemodel.with_name("caffenet.keras").exists()


@pytest.mark.parametrize("garbage", [b"\x07\x01", b"\xff\xff", b"\xa2\x06\x02\x08\x07", b"no network"])
def test_a_damaged_file_is_refused(caffemodel, capsys, garbage):
    caffemodel.write_bytes(garbage)
    assert leave(arguments(caffemodel)) == 2
    assert "Expected a Caffe network, undamaged and without code" in capsys.readouterr().err


def test_a_truncated_file_leaves_nothing(caffemodel, capsys):
    caffemodel.write_bytes(caffemodel.read_bytes()[:100_000])
    assert leave(arguments(caffemodel)) == 2
    assert "Expected a Caffe network, undamaged and without code" in capsys.readouterr().err
    assert [path.name for path in caffemodel.parent.iterdir()] == ["caffenet.caffemodel"]
