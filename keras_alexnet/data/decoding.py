"""Picture files to squares of RGB grey levels, inside tf.data (paper section 2)."""

import functools
import io

import tensorflow as tf
from PIL import Image, ImageOps

EXTENSIONS = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp")
MAX_PIXELS = 100_000_000  # ours: a larger picture is refused by its header, before memory is taken
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP")  # JPEG takes in MPO: one with others behind it, as many cameras write
ORIENTATION = 0x0112  # the EXIF tag; 2 to 8 are mirrored or turned


def decode(picture):
    """Decodes a picture file of any of the formats.

    Palettes and grey become RGB, and so does CMYK. Of 16 bits the upper 8 are kept, alpha is dropped without blending,
    of an animation the first frame is taken. EXIF orientation is not looked at, see `rewrite`.

    Args:
        picture: Scalar string tensor, the bytes of a JPEG, PNG, GIF, WebP or (24 or 32 bits) BMP file.

    Returns:
        A uint8 tensor `(height, width, 3)`.
    """
    image = tf.io.decode_image(picture, channels=3, expand_animations=False)
    return tf.ensure_shape(image, (None, None, 3))


def load_resized(picture, side):
    """Makes the square that the network's views are cut from.

    The result is `square(decode(picture), side)`, but of a JPEG only the central square is decoded, and at 1/2, 1/4
    or 1/8 of its size where that leaves enough. libjpeg does this inside its cosine transform: it costs less than the
    whole picture and does not alias.

    Args:
        picture: Scalar string tensor, the bytes of a picture file; or a uint8 tensor `(height, width, 3)`.
        side: Side of the square in pixels.

    Returns:
        A uint8 tensor `(side, side, 3)`.
    """
    if picture.dtype != tf.string:
        return square(picture, side)
    return tf.cond(
        tf.io.is_jpeg(picture),
        lambda: _load_jpeg(picture, tf.image.extract_jpeg_shape(picture)[:2], side, (0, 0), side),
        lambda: square(decode(picture), side),
    )


def load_crop(picture, side, corner, size):
    """Makes a square part of the square.

    The result is `load_resized(picture, side)[top : top + size, left : left + size]`, but of a JPEG that is not smaller
    than the square only the part is decoded. It then begins and ends at a whole pixel of what is decoded, so that its
    own may lie a pixel apart.

    Args:
        picture: As in `load_resized`, or any tensor `(side, side, 3)`.
        side: Side of the square in pixels.
        corner: Int32 `(2,)`, top and left of the part in the square.
        size: Side of the part in pixels.

    Returns:
        A tensor `(size, size, 3)`, uint8 or of the dtype of `picture`.
    """
    if picture.dtype != tf.string:
        return _cut(square(picture, side), corner, size)
    is_jpeg, none = tf.io.is_jpeg(picture), tf.zeros(2, tf.int32)
    shape = tf.cond(is_jpeg, lambda: tf.image.extract_jpeg_shape(picture)[:2], lambda: none)
    return tf.cond(
        tf.reduce_min(shape) >= _enough(side),
        lambda: _load_jpeg(picture, shape, side, corner, size),
        lambda: _cut(square(decode(picture), side), corner, size),
    )


def square(image, side):
    """Resizes the shorter side to `side` and keeps the central square (256 in section 2).

    The square is cut first and resized after: the same within a fraction of a pixel, and nothing is resized to be
    thrown away. Resizing is bilinear; from twice the size on it weighs every pixel, or fine patterns would alias.

    Args:
        image: Uint8 tensor `(height, width, 3)`.
        side: Side of the square in pixels.

    Returns:
        A uint8 tensor `(side, side, 3)`. Where the shorter side is `side` already, pixels come through bit for bit.

    Example:
        >>> square(tf.zeros((500, 700, 3), tf.uint8), 256).shape
        TensorShape([256, 256, 3])
    """
    if image.shape == (side, side, 3):
        return image
    shape = tf.shape(image)[:2]
    shorter = tf.reduce_min(shape)
    return _resize(_cut(image, (shape - shorter) // 2, shorter), side)


def _cut(image, corner, size):
    part = tf.slice(image, (*tf.unstack(corner), 0), (size, size, 3))
    return tf.ensure_shape(part, (size, size, 3)) if isinstance(size, int) else part


def _resize(image, size):
    before = tf.shape(image)[0]
    way = tf.cast(before != size, tf.int32) + tf.cast(before >= 2 * size, tf.int32)
    ways = (lambda: image, lambda: _resampled(image, size, False), lambda: _resampled(image, size, True))
    return tf.ensure_shape(tf.switch_case(way, ways), (size, size, 3))


def _resampled(image, size, antialias):
    image = tf.cast(image, tf.float32)  # TensorFlow resizes floats in half of the time of bytes
    return tf.cast(tf.round(tf.image.resize(image, (size, size), antialias=antialias)), tf.uint8)


def _enough(side):
    # Down to 15/16 of the side, which takes in 500 and 480 pixels for 256: what has to be enlarged by so little differs
    # less from an antialiased reduction of the whole (by 1.4 grey levels) than plain bilinear does (1.7).
    return side * 15 // 16


def _load_jpeg(picture, shape, side, corner, size):
    halvings = tf.reduce_sum(tf.cast(tf.reduce_min(shape) >= _enough(side * tf.constant([2, 4, 8])), tf.int32))
    top, left, extent, width = _window(shape, tf.bitwise.left_shift(1, halvings), side, corner, size)
    ratios = [functools.partial(tf.io.decode_and_crop_jpeg, channels=3, ratio=ratio) for ratio in (1, 2, 4, 8)]
    window = tf.stack([top, left, extent, width])
    image = tf.switch_case(halvings, [functools.partial(decode, picture, window) for decode in ratios])
    return _resize(image[:, :extent], size)


def _window(shape, ratio, side, corner, size):
    """Where the part lies in a picture of this shape that is decoded at 1 / `ratio` of its size, in whole pixels."""
    shape = (shape + ratio - 1) // ratio  # libjpeg rounds up
    shorter = tf.reduce_min(shape)
    scale = tf.cast(shorter, tf.float32) / side
    extent = tf.cast(tf.round(scale * size), tf.int32)
    offset = tf.minimum(tf.cast(tf.round(scale * tf.cast(corner, tf.float32)), tf.int32), shorter - extent)
    top, left = tf.unstack((shape - shorter) // 2 + offset)
    return top, left, extent, tf.minimum(extent + 8, shape[1] - left)  # the last columns borrow colors from their right


def needs_rewriting(file):
    """Reads the header of a picture file and says whether it must go through `rewrite` before `decode`.

    So must JPEG and WebP that the camera stored turned (EXIF orientation), WebP that is animated or has alpha, and BMP,
    whose palettes TensorFlow does not read.

    Args:
        file: Path of the file.

    Returns:
        True or False.

    Raises:
        OSError: If this is no picture of one of the formats.
        ValueError: If it has more than `MAX_PIXELS` pixels.
    """
    try:
        opened = Image.open(file, formats=FORMATS)
    except Image.DecompressionBombError as error:  # Pillow's own limit, of 179 megapixels, is no ValueError
        raise ValueError(str(error)) from None
    with opened as image:
        if image.width * image.height > MAX_PIXELS:
            raise ValueError(f"more than {MAX_PIXELS // 10**6} megapixels: {image.width} x {image.height}")
        turned = image.format not in ("PNG", "GIF") and image.getexif().get(ORIENTATION) in range(2, 9)
        webp = image.format == "WEBP" and (image.is_animated or image.mode == "RGBA")
        return turned or image.format == "BMP" or webp


def rewrite(picture):
    """Sets the first frame of a picture file upright by its EXIF orientation and makes it RGB.

    Args:
        picture: The bytes of the file.

    Returns:
        The bytes of a BMP file, which nothing is lost in.
    """
    with Image.open(io.BytesIO(picture), formats=FORMATS) as image:
        upright = ImageOps.exif_transpose(image).convert("RGB")
    bitmap = io.BytesIO()
    upright.save(bitmap, "BMP")
    return bitmap.getvalue()
