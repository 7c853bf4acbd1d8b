"""The view of a picture that the network sees, as a recipe has it (paper sections 2 and 4.1)."""

import numpy as np
import tensorflow as tf

from keras_alexnet.data import augmentation, decoding
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.recipes import AUGMENTATIONS

AFFINE = ("rotation", "scaling", "translation")  # all in one pass over the pixels


def random_view(picture, seed, statistics, recipe):
    """Makes a training view: random place, less the mean, lighting, noise, of which the recipe's `augmentation` has.

    Args:
        picture: A square, uint8 tensor `(side, side, 3)`; or a picture as `decoding.load_square` takes it, of which no
            more than the view needs is decoded.
        seed: Two integers.
        statistics: The `pipeline.Statistics` of the training set.
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
    side, size = recipe.side, recipe.size
    limits = {name: getattr(recipe, name) for name in AFFINE if name in recipe.augmentation}
    if limits:
        picture = augmentation.affine(decoding.load_square(picture, side), seeds["rotation"], **limits)
    if "resized_crop" in recipe.augmentation:
        image = augmentation.random_resized_crop(decoding.load_square(picture, side), size, seeds["resized_crop"])
    else:
        image = decoding.load_part(picture, side, _corner(seeds["crop"], recipe), size)
    if "vertical_flip" in recipe.augmentation:
        image = augmentation.vertical_flip(image, seeds["vertical_flip"])
    return augmentation.random_mirror(image, seeds["mirror"]) if "mirror" in recipe.augmentation else image


def _corner(seed, recipe):
    """Where the part of the square begins that is seen."""
    if "crop" in recipe.augmentation:
        return augmentation.random_corner((recipe.side, recipe.side), recipe.size, seed)
    return tf.constant([(recipe.side - recipe.size) // 2] * 2)


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
        statistics: The `pipeline.Statistics` of the training set; None will do where the mean is the architecture's.
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
    margin = (len(statistics.mean_image) - recipe.size) // 2
    centre = slice(margin, margin + recipe.size)
    return statistics.mean_image[centre, centre], np.ones(3, np.float32)


def _less(image, mean):
    return augmentation.add_color(image, -mean) if mean.ndim == 1 else tf.cast(image, tf.float32) - mean


def _divided(image, deviation):
    return image if (deviation == 1).all() else image / deviation
