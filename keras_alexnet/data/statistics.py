"""Mean image and color axes of a training set (paper sections 2 and 4.1)."""

import dataclasses
import os
import typing
import zipfile

import numpy as np

from keras_alexnet.arguments import check_type
from keras_alexnet.files import atomic_write
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.recipes import Recipe

if typing.TYPE_CHECKING:  # statistics are read without it
    import tensorflow as tf


@dataclasses.dataclass(frozen=True)
class Statistics:
    """Mean and color axes of the images of a training set.

    Attributes:
        mean_image: Float32 `(size, size, 3)` with the recipe's `training_size`, the mean over all images, with pixel
            values 0 to 255.
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
    def measure(cls, pictures: "tf.data.Dataset") -> "Statistics":
        """Measure the resized pictures of a training split in one pass.

        Args:
            pictures: A data set of pictures `(size, size, 3)`, pixel values 0 to 255, uint8 or float, with or without
                labels.

        Raises:
            TypeError: If `pictures` is not a `tf.data.Dataset`.
            ValueError: If there are no pictures, or they are gray or in batches.
        """
        import tensorflow as tf

        check_type("pictures", pictures, tf.data.Dataset, "a tf.data.Dataset of pictures")
        spec = pictures.element_spec
        shape = (spec[0] if isinstance(spec, tuple) else spec).shape
        if shape.rank not in (None, 3) or (shape.rank and shape[-1] not in (None, 3)):
            raise ValueError(f"Pictures must have the shape (size, size, 3), not in batches. Received: {shape}")
        count, images_sum, products_sum = 0, 0.0, 0.0
        sums = tf.autograph.experimental.do_not_convert(_sums)
        for size, image, products in pictures.batch(32).map(sums, tf.data.AUTOTUNE).as_numpy_iterator():
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


def mean_and_std(statistics: Statistics | None, recipe: Recipe) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean to subtract from a crop, and the standard deviation to divide by.

    Args:
        statistics: Statistics of the training set. May be None if the recipe uses the mean of the architecture.
        recipe: Determines the mean and the crop size.

    Returns:
        The mean, float32 `(3,)`, or `(crop_size, crop_size, 3)` for a mean image; and the standard deviation, float32
        `(3,)`. The standard deviation is 1 except with the mean of the architecture, since the paper keeps pixel values
        0 to 255. For a network that preprocesses its input itself, the mean is 0 as well.

    Raises:
        TypeError: If the recipe needs statistics and there are none.
    """
    if recipe.mean == "network":
        return np.zeros(3, np.float32), np.ones(3, np.float32)
    if recipe.mean == "architecture":
        architecture = ARCHITECTURES[recipe.architecture]
        return np.float32(architecture.mean), np.float32(architecture.std)
    check_statistics(statistics)
    if recipe.mean == "color":
        return statistics.mean_color, np.ones(3, np.float32)
    margin = (len(statistics.mean_image) - recipe.crop_size) // 2
    center = slice(margin, margin + recipe.crop_size)
    return statistics.mean_image[center, center], np.ones(3, np.float32)


def check_statistics(statistics: Statistics | None) -> None:
    """Check the statistics where a recipe needs them, for its mean or for PCA lighting.

    Raises:
        TypeError: If they are another kind of object, or None.
    """
    check_type("statistics", statistics, Statistics, "the result of Statistics.measure, which this recipe needs")


def _sums(batch, *_):
    """Return the number of images, their sum, and the sum of the outer products of all colors, exactly for uint8."""
    import tensorflow as tf

    batch = tf.cast(batch, tf.float64)
    colors = tf.reshape(batch, (-1, 3))  # (pixels of all images, 3)
    return tf.shape(batch)[0], tf.reduce_sum(batch, axis=0), tf.matmul(colors, colors, transpose_a=True)
