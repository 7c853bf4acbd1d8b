"""Stateless random augmentations of one training picture (paper section 4.1).

Every function takes one image of shape `(height, width, 3)`, and a random one also takes a seed, two integers as for
`tf.random.stateless_uniform`. The same seed gives the same result, eagerly, in a `tf.function` and in tf.data. There is
no state to save or restore.

To add an augmentation, write its function `name(image, seed)` here, and add its name to `recipes.recipe.AUGMENTATIONS`.
"""

import hashlib
import math
from typing import Any

import tensorflow as tf

# The seeds of these nine are the rows of a split into nine, in this order, as in the archived runs. Other names get
# their own seeds, so never add a name here.
NAMES_OF_SPLIT_SEEDS = (
    "crop",
    "mirror",
    "lighting",
    "vertical_flip",
    "rotation",
    "scaling",
    "translation",
    "noise",
    "resized_crop",
)

# Both flip with probability 1/2. The vertical flip is not in the paper.
mirror = tf.image.stateless_random_flip_left_right
vertical_flip = tf.image.stateless_random_flip_up_down


def seed_of(name: str, seed: Any) -> tf.Tensor:
    """Return the seed of one augmentation of a picture. It depends on the name, not on the other augmentations.

    Args:
        name: Name of the augmentation.
        seed: Two integers, the seed of the picture.

    Returns:
        An integer tensor `(2,)`.

    Example:
        >>> seed_of("crop", (0, 0)).numpy().tolist()
        [-409271666, -1596301687]
    """
    seed = tf.convert_to_tensor(seed)
    if name in NAMES_OF_SPLIT_SEEDS:
        return tf.random.split(seed, len(NAMES_OF_SPLIT_SEEDS))[NAMES_OF_SPLIT_SEEDS.index(name)]
    digest = hashlib.sha256(name.encode()).digest()  # unlike hash(name), the same in every process
    number = int.from_bytes(digest[:4], "big") >> 1  # 31 bits
    return tf.random.fold_in(seed, tf.constant(number, seed.dtype))


def crop(image: tf.Tensor, corner: Any, size: int) -> tf.Tensor:
    """Crop a square.

    Args:
        image: `(height, width, 3)`.
        corner: Top and left of the crop in pixels.
        size: Height and width of the crop in pixels.

    Returns:
        `(size, size, 3)` of the dtype of `image`.

    Example:
        >>> crop(tf.zeros((256, 256, 3)), (10, 20), 224).shape
        TensorShape([224, 224, 3])

    Raises:
        ValueError: If the image is smaller than the crop.
    """
    _check_fits(image, size)
    top, left = tf.unstack(corner)
    return tf.ensure_shape(tf.slice(image, (top, left, 0), (size, size, 3)), (size, size, 3))


def _check_fits(image, size):
    shape = tf.TensorShape(image.shape)
    if shape.rank == 3 and any(side is not None and side < size for side in shape[:2]):
        raise ValueError(f"The crop must fit into the image. Received: size={size}, an image of shape {shape}")


def central_crop(image: tf.Tensor, size: int) -> tf.Tensor:
    """Crop the central square.

    Args:
        image: `(height, width, 3)`.
        size: Height and width of the crop in pixels, at most the shorter side of the image.

    Returns:
        `(size, size, 3)` of the dtype of `image`.

    Example:
        >>> central_crop(tf.zeros((256, 256, 3)), 224).shape
        TensorShape([224, 224, 3])
    """
    return crop(image, (tf.shape(image)[:2] - size) // 2, size)


def random_corner(shape: Any, size: int, seed: Any) -> tf.Tensor:
    """Return the top left corner of a random crop.

    Each axis has `length - size + 1` equally likely offsets: 33 for 224 out of 256. The paper's factor of 2048 counts
    32 x 32 positions and their horizontal flips; the authors' code uses 33 x 33. There, 32 pictures of a batch share
    the corner and the flip, see docs/differences.md; here each picture has its own.

    Args:
        shape: `(2,)`, height and width of the image in pixels.
        size: Height and width of the crop in pixels, at most the shorter side of the image.
        seed: Two integers.

    Returns:
        An int32 tensor `(2,)`, top and left.
    """
    offsets = tf.cast(shape, tf.float32) - size + 1
    return tf.cast(tf.random.stateless_uniform((2,), seed) * offsets, tf.int32)


def random_crop(image: tf.Tensor, size: int, seed: Any) -> tf.Tensor:
    """Crop a square at a random position, see `random_corner`.

    Args:
        image: `(height, width, 3)`.
        size: Height and width of the crop in pixels, at most the shorter side of the image.
        seed: Two integers.

    Returns:
        `(size, size, 3)` of the dtype of `image`.

    Example:
        >>> random_crop(tf.zeros((256, 256, 3)), 224, seed=(0, 1)).shape
        TensorShape([224, 224, 3])
    """
    _check_fits(image, size)
    return crop(image, random_corner(tf.shape(image)[:2], size, seed), size)


def five_crops(image: tf.Tensor, size: int) -> tf.Tensor:
    """Return the crops at the four corners and in the center.

    Args:
        image: `(height, width, 3)`.
        size: Height and width of each crop in pixels.

    Returns:
        `(5, size, size, 3)` of the dtype of `image`: top left, top right, bottom left, bottom right, center.
    """
    bottom, right = tf.shape(image)[0] - size, tf.shape(image)[1] - size
    corners = [crop(image, (top, left), size) for top in (0, bottom) for left in (0, right)]
    return tf.stack([*corners, central_crop(image, size)])


def ten_crops(image: tf.Tensor, size: int) -> tf.Tensor:
    """Return the ten crops over which the paper averages its predictions.

    Args:
        image: `(height, width, 3)`.
        size: Height and width of each crop in pixels.

    Returns:
        `(10, size, size, 3)` of the dtype of `image`: those of `five_crops`, then their horizontal flips in the same
        order.

    Example:
        >>> ten_crops(tf.zeros((256, 256, 3)), 224).shape
        TensorShape([10, 224, 224, 3])
    """
    five = five_crops(image, size)
    return tf.concat([five, tf.image.flip_left_right(five)], axis=0)  # (10, size, size, 3)


def random_resized_crop(image: tf.Tensor, size: int, seed: Any, smallest_area: float = 0.08) -> tf.Tensor:
    """Crop a part of random size and aspect ratio and resize it to a square. Not in the paper.

    The width of the part is 3/4 to 4/3 of its height. Later networks, such as torchvision's AlexNet, are trained this
    way, with parts from 8 % of the area.

    Args:
        image: `(height, width, 3)`.
        size: Height and width of the result in pixels.
        seed: Two integers.
        smallest_area: Area of the smallest part, as a fraction of the image; the largest is the whole image.

    Returns:
        A float32 tensor `(size, size, 3)`.
    """
    no_boxes = tf.zeros((1, 0, 4))  # the part does not have to cover anything
    ratio, area = (3 / 4, 4 / 3), (smallest_area, 1.0)
    corner, extent, _ = tf.image.stateless_sample_distorted_bounding_box(
        tf.shape(image), no_boxes, seed, 0.0, ratio, area, use_image_if_no_bounding_boxes=True
    )
    return tf.ensure_shape(tf.image.resize(tf.slice(image, corner, extent), (size, size)), (size, size, 3))


def affine(
    image: tf.Tensor, seed: Any, rotation: float = 0.0, scaling: float = 0.0, translation: float = 0.0
) -> tf.Tensor:
    """Rotate, scale and translate the image in one step, with a single resampling. Not in the paper.

    A limit of 0 turns that part off. The image is reflected at its borders, and its last pixels are repeated beyond
    that.

    Args:
        image: `(height, width, 3)`.
        seed: Two integers.
        rotation: Largest angle in either direction, in degrees.
        scaling: Largest change of size: factors are `1 - scaling` to `1 + scaling`.
        translation: Largest shift along each axis, as a fraction of its length.

    Returns:
        A float32 tensor of the shape of `image`.
    """
    draws = tf.random.stateless_uniform((4,), seed, -1.0, 1.0)
    angle, factor = draws[0] * rotation * (math.pi / 180), 1 + draws[1] * scaling
    cosine, sine = tf.cos(angle) / factor, tf.sin(angle) / factor
    size = tf.cast(tf.stack([tf.shape(image)[1], tf.shape(image)[0]]), tf.float32)  # x, then y
    center = (size - 1) / 2
    # From positions in the result to positions in the image.
    inverse = tf.reshape(tf.stack([cosine, -sine, sine, cosine]), (2, 2))
    offset = center - tf.linalg.matvec(inverse, center + draws[2:] * translation * size)
    return tf.ensure_shape(resample(image, inverse, offset), image.shape)


# One loop over the pixels takes a third of the time of ImageProjectiveTransformV3.
@tf.function(jit_compile=True, autograph=False)
def resample(image: tf.Tensor, inverse: tf.Tensor, offset: tf.Tensor) -> tf.Tensor:
    """Return the colors at the positions `inverse @ (x, y) + offset`, with bilinear interpolation.

    Args:
        image: `(height, width, 3)`.
        inverse: Float32 `(2, 2)`.
        offset: Float32 `(2,)`, x before y.

    Returns:
        A float32 tensor of the shape of `image`.
    """
    height, width = tf.shape(image)[0], tf.shape(image)[1]
    x, y = tf.range(width, dtype=tf.float32), tf.range(height, dtype=tf.float32)[:, tf.newaxis]
    left, right_share = _neighbors(inverse[0, 0] * x + inverse[0, 1] * y + offset[0], width)
    top, bottom_share = _neighbors(inverse[1, 0] * x + inverse[1, 1] * y + offset[1], height)
    pixels = tf.reshape(image, (-1, 3))  # (height * width, 3)
    corners = (tf.gather(pixels, (top + down) * width + left + right) for down in (0, 1) for right in (0, 1))
    top_left, top_right, bottom_left, bottom_right = (tf.cast(corner, tf.float32) for corner in corners)
    upper = top_left + (top_right - top_left) * right_share
    lower = bottom_left + (bottom_right - bottom_left) * right_share
    return upper + (lower - upper) * bottom_share  # (height, width, 3)


def _neighbors(positions, length):
    """Return the pixel before each position on an axis of this length, and the weight `(..., 1)` of the next pixel."""
    end = tf.cast(length, tf.float32) - 0.5
    positions = end - tf.abs(end - (tf.abs(positions + 0.5) - 0.5))  # mirrored at both ends
    positions = tf.clip_by_value(positions, 0.0, end - 0.5)
    before = tf.minimum(tf.floor(positions), end - 1.5)
    return tf.cast(before, tf.int32), (positions - before)[..., tf.newaxis]


def lighting(
    image: tf.Tensor,
    seed: Any,
    eigenvalues: Any,
    eigenvectors: Any,
    form: str = "text",
    std: float = 0.1,
    mean_color: Any = (0.0, 0.0, 0.0),
) -> tf.Tensor:
    r"""Shift the color of the whole image along the principal axes of the training set's colors (PCA lighting).

    Three numbers $\alpha_i$ are drawn once per image from a normal distribution with the standard deviation `std`. With
    the eigenvalues $\lambda_i$ and eigenvectors $p_i$ of the covariance of the training pixels:

    - `"text"` adds $\sum_i \alpha_i \lambda_i p_i$ to every pixel, as in section 4.1. An eigenvalue is a variance, so
      the result depends on the unit of the pixels. On 0 to 255, ImageNet's first axis would shift by 1483 and destroy
      the picture. On 0 to 1 it shifts by the equivalent of 5.8 pixel values, close to the 5.5 of the constants that
      most code uses. So the sum is computed on 0 to 1 and scaled back to 0 to 255, which divides it by 255.
    - `"source"` uses the square root of the eigenvalue, a standard deviation: 12.2 pixel values, in any unit. The
      authors' code then divides the result by `1 + std`, so that training images do not vary more than test images.
      The mean must be subtracted first, or it would be divided as well.

    Args:
        image: `(height, width, 3)`, pixel values 0 to 255, with or without the mean.
        seed: Two integers.
        eigenvalues: `(3,)`, in pixel values squared.
        eigenvectors: `(3, 3)`, one per column.
        form: `"text"` or `"source"`.
        std: Standard deviation of the three numbers.
        mean_color: `(3,)`, subtracted in the same pass over the pixels.

    Returns:
        A float32 tensor of the shape of `image`.

    Raises:
        ValueError: If `form` is unknown.

    Source: section 4.1.
    """
    if form not in ("text", "source"):
        raise ValueError(f'`form` must be "text" or "source". Received: {form!r}')
    eigenvalues = tf.cast(eigenvalues, tf.float32)
    scales = eigenvalues / 255 if form == "text" else tf.sqrt(eigenvalues)
    alpha = tf.random.stateless_normal((3,), seed, stddev=std)
    color = tf.linalg.matvec(tf.cast(eigenvectors, tf.float32), alpha * scales)
    image = add_color(image, color - tf.cast(mean_color, tf.float32))
    return image / (1 + std) if form == "source" else image


def add_color(image: tf.Tensor, color: Any) -> tf.Tensor:
    """Add one number per channel to every pixel.

    Args:
        image: `(..., height, width, 3)`.
        color: `(3,)`.

    Returns:
        A float32 tensor of the shape of `image`.

    Example:
        >>> add_color(tf.zeros((2, 2, 3)), [1.0, 2.0, 3.0])[0, 1].numpy().tolist()
        [1.0, 2.0, 3.0]
    """
    shape = tf.shape(image)
    width = shape[-2]
    rows = tf.reshape(tf.cast(image, tf.float32), (-1, width * 3))
    # TensorFlow adds whole rows many times faster than single pixels
    row = tf.tile(tf.cast(color, tf.float32), [width])
    return tf.ensure_shape(tf.reshape(rows + row, shape), image.shape)


def noise(image: tf.Tensor, seed: Any, std: float = 8.0) -> tf.Tensor:
    """Add independent Gaussian noise to every pixel value. Not in the paper.

    Args:
        image: `(height, width, 3)`.
        seed: Two integers.
        std: Standard deviation in pixel values.

    Returns:
        A float32 tensor of the shape of `image`.
    """
    return tf.cast(image, tf.float32) + tf.random.stateless_normal(tf.shape(image), seed, stddev=std)
