"""Turn labeled pictures into batches of network inputs (paper sections 2 and 4.1).

Pictures are resized once (`resize_pictures`). `training_batches` takes a new random crop of each in every epoch, and
`evaluation_batches` takes the central crop or ten crops.

The functions that run inside tf.data use tf.cond instead of `if`, so AutoGraph is off: to rewrite them would take more
than half of the time until the first batch.
"""

import dataclasses
from collections.abc import Sequence

import numpy as np
import tensorflow as tf

from keras_alexnet.arguments import check_type, integer, positive_integer
from keras_alexnet.data import augmentation, decoding, inputs, mixing
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.machine import available_memory
from keras_alexnet.recipes import Recipe

AUTOTUNE = tf.data.AUTOTUNE
OPTIONS = tf.data.Options()
# sharding by file would change the batches
OPTIONS.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.DATA
OPTIONS.autotune.enabled = False  # use one thread per core immediately, instead of waiting for the tuner in every pass
MEMORY_SHARE = 0.25  # ours: fraction of the memory for the resized pictures of one split, or for the shuffle buffer
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

    Raises:
        TypeError: If `split` is not a `tf.data.Dataset`.
        ValueError: If it has other elements or an unknown length, or `resize_size` is not an integer of at least 1.
    """
    check_pictures("split", split, needs_length=True)
    positive_integer(resize_size, "resize_size")
    result = split.map(lambda picture, label: (decoding.load_resized(picture, resize_size), label), AUTOTUNE)
    return result.cache() if fits_in_memory(split, resize_size) else result


def check_pictures(name: str, pictures: tf.data.Dataset, needs_length: bool = False) -> None:
    """Check that an argument is a data set of single labeled pictures.

    Args:
        name: Name of the argument.
        pictures: The data set.
        needs_length: Whether its length must be known.

    Raises:
        TypeError: If it is not a `tf.data.Dataset`.
        ValueError: If it has other elements, such as batches, or no known length.
    """
    words = 'a tf.data.Dataset, such as data.splits["train"] or the result of pipeline.resize_pictures'
    check_type(name, pictures, tf.data.Dataset, words)
    spec = pictures.element_spec
    if not (isinstance(spec, tuple) and len(spec) == 2 and _is_picture(spec[0]) and _is_label(spec[1])):
        raise ValueError(
            f"`{name}` must consist of pairs of a picture, uint8 (height, width, 3) or the bytes of a file, and an "
            f"integer label, not of batches. Received: {spec}"
        )
    if needs_length and pictures.cardinality() < 0:
        raise ValueError(
            f"The length of `{name}` must be known: use apply(tf.data.experimental.assert_cardinality(n)). "
            f"Received: a data set of {'infinite' if pictures.cardinality() == -1 else 'unknown'} length"
        )


def _is_picture(spec):
    if not isinstance(spec, tf.TensorSpec) or spec.dtype not in (tf.uint8, tf.string):
        return False
    is_bytes = spec.dtype == tf.string
    return spec.shape.rank is None or spec.shape.is_compatible_with(() if is_bytes else (None, None, 3))


def _is_label(spec):
    return isinstance(spec, tf.TensorSpec) and spec.dtype.is_integer and spec.shape.rank in (None, 0)


def fits_in_memory(split: tf.data.Dataset, resize_size: int) -> bool:
    """Return whether the resized pictures of a split take less than a quarter of the memory."""
    return len(split) <= _capacity(resize_size * resize_size * 3)


def _capacity(size):
    """Return how many pictures of `size` bytes fit in our fraction of the memory."""
    return max(1, int(available_memory() * MEMORY_SHARE / size))


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
    classes: int | None = None,
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
        repeats: How many times as often to sample a picture, by class, see `balancing.repeats_by_class`. The length
            of an epoch does not change: it uses a different part of the repeated pictures each time.
        classes: Number of classes, for a recipe with soft labels.

    Returns:
        A dataset of `(float32 (batch, crop_size, crop_size, 3), label (batch,))`, with the images as
        `inputs.augmented_crop` returns them. With soft labels, as `mixing.soft_batch` returns both.

    Raises:
        TypeError: If an argument is another kind of object.
        ValueError: If there are too few pictures for the batches, repeated pictures cannot be shuffled in memory, or an
            argument has another value than described.
    """
    _check_training(pictures, recipe, seed, epochs, classes)
    steps = steps_of_an_epoch(len(pictures), recipe.batch_size, steps_per_epoch)
    if not 0 <= integer(first_step, "first_step") <= steps:
        raise ValueError(f"`first_step` must be from 0 to {steps}. Received: first_step={first_step}")
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
            key = tf.random.fold_in(key, number)
            crop = inputs.augmented_crop(picture, key, statistics, recipe)
            return (crop, label, key) if recipe.has_soft_labels else (crop, label)

        return tf.data.Dataset.range(epochs.start, epochs.stop).flat_map(one_epoch).map(labeled_crop, AUTOTUNE)

    with_lighting, without_lighting = _with_and_without_lighting(epochs, recipe.lighting_until)
    crops = crops_of(with_lighting, recipe)
    if without_lighting:
        crops = crops.concatenate(crops_of(without_lighting, _recipe_without_lighting(recipe)))
    batches = crops.batch(recipe.batch_size, drop_remainder=True)
    if recipe.has_soft_labels:  # the first picture's seed also serves the batch
        batches = batches.map(
            lambda crops, labels, keys: mixing.soft_batch(crops, labels, keys[0], recipe, classes), AUTOTUNE
        )
    batches = batches.apply(tf.data.experimental.assert_cardinality(steps * len(epochs) - first_step))
    return batches.prefetch(AUTOTUNE).with_options(OPTIONS)


def _check_training(pictures, recipe, seed, epochs, classes):
    check_pictures("pictures", pictures, needs_length=True)
    _check_recipe(recipe)
    check_type("epochs", epochs, range, "a range, such as range(90)")
    integer(seed, "seed")
    if recipe.has_soft_labels:
        positive_integer(classes, "classes")


def _check_recipe(recipe):
    check_type("recipe", recipe, Recipe, 'a Recipe, such as RECIPES["flowers"]')


def _numbered(pictures, repeats):
    """Number the pictures and repeat each according to its class. Return them and the size of the shuffle buffer."""
    count, buffer = len(pictures), min(len(pictures), _capacity(_mean_size(pictures)))
    numbered = pictures.enumerate()
    if repeats is None:
        return numbered, buffer
    if buffer < count:
        raise ValueError(
            "Balanced sampling shuffles all pictures in memory, and these do not fit: use none as `balance`. "
            f"Received: {count:,} training pictures"
        )
    times = tf.constant(np.int64(repeats))

    def copies(number, item):  # each repetition has its own number and therefore its own crops
        numbers = number + count * tf.range(times[item[1]])
        return tf.data.Dataset.from_tensor_slices(numbers).map(lambda number: (number, item))

    return numbered.flat_map(copies), buffer * int(max(repeats))


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
        ValueError: If there are too few pictures for the batches, or a number of batches is not an integer of at least
            1.

    Example:
        >>> steps_of_an_epoch(1020, 128)
        7
    """
    most = max(1, count // batch_size)
    steps = most if steps_per_epoch is None else positive_integer(steps_per_epoch, "steps_per_epoch")
    if steps * batch_size > count:
        raise ValueError(
            f"Too few training pictures for {steps} x {batch_size} per epoch: use a smaller `batch_size`"
            f"{' or `steps_per_epoch`' * (steps_per_epoch is not None)}. Received: {count} pictures"
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
        views: 1 for the central crop, 10 for the crops of `inputs.averaged_crops`.

    Returns:
        A dataset of `(images, label (batch,))`. Images are float32 `(batch, crop_size, crop_size, 3)` for one crop and
        `(batch, crops, crop_size, crop_size, 3)` for ten, in the order of `inputs.averaged_crops`.

    Raises:
        TypeError: If an argument is another kind of object.
        ValueError: If `pictures` has other elements, `batch_size` is not an integer of at least 1, or `views` is
            neither.
    """
    check_pictures("pictures", pictures)
    _check_recipe(recipe)
    positive_integer(batch_size, "batch_size")
    if views not in (1, 10):
        raise ValueError(f"`views` must be 1 or 10. Received: {views}")

    def labeled_crops(image, label):
        central = augmentation.central_crop(image, recipe.crop_size)
        crops = inputs.averaged_crops(image, recipe) if views == 10 else central
        return inputs.preprocess(crops, statistics, recipe), label

    batches = pictures.map(labeled_crops, AUTOTUNE).batch(batch_size)
    return batches.prefetch(1).with_options(OPTIONS)  # ten crops of 128 images take 0.8 GB
