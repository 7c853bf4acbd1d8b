"""Weights by name: where files are searched, behavior without internet, and recognition of networks."""

import dataclasses
import hashlib
import shutil

import foreign_weights
import keras
import numpy as np
import pytest
from foreign_weights import CAFFE_STEPS, CAFFENET_STEPS, CLASSES, HIDDEN, SIDE

from keras_alexnet.models.alexnet import build
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.weights import names, origin

pytestmark = pytest.mark.any_backend

CAFFE, TORCHVISION = "bvlcalexnet-12.onnx", "alexnet-owt-7be5be79.pth"


def publish(monkeypatch, **contents):
    """Replace the published files by these contents, and make downloads fail."""
    for name, files in names.NAMES.items():
        others = tuple(
            dataclasses.replace(
                file,
                address=f"http://127.0.0.1:9/{file.name}",
                digest=hashlib.sha256(contents.get(file.architecture, b"")).hexdigest()[:8],
            )
            for file in files
        )
        monkeypatch.setitem(names.NAMES, name, others)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Empty caches of Keras and PyTorch, and files with one word."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv(names.FOLDER, raising=False)
    publish(monkeypatch, caffe=b"onnx", one_weird_trick=b"torch")
    (tmp_path / "keras" / "models").mkdir(parents=True)
    return tmp_path / "keras" / "models"


# Which file


def test_published_of_two_networks_alone():
    with pytest.raises(ValueError, match=r"only for caffe and one_weird_trick: .*Received: .*'paper'"):
        names.locate("imagenet", "paper")


def test_a_name_of_another_network_is_refused():
    with pytest.raises(ValueError, match=r"'torchvision' are published only for one_weird_trick: .*'caffe'"):
        names.locate("torchvision", "caffe")


def test_imagenet_uses_the_file_on_this_machine(cache):
    (cache / TORCHVISION).write_bytes(b"torch")
    assert names.locate("imagenet") == cache / TORCHVISION


def test_imagenet_uses_a_file_that_can_be_read(cache, monkeypatch):
    (cache / TORCHVISION).write_bytes(b"torch")
    (cache / CAFFE).write_bytes(b"onnx")
    for package, expected in (("onnx", CAFFE), ("torch", TORCHVISION)):
        monkeypatch.setattr(names.importlib.util, "find_spec", lambda name, package=package: name == package or None)
        assert names.choose("imagenet").name == expected


def test_imagenet_of_a_network_is_that_network_s_file(cache):
    (cache / TORCHVISION).write_bytes(b"torch")
    with pytest.raises(ValueError, match=f"save the file as {cache / CAFFE}"):
        names.locate("imagenet", "caffe")


@pytest.mark.parametrize("place", ["variable", "cache", "torch"])
def test_a_file_brought_by_hand_is_found(cache, tmp_path, monkeypatch, place):
    monkeypatch.setenv(names.FOLDER, str(tmp_path / "brought"))
    folders = {"variable": tmp_path / "brought", "cache": cache, "torch": tmp_path / "torch" / "hub" / "checkpoints"}
    folders[place].mkdir(parents=True, exist_ok=True)
    (folders[place] / TORCHVISION).write_bytes(b"torch")
    assert names.locate("torchvision") == names.locate("one_weird_trick") == folders[place] / TORCHVISION


def test_a_file_brought_by_hand_is_preferred_to_those_of_the_caches(cache, tmp_path, monkeypatch):
    monkeypatch.setenv(names.FOLDER, str(tmp_path / "brought"))
    hub = tmp_path / "torch" / "hub" / "checkpoints"
    for folder in (hub, cache, tmp_path / "brought"):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / TORCHVISION).write_bytes(b"torch")
        assert names.locate("torchvision") == folder / TORCHVISION


def test_without_internet_one_line_says_where_to_put_the_file(cache):
    with pytest.raises(ValueError, match=rf"save the file as {cache / CAFFE}, .*{names.FOLDER}") as error:
        names.locate("imagenet")
    assert "\n" not in str(error.value)


def test_a_file_of_another_digest_is_refused(cache):
    (cache / CAFFE).write_bytes(b"something else")
    with pytest.raises(
        ValueError,
        match=f"delete {cache / CAFFE}. Its SHA-256 must begin with [0-9a-f]{{8}}.* Received: [0-9a-f]{{64}}",
    ):
        names.locate("caffe")


def test_a_path_is_used_unchanged(tmp_path):
    assert names.locate(tmp_path / "caffe") == tmp_path / "caffe"
    assert str(names.locate("./caffe")) == "caffe"


# The network of a file


@pytest.fixture
def caffe_in_the_cache(cache, monkeypatch):
    """The layout of the model zoo's file, with few hidden units, for inputs of 99 pixels."""
    pytest.importorskip("onnx")
    content = foreign_weights.onnx_network(foreign_weights.of_caffe()).SerializeToString()
    (cache / CAFFE).write_bytes(content)
    publish(monkeypatch, caffe=content)
    return cache / CAFFE


def small(name):
    return dataclasses.replace(ARCHITECTURES[name], hidden=HIDDEN)


def test_build_takes_weights_by_name(caffe_in_the_cache):
    model = build(small("caffe"), weights="imagenet", classes=CLASSES, input_shape=(SIDE, SIDE, 3))
    np.testing.assert_array_equal(model.get_layer("fc7").get_weights()[1], foreign_weights.of_caffe()["fc7"][1])


def test_a_name_says_all_settings(caffe_in_the_cache):
    known = origin.trace("imagenet")
    assert known.settings() == {
        "architecture": "caffe",
        "crop_size": 227,
        "resize_size": 256,
        "mean": "architecture",
    }


def test_settings_of_torchvision_s_file(cache):
    (cache / TORCHVISION).write_bytes(b"torch")
    known = origin.trace("torchvision")
    assert (known.architecture, known.crop_size, known.resize_size) == ("one_weird_trick", 224, 256)


@pytest.mark.parametrize(("steps", "expected"), [(CAFFE_STEPS, "caffe"), (CAFFENET_STEPS, "caffenet")])
def test_a_file_of_another_framework_is_recognized_by_its_layers(tmp_path, steps, expected):
    path = tmp_path / "net.caffemodel"
    path.write_bytes(foreign_weights.caffemodel(foreign_weights.of_caffe(), steps))
    assert origin.trace(path).architecture == expected


def test_a_state_dict_is_recognized(tmp_path):
    torch = pytest.importorskip("torch")
    state = foreign_weights.state_dict(foreign_weights.of_torchvision())
    torch.save({name: torch.tensor(array) for name, array in state.items()}, tmp_path / "alexnet.pth")
    known = origin.trace(tmp_path / "alexnet.pth")
    assert (known.architecture, known.crop_size) == ("one_weird_trick", 224)


@pytest.mark.slow
@pytest.mark.parametrize("name", ["paper", "no_overlap", "source"])
def test_a_keras_file_is_recognized_by_its_name(tmp_path, name):
    build(small(name), input_shape=(99, 99, 3)).save(tmp_path / "net.keras")
    known = origin.trace(tmp_path / "net.keras")
    assert (known.architecture, known.crop_size, known.resize_size) == (name, 99, 112)


@pytest.mark.slow
def test_weights_that_fit_several_networks_are_refused(tmp_path):
    build(small("paper"), input_shape=(67, 67, 3)).save_weights(tmp_path / "net.weights.h5")
    with pytest.raises(ValueError, match=r"pass `architecture`\. Received: .*net\.weights\.h5.* paper and of"):
        origin.trace(tmp_path / "net.weights.h5")
    assert origin.trace(tmp_path / "net.weights.h5", "source").architecture == "source"


def test_weights_of_no_network_are_refused(tmp_path):
    np.savez(tmp_path / "net.npz", **{"conv1/kernel": np.zeros((3, 3, 3, 8), np.float32)})
    with pytest.raises(ValueError, match="has the layers of no known network"):
        origin.trace(tmp_path / "net.npz")


def test_a_run_has_its_recipe(small_run):
    for path in (small_run.folder, small_run.best):
        known = origin.trace(path)
        assert known.path == small_run.best
        assert known.settings() == {"architecture": "paper", "crop_size": 67, "resize_size": 76, "mean": "color"}


def test_a_file_beside_a_run_does_not_belong_to_it(small_run, tmp_path):
    (tmp_path / "run").mkdir()
    shutil.copy(small_run.folder / "recipe.json", tmp_path / "run")
    np.savez(tmp_path / "net.npz", **{"conv1/kernel": np.zeros((3, 3, 3, 8), np.float32)})
    with pytest.raises(ValueError, match="has the layers of no known network"):
        origin.trace(tmp_path / "run" / ".." / "net.npz")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(OSError, match=r"nowhere\.keras"):
        origin.trace(tmp_path / "nowhere.keras")


def test_a_saved_network_with_preprocessing_gives_its_weights(tmp_path):
    inside = build(small("paper"), input_shape=(67, 67, 3), classes=3, include_preprocessing=True)
    inside.save(tmp_path / "net.keras")
    outside = build(small("paper"), input_shape=(67, 67, 3), classes=3, weights=tmp_path / "net.keras")
    for array, expected in zip(outside.get_weights(), inside.get_weights(), strict=True):
        np.testing.assert_array_equal(array, expected)
    assert keras.models.load_model(tmp_path / "net.keras").layers[1].name == "preprocessing"


# Downloads


def published_file(path, content=b"onnx"):
    path.write_bytes(content)
    return dataclasses.replace(names.NAMES["caffe"][0], address=path.as_uri())


def test_a_download_lands_in_the_cache(cache, tmp_path):
    path = published_file(tmp_path / CAFFE).fetch()
    assert path == cache / CAFFE
    assert path.read_bytes() == b"onnx"
    assert [file.name for file in cache.iterdir()] == [CAFFE]


def test_a_damaged_download_leaves_nothing(cache, tmp_path):
    with pytest.raises(ValueError, match=r"damaged.*: try again, .*Received: "):
        published_file(tmp_path / CAFFE, b"half").fetch()
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "keras").write_text("a file")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    with pytest.raises(ValueError, match=r"set KERAS_HOME to a folder that can be written\. Received: .*models$"):
        published_file(tmp_path / CAFFE).fetch()


def test_an_interrupted_download_leaves_nothing(cache, tmp_path, monkeypatch):
    """Keras removes a partial file only after some errors."""

    def interrupted(name, *_, cache_dir, cache_subdir):
        (cache_dir / cache_subdir / name).write_bytes(b"on")
        raise SystemExit(130)

    monkeypatch.setattr(keras.utils, "get_file", interrupted)
    with pytest.raises(SystemExit):
        published_file(tmp_path / CAFFE).fetch()
    assert list(cache.iterdir()) == []
