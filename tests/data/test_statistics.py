"""Mean image and color axes of a training set, and their file."""

import numpy as np
import pytest
import tensorflow as tf

from keras_alexnet.data.statistics import Statistics


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    colors = rng.integers(40, 200, (20, 1, 1, 3)) + rng.integers(-40, 40, (20, 16, 16, 1))
    return np.uint8(colors + rng.integers(-10, 10, (20, 16, 16, 3)))


@pytest.fixture
def resized(images):
    return tf.data.Dataset.from_tensor_slices((images, np.arange(20)))


@pytest.fixture
def statistics(resized):
    return Statistics.measure(resized)


def test_statistics_of_all_pixels(resized, images):
    measured = Statistics.measure(resized)
    np.testing.assert_allclose(measured.mean_image, images.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(measured.mean_color, images.mean(axis=(0, 1, 2)), rtol=1e-6)
    covariance = np.cov(images.reshape(-1, 3).T.astype(float), bias=True)
    vectors, values = measured.eigenvectors, measured.eigenvalues
    np.testing.assert_allclose(vectors @ np.diag(values) @ vectors.T, covariance, rtol=1e-4)
    np.testing.assert_allclose(vectors.T @ vectors, np.eye(3), atol=1e-6)
    assert (np.diff(values) > 0).all()
    assert {array.dtype for array in vars(measured).values()} == {np.dtype("float32")}


@pytest.mark.parametrize("scale", [1, 1 / 255])
def test_statistics_of_float_pictures_without_labels(images, scale):
    """As `keras.utils.image_dataset_from_directory` returns them."""
    rng = np.random.default_rng(1)
    pictures = np.float32((images + rng.uniform(0, 1, images.shape)) * scale)
    measured = Statistics.measure(tf.data.Dataset.from_tensor_slices(pictures))
    np.testing.assert_allclose(measured.mean_color, pictures.mean(axis=(0, 1, 2), dtype=float), rtol=1e-5)
    covariance = np.cov(pictures.reshape(-1, 3).T.astype(float), bias=True)
    np.testing.assert_allclose(measured.eigenvalues, np.linalg.eigvalsh(covariance), rtol=1e-4)


@pytest.mark.parametrize("shape", [(2, 4, 4, 3), (4, 4, 1), (4, 4)])
def test_batches_and_gray_pictures_are_refused(shape):
    pictures = tf.data.Dataset.from_tensors((np.zeros(shape, np.uint8), 0))
    with pytest.raises(ValueError, match=rf"not in batches\. Received: \({', '.join(map(str, shape))}\)$"):
        Statistics.measure(pictures)


def test_gray_images_have_no_color_axes():
    gray = tf.data.Dataset.from_tensors((np.full((4, 4, 3), 99, np.uint8), 0))
    measured = Statistics.measure(gray)
    np.testing.assert_allclose(measured.eigenvalues, 0, atol=1e-6)


def test_no_pictures_are_refused(resized):
    with pytest.raises(ValueError, match=r"Received: none"):
        Statistics.measure(resized.take(0))


def test_save_and_load(statistics, tmp_path):
    for _ in range(2):  # over an older file as well
        statistics.save(tmp_path / "statistics.npz")
    loaded = Statistics.load(tmp_path / "statistics.npz")
    for name, array in vars(statistics).items():
        np.testing.assert_array_equal(getattr(loaded, name), array)
    assert [path.name for path in tmp_path.iterdir()] == ["statistics.npz"]


@pytest.mark.parametrize("content", ["text", "other", "pickle", "empty"])
def test_other_files_are_refused(content, tmp_path):
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
