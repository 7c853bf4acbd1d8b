"""Diagrams: a network to scale, and the principal components of a training set's colors."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon

from keras_alexnet.plotting.figures import GRAY, ORANGE, bare, sheet
from keras_alexnet.text import plural

# The scale of the network; the unit is one pixel of a feature map.
INTO_THE_PAGE = np.array([0.45, 0.3])  # right and up per pixel of width
PER_CHANNEL = 0.12
GAP = 90  # between layers, and between towers
THICKNESS = 5  # of a fully connected layer, which has no pixels

ALPHAS = np.linspace(-3, 3, 13)  # steps along a color axis, in standard deviations


class Map(NamedTuple):
    """The output of a layer.

    Attributes:
        name: The layer's name.
        height: Pixels; 1 for a fully connected layer.
        width: Pixels; 1 for a fully connected layer.
        channels: Channels or units, over all towers.
        kernel: Kernel size of the layer; 0 for the image and for fully connected layers.
        groups: Groups of the layer; with 1, every tower reads all towers before it.
    """

    name: str
    height: int
    width: int
    channels: int
    kernel: int = 0
    groups: int = 1


class Box(NamedTuple):
    """The box of one tower of a map: its front lower left corner, length, height and width."""

    corner: np.ndarray
    length: float
    height: float
    width: float

    def points(self, *shares: tuple[float, float, float]) -> np.ndarray:
        """Return points of the box on the page, `(points, 2)`, from fractions of its length, height and width."""
        length, height, width = np.array(shares, float).T * [[self.length], [self.height], [self.width]]
        return self.corner + np.column_stack([length, height]) + np.outer(width, INTO_THE_PAGE)


def maps(model: Any) -> list[Map]:
    """Return the image and the output of each layer with weights, for `network`.

    Args:
        model: A Keras model with an input of known size.
    """
    result = [Map("image", *model.input_shape[1:])]
    for layer in model.layers:
        groups = getattr(layer, "groups", 1)
        if hasattr(layer, "kernel_size"):
            result.append(Map(layer.name, *layer.output.shape[1:], np.ravel(layer.kernel_size)[0], groups))
        elif hasattr(layer, "units"):
            result.append(Map(layer.name, 1, 1, layer.units, groups=groups))
    return result


def network(maps: Sequence[Map | tuple]) -> Figure:
    """Draw a network to scale as in the paper's figure 2, one tower above the other.

    Pixels and channels have different scales; both are shown. Lines are thick if a layer reads all towers.

    Args:
        maps: The image, then the output of each layer with weights, as `Map`s or plain tuples.

    Returns:
        A figure with one axes.

    Raises:
        ValueError: If there are fewer than two maps.

    Example:
        >>> maps = [("image", 224, 224, 3), ("conv1", 55, 55, 96, 11, 1), ("conv2", 27, 27, 256, 5, 2)]
        >>> network(maps).get_label()
        'Network to scale: image 224x224x3, conv1 55x55x96, conv2 27x27x256, in 2 towers'

    Source: section 3.5, figure 2.
    """
    if len(maps) < 2:
        raise ValueError(f"Expected the image and at least one layer. Received: {list(maps)}")
    maps = [Map(*entry) for entry in maps]
    towers = max(entry.groups for entry in maps)
    shapes = ", ".join(f"{m.name} {m.height}x{m.width}x{m.channels}" for m in maps)
    figure = sheet(11, 5.5, f"Network to scale: {shapes}, in {plural(towers, 'tower')}")
    axes = bare(figure.subplots())
    axes.set_aspect("equal")
    placed = _place(maps, towers)
    lowest = min(box.corner[1] for boxes in placed for box in boxes)
    for layer, (entry, boxes) in enumerate(zip(maps, placed, strict=True)):
        if layer:
            _connect(axes, placed[layer - 1], boxes, entry, layer)
        for box in boxes:
            _draw_box(axes, box, layer)
        _caption(axes, entry, boxes[0], lowest)
    _legend(axes, towers)
    left, right = axes.get_xlim()
    low, high = axes.get_ylim()
    figure.set_figheight(figure.get_figwidth() * (high - low) / (right - left))
    return figure


def _place(maps: Sequence[Map], towers: int) -> list[list[Box]]:
    """Return the boxes of each map from left to right. The image and the classes are centered, the rest is in
    towers."""
    extents = []
    for n, entry in enumerate(maps):
        parts = towers if 0 < n < len(maps) - 1 or entry.groups > 1 else 1
        depth = entry.channels / parts * PER_CHANNEL
        flat = entry.height == entry.width == 1
        extents.append((parts, (THICKNESS, depth, THICKNESS) if flat else (depth, entry.height, entry.width)))
    pitch = GAP + max(
        (height + INTO_THE_PAGE[1] * width for parts, (_, height, width) in extents if parts > 1), default=0
    )
    left, placed = 0.0, []
    for parts, (length, height, width) in extents:
        middles = pitch * (np.arange(parts) - (parts - 1) / 2)[::-1] - INTO_THE_PAGE[1] * width / 2
        placed.append([Box(np.array([left, middle - height / 2]), length, height, width) for middle in middles])
        left += length + INTO_THE_PAGE[0] * width + GAP
    return placed


def _draw_box(axes: Axes, box: Box, layer: int) -> None:
    front = box.points((0, 0, 0), (1, 0, 0), (1, 1, 0), (0, 1, 0))
    side = box.points((1, 0, 0), (1, 0, 1), (1, 1, 1), (1, 1, 0))
    top = box.points((0, 1, 0), (1, 1, 0), (1, 1, 1), (0, 1, 1))
    for face, color in ((front, "#DCE9F2"), (side, "#F4F8FB"), (top, "#B9D2E4")):
        axes.add_patch(Polygon(face, fc=color, ec="black", lw=0.7, zorder=2 * layer, joinstyle="round"))


def _connect(axes: Axes, before: Sequence[Box], after: Sequence[Box], entry: Map, layer: int) -> None:
    """Draw lines to each box from its inputs: from the corners of a kernel, or from the middle of a layer."""
    crossing = len(before) > 1 and entry.groups == 1
    style = {"color": ORANGE, "lw": 1.6} if crossing else {"color": GRAY, "lw": 0.8}
    for tower, box in enumerate(after):
        read = [before[tower]] if len(before) == len(after) and not crossing else before
        (end,) = box.points((0, 0.5, 0.5))
        for source in read:
            corners = _kernel(source, entry.kernel)
            if entry.kernel:
                axes.add_patch(Polygon(corners, fill=False, ec="black", lw=0.9, zorder=2 * layer - 1))
            for corner in corners:
                axes.plot(*np.transpose([corner, end]), zorder=2 * layer - 1, solid_capstyle="round", **style)


def _kernel(box: Box, side: int) -> np.ndarray:
    """Return the corners of a kernel on the side of a box, or the middle of that side without a kernel."""
    if not side:
        return box.points((1, 0.5, 0.5))
    high, wide = min(1, side / box.height) / 2, min(1, side / box.width) / 2
    corners = ((-high, -wide), (-high, wide), (high, wide), (high, -wide))
    return box.points(*((1, 0.5 + y, 0.5 + x) for y, x in corners))


def _caption(axes: Axes, entry: Map, box: Box, lowest: float) -> None:
    ((x, _),) = box.points((0.5, 0, 0.5))
    lines = [str(entry.channels)]
    if entry.height > 1 or entry.width > 1:
        lines = [f"{entry.height} x {entry.width}", f"x {entry.channels}"]
    if entry.kernel:
        lines.append(f"kernel {entry.kernel}")
    axes.text(x, lowest - 15, entry.name, size=9, weight="bold", ha="center", va="top")
    axes.text(x, lowest - 33, "\n".join(lines), size=8, ha="center", va="top", linespacing=1.3)


def _legend(axes: Axes, towers: int) -> None:
    """Draw the two scales at the upper left, and the legend of the lines."""
    axes.autoscale_view()
    low, top = axes.get_ylim()
    axes.plot([0, 0], [top - 100, top], "_-", color="black", lw=1, ms=6)
    axes.text(10, top - 50, "100 pixels", size=8, va="center")
    axes.plot([90, 90 + 500 * PER_CHANNEL], [top - 50] * 2, "|-", color="black", lw=1, ms=6)
    axes.text(100 + 500 * PER_CHANNEL, top - 50, "500 channels", size=8, va="center")
    axes.set_ylim(low - 60, top + 10)
    if towers > 1:
        lines = [Line2D([], [], color=GRAY, lw=0.8), Line2D([], [], color=ORANGE, lw=1.6)]
        texts = ["reads its own tower", "reads all towers"]
        axes.legend(lines, texts, frameon=False, fontsize=8, loc="upper center")


def color_axes(colors: np.ndarray, mean: np.ndarray, eigenvalues: np.ndarray, eigenvectors: np.ndarray) -> Figure:
    """Draw the colors of a training set with their principal axes, and the effect of a step along each axis.

    Args:
        colors: A sample of pixels, `(pixels, 3)`, RGB values 0 to 255.
        mean: Their mean color, `(3,)`.
        eigenvalues: Of their covariance, `(3,)`, in squared pixel values.
        eigenvectors: Shape `(3, 3)`, one per column.

    Returns:
        A figure with two axes: the color cube, and a strip of colors for each axis, largest first.

    Source: section 4.1.
    """
    order = np.argsort(-eigenvalues)
    stds = np.sqrt(eigenvalues[order])
    steps = stds[:, None] * eigenvectors[:, order].T
    steps *= np.sign(steps.sum(axis=1, keepdims=True)) + (steps.sum(axis=1, keepdims=True) == 0)
    words = ", ".join(f"{std:.1f}" for std in stds)
    figure = sheet(9, 4, f"Color axes: standard deviations of {words} pixel values")
    _color_cube(figure.add_subplot(1, 2, 1, projection="3d"), colors, mean, steps)
    strips = figure.add_subplot(1, 2, 2)
    shifted = mean + ALPHAS[None, :, None] * steps[:, None]
    strips.imshow(np.clip(shifted, 0, 255).astype(np.uint8), aspect="auto", extent=(-3.25, 3.25, 2.5, -0.5))
    strips.set_yticks(range(3), [f"axis {n}\nstd {std:.1f}" for n, std in enumerate(stds, 1)])
    strips.set(xlabel="distance from the mean color, in std", title="the mean color, moved along each axis")
    for edge in (0.5, 1.5):
        strips.axhline(edge, color="white", lw=6)
    strips.spines[:].set_visible(False)
    return figure


def _color_cube(axes: Axes, colors: np.ndarray, mean: np.ndarray, steps: np.ndarray) -> None:
    axes.scatter(*np.transpose(colors), c=np.clip(colors, 0, 255) / 255, s=4, alpha=0.8, linewidths=0)
    for n, step in enumerate(steps, 1):
        axes.plot(*np.transpose([mean - 1.5 * step, mean + 1.5 * step]), color="black", lw=2, zorder=10)
        axes.text(*(mean + 1.8 * step), str(n), size=11, weight="bold", zorder=11)
    axes.set(xlim=(0, 255), ylim=(0, 255), zlim=(0, 255), xlabel="red", ylabel="green", zlabel="blue")
    axes.set(xticks=(0, 255), yticks=(0, 255), zticks=(0, 255), title="colors, and axes of ±1.5 std")
