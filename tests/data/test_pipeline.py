"""From labelled pictures to batches: what is measured, what is seen, and that it can be seen again."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_alexnet.data import datasets, pipeline
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.recipes import Recipe

SIDE, SIZE, COUNT = 16, 11, 20


def recipe(**settings):
    return Recipe(resize_size=SIDE, crop_size=SIZE, batch_size=6, **settings)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    colors = rng.integers(40, 200, (COUNT, 1, 1, 3)) + rng.integers(-40, 40, (COUNT, SIDE, SIDE, 1))
    return np.uint8(colors + rng.integers(-10, 10, (COUNT, SIDE, SIDE, 3)))


@pytest.fixture
def squares(images):
    return pipeline.resize_pictures(tf.data.Dataset.from_tensor_slices((images, np.arange(COUNT))), SIDE)


@pytest.fixture(scope="module")
def statistics(images):
    pixels = images.reshape(-1, 3).astype(float)
    return Statistics(images.mean(axis=0, dtype=np.float32), *map(np.float32, np.linalg.eigh(np.cov(pixels.T))))


def seen(*arguments, **options):
    """All views of a training stream, and all labels."""
    views, labels = zip(*pipeline.training_batches(*arguments, **options).as_numpy_iterator(), strict=True)
    return np.concatenate(views), np.concatenate(labels)


def test_statistics_are_those_of_all_pixels(squares, images):
    measured = Statistics.measure(squares)
    np.testing.assert_allclose(measured.mean_image, images.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(measured.mean_color, images.mean(axis=(0, 1, 2)), rtol=1e-6)
    covariance = np.cov(images.reshape(-1, 3).T.astype(float), bias=True)
    vectors, values = measured.eigenvectors, measured.eigenvalues
    np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, covariance, rtol=1e-4)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=1e-6)
    assert (np.diff(values) > 0).all()
    assert {array.dtype for array in vars(measured).values()} == {np.dtype("float32")}


def test_statistics_of_grey_images():
    grey = tf.data.Dataset.from_tensors((np.full((4, 4, 3), 99, np.uint8), 0))
    measured = Statistics.measure(grey)
    np.testing.assert_allclose(measured.eigenvalues, 0, atol=1e-6)


def test_statistics_of_nothing(squares):
    with pytest.raises(ValueError, match=r"Received: none"):
        Statistics.measure(squares.take(0))


def test_statistics_round_trip(statistics, tmp_path):
    for _ in range(2):  # over an older file as well
        statistics.save(tmp_path / "statistics.npz")
    loaded = Statistics.load(tmp_path / "statistics.npz")
    for name, array in vars(statistics).items():
        np.testing.assert_array_equal(getattr(loaded, name), array)
    assert [path.name for path in tmp_path.iterdir()] == ["statistics.npz"]


@pytest.mark.parametrize("content", ["text", "other", "pickle", "empty"])
def test_file_of_no_statistics(content, tmp_path):
    path = tmp_path / "statistics.npz"
    with path.open("wb") as file:
        if content == "text":
            file.write(b"mean color")
        elif content == "other":
            np.savez(file, mean=np.zeros(3))
        elif content == "pickle":
            np.save(file, np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match=r"Received: .*statistics.npz"):
        Statistics.load(path)


def test_pictures_are_decoded_once(images):
    decoded = []

    def decode(picture):
        decoded.append(1)
        return picture

    pictures = tf.data.Dataset.from_tensor_slices((images, np.arange(COUNT)))
    counted = pictures.map(
        lambda image, label: (tf.ensure_shape(tf.numpy_function(decode, [image], tf.uint8), (16, 16, 3)), label)
    )
    squares = pipeline.resize_pictures(counted, SIDE)
    seen(squares, Statistics.measure(squares), recipe(), 0, range(4))
    assert len(decoded) == COUNT


def test_too_large_a_set_is_streamed(images, statistics, monkeypatch):
    monkeypatch.setattr(pipeline, "_places", lambda side: 8)
    squares = pipeline.resize_pictures(tf.data.Dataset.from_tensor_slices((images, np.arange(COUNT))), SIDE)
    assert "Cache" not in type(squares).__name__
    views, labels = seen(squares, statistics, recipe(), 0, range(2, 4))
    assert len(set(labels[:18])) == 18  # without repetition
    assert (labels[:18] != labels[18:]).any()
    again, _ = seen(squares, statistics, recipe(), 0, range(3, 4))
    np.testing.assert_array_equal(views[18:], again)


@pytest.mark.parametrize("augmentation", [("crop", "mirror"), ("vertical_flip", "rotation"), ("resized_crop",)])
def test_views_cut_from_files_are_those_cut_from_squares(statistics, augmentation):
    """Of a set too large to be kept: within a pixel of what is decoded; turning takes the whole square here as well."""
    waves = np.sin(np.mgrid[:64, :96].sum(axis=0) / 15)[None, ..., None] * np.linspace(60, 120, 6)[:, None, None, None]
    files = [tf.io.encode_jpeg(np.uint8(wave.repeat(3, axis=-1) + 127.5), quality=95) for wave in waves]
    split = tf.data.Dataset.from_tensor_slices((files, np.arange(6)))
    made = recipe(augmentation=augmentation)
    expected, labels = seen(pipeline.resize_pictures(split, SIDE), statistics, made, 0, range(3))
    views, same_labels = seen(split, statistics, made, 0, range(3))
    np.testing.assert_array_equal(labels, same_labels)
    assert np.abs(views - expected).mean() < (1e-3 if "crop" not in augmentation else 6)
    assert np.abs(views - expected[::-1]).mean() > 12


def test_pictures_are_shuffled_in_the_share_of_the_memory(images):
    pngs = [tf.io.encode_png(image) for image in images]
    split = tf.data.Dataset.from_tensor_slices((pngs, np.arange(COUNT)))
    assert pipeline._mean_size(split) == np.mean([len(png.numpy()) for png in pngs])
    assert pipeline._mean_size(pipeline.resize_pictures(split, SIDE)) == SIDE * SIDE * 3


def test_share_of_the_memory():
    assert 0 < pipeline._places(1) < 2**50
    assert pipeline._places(10) == pytest.approx(4 * pipeline._places(40), abs=4)


def test_shapes_and_length(squares, statistics):
    batches = pipeline.training_batches(squares, statistics, recipe(), 0, range(5))
    assert len(batches) == 5 * 3
    views, labels = batches.element_spec
    assert (views.shape, views.dtype) == ((6, SIZE, SIZE, 3), tf.float32)
    assert labels.shape == (6,)
    assert sum(1 for _ in batches) == 15


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"mean": "image", "lighting": "source"},
        {"augmentation": ("crop", "mirror", "vertical_flip", "rotation", "scaling", "translation", "noise")},
        {"augmentation": ("resized_crop", "mirror")},
    ],
)
def test_an_epoch_is_seen_again_from_its_number(squares, statistics, settings):
    made = recipe(**settings)
    views, labels = seen(squares, statistics, made, 7, range(4))
    epochs = np.split(views, 4)
    tf.random.set_seed(5)  # another program's
    resumed, resumed_labels = seen(squares, statistics, made, 7, range(2, 4))
    np.testing.assert_array_equal(resumed, views[36:])
    np.testing.assert_array_equal(resumed_labels, labels[36:])
    assert all((epochs[0] != epoch).any() for epoch in epochs[1:])
    assert (seen(squares, statistics, made, 8, range(4))[1] != labels).any()


def test_an_epoch_is_another_order_of_the_same_images(images, statistics):
    squares = tf.data.Dataset.from_tensor_slices((images[:18], np.arange(18)))
    _, labels = seen(squares, statistics, recipe(), 0, range(3))
    epochs = np.split(labels, 3)
    assert [sorted(epoch) for epoch in epochs] == [[*range(18)]] * 3
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_what_fills_no_batch_changes_from_epoch_to_epoch(squares, statistics):
    _, labels = seen(squares, statistics, recipe(), 0, range(20))
    assert {len(set(epoch)) for epoch in np.split(labels, 20)} == {18}
    assert set(labels) == set(range(COUNT))


def test_short_epochs(squares, statistics):
    whole, _ = seen(squares, statistics, recipe(), 0, range(2))
    short, _ = seen(squares, statistics, recipe(), 0, range(2), steps_per_epoch=2)
    np.testing.assert_array_equal(short, np.concatenate([whole[:12], whole[18:30]]))


@pytest.mark.parametrize(("batch_size", "steps"), [(21, None), (6, 4)])
def test_too_few_images(squares, statistics, batch_size, steps):
    made = Recipe(resize_size=SIDE, crop_size=SIZE, batch_size=batch_size)
    with pytest.raises(ValueError, match=r"Received: 20 images"):
        pipeline.training_batches(squares, statistics, made, 0, range(1), steps)


def test_no_augmentation_gives_the_centre_less_the_mean(squares, images, statistics):
    views, labels = seen(squares, statistics, recipe(augmentation=()), 0, range(1))
    expected = images[labels, 2:13, 2:13] - images.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(views, expected, atol=1e-3)


def test_mean_image_stays_in_the_centre(squares, images, statistics):
    """As in the authors' code: every crop is less the centre of the mean image, not the part that it was cut from."""
    views, labels = seen(squares, statistics, recipe(augmentation=("crop",), mean="image"), 0, range(1))
    crops = views + images.mean(axis=0)[2:13, 2:13]
    for crop, label in zip(crops, labels, strict=True):
        places = [(top, left) for top in range(6) for left in range(6)]
        cuts = [images[label, top : top + SIZE, left : left + SIZE] for top, left in places]
        assert min(np.abs(crop - cut).max() for cut in cuts) < 1e-3


def test_mean_of_the_architecture_scales_as_its_authors_do(squares, images, statistics):
    """torchvision's constants, on pixels of 0 to 1; in training and in evaluation, where no training set is known."""
    made = recipe(augmentation=(), architecture="one_weird_trick", mean="architecture")
    views, labels = seen(squares, statistics, made, 0, range(1))
    expected = (images[:, 2:13, 2:13] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(views, expected[labels], atol=1e-5)
    batches = pipeline.evaluation_batches(squares, None, made, batch_size=COUNT)
    np.testing.assert_allclose(next(iter(batches))[0], expected, atol=1e-5)


def test_lighting_comes_before_the_deviation(squares, statistics):
    usual, scaled = ({}, {"architecture": "one_weird_trick", "mean": "architecture"})
    moved = []
    for settings in (usual, scaled):
        plain, lit = (
            seen(squares, statistics, recipe(augmentation=augmentation, **settings), 0, range(1))[0]
            for augmentation in ((), ("lighting",))
        )
        moved.append((lit - plain)[:, 0, 0])
    np.testing.assert_allclose(moved[1] * [58.395, 57.12, 57.375], moved[0], atol=1e-3)


def test_lighting_as_the_recipe_says(squares, images, statistics):
    def moves(**settings):
        made = recipe(augmentation=("lighting",), **settings)
        plain, _ = seen(squares, statistics, recipe(augmentation=()), 0, range(40))
        lit, _ = seen(squares, statistics, made, 0, range(40))
        return ((lit * (1.1 if made.lighting == "source" else 1) - plain)[:, 0, 0] @ statistics.eigenvectors).std(
            axis=0
        )

    np.testing.assert_allclose(moves(), 0.1 * statistics.eigenvalues / 255, rtol=0.15)
    np.testing.assert_allclose(moves(lighting="source"), 0.1 * np.sqrt(statistics.eigenvalues), rtol=0.15)


@pytest.mark.parametrize("mean", ["color", "image"])
def test_evaluation_sees_all_in_order(squares, images, statistics, mean):
    batches = pipeline.evaluation_batches(squares, statistics, recipe(mean=mean), batch_size=8)
    views, labels = zip(*batches.as_numpy_iterator(), strict=True)
    assert [len(batch) for batch in views] == [8, 8, 4]
    assert np.concatenate(labels).tolist() == [*range(COUNT)]
    subtracted = images.mean(axis=(0, 1, 2)) if mean == "color" else images.mean(axis=0)[2:13, 2:13]
    np.testing.assert_allclose(np.concatenate(views), images[:, 2:13, 2:13] - subtracted, atol=1e-3)


def test_ten_views_of_each(squares, images, statistics):
    batches = pipeline.evaluation_batches(squares, statistics, recipe(), 8, views=10)
    views = np.concatenate([views for views, _ in batches.as_numpy_iterator()])
    assert views.shape == (COUNT, 10, SIZE, SIZE, 3)
    mean = images.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(views[:, 0], images[:, :SIZE, :SIZE] - mean, atol=1e-3)
    np.testing.assert_allclose(views[:, 9], images[:, 2:13, 2:13][:, :, ::-1] - mean, atol=1e-3)


def test_five_views(squares, statistics):
    with pytest.raises(ValueError, match=r"Received: 5"):
        pipeline.evaluation_batches(squares, statistics, recipe(), 8, views=5)


FIT = """
import keras, numpy as np, tensorflow as tf
from keras_alexnet.data import pipeline
from keras_alexnet.recipes import Recipe
if DEVICES == 2:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    scope = strategy.scope
else:
    import contextlib
    scope = contextlib.nullcontext
images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
squares = pipeline.resize_pictures(tf.data.Dataset.from_tensor_slices((images, np.arange(20) % 2)), 16)
statistics = Statistics.measure(squares)
recipe = Recipe(resize_size=16, crop_size=11, batch_size=6)
with scope():
    keras.utils.set_random_seed(0)
    layers = keras.Input((11, 11, 3)), keras.layers.Rescaling(0.01), keras.layers.Flatten(), keras.layers.Dense(2)
    model = keras.Sequential(layers)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
history = model.fit(
    pipeline.training_batches(squares, statistics, recipe, 0, range(3)),
    validation_data=pipeline.evaluation_batches(squares, statistics, recipe, 6),
    epochs=3, steps_per_epoch=3, verbose=0,
).history
print(history["loss"] + history["val_loss"])
"""


def fitted(backend, devices):
    environment = os.environ | {"KERAS_BACKEND": backend}
    command = [sys.executable, "-c", FIT.replace("DEVICES", str(devices))]
    result = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return eval(result.stdout.strip().splitlines()[-1])


@pytest.mark.slow
def test_fit_reads_the_stream_on_two_devices_and_on_jax():
    """The same losses; sums in another order leave a difference of 1e-5."""
    expected = fitted("tensorflow", 1)
    assert len(expected) == 6
    np.testing.assert_allclose(fitted("tensorflow", 2), expected, rtol=1e-4)
    pytest.importorskip("jax")
    assert np.isfinite(fitted("jax", 1)).all()


@pytest.mark.realdata
def test_flowers_become_squares():
    flowers = datasets.load("oxford_flowers102")
    squares = pipeline.resize_pictures(flowers.splits["train"], 256)
    statistics = Statistics.measure(squares.take(200))
    assert statistics.mean_image.shape == (256, 256, 3)
    assert statistics.mean_color == pytest.approx([119, 102, 80], abs=8)
    (views, labels), *_ = pipeline.training_batches(squares.take(64), statistics, Recipe(batch_size=64), 0, range(1))
    assert views.shape == (64, 227, 227, 3)
    assert np.abs(np.mean(views)) < 15
    assert len(set(labels.numpy())) > 30
