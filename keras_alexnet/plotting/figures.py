"""Figures from arrays: how they are made, kept and described, and the first of them, kernels.

Every function returns a matplotlib `Figure` whose label describes it in words, for those who cannot see it. Nothing is
told by hue alone: line styles, labels and lightness say the same, so the figures can be read in grey.
"""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from keras_alexnet.files import atomic_write

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#6E6E6E"  # Okabe and Ito's: apart for the color-blind
FORMATS = (".png", ".jpg")
FEW_COLORS = 4096  # ours: lines and letters have fewer with all their edges, pictures more
STYLES = ("-", "--", ":", "-.")  # of lines


def check_path(path: str | Path) -> None:
    """Raises a ValueError where `save` could not write: of another ending, or in a folder that is not there."""
    if Path(path).suffix.lower() not in FORMATS:
        raise ValueError(f"Figures are PNG or JPEG: give a path that ends in .png or .jpg. Received: {path}")
    if not Path(path).absolute().parent.is_dir():
        raise ValueError(f"Expected a path in a folder that is there. Received: {path}")


def save(figure: Figure, path: str | Path) -> None:
    """Writes a figure with its description; a crash leaves no half file.

    Args:
        figure: What a function of this package returned.
        path: Ends in `.png`, or in `.jpg`, which has photographs in a tenth of the bytes.

    Raises:
        ValueError: If `check_path` does.
    """
    check_path(path)
    words = figure.get_label()
    drawing = {"dpi": 160, "metadata": {"Title": words.split(": ")[0], "Description": words, "Software": None}}
    photographs = {"dpi": 120, "pil_kwargs": {"quality": 80, "comment": words.encode()}}
    with atomic_write(path) as temporary:
        if Path(path).suffix.lower() == ".png":
            figure.savefig(temporary, **drawing)
            _pack(temporary)
        else:
            figure.savefig(temporary, **photographs)


def _pack(path: Path) -> None:
    """Keeps a PNG of few colors with a palette of 256, in a third of the bytes."""
    with Image.open(path) as image:
        if image.getcolors(FEW_COLORS):
            words = PngInfo()
            for key, value in image.text.items():
                words.add_itxt(key, value)
            packed = image.convert("RGB").quantize(256)
            packed.save(path, "PNG", pnginfo=words, dpi=image.info["dpi"], optimize=True)


def description(image: Image.Image) -> str:
    """What a figure that `save` wrote shows, in words; nothing for another picture."""
    return image.info.get("Description") or image.info.get("comment", b"").decode()


def sheet(width: float, height: float, description: str) -> Figure:
    """An empty figure, in inches, that fits its contents and knows its description (its label)."""
    return Figure(figsize=(width, height), layout="constrained", label=description)


def bare(axes: Axes) -> Axes:
    """Takes ticks and frame away, for pictures."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def short(name: str, length: int = 24) -> str:
    """A name of at most `length` characters.

    Example:
        >>> short("a name that is much too long to stand under a picture")
        'a name that is much too…'
    """
    return name if len(name) <= length else name[: length - 1].rstrip() + "…"


# What a network learned


def kernels(kernels: np.ndarray, columns: int = 2) -> Figure:
    """Draws the kernels of a first layer as in the paper's figure 3, the columns (GPUs) apart.

    Each kernel is scaled by its own largest weight; a weight of zero is mid-grey.

    Args:
        kernels: Weights of shape `(height, width, channels, kernels)`, 1 or 3 channels.
        columns: Into how many columns the layer falls; the paper's are two of 48 kernels.

    Returns:
        A figure with one axes a column.

    Raises:
        ValueError: If the channels are not 1 or 3, or the kernels do not divide among the columns.

    Source: section 6.1, figure 3.
    """
    height, width, channels, count = kernels.shape
    if channels not in (1, 3):
        raise ValueError(f"Kernels are shown for 1 channel (grey) or 3 (RGB). Received: shape {kernels.shape}")
    if count % columns:
        raise ValueError(f"The kernels must divide among the columns. Received: {count} kernels, columns={columns}")
    mosaics = [_mosaic(part) for part in np.split(kernels, columns, axis=-1)]
    rows, across = mosaics[0].shape[0], mosaics[0].shape[1]
    description = f"First-layer kernels: {count} of {height} x {width} pixels in {columns} column"
    figure = sheet(8, max(1.0, 8 * rows / across) * columns, description + "s" * (columns > 1))
    figure.get_layout_engine().set(hspace=0.06)
    for n, (axes, mosaic) in enumerate(zip(figure.subplots(columns, squeeze=False)[:, 0], mosaics, strict=True), 1):
        bare(axes).imshow(mosaic, interpolation="nearest")
        axes.set_ylabel(f"column {n}" if columns > 1 else "", color=GREY)
    return figure


def _mosaic(kernels: np.ndarray) -> np.ndarray:
    """Tiles in rows of 16 with white gaps of one pixel, RGB on 0 to 1."""
    height, width, _, count = kernels.shape
    across = min(count, 16)
    rows = -(-count // across)
    largest = np.abs(kernels).max(axis=(0, 1, 2), keepdims=True)
    tiles = 0.5 + 0.5 * kernels / np.where(largest > 0, largest, 1)
    mosaic = np.ones((rows * (height + 1) - 1, across * (width + 1) - 1, 3))
    for n in range(count):
        top, left = n // across * (height + 1), n % across * (width + 1)
        mosaic[top : top + height, left : left + width] = tiles[..., n]
    return mosaic
