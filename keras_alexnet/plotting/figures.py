"""Create, save and describe figures; and draw the kernels of a first layer.

Every function returns a matplotlib `Figure` whose label is its alternative text. Nothing depends on hue alone: line
styles, labels and lightness show the same, so figures can be read in grayscale.
"""

import warnings
from pathlib import Path

import numpy as np
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from keras_alexnet.files import atomic_write
from keras_alexnet.text import plural

BLUE, ORANGE, GRAY = "#0072B2", "#D55E00", "#6E6E6E"  # color-blind safe, by Okabe and Ito
FORMATS = (".png", ".jpg")
MORE_FONTS = (  # for names of classes in Chinese, Japanese and Korean
    *("Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans SC", "Source Han Sans SC"),
    *("Microsoft YaHei", "SimHei", "Yu Gothic", "Malgun Gothic"),  # Windows
    *("PingFang SC", "Hiragino Sans", "Apple SD Gothic Neo", "Arial Unicode MS"),  # macOS
)
FEW_COLORS = 4096  # ours: drawings have fewer, photographs more
STYLES = ("-", "--", ":", "-.")  # of lines


def check_path(path: str | Path) -> None:
    """Check that `save` can write to a path.

    Raises:
        ValueError: If the path ends in neither `.png` nor `.jpg`, or its folder is missing.
    """
    if Path(path).suffix.lower() not in FORMATS:
        raise ValueError(f"Expected a path that ends in .png or .jpg. Received: {path}")
    if not Path(path).absolute().parent.is_dir():
        raise ValueError(f"Expected a path in an existing folder. Received: {path}")


def save(figure: Figure, path: str | Path) -> None:
    """Write a figure with its description, atomically.

    Args:
        figure: A figure whose label describes it.
        path: A `.png` file, or a `.jpg` file for photographs, which is a tenth of the size.

    Raises:
        ValueError: If `check_path` rejects the path.
    """
    check_path(path)
    words = figure.get_label()
    _use_fonts_for_all_scripts(figure)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph .* missing")  # shown as boxes where no font has them
        _save(figure, path, words)


def _use_fonts_for_all_scripts(figure: Figure) -> None:
    """Let texts take characters that Matplotlib's own font lacks from the installed fonts of `MORE_FONTS`."""
    installed = set(font_manager.get_font_names())
    more = [name for name in MORE_FONTS if name in installed]
    for text in figure.findobj(Text):
        if not text.get_text().isascii():
            text.set_fontfamily([*text.get_fontfamily(), *more])


def _save(figure, path, words):
    drawing = {"dpi": 160, "metadata": {"Title": words.split(": ")[0], "Description": words, "Software": None}}
    photographs = {"dpi": 120, "pil_kwargs": {"quality": 80, "comment": words.encode()}}
    with atomic_write(path) as temporary:
        if Path(path).suffix.lower() == ".png":
            figure.savefig(temporary, **drawing)
            _pack(temporary)
        else:
            figure.savefig(temporary, **photographs)


def _pack(path: Path) -> None:
    """Rewrite a PNG with few colors with a palette of 256, which is a third of the size."""
    with Image.open(path) as image:
        if image.getcolors(FEW_COLORS):
            words = PngInfo()
            for key, value in image.text.items():
                words.add_itxt(key, value)
            packed = image.convert("RGB").quantize(256)
            packed.save(path, "PNG", pnginfo=words, dpi=image.info["dpi"], optimize=True)


def description(image: Image.Image) -> str:
    """Return the description of a figure written by `save`, an empty string for any other picture."""
    return image.info.get("Description") or image.info.get("comment", b"").decode()


def sheet(width: float, height: float, description: str) -> Figure:
    """Create an empty figure of this size in inches, with the description as its label."""
    return Figure(figsize=(width, height), layout="constrained", label=description)


def bare(axes: Axes) -> Axes:
    """Remove ticks and frame, for pictures."""
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)
    return axes


def short(name: str, length: int = 24) -> str:
    """Shorten a name to at most `length` characters.

    Example:
        >>> short("a name that is much too long to stand under a picture")
        'a name that is much too…'
    """
    return name if len(name) <= length else name[: length - 1].rstrip() + "…"


def kernels(kernels: np.ndarray, towers: int = 2) -> Figure:
    """Draw the kernels of a first layer as in the paper's figure 3, one tower (GPU) below the other.

    Each kernel is scaled by its own largest weight; a weight of zero is mid-gray.

    Args:
        kernels: Weights of shape `(height, width, channels, kernels)`, with 1 or 3 channels.
        towers: The number of towers; the paper has two of 48 kernels each.

    Returns:
        A figure with one axes for each tower.

    Raises:
        ValueError: If there are not 1 or 3 channels, or the number of kernels is not divisible by the number of towers.

    Source: section 6.1, figure 3.
    """
    height, width, channels, count = kernels.shape
    if channels not in (1, 3):
        raise ValueError(f"Expected kernels of 1 channel (gray) or 3 (RGB). Received: shape {kernels.shape}")
    if count % towers:
        raise ValueError(
            f"The number of kernels must be divisible by towers. Received: {count} kernels, towers={towers}"
        )
    largest = np.abs(kernels).max(axis=(0, 1, 2))
    description = f"First-layer kernels: {count} of {height} x {width} pixels in {plural(towers, 'tower')}"
    return _mosaics(0.5 + 0.5 * kernels / np.where(largest > 0, largest, 1), towers, description)


def responses(maps: np.ndarray, towers: int = 2) -> Figure:
    """Draw the maps of a first layer in the order in which `kernels` draws its kernels.

    All maps are scaled by the largest magnitude in any of them; zero is mid-gray, and negative values are darker.

    Args:
        maps: Outputs of the layer for one image, `(height, width, kernels)`.
        towers: The number of towers.

    Returns:
        A figure with one axes for each tower.

    Raises:
        ValueError: If the number of maps is not divisible by `towers`.
    """
    height, width, count = maps.shape
    if count % towers:
        raise ValueError(f"The number of maps must be divisible by towers. Received: {count} maps, towers={towers}")
    largest = np.abs(maps).max()
    description = f"First-layer responses: {count} maps of {height} x {width} places in {plural(towers, 'tower')}"
    tiles = 0.5 + 0.5 * maps[:, :, None] / (largest if largest > 0 else 1)  # (height, width, 1, kernels)
    return _mosaics(tiles, towers, description)


def _mosaics(tiles: np.ndarray, towers: int, description: str) -> Figure:
    """Draw tiles `(height, width, channels, count)` of values from 0 to 1, one tower below the other."""
    mosaics = [_mosaic(part) for part in np.split(tiles, towers, axis=-1)]
    rows, across = mosaics[0].shape[0], mosaics[0].shape[1]
    figure = sheet(8, max(1.0, 8 * rows / across) * towers, description)
    figure.get_layout_engine().set(hspace=0.06)
    for n, (axes, mosaic) in enumerate(zip(figure.subplots(towers, squeeze=False)[:, 0], mosaics, strict=True), 1):
        bare(axes).imshow(mosaic, interpolation="nearest")
        axes.set_ylabel(f"tower {n}" if towers > 1 else "", color=GRAY)
    return figure


def _mosaic(tiles: np.ndarray) -> np.ndarray:
    """Return the tiles in rows of 16 with white gaps of one pixel, RGB from 0 to 1."""
    height, width, _, count = tiles.shape
    across = min(count, 16)
    rows = -(-count // across)
    mosaic = np.ones((rows * (height + 1) - 1, across * (width + 1) - 1, 3))
    for n in range(count):
        top, left = n // across * (height + 1), n % across * (width + 1)
        mosaic[top : top + height, left : left + width] = tiles[..., n]
    return mosaic
