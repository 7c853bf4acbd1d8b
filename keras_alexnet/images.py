"""Picture files to squares of RGB grey levels, inside tf.data (paper section 2)."""

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


def load_square(picture, side):
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
    image = tf.cond(tf.io.is_jpeg(picture), lambda: _decode_jpeg(picture, side), lambda: decode(picture))
    return square(image, side)


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
    shape = tf.shape(image)[:2]
    shorter = tf.reduce_min(shape)
    corner = (shape - shorter) // 2
    image = tf.slice(image, (corner[0], corner[1], 0), (shorter, shorter, 3))
    image = tf.cond(shorter == side, lambda: image, lambda: _resize(image, side))
    return tf.ensure_shape(image, (side, side, 3))


def _resize(image, side):
    resized = tf.cond(
        tf.shape(image)[0] >= 2 * side,
        lambda: tf.image.resize(image, (side, side), antialias=True),
        lambda: tf.image.resize(image, (side, side)),
    )
    return tf.cast(tf.round(resized), tf.uint8)


def _decode_jpeg(picture, side):
    shape = tf.image.extract_jpeg_shape(picture)[:2]
    # Down to 15/16 of the side, which takes in 500 and 480 pixels for 256: what has to be enlarged by so little differs
    # less from an antialiased reduction of the whole (by 1.4 grey levels) than plain bilinear does (1.7).
    least = side * tf.constant([2, 4, 8]) * 15 // 16
    halvings = tf.reduce_sum(tf.cast(tf.reduce_min(shape) >= least, tf.int32))
    return tf.switch_case(halvings, [lambda k=k: _decode_jpeg_square(picture, shape, 2**k) for k in range(4)])


def _decode_jpeg_square(picture, shape, ratio):
    shape = (shape + ratio - 1) // ratio  # libjpeg rounds up
    shorter = tf.reduce_min(shape)
    top, left = tf.unstack((shape - shorter) // 2)
    width = tf.minimum(shorter + 8, shape[1] - left)  # the last columns borrow colors from their right
    image = tf.io.decode_and_crop_jpeg(picture, [top, left, shorter, width], channels=3, ratio=ratio)
    return image[:, :shorter]


def needs_rewriting(file):
    """Reads the header of a picture file and says whether it must go through `rewrite` before `decode`.

    So must JPEG and WebP that the camera stored turned (EXIF orientation), every BMP (TensorFlow reads no palettes) and
    animated WebP.

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
        return turned or image.format == "BMP" or (image.format == "WEBP" and image.is_animated)


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
