"""Predictions without TensorFlow are those with it, and what only TensorFlow can do is left to it."""

import dataclasses
import json
import shutil
import tarfile
import zipfile
from pathlib import Path

import keras
import numpy as np
import pytest
import small_networks
import tensorflow as tf
from PIL import Image

from keras_alexnet.data import pipeline_in_numpy
from keras_alexnet.evaluation import evaluate, predict, predict_in_numpy
from keras_alexnet.evaluation.classifier import Classifier
from keras_alexnet.models.alexnet import build
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.models.fusion import set_fusion
from keras_alexnet.runs import Run

SAFELY = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # not before Python 3.11.4

OLD_RUN = Path(__file__).parents[1] / "fixtures" / "run_of_0_1_0.tar.xz"
SIZE, CLASSES = 67, 7


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """JPEGs and PNGs of sizes for which they are enlarged, reduced, and reduced with antialiasing."""
    folder, random = tmp_path_factory.mktemp("pictures"), np.random.default_rng(0)
    for number, (shape, name) in enumerate([((70, 90), "a.jpg"), ((100, 81), "b.png"), ((230, 260), "c.jpg")]):
        coarse = random.integers(0, 256, (5 + number, 6, 3), np.uint8)
        Image.fromarray(coarse).resize(shape[::-1]).save(folder / name, quality=90)
    return sorted(folder.iterdir())


def save_network(architecture, path, **arguments):
    """A network with few hidden units, and random weights that keep the activity near 1."""
    small = dataclasses.replace(architecture, hidden=(32, 16)[: len(architecture.hidden)])
    settings = {"classes": CLASSES, "initial_weights": small_networks.ZEROS, "name": f"alexnet_{small.name}"}
    model = build(small, input_shape=(SIZE, SIZE, 3), **settings | arguments)
    random = np.random.default_rng(0)
    for weight in model.weights:
        axes = slice(-2, -1) if "local" in weight.path else slice(-1)  # local kernels: height, width, inputs, filters
        inputs = np.prod(weight.shape[axes]) if len(weight.shape) > 1 else 200
        pixels = 60 if weight.path.endswith(("conv1/kernel", "conv2_low/kernel")) and max(small.std) == 1 else 1
        weight.assign(random.normal(0, np.sqrt(2 / inputs) / pixels, weight.shape))
    model.save(path)


def by_keras(classifier, files):
    """Probabilities for one crop and for ten, as in `predict.predict`, but not compiled, which takes seconds.

    The pixels are those of Pillow and NumPy, which `tests/data/test_pipeline_in_numpy.py` compares with TensorFlow's: a
    value halfway between two integers may be rounded differently, depending on the processor.
    """
    classifier.model.compile(run_eagerly=True)
    pixels = [pipeline_in_numpy.load_resized(file, classifier.recipe.resize_size) for file in files]
    pictures = tf.data.Dataset.from_tensor_slices((np.stack(pixels), np.arange(len(files))))
    with set_fusion(enabled=False):
        by_views, _ = evaluate.probabilities(classifier.model, classifier.batches(pictures, views=10))
    return by_views


def in_numpy(path, files, views):
    predictions = predict_in_numpy.predict(predict_in_numpy.load(path), files, views)
    assert [each.file for each in predictions] == files
    return np.stack([each.probabilities for each in predictions])


@pytest.mark.parametrize(
    "name", ["paper", *(pytest.param(name, marks=pytest.mark.slow) for name in ARCHITECTURES if name != "paper")]
)
def test_every_architecture(name, files, tmp_path):
    save_network(ARCHITECTURES[name], tmp_path / "network.keras")
    classifier = Classifier.open(tmp_path / "network.keras")
    for views, expected in by_keras(classifier, files).items():
        assert np.ptp(expected, axis=0).max() > 0.01  # the classes depend on the picture
        assert expected.max() < 0.99
        np.testing.assert_allclose(in_numpy(tmp_path / "network.keras", files, views), expected, rtol=0, atol=1e-4)


@pytest.mark.slow
@pytest.mark.parametrize("arguments", [{"include_preprocessing": True}, {"classifier_activation": None}])
def test_networks_that_preprocess_or_end_in_logits(arguments, files, tmp_path):
    save_network(ARCHITECTURES["one_weird_trick"], tmp_path / "network.keras", **arguments)
    expected = by_keras(Classifier.open(tmp_path / "network.keras"), files)[1]
    np.testing.assert_allclose(in_numpy(tmp_path / "network.keras", files, 1), expected, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_a_mixed_precision_is_computed_in_float32(files, tmp_path):
    save_network(ARCHITECTURES["half"], tmp_path / "float32.keras")
    keras.config.set_dtype_policy("mixed_bfloat16")
    save_network(ARCHITECTURES["half"], tmp_path / "mixed.keras")
    expected = in_numpy(tmp_path / "float32.keras", files, 1)
    np.testing.assert_array_equal(in_numpy(tmp_path / "mixed.keras", files, 1), expected)


@pytest.mark.slow
def test_a_run_has_its_own_classes_and_mean(small_run, files):
    for path in (small_run.folder, small_run.best):
        in_keras, quick = Classifier.from_run(small_run), predict_in_numpy.load(path)
        assert (quick.class_names, quick.recipe) == (in_keras.class_names, in_keras.recipe)
        expected = np.stack([each.probabilities for each in predict.predict(in_keras, files, 10)])
        np.testing.assert_allclose(in_numpy(path, files, 10), expected, rtol=0, atol=1e-4)


@pytest.mark.slow
def test_a_run_of_version_0_1_0(tmp_path):
    with tarfile.open(OLD_RUN) as archive:
        archive.extractall(tmp_path, **SAFELY)
    pictures = sorted((tmp_path / "pictures").rglob("*.png"))[:3]
    expected = by_keras(Classifier.from_run(Run.open(tmp_path / "finished")), pictures)[10]
    np.testing.assert_allclose(in_numpy(tmp_path / "finished", pictures, 10), expected, rtol=0, atol=1e-4)


def test_labels_are_the_names_of_folders(small_run, files, tmp_path):
    (tmp_path / "tulip").mkdir()
    inside = shutil.copy(files[0], tmp_path / "tulip")
    quick = predict_in_numpy.load(small_run.folder)
    assert [each.label for each in predict_in_numpy.predict(quick, [Path(inside), files[0]], 1)] == [2, None]


def test_a_panel_shows_the_pictures(small_run, files):
    quick = predict_in_numpy.load(small_run.folder)
    figure = predict_in_numpy.panel(predict_in_numpy.predict(quick, files, 1), quick.class_names)
    shown = [axes.images[0].get_array() for axes in figure.axes if axes.images]
    assert [image.shape for image in shown] == [(256, 256, 3)] * 3


def test_many_pictures_are_left_to_tensorflow(small_run, files):
    quick = predict_in_numpy.load(small_run.folder)
    many = files * (predict_in_numpy.MOST_CROPS // 10 // len(files) + 1)
    assert predict_in_numpy.predict(quick, many, 10) is None
    assert predict_in_numpy.predict(quick, many, 1) is not None


def test_pictures_that_cannot_be_read_are_left_to_tensorflow(small_run, files, tmp_path):
    (tmp_path / "cut.png").write_bytes(files[1].read_bytes()[:-100])
    (tmp_path / "text.jpg").write_text("no picture")
    Image.open(files[0]).convert("CMYK").save(tmp_path / "cmyk.jpg")
    quick = predict_in_numpy.load(small_run.folder)
    for name in ("cut.png", "text.jpg", "cmyk.jpg"):
        assert predict_in_numpy.predict(quick, [files[0], tmp_path / name], 1) is None


def test_networks_that_cannot_be_loaded_are_left_to_keras(small_run, tmp_path):
    (tmp_path / "text.keras").write_text("no network")
    keras.Sequential([keras.Input((67, 67, 3)), keras.layers.Flatten(), keras.layers.Dense(3)]).save(
        tmp_path / "stack.keras"
    )
    small_run.write_classes(["rose"])
    for path in (
        tmp_path / "text.keras",
        tmp_path / "stack.keras",
        tmp_path / "none.keras",
        tmp_path,
        small_run.folder,
    ):
        assert predict_in_numpy.load(path) is None


def test_damaged_weights_are_left_to_keras(small_run, files):
    contents = small_run.best.read_bytes()
    with zipfile.ZipFile(small_run.best) as archive:
        place = archive.getinfo("model.weights.h5").header_offset + 100_000
    small_run.best.write_bytes(contents[:place] + bytes(100) + contents[place + 100 :])
    quick = predict_in_numpy.load(small_run.folder)
    assert predict_in_numpy.predict(quick, files, 1) is None


def test_a_network_of_another_size_than_its_weights_is_left_to_keras(small_run, files):
    with zipfile.ZipFile(small_run.best) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    config["config"]["layers"][-1]["config"]["units"] = 4
    small_run.write_classes(["a", "b", "c", "d"])
    with zipfile.ZipFile(small_run.best, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, json.dumps(config) if name == "config.json" else content)
    quick = predict_in_numpy.load(small_run.folder)
    assert predict_in_numpy.predict(quick, files, 1) is None
