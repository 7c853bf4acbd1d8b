"""Figures of training and judging, from arrays: curves, kernels, confusions, colors.

Every function returns a matplotlib `Figure` whose label describes it in words, for those who cannot see it. Nothing is
told by hue alone: line styles, labels and lightness say the same, so the figures can be read in grey.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter
from PIL import Image

from keras_alexnet.files import written_aside

BLUE, ORANGE, GREY = "#0072B2", "#D55E00", "#6E6E6E"  # Okabe and Ito's: apart for the color-blind
FORMATS = (".png", ".jpg")
STYLES = ("-", "--", ":", "-.")


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
    with written_aside(path) as aside:
        figure.savefig(aside, **(drawing if Path(path).suffix.lower() == ".png" else photographs))


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


# Curves


def learning_curves(rows: Sequence[Mapping[str, float]]) -> Figure:
    """Draws loss and errors by epoch, and marks where the learning rate was divided.

    Args:
        rows: One mapping an epoch with `epoch`, `learning_rate`, `loss`, `top1_error`, `top5_error`, and the last three
            with `val_` in front; errors are shares, 0 to 1.

    Returns:
        A figure of two axes.

    Raises:
        ValueError: If there are no rows.

    Source: sections 5 and 6.
    """
    if not rows:
        raise ValueError(f"Learning curves need at least one epoch. Received: {rows}")
    log = {key: np.array([row[key] for row in rows], float) for key in rows[0]}
    best = int(np.argmin(np.nan_to_num(log["val_top1_error"], nan=np.inf)))
    result = f"{log['val_top1_error'][best]:.1%} at epoch {log['epoch'][best]:.0f}"
    plural = "s" * (len(rows) > 1)
    figure = sheet(9, 3.6, f"Learning curves: {len(rows)} epoch{plural}, lowest validation top-1 error {result}")
    loss, error = figure.subplots(1, 2)
    _curves(loss, log, {"loss": ("loss", BLUE)})
    _curves(error, log, {"top1_error": ("top-1", BLUE), "top5_error": ("top-5", ORANGE)})
    error.yaxis.set_major_formatter(PercentFormatter(1))
    error.plot(
        log["epoch"][best], log["val_top1_error"][best], "o", mfc="white", mec=BLUE, ms=7, label=f"best: {result}"
    )
    for axes, title in ((loss, "loss"), (error, "error")):
        _mark_rates(axes, log)
        axes.set(xlabel="epoch", ylabel=title, xlim=(log["epoch"][0] - 0.5, log["epoch"][-1] + 0.5))
        axes.set_ylim(0, 1.05 * axes.dataLim.ymax if axes.dataLim.ymax > 0 else 1)
        axes.legend(edgecolor="none", framealpha=0.9, fontsize="small")
    return figure


def _curves(axes: Axes, log: Mapping[str, np.ndarray], names: Mapping[str, tuple[str, str]]) -> None:
    """Training thin and dashed, validation thick."""
    marker = "." if len(log["epoch"]) < 10 else ""
    for key, (name, color) in names.items():
        axes.plot(log["epoch"], log[key], "--", color=color, lw=1.2, marker=marker, label=f"{name}, training")
        axes.plot(log["epoch"], log[f"val_{key}"], color=color, lw=2, marker=marker, label=f"{name}, validation")
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))


def _mark_rates(axes: Axes, log: Mapping[str, np.ndarray]) -> None:
    """The learning rate above the axes, and a line wherever it was divided."""
    rates = log["learning_rate"]
    steps, named = np.flatnonzero(rates[1:] < rates[:-1]) + 1, -np.inf
    for step in (0, *steps):
        start = log["epoch"][step] - 0.5
        if step:
            axes.axvline(start, color=GREY, lw=1, ls=":")
        if step - named > len(rates) / 6:  # or names would overlap
            axes.text(start, 1.01, f"rate {rates[step]:.3g}", transform=axes.get_xaxis_transform(), size=8, color=GREY)
            named = step


def epochs_to_reach(errors: Sequence[float], target: float) -> float | None:
    """After how many epochs an error first falls to a target, None if it never does.

    Args:
        errors: The error after each epoch, first to last.
        target: On the same scale; between two epochs a straight line is read off.

    Example:
        >>> epochs_to_reach([0.6, 0.4, 0.2], target=0.25)
        2.75
    """
    errors = np.asarray(errors, float)
    reached = np.flatnonzero(errors <= target)
    if not len(reached):
        return None
    last = int(reached[0])
    if last == 0:
        return 1.0
    return float(last + (errors[last - 1] - target) / (errors[last - 1] - errors[last]))


def nonlinearities(errors: Mapping[str, Sequence[float]], target: float = 0.25) -> Figure:
    """Draws the paper's figure 1: how much sooner one nonlinearity trains than another.

    Args:
        errors: Training error after each epoch, a share, by the name of the nonlinearity.
        target: The error at which epochs are compared.

    Returns:
        A figure of one axes; its description has the ratio of epochs.

    Raises:
        ValueError: If there are fewer than two curves.

    Source: section 3.1, figure 1.
    """
    if len(errors) < 2:
        raise ValueError(f"Give the errors of two nonlinearities or more. Received: {list(errors)}")
    reached = {name: epochs_to_reach(curve, target) for name, curve in errors.items()}
    said = ", ".join(f"{name} {'never' if n is None else f'after {n:.1f} epochs'}" for name, n in reached.items())
    figure = sheet(5, 3.8, f"Training error by nonlinearity: {target:.0%} is reached by {said}")
    axes = figure.subplots()
    for style, (name, curve) in zip(STYLES * len(errors), errors.items(), strict=False):
        axes.plot(np.arange(1, len(curve) + 1), curve, style, color="black", lw=1.6, label=name)
    axes.axhline(target, color=GREY, lw=0.8, ls=":")
    axes.text(1, target, f"{target:.0%}", transform=axes.get_yaxis_transform(), color=GREY, ha="right", va="bottom")
    _compare_epochs(axes, [epochs for epochs in reached.values() if epochs is not None], target)
    axes.set(xlabel="epoch", ylabel="training error", ylim=(0, None))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def _compare_epochs(axes: Axes, epochs: Sequence[float], target: float) -> None:
    axes.plot(epochs, [target] * len(epochs), "o", color="black", mfc="white", ms=6)
    if len(epochs) > 1:
        first, last = min(epochs), max(epochs)
        arrow = {"arrowstyle": "<->", "color": ORANGE, "shrinkA": 4, "shrinkB": 4}
        axes.annotate("", (first, target), (last, target), arrowprops=arrow)
        place = {"xy": ((first + last) / 2, target), "xytext": (0, -6), "textcoords": "offset points"}
        axes.annotate(f"{last / first:.1f} times the epochs", ha="center", va="top", **place)


# What a network learned, and where it errs


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
