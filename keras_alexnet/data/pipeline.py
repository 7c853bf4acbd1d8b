"""Labelled pictures to batches of what a network sees (paper sections 2 and 4.1)."""

import pathlib

import numpy as np
import psutil
import tensorflow as tf

from keras_alexnet.data import augmentation, decoding
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.recipes import AUGMENTATIONS

AUTOTUNE = tf.data.AUTOTUNE
OPTIONS = tf.data.Options()  # workers divide batches: to divide files, TensorFlow's choice, would make other batches
OPTIONS.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
OPTIONS.autotune.enabled = False  # as many threads as cores at once; each pass's end waited for the tuner's timer
MEMORY_SHARE = 0.25  # ours: of the machine's memory, for the squares of one split, or to shuffle pictures in
SAMPLE = 100  # pictures that tell how large those of a split are


def resize_pictures(split, resize_size):
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
    result = split.map(lambda picture, label: (decoding.load_resized(picture, resize_size), label), AUTOTUNE)
    return result.cache() if fits_in_memory(split, resize_size) else result


def fits_in_memory(split, side):
    """Whether the squares of a split take up less than that quarter."""
    return len(split) <= _places(side * side * 3)


def _places(size):
    """How often so many bytes fit into the share of the memory; of a container's, where it has a limit (Linux)."""
    limit = pathlib.Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    memory = min(psutil.virtual_memory().total, int(text) if text.isdecimal() else float("inf"))
    return max(1, int(memory * MEMORY_SHARE / size))


def training_batches(pictures, statistics, recipe, seed, epochs, steps_per_epoch=None, first_step=0):
    """Gives the batches of several epochs as one stream.

    The order of an epoch and every view in it depend on the seed, the number of the epoch and the number of the image,
    and on nothing else. So an interrupted run that goes on with `epochs=range(k, n)` sees what it would have seen.

    A set that fits into memory is shuffled whole, a larger one within a buffer of as many pictures as fit. An epoch
    leaves out what does not fill a batch: other images each time, and every step has the same shape and weight.

    A view is made as the recipe's `augmentation` has it: rotation, scaling and translation of the square, random crop
    (else the central one), vertical flip, mirror, less the mean, lighting, noise.

    Args:
        pictures: `tf.data.Dataset` of `(uint8 (resize_size, resize_size, 3), label)` from `resize_pictures`; or, where
            those are not kept in memory, of `(picture, label)` as in `datasets.Dataset.splits`: then no more of a
            picture is decoded than its crop.
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
        return augmented_crop(picture, seed, statistics, recipe), label

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
        squares: `tf.data.Dataset` of `(uint8 (resize_size, resize_size, 3), label)`, as `resize_pictures` gives it.
        statistics: The `Statistics` of the training set.
        recipe: The `Recipe` that the network was trained with.
        batch_size: Images in a batch.
        views: 1 for the central crop, 10 for those of section 4.1.

    Returns:
        A `tf.data.Dataset` of `(views, label (batch,))`: float32 `(batch, size, size, 3)` for one view,
        `(batch, 10, size, size, 3)` for ten, in the order of `augmentation.ten_crops`.

    Raises:
        ValueError: If `views` is neither.
    """
    if views not in (1, 10):
        raise ValueError(f"`views` must be 1 or 10. Received: {views}")
    cut = augmentation.central_crop if views == 1 else augmentation.ten_crops

    def labelled_views(image, label):
        return prepared(cut(image, recipe.crop_size), statistics, recipe), label

    batches = squares.map(labelled_views, AUTOTUNE).batch(batch_size)
    return batches.prefetch(1).with_options(OPTIONS)  # ten views of 128 images are 0.8 GB


AFFINE = ("rotation", "scaling", "translation")  # all in one pass over the pixels


def augmented_crop(picture, seed, statistics, recipe):
    """Makes a training view: random place, less the mean, lighting, noise, of which the recipe's `augmentation` has.

    Args:
        picture: A square, uint8 tensor `(side, side, 3)`; or a picture as `decoding.load_resized` takes it, of which no
            more than the view needs is decoded.
        seed: Two integers.
        statistics: The `Statistics` of the training set.
        recipe: A `Recipe`.

    Returns:
        A float32 tensor `(size, size, 3)`.
    """
    seeds = dict(zip(AUGMENTATIONS, tf.unstack(tf.random.split(seed, len(AUGMENTATIONS))), strict=True))
    image, (mean, deviation) = _random_place(picture, seeds, recipe), scale(statistics, recipe)
    lit = "lighting" in recipe.augmentation
    image = _lit(image, seeds["lighting"], mean, statistics, recipe) if lit else _less(image, mean)
    image = augmentation.noise(image, seeds["noise"], recipe.noise_std) if "noise" in recipe.augmentation else image
    return _divided(image, deviation)


def _random_place(picture, seeds, recipe):
    """What moves pixels. Turning comes before cropping, so that the crop leaves out most of what turned in."""
    side, size = recipe.resize_size, recipe.crop_size
    limits = {name: getattr(recipe, name) for name in AFFINE if name in recipe.augmentation}
    if limits:
        picture = augmentation.affine(decoding.load_resized(picture, side), seeds["rotation"], **limits)
    if "resized_crop" in recipe.augmentation:
        image = augmentation.random_resized_crop(decoding.load_resized(picture, side), size, seeds["resized_crop"])
    else:
        image = decoding.load_crop(picture, side, _corner(seeds["crop"], recipe), size)
    if "vertical_flip" in recipe.augmentation:
        image = augmentation.vertical_flip(image, seeds["vertical_flip"])
    return augmentation.random_mirror(image, seeds["mirror"]) if "mirror" in recipe.augmentation else image


def _corner(seed, recipe):
    """Where the part of the square begins that is seen."""
    if "crop" in recipe.augmentation:
        return augmentation.random_corner((recipe.resize_size, recipe.resize_size), recipe.crop_size, seed)
    return tf.constant([(recipe.resize_size - recipe.crop_size) // 2] * 2)


def _lit(image, seed, mean, statistics, recipe):
    """Less the mean and in another light: with a mean color in one pass over the pixels, half of the work."""
    settings = statistics.eigenvalues, statistics.eigenvectors, recipe.lighting, recipe.lighting_std
    if mean.ndim == 1:
        return augmentation.lighting(image, seed, *settings, mean)
    return augmentation.lighting(_less(image, mean), seed, *settings)


def prepared(image, statistics, recipe):
    """Less the mean, and divided where the recipe says so: what a network is shown when it is asked.

    Of a mean image its centre is subtracted from every view, wherever that was cut, as the authors' code does.

    Args:
        image: Tensor `(..., size, size, 3)`, grey levels.
        statistics: As for `scale`.
        recipe: A `Recipe`; what is used are its architecture, mean and size.

    Returns:
        A float32 tensor of the shape of `image`.
    """
    mean, deviation = scale(statistics, recipe)
    return _divided(_less(image, mean), deviation)


def scale(statistics, recipe):
    """What is subtracted from a view, and what is divided by after that.

    Args:
        statistics: The `Statistics` of the training set; None will do where the mean is the architecture's.
        recipe: A `Recipe`.

    Returns:
        The mean, float32 `(3,)`, or `(size, size, 3)` of a mean image; and the deviation, float32 `(3,)`, ones for all
        but a mean of the architecture, since the paper leaves grey levels on 0 to 255.
    """
    if recipe.mean == "architecture":
        row = ARCHITECTURES[recipe.architecture]
        return np.float32(row.mean), np.float32(row.std)
    if recipe.mean == "color":
        return statistics.mean_color, np.ones(3, np.float32)
    margin = (len(statistics.mean_image) - recipe.crop_size) // 2
    centre = slice(margin, margin + recipe.crop_size)
    return statistics.mean_image[centre, centre], np.ones(3, np.float32)


def _less(image, mean):
    return augmentation.add_color(image, -mean) if mean.ndim == 1 else tf.cast(image, tf.float32) - mean


def _divided(image, deviation):
    return image if (deviation == 1).all() else image / deviation
