"""Turn labeled pictures into batches of network inputs (paper sections 2 and 4.1).

Pictures are resized once (`resize_pictures`). `training_batches` takes a new random crop of each in every epoch, and
`evaluation_batches` takes the central crop or ten crops.

The functions that run inside tf.data use tf.cond instead of `if`, so AutoGraph is off: to rewrite them would take more
than half of the time until the first batch.
"""

import dataclasses
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import psutil
import tensorflow as tf

from keras_alexnet.data import augmentation, decoding
from keras_alexnet.data.statistics import Statistics, mean_and_std
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.recipes import AUGMENTATIONS, Recipe

AUTOTUNE = tf.data.AUTOTUNE
OPTIONS = tf.data.Options()
# sharding by file would change the batches
OPTIONS.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
OPTIONS.autotune.enabled = False  # use one thread per core immediately, instead of waiting for the tuner in every pass
MEMORY_SHARE = 0.25  # ours: fraction of the memory for the resized pictures of one split, or for the shuffle buffer
MOST_REPEATS = 10  # ours: most repeats of a picture of a rare class per epoch of the largest class
COUNTED = 20_000  # ours: labels are counted in at most this many pictures of a data set that has to be read for it
SAMPLE = 100  # pictures from which the mean size of a split's pictures is estimated


@tf.autograph.experimental.do_not_convert
def resize_pictures(split: tf.data.Dataset, resize_size: int) -> tf.data.Dataset:
    """Resize every picture: shorter side to `resize_size`, then the central square (section 2).

    If the resized pictures take less than a quarter of the memory, they are cached (197 kB each at 256 pixels, so 0.2
    GB for 1020 flowers) and files are read once. Otherwise they are read and decoded in every pass.

    Args:
        split: A data set of `(picture, label)`, as in `datasets.Dataset.splits`.
        resize_size: Height and width of the resized pictures in pixels.

    Returns:
        A dataset of `(uint8 (resize_size, resize_size, 3), label)` in the order of `split`. Use this object for every
        pass, since another call has its own cache.
    """
    result = split.map(lambda picture, label: (decoding.load_resized(picture, resize_size), label), AUTOTUNE)
    return result.cache() if fits_in_memory(split, resize_size) else result


def fits_in_memory(split: tf.data.Dataset, resize_size: int) -> bool:
    """Return whether the resized pictures of a split take less than a quarter of the memory."""
    return len(split) <= _capacity(resize_size * resize_size * 3)


def _capacity(size):
    """Return how many pictures of `size` bytes fit in our fraction of the memory, or of a container's limit (Linux)."""
    limit = pathlib.Path("/sys/fs/cgroup/memory.max")
    text = limit.read_text().strip() if limit.exists() else "max"
    memory = min(psutil.virtual_memory().total, int(text) if text.isdecimal() else float("inf"))
    return max(1, int(memory * MEMORY_SHARE / size))


@tf.autograph.experimental.do_not_convert
def training_batches(
    pictures: tf.data.Dataset,
    statistics: Statistics | None,
    recipe: Recipe,
    seed: int,
    epochs: range,
    steps_per_epoch: int | None = None,
    first_step: int = 0,
    repeats: Sequence[int] | None = None,
) -> tf.data.Dataset:
    """Return the batches of several epochs as one stream.

    The order of an epoch and every crop in it depend only on the seed, the number of the epoch and the number of the
    picture. An interrupted run that continues with `epochs=range(k, n)` therefore gets the same batches.

    A data set that fits into memory is fully shuffled, a larger one within a buffer of as many pictures as fit. The
    order of a larger one therefore also depends on the size of the memory: resume such runs on machines with as much.
    An epoch leaves out the pictures that do not fill a batch, different ones each time, so all batches have the same
    shape.

    Args:
        pictures: A data set of `(uint8 (size, size, 3), label)`, from `resize_pictures` with `recipe.training_size`. If
            those are not cached, pass `(picture, label)` as in `datasets.Dataset.splits`; then only a crop is decoded.
        statistics: Statistics of the training set. May be None if the recipe does not need them, see `mean_and_std`.
        recipe: Determines the crops and the batch size.
        seed: Seed of the order and the crops.
        epochs: Numbers of the epochs.
        steps_per_epoch: Batches in each epoch, None for as many as possible.
        first_step: Batches of the first epoch to skip, because the network has already seen them.
        repeats: How many times as often to sample a picture, by class, see `repeats_by_class`. The length of an epoch
            does not change: it uses a different part of the repeated pictures each time.

    Returns:
        A dataset of `(float32 (batch, crop_size, crop_size, 3), label (batch,))`, with the images as `augmented_crop`
        returns them.

    Raises:
        ValueError: If there are too few pictures for the batches, or repeated pictures cannot be shuffled in memory.
    """
    steps = steps_of_an_epoch(len(pictures), recipe.batch_size, steps_per_epoch)
    numbered, buffer = _numbered(pictures, repeats)

    def one_epoch(epoch):
        key = tf.stack([tf.cast(seed, tf.int64), epoch])
        # for this function's graph; otherwise tf.random.set_seed would change the order too
        tf.compat.v1.set_random_seed(1)
        order = numbered.shuffle(buffer, tf.random.stateless_uniform((), key, None, None, tf.int64))
        seen = tf.cast(epoch == epochs.start, tf.int64) * first_step * recipe.batch_size
        left = order.take(steps * recipe.batch_size).skip(seen)
        return tf.data.Dataset.zip(left, tf.data.Dataset.from_tensors(key).repeat())

    def crops_of(epochs, recipe):
        def labeled_crop(item, key):
            number, (picture, label) = item
            return augmented_crop(picture, tf.random.fold_in(key, number), statistics, recipe), label

        return tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(one_epoch).map(labeled_crop, AUTOTUNE)

    with_lighting, without_lighting = _with_and_without_lighting(epochs, recipe.lighting_until)
    crops = crops_of(with_lighting, recipe)
    if without_lighting:
        crops = crops.concatenate(crops_of(without_lighting, _recipe_without_lighting(recipe)))
    batches = crops.batch(recipe.batch_size, drop_remainder=True)
    batches = batches.apply(tf.data.experimental.assert_cardinality(steps * len(epochs) - first_step))
    return batches.prefetch(AUTOTUNE).with_options(OPTIONS)


def _numbered(pictures, repeats):
    """Number the pictures and repeat each according to its class. Return them and the size of the shuffle buffer."""
    count, buffer = len(pictures), min(len(pictures), _capacity(_mean_size(pictures)))
    numbered = pictures.enumerate()
    if repeats is None:
        return numbered, buffer
    if buffer < count:
        raise ValueError(
            "Balanced sampling shuffles all pictures in memory, and these do not fit: use --balance none. "
            f"Received: {count:,} training pictures"
        )
    times = tf.constant(np.int64(repeats))

    def copies(number, item):  # each repetition has its own number and therefore its own crops
        numbers = number + count * tf.range(times[item[1]])
        return tf.data.Dataset.from_tensor_slices(numbers).map(lambda number: (number, item))

    return numbered.flat_map(copies), buffer * int(max(repeats))


@tf.autograph.experimental.do_not_convert
def count_labels(pictures: tf.data.Dataset, classes: int) -> np.ndarray:
    """Return the number of pictures of each class, int64 `(classes,)`.

    Args:
        pictures: A data set of `(picture, label)`.
        classes: Number of classes.
    """
    labels = pictures.map(lambda _, label: label).batch(1024).as_numpy_iterator()
    return np.bincount(np.concatenate([np.empty(0, np.int64), *labels]), minlength=classes)


def repeats_by_class(counts: Sequence[int]) -> np.ndarray:
    """Return how many times as often to sample a picture of each class, to balance the classes.

    Args:
        counts: Number of training pictures by class.

    Returns:
        Integers from 1 to `MOST_REPEATS`, `(classes,)`.

    Example:
        >>> repeats_by_class([1000, 400, 20]).tolist()
        [1, 2, 10]
    """
    counts = np.maximum(counts, 1)
    return np.rint(counts.max() / counts).clip(1, MOST_REPEATS).astype(int)


def counts_as_seen(counts: Sequence[int], recipe: Recipe) -> np.ndarray:
    """Return the number of pictures of each class in an epoch, up to a factor, as sampled by the recipe."""
    return np.asarray(counts) * (repeats_by_class(counts) if recipe.balance == "repeat" else 1)


def _with_and_without_lighting(epochs, until):
    """Return the epochs with PCA lighting and those after them, numbered from 0."""
    until = epochs.stop if until is None else min(max(until, epochs.start), epochs.stop)
    return range(epochs.start, until), range(until, epochs.stop)


def _recipe_without_lighting(recipe):
    rest = tuple(name for name in recipe.augmentation if name != "lighting")
    return dataclasses.replace(recipe, augmentation=rest, lighting_until=None)


def _mean_size(pictures):
    """Return the mean size of a picture in bytes. A picture file is not decoded."""
    spec, _ = pictures.element_spec
    if spec.shape.is_fully_defined() and spec.dtype != tf.string:
        return spec.shape.num_elements()
    sample = [picture for picture, _ in pictures.take(SAMPLE).as_numpy_iterator()]
    return sum(len(picture) if isinstance(picture, bytes) else picture.nbytes for picture in sample) / len(sample)


def steps_of_an_epoch(count: int, batch_size: int, steps_per_epoch: int | None = None) -> int:
    """Return the number of batches in an epoch.

    Args:
        count: Number of training pictures.
        batch_size: Pictures in a batch.
        steps_per_epoch: The requested number of batches, None for as many as possible.

    Raises:
        ValueError: If there are too few pictures for the batches.

    Example:
        >>> steps_of_an_epoch(1020, 128)
        7
    """
    steps = max(1, count // batch_size) if steps_per_epoch is None else steps_per_epoch
    if steps * batch_size > count:
        raise ValueError(
            f"Too few training pictures for {steps} x {batch_size} per epoch: use a smaller --batch-size"
            f"{' or --steps-per-epoch' * (steps_per_epoch is not None)}. Received: {count} pictures"
        )
    return steps


@tf.autograph.experimental.do_not_convert
def evaluation_batches(
    pictures: tf.data.Dataset, statistics: Statistics | None, recipe: Recipe, batch_size: int, views: int = 1
) -> tf.data.Dataset:
    """Return the batches for evaluation: every picture once, in order; the last batch may be smaller.

    Args:
        pictures: A data set of `(uint8 (resize_size, resize_size, 3), label)`, from `resize_pictures`.
        statistics: Statistics of the training set. May be None if the recipe does not need them, see `mean_and_std`.
        recipe: The recipe that the network was trained with.
        batch_size: Pictures in a batch.
        views: 1 for the central crop, 10 for the crops of `averaged_crops`.

    Returns:
        A dataset of `(images, label (batch,))`. Images are float32 `(batch, crop_size, crop_size, 3)` for one view and
        `(batch, crops, crop_size, crop_size, 3)` for ten, in the order of `averaged_crops`.

    Raises:
        ValueError: If `views` is neither.
    """
    if views not in (1, 10):
        raise ValueError(f"`views` must be 1 or 10. Received: {views}")

    def labeled_crops(image, label):
        crops = averaged_crops(image, recipe) if views == 10 else augmentation.central_crop(image, recipe.crop_size)
        return preprocess(crops, statistics, recipe), label

    batches = pictures.map(labeled_crops, AUTOTUNE).batch(batch_size)
    return batches.prefetch(1).with_options(OPTIONS)  # ten crops of 128 images take 0.8 GB


def averaged_crops(image: tf.Tensor, recipe: Recipe) -> tf.Tensor:
    """Return the crops over which predictions are averaged: the ten of section 4.1, or five without flips.

    A network that was trained without flips may not know what a flipped picture shows, such as a mirrored digit.

    Args:
        image: `(resize_size, resize_size, 3)`.
        recipe: The recipe that the network was trained with.

    Returns:
        `(crops, crop_size, crop_size, 3)` of the dtype of `image`; 10 crops if the recipe has `mirror`, else 5.
    """
    crops = augmentation.ten_crops if "mirror" in recipe.augmentation else augmentation.five_crops
    return crops(image, recipe.crop_size)


AFFINE = ("rotation", "scaling", "translation")  # `augmentation.affine` does all three in one pass over the pixels
SEPARATE_STEPS = (*AFFINE, "resized_crop", "crop", "lighting", "noise")  # the others share `_apply_crop_augmentations`


def augmented_crop(picture: tf.Tensor, seed: Any, statistics: Statistics | None, recipe: Recipe) -> tf.Tensor:
    """Make a training crop: apply `recipe.augmentation` in the order of `recipes.AUGMENTATIONS`.

    The resized picture is rotated, scaled and translated, then cropped at a random position or in the center. The crop
    is flipped. Then the mean is subtracted together with PCA lighting, noise is added, and the result is divided by the
    standard deviation if the recipe has one.

    Args:
        picture: A resized picture, uint8 `(size, size, 3)` with `recipe.training_size`; or a picture that
            `decoding.load_resized` accepts, of which only the crop is decoded if possible.
        seed: Two integers.
        statistics: Statistics of the training set.
        recipe: All other settings.

    Returns:
        A float32 tensor `(crop_size, crop_size, 3)`.
    """
    mean, std = mean_and_std(statistics, recipe)
    image = _crop(_apply_affine(picture, seed, recipe), seed, recipe)  # (crop_size, crop_size, 3)
    image = _apply_crop_augmentations(image, seed, recipe)
    image = _subtract_mean_and_light(image, seed, mean, statistics, recipe)
    if "noise" in recipe.augmentation:
        image = augmentation.noise(image, augmentation.seed_of("noise", seed), **_settings("noise", recipe))
    return _divide(image, std)


def _settings(name, recipe):
    """Return the arguments of an augmentation from the recipe."""
    return {argument: getattr(recipe, field) for argument, field in AUGMENTATIONS[name].items()}


def _apply_affine(picture, seed, recipe):
    """Rotate, scale and translate the resized picture. The crop removes most of the filled borders."""
    names = [name for name in AFFINE if name in recipe.augmentation]
    if not names:
        return picture
    limits = {argument: limit for name in names for argument, limit in _settings(name, recipe).items()}
    resized = decoding.load_resized(picture, recipe.training_size)
    return augmentation.affine(resized, augmentation.seed_of("rotation", seed), **limits)  # one seed for all three


def _crop(picture, seed, recipe):
    resize_size, crop_size = recipe.training_size, recipe.crop_size
    if "resized_crop" in recipe.augmentation:
        resized, crop_seed = decoding.load_resized(picture, resize_size), augmentation.seed_of("resized_crop", seed)
        return augmentation.random_resized_crop(resized, crop_size, crop_seed, **_settings("resized_crop", recipe))
    if "crop" in recipe.augmentation:
        shape, crop_seed = (resize_size, resize_size), augmentation.seed_of("crop", seed)
        corner = augmentation.random_corner(shape, crop_size, crop_seed)
    else:
        corner = tf.constant([(resize_size - crop_size) // 2] * 2)
    return decoding.load_crop(picture, resize_size, corner, crop_size)


def _apply_crop_augmentations(image, seed, recipe):
    """Apply the augmentations that need only the crop, with pixel values 0 to 255."""
    for name in AUGMENTATIONS:
        if name in recipe.augmentation and name not in SEPARATE_STEPS:
            function = getattr(augmentation, name)
            image = function(image, augmentation.seed_of(name, seed), **_settings(name, recipe))
    return image


def _subtract_mean_and_light(image, seed, mean, statistics, recipe):
    """Subtract the mean and apply PCA lighting. A mean color is subtracted in the same pass, which halves the work."""
    if "lighting" not in recipe.augmentation:
        return _subtract(image, mean)
    if mean.ndim > 1:
        image, mean = _subtract(image, mean), np.zeros(3, np.float32)
    if recipe.mean == "network":  # it subtracts this mean itself, but lighting must not scale it
        mean = np.float32(ARCHITECTURES[recipe.architecture].mean)
    light_seed, axes = augmentation.seed_of("lighting", seed), (statistics.eigenvalues, statistics.eigenvectors)
    image = augmentation.lighting(image, light_seed, *axes, **_settings("lighting", recipe), mean_color=mean)
    return augmentation.add_color(image, mean) if recipe.mean == "network" else image


def preprocess(image: tf.Tensor, statistics: Statistics | None, recipe: Recipe) -> tf.Tensor:
    """Subtract the mean, and divide by the standard deviation if the recipe has one.

    As in the authors' code, the center of a mean image is subtracted from every crop, regardless of its position.

    Args:
        image: `(..., crop_size, crop_size, 3)`, pixel values 0 to 255.
        statistics: See `mean_and_std`.
        recipe: Determines the mean and the crop size.

    Returns:
        A float32 tensor of the shape of `image`.
    """
    mean, std = mean_and_std(statistics, recipe)
    return _divide(_subtract(image, mean), std)


def _subtract(image, mean):
    return augmentation.add_color(image, -mean) if mean.ndim == 1 else tf.cast(image, tf.float32) - mean


def _divide(image, std):
    return image if (std == 1).all() else image / std
