"""Decode picture files to resized RGB pictures with pixel values 0 to 255, inside tf.data (paper section 2)."""

import functools
import os
import pathlib

import tensorflow as tf
from PIL import UnidentifiedImageError

from keras_alexnet.data.augmentation import crop
from keras_alexnet.data.errors import first_line
from keras_alexnet.data.picture_files import CONVERTIBLE
from keras_alexnet.data.rewriting import needs_rewriting, rewrite


def decode(picture: tf.Tensor) -> tf.Tensor:
    """Decode a picture file of any of the formats.

    Palettes, gray and CMYK are converted to RGB. The upper 8 of 16 bits are kept, and only the first frame of an
    animation is used. Transparency and EXIF orientation are ignored, see `rewrite`.

    Args:
        picture: Scalar string, the bytes of a JPEG, PNG, GIF, WebP or BMP file (of 24 or 32 bits).

    Returns:
        A uint8 tensor `(height, width, 3)`.
    """
    image = tf.io.decode_image(picture, channels=3, expand_animations=False)
    return tf.ensure_shape(image, (None, None, 3))


def resize(image: tf.Tensor, resize_size: int) -> tf.Tensor:
    """Resize the shorter side to `resize_size` and keep the central square (256 in section 2).

    The square is cropped first and then resized. The result is the same to within a fraction of a pixel, and no pixels
    are computed in vain. Resizing is bilinear, with antialiasing when the size is reduced by two or more.

    Args:
        image: Uint8 `(height, width, 3)`.
        resize_size: Height and width of the result in pixels.

    Returns:
        A uint8 tensor `(resize_size, resize_size, 3)`. If the shorter side already has that length, pixels do not
        change.

    Example:
        >>> resize(tf.zeros((500, 700, 3), tf.uint8), 256).shape
        TensorShape([256, 256, 3])
    """
    if image.shape == (resize_size, resize_size, 3):
        return image
    shape = tf.shape(image)[:2]
    shorter = tf.reduce_min(shape)
    top, left = tf.unstack((shape - shorter) // 2)
    return _resize_square(tf.slice(image, (top, left, 0), (shorter, shorter, 3)), resize_size)


def load_resized(picture: tf.Tensor, resize_size: int) -> tf.Tensor:
    """Decode a picture and resize it.

    The result is `resize(decode(picture), resize_size)`, but only the central square of a JPEG is decoded, at 1/2, 1/4
    or 1/8 of its size if that leaves enough pixels. libjpeg does this inside its cosine transform, which is faster than
    decoding the whole picture and does not alias.

    Args:
        picture: Scalar string, the bytes of a picture file; or uint8 `(height, width, 3)`.
        resize_size: Height and width of the result in pixels.

    Returns:
        A uint8 tensor `(resize_size, resize_size, 3)`.
    """
    if picture.dtype != tf.string:
        return resize(picture, resize_size)
    return tf.cond(
        tf.io.is_jpeg(picture),
        lambda: _load_jpeg(picture, tf.image.extract_jpeg_shape(picture)[:2], resize_size, (0, 0), resize_size),
        lambda: resize(decode(picture), resize_size),
    )


def load_crop(picture: tf.Tensor, resize_size: int, corner: tf.Tensor, crop_size: int) -> tf.Tensor:
    """Decode, resize and crop a picture.

    The result is `load_resized(picture, resize_size)[top : top + crop_size, left : left + crop_size]`, but only the
    crop is decoded if a JPEG is not smaller than the resized picture. The crop then starts and ends at whole pixels of
    the decoded picture, so it may be shifted by up to a pixel.

    Args:
        picture: As in `load_resized`, or any tensor `(resize_size, resize_size, 3)`.
        resize_size: Height and width of the resized picture in pixels.
        corner: Int32 `(2,)`, top and left of the crop in the resized picture.
        crop_size: Height and width of the crop in pixels.

    Returns:
        A tensor `(crop_size, crop_size, 3)`, uint8 or of the dtype of `picture`.
    """
    if picture.dtype != tf.string:
        return crop(resize(picture, resize_size), corner, crop_size)
    is_jpeg, none = tf.io.is_jpeg(picture), tf.zeros(2, tf.int32)
    shape = tf.cond(is_jpeg, lambda: tf.image.extract_jpeg_shape(picture)[:2], lambda: none)
    return tf.cond(
        tf.reduce_min(shape) >= _enough(resize_size),
        lambda: _load_jpeg(picture, shape, resize_size, corner, crop_size),
        lambda: crop(resize(decode(picture), resize_size), corner, crop_size),
    )


def _resize_square(image, size):
    before = tf.shape(image)[0]
    method = tf.cast(before != size, tf.int32) + tf.cast(before >= 2 * size, tf.int32)
    methods = (lambda: image, lambda: _interpolate(image, size, False), lambda: _interpolate(image, size, True))
    return tf.ensure_shape(tf.switch_case(method, methods), (size, size, 3))


def _interpolate(image, size, antialias):
    image = tf.cast(image, tf.float32)  # TensorFlow resizes floats twice as fast as bytes
    return tf.cast(tf.round(tf.image.resize(image, (size, size), antialias=antialias)), tf.uint8)


def _enough(resize_size):
    # 15/16 of the size is enough, which includes pictures of 500 and 480 pixels for 256. Enlarging by so little differs
    # less from an antialiased reduction of the whole picture (by 1.4 pixel values) than plain bilinear does (1.7).
    return resize_size * 15 // 16


def _load_jpeg(picture, shape, resize_size, corner, crop_size):
    """Decode only the cropped part of a JPEG, at the smallest of four scales that has enough pixels."""
    enough = _enough(resize_size * tf.constant([2, 4, 8]))
    halvings = tf.reduce_sum(tf.cast(tf.reduce_min(shape) >= enough, tf.int32))
    top, left, extent, width = _window(shape, tf.bitwise.left_shift(1, halvings), resize_size, corner, crop_size)
    ratios = [functools.partial(tf.io.decode_and_crop_jpeg, channels=3, ratio=ratio) for ratio in (1, 2, 4, 8)]
    window = tf.stack([top, left, extent, width])
    image = tf.switch_case(halvings, [functools.partial(decode, picture, window) for decode in ratios])
    return _resize_square(image[:, :extent], crop_size)  # (extent, extent, 3) to (crop_size, crop_size, 3)


def _window(shape, ratio, resize_size, corner, crop_size):
    """Return the position of the crop, in whole pixels, in a picture decoded at 1 / `ratio` of its size."""
    shape = (shape + ratio - 1) // ratio  # libjpeg rounds up
    shorter = tf.reduce_min(shape)
    scale = tf.cast(shorter, tf.float32) / resize_size
    extent = tf.cast(tf.round(scale * crop_size), tf.int32)
    offset = tf.minimum(tf.cast(tf.round(scale * tf.cast(corner, tf.float32)), tf.int32), shorter - extent)
    top, left = tf.unstack((shape - shorter) // 2 + offset)
    # Colors of the last columns depend on pixels to their right.
    return top, left, extent, tf.minimum(extent + 8, shape[1] - left)


def check(file: str | os.PathLike) -> bool:
    """Check that a picture file can be decoded, by decoding it once.

    Args:
        file: Path of the file.

    Returns:
        The result of `needs_rewriting`.

    Raises:
        ValueError: If it cannot be decoded. The message says why in one line.
    """
    try:
        answer = needs_rewriting(file)
        contents = pathlib.Path(file).read_bytes()
        with tf.device("CPU"):
            decode(rewrite(contents) if answer else contents)
    except tf.errors.OpError as error:
        raise ValueError(f"cannot be decoded: {first_line(error)}") from error
    except Exception as error:  # broken headers make Pillow raise errors of many kinds
        if isinstance(error, UnidentifiedImageError) and not os.path.getsize(file):
            raise ValueError("the file is empty") from error
        if isinstance(error, UnidentifiedImageError) and pathlib.Path(file).suffix.lower() in CONVERTIBLE:
            raise ValueError("a format that cannot be read: convert it to JPEG") from error
        # without the name, as in "cannot identify image file"
        reason = getattr(error, "strerror", None) or first_line(error).replace(f" {os.fspath(file)!r}", "")
        raise ValueError(reason) from error
    return answer
