"""Labelled pictures to batches, and what is measured on a training set (paper sections 2 and 4.1)."""

import dataclasses
import pathlib
import zipfile

import numpy as np
import psutil
import tensorflow as tf

from keras_alexnet.data import augmentation, decoding
from keras_alexnet.data.views import prepared, random_view
from keras_alexnet.files import written_aside

AUTOTUNE = tf.data.AUTOTUNE
OPTIONS = tf.data.Options()  # workers divide batches: to divide files, TensorFlow's choice, would make other batches
OPTIONS.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
OPTIONS.autotune.enabled = False  # as many threads as cores at once; each pass's end waited for the tuner's timer
MEMORY_SHARE = 0.25  # ours: of the machine's memory, for the squares of one split, or to shuffle pictures in
SAMPLE = 100  # pictures that tell how large those of a split are


def squares(split, side):
    """Makes every picture a square: shorter side to `side`, then the central square (section 2).

    Squares that take up less than a quarter of the machine's memory are kept there (197 kB each at 256 pixels, so
    0.2 GB for 1020 flowers), and files are read once. Those of a larger split are read and decoded in every pass.

    Args:
        split: `tf.data.Dataset` of `(picture, label)`, as in `datasets.Dataset.splits`.
        side: Side of the squares in pixels.

    Returns:
        A `tf.data.Dataset` of `(uint8 (side, side, 3), label)` in the order of `split`. Hand on this one, since another
        call has another memory.
    """
    result = split.map(lambda picture, label: (decoding.load_square(picture, side), label), AUTOTUNE)
    return result.cache() if are_kept(split, side) else result


def are_kept(split, side):
    """Whether the squares of a split take up less than that quarter."""
    return len(split) <= _places(side * side * 3)


def _places(size):
    """How often so many bytes fit into the share of the memory; of a container's, where it has a limit (Linux)."""
    limit = pathlib.Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    memory = min(psutil.virtual_memory().total, int(text) if text.isdecimal() else float("inf"))
    return max(1, int(memory * MEMORY_SHARE / size))


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
            squares: `tf.data.Dataset` of `(uint8 (side, side, 3), label)`.

        Returns:
            The `Statistics`.

        Raises:
            ValueError: If there are no squares.
        """
        count, images_sum, products_sum = 0, 0.0, 0.0
        for size, image, products in squares.batch(32).map(_sums, AUTOTUNE).as_numpy_iterator():
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
        with written_aside(path) as aside:
            np.savez(aside, **vars(self))

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


def training_batches(pictures, statistics, recipe, seed, epochs, steps_per_epoch=None, first_step=0):
    """Gives the batches of several epochs as one stream.

    The order of an epoch and every view in it depend on the seed, the number of the epoch and the number of the image,
    and on nothing else. So an interrupted run that goes on with `epochs=range(k, n)` sees what it would have seen.

    A set that fits into memory is shuffled whole, a larger one within a buffer of as many pictures as fit. An epoch
    leaves out what does not fill a batch: other images each time, and every step has the same shape and weight.

    A view is made as the recipe's `augmentation` has it: rotation, scaling and translation of the square, random crop
    (else the central one), vertical flip, mirror, less the mean, lighting, noise.

    Args:
        pictures: `tf.data.Dataset` of `(uint8 (side, side, 3), label)`, as `squares` gives it; or, where those are not
            kept, of `(picture, label)` as in `datasets.Dataset.splits`: then no more is decoded than a view shows.
        statistics: The `Statistics` of the training set.
        recipe: A `Recipe`; what is used is all that makes its views, and the batch size.
        seed: Integer.
        epochs: `range` of the numbers of the epochs.
        steps_per_epoch: Batches in each epoch, None for all that there are.
        first_step: Batches of the first epoch that are passed over, since the network has seen them.

    Returns:
        A `tf.data.Dataset` of `(float32 (batch, size, size, 3), label (batch,))`: grey levels less the mean, divided
        by a deviation where the recipe has one.

    Raises:
        ValueError: If there are too few images for a batch, or for so many batches.
    """
    steps = steps_of_an_epoch(len(pictures), recipe.batch_size, steps_per_epoch)
    buffer = min(len(pictures), _places(_mean_size(pictures)))

    def one_epoch(epoch):
        key = tf.stack([tf.cast(seed, tf.int64), epoch])
        tf.compat.v1.set_random_seed(1)  # this function's own, or tf.random.set_seed would change the order as well
        order = pictures.enumerate().shuffle(buffer, tf.random.stateless_uniform((), key, None, None, tf.int64))
        seen = tf.cast(epoch == epochs.start, tf.int64) * first_step * recipe.batch_size
        left = order.take(steps * recipe.batch_size).skip(seen)
        return left.map(lambda number, item: (*item, tf.random.fold_in(key, number)))

    def labelled_view(picture, label, seed):
        return random_view(picture, seed, statistics, recipe), label

    stream = tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(one_epoch)
    batches = stream.map(labelled_view, AUTOTUNE).batch(recipe.batch_size, drop_remainder=True)
    batches = batches.apply(tf.data.experimental.assert_cardinality(steps * len(epochs) - first_step))
    return batches.prefetch(AUTOTUNE).with_options(OPTIONS)


def _mean_size(pictures):
    """Bytes of a picture, before it is decoded where it is a file."""
    spec, _ = pictures.element_spec
    if spec.shape.is_fully_defined() and spec.dtype != tf.string:
        return spec.shape.num_elements()
    sample = [picture for picture, _ in pictures.take(SAMPLE).as_numpy_iterator()]
    return sum(len(picture) if isinstance(picture, bytes) else picture.nbytes for picture in sample) / len(sample)


def steps_of_an_epoch(count, batch_size, steps_per_epoch=None):
    """How many batches an epoch has.

    Args:
        count: Training images.
        batch_size: Images in a batch.
        steps_per_epoch: As many as this, None for all that there are.

    Raises:
        ValueError: If there are too few images for a batch, or for so many batches.
    """
    steps = max(1, count // batch_size) if steps_per_epoch is None else steps_per_epoch
    if steps * batch_size > count:
        raise ValueError(
            f"{steps} batches of {batch_size} an epoch need {steps * batch_size} training images: take fewer or "
            f"smaller batches. Received: {count} images"
        )
    return steps


def evaluation_batches(squares, statistics, recipe, batch_size, views=1):
    """Gives the batches that a network is judged on: in order, every image once, the last batch as small as it is.

    Args:
        squares: `tf.data.Dataset` of `(uint8 (side, side, 3), label)`, as `squares` gives it.
        statistics: The `Statistics` of the training set.
        recipe: The `Recipe` that the network was trained with.
        batch_size: Images in a batch.
        views: 1 for the central crop, 10 for those of section 4.1.

    Returns:
        A `tf.data.Dataset` of `(views, label (batch,))`: float32 `(batch, size, size, 3)` for one view,
        `(batch, 10, size, size, 3)` for ten, in the order of `augmentation.ten_views`.

    Raises:
        ValueError: If `views` is neither.
    """
    if views not in (1, 10):
        raise ValueError(f"`views` must be 1 or 10. Received: {views}")
    cut = augmentation.central_crop if views == 1 else augmentation.ten_views

    def labelled_views(image, label):
        return prepared(cut(image, recipe.size), statistics, recipe), label

    batches = squares.map(labelled_views, AUTOTUNE).batch(batch_size)
    return batches.prefetch(1).with_options(OPTIONS)  # ten views of 128 images are 0.8 GB
