"""Crops of a picture as network inputs (paper sections 2 and 4.1).

These functions run inside tf.data, where `pipeline` turns AutoGraph off.
"""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_alexnet.data import augmentation, decoding
from keras_alexnet.data.statistics import Statistics, check_statistics, mean_and_std
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.recipes import Recipe
from keras_alexnet.recipes.recipe import AUGMENTATIONS

AFFINE = ("rotation", "scaling", "translation")  # `augmentation.affine` does all three in one pass over the pixels
SEPARATE_STEPS = (*AFFINE, "resized_crop", "crop", "lighting", "noise")  # the others share `_apply_crop_augmentations`


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


def augmented_crop(picture: tf.Tensor, seed: Any, statistics: Statistics | None, recipe: Recipe) -> tf.Tensor:
    """Make a training crop: apply `recipe.augmentation` in the order of `recipes.recipe.AUGMENTATIONS`.

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
    check_statistics(statistics)
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
