"""What the Gradio page keeps of a picture while it is shown."""

import io
import pathlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_alexnet.data import rewriting
from keras_alexnet.demo.explorer import Explorer
from keras_alexnet.evaluation import predict

SCENE = 512  # shorter side in pixels of the picture that crops are cut out of by hand
LONGEST = 4  # times that: of a longer picture, the central part


def load(source: str | pathlib.Path | np.ndarray, explorers: Sequence[Explorer]) -> dict[str, Any]:
    """Return what the page keeps of a picture while it is shown.

    Args:
        source: Path of a picture file, or a picture as uint8 `(height, width, 3)`.
        explorers: The networks.

    Returns:
        `scene`, uint8 `(height, width, 3)` with a shorter side of 512 pixels, to cut crops out of; and `resized`, the
        picture as each network's evaluation resizes it, by size.

    Raises:
        ValueError: If the file is not a picture that can be read.
    """
    picture = tf.constant(source) if isinstance(source, np.ndarray) else predict.read_picture(source)
    resized = {each.resize_size: each.resize(picture) for each in explorers}
    return {"scene": _scene(picture), "resized": resized}


def on_white(drawing: np.ndarray) -> np.ndarray:
    """Return a drawing with alpha, uint8 `(height, width, 4)`, on white paper, `(height, width, 3)`."""
    return np.asarray(rewriting.upright(Image.fromarray(drawing)))


def _scene(picture):
    is_file = picture.dtype == tf.string
    image = Image.open(io.BytesIO(picture.numpy())) if is_file else Image.fromarray(picture.numpy())
    image.draft("RGB", (2 * SCENE, 2 * SCENE))  # decodes a JPEG at a half, a quarter or an eighth
    shorter = min(image.size)
    kept = [min(length, LONGEST * shorter) for length in image.size]
    left, top = ((length - part) // 2 for length, part in zip(image.size, kept, strict=True))
    box = (left, top, left + kept[0], top + kept[1])
    size = tuple(round(SCENE * part / shorter) for part in kept)
    visible = rewriting.upright(image)  # with 16 bits, `convert` would make it white
    return np.asarray(visible.resize(size, Image.Resampling.BILINEAR, box, reducing_gap=2))
