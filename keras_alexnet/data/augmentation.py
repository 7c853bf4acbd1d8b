"""Views of one image, pure and seeded (paper section 4.1).

Every function takes one image of shape `(height, width, 3)`. What is random is decided by `seed` alone, two integers as
`tf.random.stateless_uniform` takes them: the same seed gives the same view, eagerly, in a `tf.function` and in tf.data,
and there is no state to save or to restore.
"""

import math

import tensorflow as tf


def central_crop(image, size):
    """Cuts the central square out.

    Args:
        image: Tensor `(height, width, 3)`.
        size: Side of the crop in pixels, at most the shorter side of the image.

    Returns:
        A tensor `(size, size, 3)` of the dtype of `image`.

    Example:
        >>> central_crop(tf.zeros((256, 256, 3)), 224).shape
        TensorShape([224, 224, 3])
    """
    top, left = (tf.shape(image)[0] - size) // 2, (tf.shape(image)[1] - size) // 2
    return _crop(image, top, left, size)


def random_corner(shape, size, seed):
    """Draws where a crop begins.

    Each axis has `side - size + 1` offsets, all equally likely: 33 for 224 out of 256. The text's factor of 2048 counts
    32 x 32 places and their mirror images; the authors' code draws from 33 x 33.

    Args:
        shape: `(2,)`, height and width of the image in pixels.
        size: Side of the crop in pixels, at most the shorter side of the image.
        seed: Two integers.

    Returns:
        An int32 tensor `(2,)`, top and left.
    """
    places = tf.cast(shape, tf.float32) - size + 1
    return tf.cast(tf.random.stateless_uniform((2,), seed) * places, tf.int32)


def random_crop(image, size, seed):
    """Cuts a square out at a random place, see `random_corner`.

    Args:
        image: Tensor `(height, width, 3)`.
        size: Side of the crop in pixels, at most the shorter side of the image.
        seed: Two integers.

    Returns:
        A tensor `(size, size, 3)` of the dtype of `image`.

    Example:
        >>> random_crop(tf.zeros((256, 256, 3)), 224, seed=(0, 1)).shape
        TensorShape([224, 224, 3])
    """
    return _crop(image, *tf.unstack(random_corner(tf.shape(image)[:2], size, seed)), size)


def random_mirror(image, seed):
    """Mirrors left and right, half of the time.

    Args:
        image: Tensor `(height, width, 3)`.
        seed: Two integers.

    Returns:
        A tensor like `image`.
    """
    return tf.image.stateless_random_flip_left_right(image, seed)


def ten_crops(image, size):
    """Cuts the ten views over which the paper averages its predictions.

    Args:
        image: Tensor `(height, width, 3)`.
        size: Side of each view in pixels.

    Returns:
        A tensor `(10, size, size, 3)` of the dtype of `image`: top left, top right, bottom left, bottom right, centre,
        then the mirror images of these five in the same order.

    Example:
        >>> ten_crops(tf.zeros((256, 256, 3)), 224).shape
        TensorShape([10, 224, 224, 3])
    """
    bottom, right = tf.shape(image)[0] - size, tf.shape(image)[1] - size
    corners = [_crop(image, top, left, size) for top in (0, bottom) for left in (0, right)]
    views = tf.stack([*corners, central_crop(image, size)])
    return tf.concat([views, tf.image.flip_left_right(views)], axis=0)


def _crop(image, top, left, size):
    return tf.ensure_shape(tf.slice(image, (top, left, 0), (size, size, 3)), (size, size, 3))


def lighting(image, seed, eigenvalues, eigenvectors, form="text", std=0.1, mean_color=(0.0, 0.0, 0.0)):
    r"""Shifts the color of a whole image along the color axes of the training set.

    Three numbers $\alpha_i$ are drawn once for the image from a normal distribution of standard deviation `std`. With
    eigenvalues $\lambda_i$ and eigenvectors $p_i$ of the covariance of the training pixels:

    - `"text"` adds $\sum_i \alpha_i \lambda_i p_i$ to every pixel (section 4.1). An eigenvalue is a variance, so this
      depends on the unit of the pixels: on 0 to 255, ImageNet's first axis would move by 1483 grey levels and leave no
      picture. On 0 to 1 it moves by what is 5.8 grey levels, near the 5.5 of the constants that most code copies. So
      the sum is taken on 0 to 1 and brought back to grey levels, which divides it by 255.
    - `"source"` has the root of the eigenvalue, a standard deviation, in its place: 12.2 grey levels, in any unit. The
      authors' code then divides all by `1 + std`, so that training images do not vary more than test images. The mean
      must be off by then, or it would be divided as well.

    Args:
        image: Tensor `(height, width, 3)`, grey levels of 0 to 255, less the mean or not.
        seed: Two integers.
        eigenvalues: `(3,)`, in grey levels squared.
        eigenvectors: `(3, 3)`, one a column.
        form: `"text"` or `"source"`.
        std: Standard deviation of the three numbers.
        mean_color: `(3,)`, subtracted on the way, in the same pass over the pixels.

    Returns:
        A float32 tensor of the shape of `image`.

    Raises:
        ValueError: If there is no such form.
    """
    if form not in ("text", "source"):
        raise ValueError(f'`form` must be "text" or "source". Received: {form!r}')
    eigenvalues = tf.cast(eigenvalues, tf.float32)
    deviations = eigenvalues / 255 if form == "text" else tf.sqrt(eigenvalues)
    alpha = tf.random.stateless_normal((3,), seed, stddev=std)
    color = tf.linalg.matvec(tf.cast(eigenvectors, tf.float32), alpha * deviations)
    image = add_color(image, color - tf.cast(mean_color, tf.float32))
    return image / (1 + std) if form == "source" else image


def add_color(image, color):
    """Adds one number a channel to every pixel.

    Args:
        image: Tensor `(..., height, width, 3)`.
        color: Tensor `(3,)`.

    Returns:
        A float32 tensor of the shape of `image`.

    Example:
        >>> add_color(tf.zeros((2, 2, 3)), [1.0, 2.0, 3.0])[0, 1].numpy().tolist()
        [1.0, 2.0, 3.0]
    """
    shape = tf.shape(image)
    width = shape[-2]
    rows = tf.reshape(tf.cast(image, tf.float32), (-1, width * 3))
    row = tf.tile(tf.cast(color, tf.float32), [width])  # TensorFlow adds rows many times faster than single pixels
    return tf.ensure_shape(tf.reshape(rows + row, shape), image.shape)


def vertical_flip(image, seed):
    """Turns the image upside down, half of the time. Not in the paper.

    Args:
        image: Tensor `(height, width, 3)`.
        seed: Two integers.

    Returns:
        A tensor like `image`.
    """
    return tf.image.stateless_random_flip_up_down(image, seed)


def random_resized_crop(image, size, seed, area=(0.08, 1.0), ratio=(3 / 4, 4 / 3)):
    """Cuts a part of random size and shape out and makes it a square. Not in the paper.

    This is how later networks are trained, torchvision's AlexNet among them.

    Args:
        image: Tensor `(height, width, 3)`.
        size: Side of the view in pixels.
        seed: Two integers.
        area: Least and most of the part's share of the image.
        ratio: Least and most of the part's width to its height.

    Returns:
        A float32 tensor `(size, size, 3)`.
    """
    nothing = tf.zeros((1, 0, 4))  # boxes that the part should cover: none, so that it may lie anywhere
    corner, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
        tf.shape(image), nothing, seed, 0.0, ratio, area, use_image_if_no_bounding_boxes=True
    )
    return tf.ensure_shape(tf.image.resize(tf.slice(image, corner, extent), (size, size)), (size, size, 3))


def affine(image, seed, rotation=0.0, scaling=0.0, translation=0.0):
    """Turns, scales and moves the image at once, so that it is resampled once. Not in the paper.

    Every limit left at 0 leaves that part out. What comes in from outside is the image mirrored at its border; from
    farther away than its whole length, the last pixels again.

    Args:
        image: Tensor `(height, width, 3)`.
        seed: Two integers.
        rotation: Largest angle to either side, in degrees.
        scaling: Largest change of size: factors of `1 - scaling` to `1 + scaling`.
        translation: Largest move on each axis, as a share of the side.

    Returns:
        A float32 tensor of the shape of `image`.
    """
    draws = tf.random.stateless_uniform((4,), seed, -1.0, 1.0)
    angle, factor = draws[0] * rotation * (math.pi / 180), 1 + draws[1] * scaling
    cosine, sine = tf.cos(angle) / factor, tf.sin(angle) / factor
    size = tf.cast(tf.stack([tf.shape(image)[1], tf.shape(image)[0]]), tf.float32)  # x, then y
    center = (size - 1) / 2
    inverse = tf.reshape(
        tf.stack([cosine, -sine, sine, cosine]), (2, 2)
    )  # from places in the view to places in the image
    offset = center - tf.linalg.matvec(inverse, center + draws[2:] * translation * size)
    return tf.ensure_shape(resample(image, inverse, offset), image.shape)


def noise(image, seed, std=8.0):
    """Adds an independent Gaussian draw to every number of the image. Not in the paper.

    Args:
        image: Tensor `(height, width, 3)`.
        seed: Two integers.
        std: Standard deviation in grey levels.

    Returns:
        A float32 tensor of the shape of `image`.
    """
    return tf.cast(image, tf.float32) + tf.random.stateless_normal(tf.shape(image), seed, stddev=std)


@tf.function(jit_compile=True)  # one loop over the pixels, in a third of the time of ImageProjectiveTransformV3
def resample(image, inverse, offset):
    """The colors at `inverse @ (x, y) + offset`, bilinear between the four pixels around."""
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    x, y = tf.range(width, dtype=tf.float32), tf.range(height, dtype=tf.float32)[:, tf.newaxis]
    left, right_share = _neighbours(inverse[0, 0] * x + inverse[0, 1] * y + offset[0], width)
    top, bottom_share = _neighbours(inverse[1, 0] * x + inverse[1, 1] * y + offset[1], height)
    pixels = tf.reshape(image, (-1, 3))
    corners = (tf.gather(pixels, (top + down) * width + left + right) for down in (0, 1) for right in (0, 1))
    top_left, top_right, bottom_left, bottom_right = (tf.cast(corner, tf.float32) for corner in corners)
    upper = top_left + (top_right - top_left) * right_share
    lower = bottom_left + (bottom_right - bottom_left) * right_share
    return upper + (lower - upper) * bottom_share


def _neighbours(places, length):
    """The pixel before each place, and the share `(..., 1)` of the one behind it, on an axis of so many pixels."""
    end = tf.cast(length, tf.float32) - 0.5
    places = end - tf.abs(end - (tf.abs(places + 0.5) - 0.5))  # mirrored at both ends
    places = tf.clip_by_value(places, 0.0, end - 0.5)
    before = tf.minimum(tf.floor(places), end - 1.5)
    return tf.cast(before, tf.int32), (places - before)[..., tf.newaxis]
