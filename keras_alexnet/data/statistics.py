"""What is measured on a training set: its mean image and its color axes (paper sections 2 and 4.1)."""

import dataclasses
import zipfile

import numpy as np
import tensorflow as tf

from keras_alexnet.files import atomic_write


@dataclasses.dataclass(frozen=True)
class Statistics:
    """What the images of a training set have in common.

    Attributes:
        mean_image: Float32 `(side, side, 3)`, the mean over all images, grey levels of 0 to 255.
        eigenvalues: Float32 `(3,)`, of the covariance of the colors of all pixels, in grey levels squared, ascending.
        eigenvectors: Float32 `(3, 3)`, the color axes: unit vectors in RGB, one a column, ordered as `eigenvalues`.
    """

    mean_image: np.ndarray
    eigenvalues: np.ndarray
    eigenvectors: np.ndarray

    @property
    def mean_color(self):
        """The mean over images and places, float32 `(3,)`."""
        return self.mean_image.mean(axis=(0, 1), dtype=np.float64).astype(np.float32)

    @classmethod
    def measure(cls, squares):
        """Measures the squares of a training split in one pass.

        Args:
            squares: `tf.data.Dataset` of `(uint8 (resize_size, resize_size, 3), label)`.

        Returns:
            The `Statistics`.

        Raises:
            ValueError: If there are no squares.
        """
        count, images_sum, products_sum = 0, 0.0, 0.0
        for size, image, products in squares.batch(32).map(_sums, tf.data.AUTOTUNE).as_numpy_iterator():
            count, images_sum, products_sum = count + size, images_sum + image, products_sum + products
        if not count:
            raise ValueError("Expected at least one image to measure. Received: none")
        mean_image = images_sum / count
        mean_color = mean_image.mean(axis=(0, 1))
        covariance = products_sum / (count * mean_image[..., 0].size) - np.outer(mean_color, mean_color)
        eigenvalues, eigenvectors = np.linalg.eigh(covariance)
        return cls(np.float32(mean_image), np.float32(eigenvalues.clip(0)), np.float32(eigenvectors))

    def save(self, path):
        """Writes them to an `.npz` file."""
        with atomic_write(path) as temporary:
            np.savez(temporary, **vars(self))

    @classmethod
    def load(cls, path):
        """Reads what `save` wrote.

        Raises:
            ValueError: If the file is another.
        """
        try:
            with np.load(path, allow_pickle=False) as arrays:
                return cls(**{field.name: arrays[field.name] for field in dataclasses.fields(cls)})
        except (AttributeError, EOFError, KeyError, TypeError, ValueError, zipfile.BadZipFile):
            raise ValueError(f"Expected a file written by Statistics.save. Received: {path}") from None


def _sums(batch, _):
    """Count of the images, their sum, and the sum of the outer products of the colors, all exact in float64."""
    colors = tf.cast(tf.reshape(batch, (-1, 3)), tf.float64)
    image = tf.cast(tf.reduce_sum(tf.cast(batch, tf.int32), axis=0), tf.float64)
    return tf.shape(batch)[0], image, tf.matmul(colors, colors, transpose_a=True)
