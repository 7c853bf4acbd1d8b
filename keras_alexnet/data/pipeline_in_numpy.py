"""From a picture file to the inputs of a network, with Pillow and NumPy.

The functions do what those of the same names in `decoding`, `augmentation` and `pipeline` do with TensorFlow, whose
import takes longer than this takes for a few pictures. Pixels are equal, with two exceptions. A resized pixel whose
value lies halfway between two integers may be rounded to the other one: one in ten thousand of a photograph, one in a
hundred of a black-and-white drawing. And the first column of a landscape JPEG may differ, usually by a few values and
by dozens where colors change sharply, because TensorFlow decodes only the central square, and sometimes interpolates
its first colors without those to their left.
"""

import os

import numpy as np
from PIL import Image
from PIL.JpegImagePlugin import JpegImageFile

from keras_alexnet.data import jpeg_in_numpy
from keras_alexnet.data.rewriting import FORMATS, needs_rewriting, upright
from keras_alexnet.data.statistics import Statistics, mean_and_std
from keras_alexnet.recipes import Recipe


def load_resized(file: str | os.PathLike, resize_size: int) -> np.ndarray:
    """Decode a picture file and resize it, see `decoding.load_resized`.

    Args:
        file: Path of the file.
        resize_size: Height and width of the result in pixels.

    Returns:
        Uint8 `(resize_size, resize_size, 3)`.

    Raises:
        ValueError: If it has more than `rewriting.MAX_PIXELS` pixels, or is a JPEG of a kind that only TensorFlow
            decodes here, such as CMYK.
        OSError: If it is not a picture of one of the formats, or damaged.
    """
    must_turn = needs_rewriting(file)
    with Image.open(file, formats=FORMATS) as image:
        if must_turn:
            return resize(np.asarray(upright(image)), resize_size)
        if isinstance(image, JpegImageFile):
            ratio = 2 ** sum(min(image.size) >= resize_size * ratio * 15 // 16 for ratio in (2, 4, 8))
            return resize(jpeg_in_numpy.decode(image, ratio), resize_size)
        return resize(_rgb(image), resize_size)


def _rgb(image):
    if image.mode.startswith("I;16"):  # Pillow clips these to 255; the upper 8 bits count
        return np.repeat(np.uint8(np.asarray(image) >> 8)[..., None], 3, -1)
    return np.asarray(image.convert("RGB"))


def resize(image: np.ndarray, resize_size: int) -> np.ndarray:
    """Resize the central square, with antialiasing when the size is reduced by two or more, see `decoding.resize`.

    Args:
        image: Uint8 `(height, width, 3)`.
        resize_size: Height and width of the result in pixels.

    Returns:
        Uint8 `(resize_size, resize_size, 3)`.

    Example:
        >>> resize(np.uint8([[[0] * 3, [99] * 3]]).repeat(2, 0), 1).tolist()
        [[[50, 50, 50]]]
    """
    shorter = min(image.shape[:2])
    square = _central(image, shorter)
    if shorter == resize_size:
        return square
    weights = resampling_weights(shorter, resize_size)
    rows = np.tensordot(weights, np.float32(square), 1)  # (resize_size, shorter, 3)
    return np.uint8(np.rint(weights @ rows))  # (resize_size, resize_size, 3)


def resampling_weights(before: int, after: int) -> np.ndarray:
    """Return how much each pixel of a line counts for each pixel of a resized line.

    A pixel counts less with its distance, in a triangle. That is as wide as two pixels, or, with antialiasing, as two
    pixels of the resized line.

    Args:
        before: Length of the line in pixels.
        after: Length of the resized line.

    Returns:
        Float32 `(after, before)`, of which each row adds up to 1.

    Example:
        >>> resampling_weights(2, 4).tolist()
        [[1.0, 0.0], [0.75, 0.25], [0.25, 0.75], [0.0, 1.0]]
        >>> resampling_weights(4, 2).tolist()
        [[0.42857..., 0.42857..., 0.14285..., 0.0], [0.0, 0.14285..., 0.42857..., 0.42857...]]
    """
    scale = np.float32(before) / np.float32(after)
    half_width = scale if before >= 2 * after else np.float32(1)
    centers = (np.arange(after, dtype=np.float32) + np.float32(0.5)) * scale
    distances = np.arange(before, dtype=np.float32) + np.float32(0.5) - centers[:, None]  # (after, before)
    weights = np.maximum(0, 1 - np.abs(distances) / half_width)
    return weights / weights.sum(1, keepdims=True)


def views_of(image: np.ndarray, statistics: Statistics | None, recipe: Recipe, views: int = 10) -> np.ndarray:
    """Return the crops of a resized picture as a network takes them, see `pipeline.evaluation_batches`.

    Args:
        image: Uint8 `(resize_size, resize_size, 3)`.
        statistics: Statistics of the training set. May be None if the recipe does not need them, see `mean_and_std`.
        recipe: The recipe that the network was trained with.
        views: 1 for the central crop, 10 for the crops of `averaged_crops`.

    Returns:
        Float32 `(crops, crop_size, crop_size, 3)`.
    """
    mean, std = mean_and_std(statistics, recipe)
    crops = averaged_crops(image, recipe) if views == 10 else _central(image, recipe.crop_size)[None]
    return (crops - mean) / std


def averaged_crops(image: np.ndarray, recipe: Recipe) -> np.ndarray:
    """Return the crops over which predictions are averaged, see `inputs.averaged_crops`.

    Args:
        image: `(resize_size, resize_size, 3)`.
        recipe: The recipe that the network was trained with.

    Returns:
        `(crops, crop_size, crop_size, 3)` of the dtype of `image`.

    Example:
        >>> averaged_crops(np.zeros((256, 256, 3)), Recipe(crop_size=224)).shape
        (10, 224, 224, 3)
    """
    size = recipe.crop_size
    bottom, right = image.shape[0] - size, image.shape[1] - size
    corners = [(0, 0), (0, right), (bottom, 0), (bottom, right)]
    crops = [image[top : top + size, left : left + size] for top, left in corners] + [_central(image, size)]
    if "mirror" in recipe.augmentation:
        crops += [crop[:, ::-1] for crop in crops]
    return np.stack(crops)


def _central(image, size):
    top, left = (image.shape[0] - size) // 2, (image.shape[1] - size) // 2
    return image[top : top + size, left : left + size]
