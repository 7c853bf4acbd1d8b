"""Mean image and color axes of a training set (paper sections 2 and 4.1)."""

import dataclasses
import os
import zipfile

import numpy as np
import tensorflow as tf

from keras_alexnet.files import atomic_write


@dataclasses.dataclass(frozen=True)
class Statistics:
    """Mean and color axes of the images of a training set.

    Attributes:
        mean_image: Float32 `(resize_size, resize_size, 3)`, the mean over all images, with pixel values 0 to 255.
        eigenvalues: Float32 `(3,)`, of the covariance of the colors of all pixels, in pixel values squared, ascending.
        eigenvectors: Float32 `(3, 3)`, the color axes: unit vectors in RGB, one per column, in the same order.
    """

    mean_image: np.ndarray
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray

    @property
    def mean_color(self) -> np.ndarray:
        """The mean over images and positions, float32 `(3,)`."""
        return self.mean_image.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)

    @classmethod
    def measure(cls, pictures: tf.data.Dataset) -> "Statistics":
        """Measure the resized pictures of a training split in one pass.

        Args:
            pictures: A data set of `(uint8 (resize_size, resize_size, 3), label)`.

        Raises:
            ValueError: If there are no pictures.
        """
        count, images_sum, products_sum = 0, 0.0, 0.0
        for size, image, products in pictures.batch(32).map(_sums, tf.data.AUTOTUNE).as_numpy_iterator():
            count, images_sum, products_sum = count + size, images_sum + image, products_sum + products
        if not count:
            raise ValueError("Expected at least one picture to measure. Received: none")
        mean_image = images_sum / count
        mean_color = mean_image.mean(axis=(0, 1))
        covariance = products_sum / (count * mean_image[..., 0].size) - np.outer(mean_color, mean_color)
        eigenvalues, eigenvectors = np.linalg.eigh(covariance)
        return cls(np.float32(mean_image), np.float32(eigenvalues.clip(0)), np.float32(eigenvectors))

    def save(self, path: str | os.PathLike) -> None:
        """Write the statistics to an `.npz` file."""
        with atomic_write(path) as temporary:
            np.savez(temporary, **vars(self))

    @classmethod
    def load(cls, path: str | os.PathLike) -> "Statistics":
        """Read a file written by `save`.

        Raises:
            ValueError: If it is another kind of file.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(**{field.name: arrays[field.name] for field in dataclasses.fields(cls)})
        except (AttributeError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
            raise ValueError(f"Expected a file written by Statistics.save. Received: {path}") from None


def _sums(batch, _):
    """Return the number of images, their sum, and the sum of the outer products of all colors, exactly in float64."""
    colors = tf.cast(tf.reshape(batch, (-1, 3)), tf.float64)  # (pixels of all images, 3)
    image = tf.cast(tf.reduce_sum(tf.cast(batch, tf.int32), axis=0), tf.float64)
    return tf.shape(batch)[0], image, tf.matmul(colors, colors, transpose_a=True)
