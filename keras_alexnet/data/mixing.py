"""Mix the pictures of a batch in pairs, and soften labels: mixup, CutMix and label smoothing. Not in the paper.

Labels become distributions over the classes, `(batch, classes)`. Like the augmentations of single pictures, everything
is stateless: the same seed gives the same batch.
"""

import functools
from typing import Any

import tensorflow as tf

from keras_alexnet.data.augmentation import seed_of
from keras_alexnet.recipes import Recipe


def soft_batch(
    images: tf.Tensor, labels: tf.Tensor, seed: Any, recipe: Recipe, classes: int
) -> tuple[tf.Tensor, tf.Tensor]:
    """Mix a batch as the recipe says: by mixup or CutMix; with both, by one of them at random.

    Args:
        images: Float32 `(batch, height, width, 3)`.
        labels: Integers `(batch,)`.
        seed: Two integers, the seed of the batch.
        recipe: Determines how pictures are mixed, which share of the batches, and the label smoothing.
        classes: Number of classes.

    Returns:
        Images of the same shape, and float32 labels `(batch, classes)`, of which every row has the sum 1.
    """
    labels = smooth_labels(labels, classes, recipe.label_smoothing)
    ways = [
        functools.partial(way, images, labels, seed, alpha)
        for way, alpha in ((mixup, recipe.mixup), (cutmix, recipe.cutmix))
        if alpha
    ]
    if not ways:
        return images, labels
    draws = tf.random.stateless_uniform((2,), seed_of("mixing", seed))
    way = tf.cast(draws[0] * len(ways), tf.int32)
    return tf.cond(draws[1] < recipe.mixed_share, lambda: tf.switch_case(way, ways), lambda: (images, labels))


def smooth_labels(labels: tf.Tensor, classes: int, smoothing: float) -> tf.Tensor:
    """Return labels as distributions: `smoothing` is spread over all classes, the rest is on the label.

    Args:
        labels: Integers `(batch,)`.
        classes: Number of classes.
        smoothing: From 0, for one-hot labels, to less than 1.

    Returns:
        Float32 `(batch, classes)`.

    Example:
        >>> smooth_labels(tf.constant([1]), 2, 0.5).numpy().tolist()
        [[0.25, 0.75]]

    Source: Szegedy et al., Rethinking the Inception Architecture for Computer Vision (CVPR 2016), section 7.
    """
    return tf.one_hot(labels, classes) * (1 - smoothing) + smoothing / classes


def mixup(images: tf.Tensor, labels: tf.Tensor, seed: Any, alpha: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Average each picture with another one of the batch, and their labels alike.

    The pairs are those of the reversed batch, whose order is random. One share, from Beta(`alpha`, `alpha`), is drawn
    for the whole batch.

    Args:
        images: Float32 `(batch, height, width, 3)`.
        labels: Float32 `(batch, classes)`.
        seed: Two integers.
        alpha: Parameter of the distribution; 1 draws all shares with equal probability, less favors 0 and 1.

    Returns:
        Images and labels of the same shapes.

    Source: Zhang et al., mixup: Beyond Empirical Risk Minimization (ICLR 2018).
    """
    share = _share(seed_of("mixup", seed), alpha)
    return _blend(images, share), _blend(labels, share)


def cutmix(images: tf.Tensor, labels: tf.Tensor, seed: Any, alpha: float) -> tuple[tf.Tensor, tf.Tensor]:
    """Replace a rectangle of each picture by that of another one of the batch. Labels are shared like the area.

    The pairs are those of the reversed batch, whose order is random. The rectangle is the same for the whole batch. It
    has the proportions of the picture and its center anywhere in it; what lies outside is cut off.

    Args:
        images: Float32 `(batch, height, width, 3)`.
        labels: Float32 `(batch, classes)`.
        seed: Two integers.
        alpha: The share of the picture that stays is drawn from Beta(`alpha`, `alpha`), before cutting off.

    Returns:
        Images and labels of the same shapes.

    Source: Yun et al., CutMix: Regularization Strategy to Train Strong Classifiers with Localizable Features (ICCV
    2019).
    """
    seed = seed_of("cutmix", seed)
    size = tf.cast(tf.shape(images)[1:3], tf.float32)
    center = tf.random.stateless_uniform((2,), seed_of("center", seed)) * size
    half = size * tf.sqrt(1 - _share(seed, alpha)) / 2
    first, last = tf.maximum(tf.round(center - half), 0), tf.minimum(tf.round(center + half), size)
    inside = [tf.logical_and(tf.range(size[axis]) >= first[axis], tf.range(size[axis]) < last[axis]) for axis in (0, 1)]
    stays = 1 - tf.cast(tf.logical_and(inside[0][:, tf.newaxis], inside[1]), tf.float32)  # (height, width), 0 and 1
    return _blend(images, stays[..., tf.newaxis]), _blend(labels, tf.reduce_mean(stays))


def _share(seed, alpha):
    """Draw from Beta(`alpha`, `alpha`), of which TensorFlow has no stateless version, by two gamma distributions."""
    first, second = tf.unstack(tf.random.stateless_gamma((2,), seed, alpha))
    return first / (first + second)


# One loop over the pixels takes a tenth of the time of separate operations.
@tf.function(jit_compile=True, autograph=False)
def _blend(values, share):
    """Average values with those of the reversed batch; the share of the former may differ from place to place."""
    return values * share + values[::-1] * (1 - share)
