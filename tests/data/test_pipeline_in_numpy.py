"""Pixels from Pillow and NumPy are those from TensorFlow."""

import functools
import io

import numpy as np
import pytest
import tensorflow as tf
from bad_pictures import odd
from PIL import Image, ImageFile

from keras_alexnet.data import decoding, jpeg_in_numpy, pipeline, pipeline_in_numpy, rewriting
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.recipes import Recipe


@functools.cache
def photograph(height, width):
    """Waves and noise: flat parts, and pixels of every value."""
    y, x = np.mgrid[:height, :width] / max(height, width)
    waves = np.stack([np.sin(5 * x + 1), np.cos(7 * y), np.sin(4 * (x + y))], axis=-1)
    noise = np.random.default_rng(height).normal(0, 40, waves.shape)
    return np.uint8(np.clip(127.5 + 100 * waves + noise * (x[..., None] > 0.3), 0, 255))


def encoded(array, kind, mode="RGB", **options):
    file = io.BytesIO()
    Image.fromarray(array).convert(mode).save(file, kind, **options)
    return file.getvalue()


def resized_by_tensorflow(file, size):
    contents = file.read_bytes()
    contents = rewriting.rewrite(contents) if rewriting.needs_rewriting(file) else contents
    return decoding.load_resized(tf.constant(contents), size).numpy()


def assert_same_pixels(actual, expected):
    """But for single pixels whose value lies between two integers."""
    difference = np.abs(actual.astype(int) - expected)
    assert difference.max() <= 1
    assert (difference > 0).mean() < 0.005


SHAPES = [(64, 64), (250, 351), (251, 350), (17, 9), (16, 24), (8, 8), (33, 8), (129, 167)]


@pytest.mark.parametrize("ratio", [1, 2, 4, 8])
@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_a_jpeg_has_exactly_the_pixels_of_tensorflow(mode, subsampling, ratio, monkeypatch):
    monkeypatch.setattr(ImageFile, "MAXBLOCK", 1 << 20)  # or Pillow cannot write tiny progressive files
    for shape in SHAPES:
        for options in ({}, {"quality": 95}, {"progressive": True}):
            picture = encoded(photograph(*shape), "JPEG", mode, subsampling=subsampling, **options)
            expected = tf.io.decode_jpeg(picture, channels=3, ratio=ratio).numpy()
            with Image.open(io.BytesIO(picture)) as image:
                np.testing.assert_array_equal(jpeg_in_numpy.decode(image, ratio), expected)


@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 3), (5, 4), (6, 5)])
def test_tiny_jpegs(shape):
    picture = encoded(photograph(*shape), "JPEG")
    with Image.open(io.BytesIO(picture)) as image:
        np.testing.assert_array_equal(jpeg_in_numpy.decode(image), tf.io.decode_jpeg(picture, channels=3))


def test_jpegs_that_only_tensorflow_decodes_are_refused():
    for picture in (
        encoded(photograph(20, 20), "JPEG", "CMYK"),
        encoded(photograph(20, 20), "JPEG", keep_rgb=True),
        encoded(photograph(20, 20), "JPEG")[:-50],
    ):
        with Image.open(io.BytesIO(picture)) as image, pytest.raises((ValueError, OSError)):
            jpeg_in_numpy.decode(image)


@pytest.mark.parametrize("shape", [(250, 350), (350, 251), (240, 320), (128, 167), (50, 100), (550, 511), (1030, 1050)])
@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_a_resized_picture_has_the_pixels_of_tensorflow(kind, shape, tmp_path):
    (tmp_path / "file").write_bytes(encoded(photograph(*shape), kind))
    for size in (76, 128):
        resized = pipeline_in_numpy.load_resized(tmp_path / "file", size)
        expected = resized_by_tensorflow(tmp_path / "file", size)
        assert_same_pixels(resized[:, 1:], expected[:, 1:])
        assert np.abs(resized[:, :1].astype(int) - expected[:, :1]).max() <= 8  # see the module


def test_damaged_data_are_decoded_as_far_as_by_tensorflow(tmp_path):
    contents = bytearray(encoded(photograph(100, 120), "JPEG"))
    contents[len(contents) // 2] ^= 0x55
    (tmp_path / "file").write_bytes(contents)
    expected = resized_by_tensorflow(tmp_path / "file", 76)
    assert np.abs(expected.astype(int) - pipeline_in_numpy.resize(photograph(100, 120), 76)).mean() > 5
    assert_same_pixels(pipeline_in_numpy.load_resized(tmp_path / "file", 76)[:, 1:], expected[:, 1:])


ODD = {name: contents for name, contents in odd().items() if "cmyk" not in name}


@pytest.mark.parametrize("name", ODD)
def test_unusual_pictures_have_the_pixels_of_tensorflow(name, tmp_path):
    (tmp_path / name).write_bytes(ODD[name])
    for size in (18, 30, 40):
        resized = pipeline_in_numpy.load_resized(tmp_path / name, size)
        assert_same_pixels(resized, resized_by_tensorflow(tmp_path / name, size))


@pytest.mark.parametrize(("before", "after"), [(7, 5), (10, 5), (11, 5), (5, 5), (3, 8), (1, 4), (997, 76)])
def test_a_line_is_resampled_as_in_tensorflow(before, after):
    line = np.random.default_rng(0).uniform(0, 255, (1, before, 1)).astype(np.float32)
    expected = tf.image.resize(line, (1, after), antialias=before >= 2 * after)[0, :, 0]
    weights = pipeline_in_numpy.resampling_weights(before, after)
    np.testing.assert_allclose(weights @ line[0, :, 0], expected, rtol=0, atol=5e-3)


@pytest.mark.parametrize("mean", ["color", "image", "architecture", "network"])
@pytest.mark.parametrize(("views", "augmentation"), [(1, ("crop",)), (10, ("crop",)), (10, ("crop", "mirror"))])
def test_views_are_those_of_evaluation(views, augmentation, mean):
    random = np.random.default_rng(0)
    image = random.integers(0, 256, (76, 76, 3), np.uint8)
    mean_image = random.uniform(0, 255, image.shape).astype(np.float32)
    statistics = Statistics(mean_image, np.ones(3, np.float32), np.eye(3, dtype=np.float32))
    recipe = Recipe(architecture="one_weird_trick", crop_size=67, resize_size=76, mean=mean, augmentation=augmentation)
    pictures = tf.data.Dataset.from_tensors((image, 0))
    ((expected, _),) = pipeline.evaluation_batches(pictures, statistics, recipe, 1, views).as_numpy_iterator()
    actual = pipeline_in_numpy.views_of(image, statistics, recipe, views)
    assert actual.dtype == np.float32
    np.testing.assert_allclose(actual, expected.reshape(actual.shape), rtol=1e-6, atol=1e-4)
