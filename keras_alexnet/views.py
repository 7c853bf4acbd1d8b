"""The view of a picture that the network sees, as a recipe has it (paper sections 2 and 4.1)."""

import tensorflow as tf

from keras_alexnet import augment, images
from keras_alexnet.recipes import AUGMENTATIONS

AFFINE_LIMITS = {"rotation": 25.0, "scaling": 0.4, "translation": 0.1}  # ours: degrees, and shares of the size


def random_view(picture, seed, statistics, recipe):
    """Makes a training view: random place, less the mean, lighting, noise, of which the recipe's `augmentation` has.

    Args:
        picture: A square, uint8 tensor `(side, side, 3)`; or a picture as `images.load_square` takes it, of which no
            more than the view needs is decoded.
        seed: Two integers.
        statistics: The `pipeline.Statistics` of the training set.
        recipe: A `Recipe`.

    Returns:
        A float32 tensor `(size, size, 3)`.
    """
    seeds = dict(zip(AUGMENTATIONS, tf.unstack(tf.random.split(seed, len(AUGMENTATIONS))), strict=True))
    image = _random_place(picture, seeds, recipe)
    if "lighting" in recipe.augmentation:
        image = _lit(image, seeds["lighting"], statistics, recipe)
    else:
        image = less_mean(image, statistics, recipe)
    return augment.noise(image, seeds["noise"]) if "noise" in recipe.augmentation else image


def _random_place(picture, seeds, recipe):
    """What moves pixels. Turning comes before cropping, so that the crop leaves out most of what turned in."""
    side, size = recipe.side, recipe.size
    limits = {name: limit for name, limit in AFFINE_LIMITS.items() if name in recipe.augmentation}
    if limits:
        picture = augment.affine(images.load_square(picture, side), seeds["rotation"], **limits)
    corner = tf.constant([(side - size) // 2] * 2)
    if "crop" in recipe.augmentation:
        corner = augment.random_corner((side, side), size, seeds["crop"])
    image = images.load_part(picture, side, corner, size)
    if "vertical_flip" in recipe.augmentation:
        image = augment.vertical_flip(image, seeds["vertical_flip"])
    return augment.random_mirror(image, seeds["mirror"]) if "mirror" in recipe.augmentation else image


def _lit(image, seed, statistics, recipe):
    """Less the mean and in another light: with a mean color in one pass over the pixels, half of the work."""
    settings = statistics.eigenvalues, statistics.eigenvectors, recipe.lighting, recipe.lighting_std
    if recipe.mean == "color":
        return augment.lighting(image, seed, *settings, statistics.mean_color)
    return augment.lighting(less_mean(image, statistics, recipe), seed, *settings)


def less_mean(image, statistics, recipe):
    """Subtracts the mean of the training set.

    Of a mean image its centre is subtracted from every view, wherever that was cut, as the authors' code does.

    Args:
        image: Tensor `(..., size, size, 3)`, grey levels.
        statistics: The `pipeline.Statistics` of the training set.
        recipe: A `Recipe`; what is used are its mean and size.

    Returns:
        A float32 tensor of the shape of `image`.
    """
    if recipe.mean == "color":
        return augment.add_color(image, -statistics.mean_color)
    return tf.cast(image, tf.float32) - augment.central_crop(statistics.mean_image, recipe.size)
