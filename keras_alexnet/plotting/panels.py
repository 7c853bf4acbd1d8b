"""Panels of pictures: predictions, nearest neighbors, confusion, augmented views and class maps.

Pictures are arrays `(height, width, 3)` of any size with RGB values 0 to 255; other values are clipped.
"""

import math
from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from keras_alexnet.plotting.figures import GRAY, bare, sheet, short
from keras_alexnet.text import plural

RIGHT, WRONG = "#EF9650", "#DDDDDD"  # bar colors; the correct class is also darker, with bold text
PER_ROW = 4


def predictions(
    images: Sequence[np.ndarray],
    probabilities: np.ndarray,
    class_names: Sequence[str],
    labels: Sequence[int | None] | None = None,
    top: int = 5,
    per_row: int = PER_ROW,
) -> Figure:
    """Draw pictures with their most probable classes as bars, as on the left of the paper's figure 4.

    Args:
        images: The pictures.
        probabilities: Shape `(pictures, classes)`.
        class_names: In the order of the columns of `probabilities`.
        labels: The correct class of each picture, None if unknown.
        top: Number of classes to show for each picture.
        per_row: Number of pictures side by side.

    Returns:
        A figure with two axes for each picture: the picture, and its bars.

    Raises:
        ValueError: If there are no pictures, or the numbers of pictures and rows differ.

    Source: section 6.1, figure 4.
    """
    if not len(images) or len(images) != len(probabilities):
        raise ValueError(
            "Expected at least one picture, and a row of probabilities for each. "
            f"Received: {len(images)} pictures, {len(probabilities)} rows"
        )
    labels = [None] * len(images) if labels is None else labels
    across = min(per_row, len(images))
    down = math.ceil(len(images) / across)
    best = np.argsort(-probabilities, axis=1, kind="stable")[:, :top]
    figure = sheet(2.2 * across, (2.2 + 0.22 * top) * down, _describe(best, class_names, labels))
    grid = figure.add_gridspec(2 * down, across, height_ratios=[2, 0.2 * best.shape[1]] * down)
    for n, image in enumerate(images):
        row, column = 2 * (n // across), n % across
        _show(figure.add_subplot(grid[row, column]), image, "" if labels[n] is None else class_names[labels[n]])
        _bars(figure.add_subplot(grid[row + 1, column]), probabilities[n], best[n], class_names, labels[n])
    return figure


def _describe(best: np.ndarray, class_names: Sequence[str], labels: Sequence[int | None]) -> str:
    guesses = best.shape[1]
    words = f"Predictions: pictures with {f'their {guesses} most probable classes' if guesses > 1 else 'their class'}"
    known = [n for n, label in enumerate(labels) if label is not None]
    if known:
        words += f"; {sum(int(best[n, 0] == labels[n]) for n in known)} of {len(known)} are right at the first guess"
    return f"{words}. First guesses: {', '.join(class_names[n] for n in best[:, 0])}"


def _show(axes: Axes, image: np.ndarray, name: str = "", **style) -> None:
    """Show a picture with a name below it."""
    bare(axes).imshow(np.clip(np.rint(image), 0, 255).astype(np.uint8))
    axes.set_xlabel(short(name), parse_math=False, **({"size": 9} | style))


def _bars(axes: Axes, probabilities: np.ndarray, best: np.ndarray, names: Sequence[str], label: int | None) -> None:
    for row, n in enumerate(best):
        right = n == label
        axes.barh(row, probabilities[n], 0.8, color=RIGHT if right else WRONG)
        style = {"va": "center", "size": 8, "weight": "bold" if right else "normal", "parse_math": False}
        axes.text(0.02, row, short(names[n], 22), **style)
        axes.text(1, row, f"{probabilities[n]:.0%}", ha="right", **style)
    bare(axes).set(xlim=(0, 1), ylim=(len(best) - 0.4, -0.6))


def neighbors(
    queries: Sequence[np.ndarray],
    found: Sequence[Sequence[np.ndarray]],
    query_labels: Sequence[int],
    found_labels: Sequence[Sequence[int]],
    class_names: Sequence[str],
) -> Figure:
    """Draw pictures with their nearest neighbors, as on the right of the paper's figure 4.

    Args:
        queries: The pictures whose neighbors are shown.
        found: The neighbors of each query, nearest first; the same number for all (the paper shows six).
        query_labels: Classes of the queries.
        found_labels: Classes of the neighbors.
        class_names: By class.

    Returns:
        A figure with a row of axes for each query: the query, then its neighbors. A cross marks another class.

    Source: section 6.1, figure 4.
    """
    count = len(found[0])
    hits = sum(int(n == label) for label, row in zip(query_labels, found_labels, strict=True) for n in row)
    description = f"Nearest neighbors: {plural(len(queries), 'picture')} and {count} neighbors of each"
    figure = sheet(1.35 * (count + 1), 1.6 * len(queries), f"{description}, {hits} of them of the same class")
    cells = figure.subplots(len(queries), count + 2, squeeze=False, width_ratios=[1, 0.08] + [1] * count)
    for row, query in enumerate(queries):
        cells[row, 1].set_axis_off()
        _show(cells[row, 0], query, short(class_names[query_labels[row]], 16), size=8, weight="bold")
        for axes, image, label in zip(cells[row, 2:], found[row], found_labels[row], strict=True):
            same = label == query_labels[row]
            name = short(class_names[label], 16)
            _show(axes, image, name if same else f"✗ {name}", size=8, color="black" if same else GRAY)
    cells[0, 0].set_title("picture", size=9)
    cells[0, 2].set_title("nearest neighbors", size=9, loc="left")
    return figure


def confusion(counts: np.ndarray, class_names: Sequence[str], most: int = 12) -> Figure:
    """Draw the confusion matrix of the most confused classes.

    Args:
        counts: Pictures by correct class (row) and predicted class (column), shape `(classes, classes)`.
        class_names: By class.
        most: Maximum number of classes to show; those with the most frequent confusions are chosen.

    Returns:
        A figure with one axes. Numbers are percent of the row's pictures over all classes.
    """
    chosen = _most_confused(counts, most)
    pictures = counts.sum(axis=1, keepdims=True)
    percents = 100 * (counts / np.where(pictures > 0, pictures, 1))[np.ix_(chosen, chosen)]
    names = [short(class_names[n]) for n in chosen]
    inches = max(4.5, 2.2 + 0.42 * len(chosen))
    figure = sheet(inches, inches, f"Confusion: {len(chosen)} of {len(counts)} classes, those most often confused")
    axes = figure.subplots()
    axes.imshow(percents, cmap="Greys", vmin=0, vmax=100)
    for (row, column), percent in np.ndenumerate(percents):
        if percent > 0:
            axes.text(
                column, row, f"{percent:.0f}", ha="center", va="center", color="white" if percent > 55 else "black"
            )
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor", parse_math=False)
    axes.set_yticks(range(len(names)), names, parse_math=False)
    axes.set(xlabel="predicted class (%)", ylabel="correct class")
    axes.tick_params(length=0)
    return figure


def _most_confused(counts: np.ndarray, most: int) -> list[int]:
    """Return the classes of the most frequent confusions, each next to its partner, or all classes if they fit."""
    if len(counts) <= most:
        return list(range(len(counts)))
    mistakes = np.tril(counts + counts.T, -1)
    chosen = {}
    for pair in np.argsort(-mistakes, axis=None, kind="stable"):
        partners = dict.fromkeys(np.unravel_index(pair, counts.shape))
        if len(chosen | partners) > most:
            break
        chosen |= partners
    return [int(n) for n in chosen]


def views(picture: np.ndarray, views: Sequence[np.ndarray]) -> Figure:
    """Draw a picture next to augmented views of it.

    Args:
        picture: The picture itself.
        views: Its augmented views, with the mean added back.

    Returns:
        A figure with the picture in the first axes and one view in each of the others.

    Source: section 4.1.
    """
    rows = math.ceil(math.sqrt(len(views)))
    figure = sheet(8, 4, f"Augmentation: one picture and {len(views)} views of it")
    grid = figure.add_gridspec(rows, 2 * rows)
    _show(figure.add_subplot(grid[:, :rows]), picture)
    for n, view in enumerate(views):
        _show(figure.add_subplot(grid[n // rows, rows + n % rows]), view)
    figure.get_layout_engine().set(wspace=0.02, hspace=0.02)
    return figure


def class_maps(pictures: Sequence[np.ndarray], maps: Sequence[np.ndarray], names: Sequence[str]) -> Figure:
    """Draw pictures, and below each the regions that support a class, with the rest darkened.

    Args:
        pictures: The pictures.
        maps: For each picture, `(height, width)` from 0 to 1, from a function of `features.class_mapper`.
        names: For each picture, the class.

    Returns:
        A figure with two axes for each picture.
    """
    figure = sheet(1.8 * len(pictures), 3.9, f"Class maps: the parts of pictures that speak for {', '.join(names)}")
    cells = figure.subplots(2, len(pictures), squeeze=False)
    for column, (picture, evidence, name) in enumerate(zip(pictures, maps, names, strict=True)):
        height, width = picture.shape[:2]
        light = Image.fromarray(np.float32(evidence)).resize((width, height), Image.Resampling.BILINEAR)
        _show(cells[0, column], picture)
        _show(cells[1, column], picture * (0.15 + 0.85 * np.asarray(light)[..., None]), name)
    return figure


def strongest_maps(maps: Mapping[str, np.ndarray], numbers: Mapping[str, Sequence[int]]) -> Figure:
    """Draw some maps of several layers, a row for each layer.

    Each map is scaled by its largest value.

    Args:
        maps: For each layer, by name, its maps for one image, `(height, width, channels)`.
        numbers: For each layer, the channels to draw, such as those of `features.strongest`.

    Returns:
        A figure with one axes for each map.
    """
    most = max(map(len, numbers.values()))
    words = "; ".join(f"{name}: {', '.join(map(str, numbers[name]))}" for name in maps)
    figure = sheet(1.1 * most, 1.45 * len(maps), f"Strongest maps: by layer, the maps with the largest mean. {words}")
    cells = figure.subplots(len(maps), most, squeeze=False)
    for row, (name, values) in zip(cells, maps.items(), strict=True):
        for axes in row[len(numbers[name]) :]:
            axes.set_axis_off()
        for axes, n in zip(row, numbers[name], strict=False):
            bare(axes).imshow(values[..., n], cmap="gray", interpolation="nearest")
            axes.set_xlabel(f"map {n}", size=8)
        row[0].set_title(f"{name}, {values.shape[0]} x {values.shape[1]} places", size=9, loc="left", parse_math=False)
    return figure
