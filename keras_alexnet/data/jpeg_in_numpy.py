"""Decode JPEGs with Pillow to exactly the pixels that TensorFlow decodes.

TensorFlow uses libjpeg's fast cosine transform, and interpolates colors that are stored at half the size. With Pillow,
the fast transform comes without the interpolation. So Pillow returns brightness and colors as they are stored, and the
two steps after the transform, interpolation and conversion to RGB, are done here, in the integers of libjpeg.
"""

import numpy as np
from PIL.JpegImagePlugin import JpegImageFile

# Columns and rows of the brightness for one column and row of the colors, which JPEG calls 4:4:4, 4:2:2 and 4:2:0.
SAMPLINGS = ((1, 1), (2, 1), (2, 2))


def decode(image: JpegImageFile, ratio: int = 1) -> np.ndarray:
    """Decode an opened JPEG.

    Args:
        image: The file, grayscale or in color, of which nothing has been read but the header.
        ratio: 1, 2, 4 or 8: how many times smaller to decode it. Its sides must be at least as long.

    Returns:
        Uint8 `(height / ratio, width / ratio, 3)`, rounded up.

    Raises:
        ValueError: If it is of another kind, such as CMYK.
        OSError: If it is damaged.
    """
    if image.mode not in ("L", "RGB"):
        raise ValueError(f"Expected a JPEG in RGB or gray. Received: {image.mode}")
    is_gray = image.mode == "L"
    image.draft("L" if is_gray else "YCbCr", (image.width // ratio, image.height // ratio))
    image.decoderconfig = (ratio, 1)  # Pillow offers the fast transform only here
    pixels = np.asarray(image)
    if is_gray:
        return np.repeat(pixels[..., None], 3, -1)
    luma, blue, red = np.int32(pixels).transpose(2, 0, 1)  # each (height, width)
    columns, rows = _sampling(image, ratio)
    if columns == 2 and ratio < 8 and luma.shape[1] > 4:  # otherwise libjpeg repeats pixels, as Pillow has
        blue, red = (_enlarged(colors[::rows, ::2], rows)[: len(luma), : luma.shape[1]] for colors in (blue, red))
    return _rgb(luma, blue - 128, red - 128)


def _sampling(image, ratio):
    """Return how many columns and rows of the brightness there are for one of the colors, in the smaller picture."""
    luma, *colors = (tuple(sampling) for _, *sampling, _ in image.layer)
    if luma not in SAMPLINGS or colors != [(1, 1), (1, 1)]:
        raise ValueError(f"Expected a JPEG of one of the samplings {SAMPLINGS}. Received: {luma}, {colors}")
    # libjpeg shrinks the brightness first. If both directions allow it, colors of half the size shrink once less.
    return (1, 1) if ratio > 1 and luma == (2, 2) else luma


def _enlarged(colors, rows):
    """Double the columns of `(height, width)`, and the rows if `rows` is 2: the nearest pixel counts 3, the next 1."""
    if rows == 2:
        above, below = _neighbors(colors)
        colors = np.stack([3 * colors + above, 3 * colors + below], 1).reshape(-1, colors.shape[1])
    left, right = (side.T for side in _neighbors(colors.T))
    shift, rounding = (4, (8, 7)) if rows == 2 else (2, (1, 2))  # a sixteenth or a quarter, with halves up and down
    pairs = [(3 * colors + side + half) >> shift for side, half in zip((left, right), rounding, strict=True)]
    return np.stack(pairs, 2).reshape(len(colors), -1)


def _neighbors(rows):
    """Return the row before and the row after each row. The first and last are their own."""
    return np.concatenate([rows[:1], rows[:-1]]), np.concatenate([rows[1:], rows[-1:]])


def _rgb(luma, blue, red):
    """Convert to RGB in fixed point with 16 bits after the point (JFIF)."""

    def scaled(factor):
        return int(factor * 65536 + 0.5)

    red_part, blue_part = ((scaled(factor) * part + 32768) >> 16 for factor, part in ((1.402, red), (1.772, blue)))
    green_part = (32768 - scaled(0.34414) * blue - scaled(0.71414) * red) >> 16
    rgb = np.stack([luma + red_part, luma + green_part, luma + blue_part], -1)
    return rgb.clip(0, 255).astype(np.uint8)
