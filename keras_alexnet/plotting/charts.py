"""Charts: learning curves, nonlinearities, overfitting and ablations."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from keras_alexnet.plotting.figures import BLUE, GRAY, ORANGE, STYLES, sheet
from keras_alexnet.text import plural

LOG_ABOVE = 100  # ours: a loss above this means divergence
TARGET_ERROR = 0.25  # the training error at which figure 1 compares epochs


def learning_curves(rows: Sequence[Mapping[str, float]]) -> Figure:
    """Draw loss and errors by epoch, and mark where the learning rate was divided.

    The loss has a logarithmic axis if it exceeds `LOG_ABOVE`. The top-5 error is left out if it is always zero, as with
    five classes or fewer.

    Args:
        rows: One mapping for each epoch with `epoch`, `learning_rate`, `loss`, `top1_error` and `top5_error`; with
            validation, also `val_loss`, `val_top1_error` and `val_top5_error`. Errors are fractions from 0 to 1.

    Returns:
        A figure with two axes.

    Raises:
        ValueError: If there are no rows.

    Source: sections 5 and 6.
    """
    if not rows:
        raise ValueError(f"Expected the log of at least one epoch. Received: {rows}")
    log = {key: np.array([row[key] for row in rows], float) for key in rows[0]}
    description = f"Learning curves: {plural(len(rows), 'epoch')}"
    figure = sheet(9, 3.6, description)
    loss, error = figure.subplots(1, 2)
    _curves(loss, log, {"loss": ("loss", BLUE)})
    has_top5 = any(log[key].any() for key in log if key.endswith("top5_error"))
    _curves(error, log, {"top1_error": ("top-1", BLUE)} | ({"top5_error": ("top-5", ORANGE)} if has_top5 else {}))
    error.yaxis.set_major_formatter(PercentFormatter(1))
    if "val_top1_error" in log:
        figure.set_label(f"{description}, lowest validation top-1 error {_mark_best(error, log)}")
    for axes, title in ((loss, "loss"), (error, "error")):
        _mark_rates(axes, log)
        axes.set(
            xlabel="epoch", ylabel=title, xlim=(log["epoch"][0] - 0.5, log["epoch"][-1] + max(0.5, 0.01 * len(rows)))
        )
        if title == "loss" and axes.dataLim.ymax > LOG_ABOVE:
            axes.set_yscale("log")
        else:
            axes.set_ylim(0, 1.05 * axes.dataLim.ymax if axes.dataLim.ymax > 0 else 1)
        axes.legend(edgecolor="none", framealpha=0.9, fontsize="small")
    return figure


def _curves(axes: Axes, log: Mapping[str, np.ndarray], names: Mapping[str, tuple[str, str]]) -> None:
    """Draw training curves thin and dashed, validation curves thick."""
    marker = "." if len(log["epoch"]) < 10 else ""
    for key, (name, color) in names.items():
        axes.plot(log["epoch"], log[key], "--", color=color, lw=1.2, marker=marker, label=f"{name}, training")
        if f"val_{key}" in log:
            axes.plot(log["epoch"], log[f"val_{key}"], color=color, lw=2, marker=marker, label=f"{name}, validation")
    axes.spines[["top", "right"]].set_visible(False)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))


def _mark_best(axes: Axes, log: Mapping[str, np.ndarray]) -> str:
    """Mark the lowest validation error with a circle, and return it as text."""
    errors = log["val_top1_error"]
    best = int(np.argmin(np.nan_to_num(errors, nan=np.inf)))
    result = f"{errors[best]:.1%} at epoch {log['epoch'][best]:.0f}"
    axes.plot(log["epoch"][best], errors[best], "o", mfc="white", mec=BLUE, ms=7, label=f"lowest: {result}")
    return result


def _mark_rates(axes: Axes, log: Mapping[str, np.ndarray]) -> None:
    """Print the learning rate above the axes, and mark each division with a line and the divisor."""
    rates, free = log["learning_rate"], 0
    drops, first = np.flatnonzero(rates[1:] < rates[:-1]) + 1, rates.max()  # after warm-up
    tens = np.log10(first / np.maximum(rates[drops], np.finfo(float).tiny))
    tens = tens - np.log10([1, 3, 9, 27])[:, None]  # without the up to three recoveries, which divide by 3
    name = f"rate {first:.3g}"
    if not np.isclose(tens, np.rint(tens), atol=1e-4).any(axis=0).all():  # the rate decays in each step
        drops, name = (), f"{name}, decaying to {rates[-1]:.1g}"
    for step in (0, *drops):
        start = log["epoch"][step] - 0.5
        if step:
            axes.axvline(start, color=GRAY, lw=1, ls=":")
            name = f"/ {round(first / rates[step]):,}"
        if step >= free:  # otherwise labels would overlap
            axes.text(start, 1.01, name, transform=axes.get_xaxis_transform(), size=8, color=GRAY)
            free = step + len(name) * len(rates) / 60


def overfitting(logs: Mapping[str, Sequence[Sequence[Mapping[str, float]]]]) -> Figure:
    """Draw the gap between training and validation error for several ways of training.

    Args:
        logs: For each way of training, the logs of its seeds, each with rows as for `learning_curves`.

    Returns:
        A figure with one axes for each way of training and one pair of lines for each seed. Its description has the
        final errors, averaged over the seeds.

    Source: sections 4.1 and 4.2.
    """
    curves = {way: [_errors(log) for log in of_seeds] for way, of_seeds in logs.items()}
    ends = {way: np.mean([pair[:, -1] for pair in pairs], axis=0) for way, pairs in curves.items()}
    words = "; ".join(f"{way}: training {end[0]:.0%}, validation {end[1]:.0%}" for way, end in ends.items())
    figure = sheet(3.5 * len(logs), 3.2, f"Top-1 errors at the end, {words}")
    columns = figure.subplots(1, len(logs), sharey=True, squeeze=False)[0]
    for axes, (way, pairs) in zip(columns, curves.items(), strict=True):
        for n, (training, validation) in enumerate(pairs):
            epochs = np.arange(1, len(training) + 1)
            axes.plot(epochs, training, "--", color=BLUE, lw=1, label=None if n else "training")
            axes.plot(epochs, validation, color=BLUE, lw=1.6, label=None if n else "validation")
        axes.set(title=way, xlabel="epoch", ylim=(0, 1.02))
        axes.yaxis.set_major_formatter(PercentFormatter(1))
        axes.spines[["top", "right"]].set_visible(False)
    columns[0].set_ylabel("top-1 error")
    columns[0].legend(frameon=False, loc="lower left")
    return figure


def _errors(log: Sequence[Mapping[str, float]]) -> np.ndarray:
    """Return the top-1 errors `(2, epochs)`: training, validation."""
    return np.array([[row["top1_error"], row["val_top1_error"]] for row in log]).T


def epochs_to_reach(errors: Sequence[float], target: float) -> float | None:
    """Return the number of epochs until an error first reaches a target, None if it never does.

    Args:
        errors: The error after each epoch, first to last.
        target: The target, on the same scale. The error is interpolated linearly between epochs.

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


def nonlinearities(errors: Mapping[str, Sequence[float]]) -> Figure:
    """Draw the paper's figure 1: how much faster one nonlinearity trains than another.

    Args:
        errors: Training error after each epoch, a fraction, by nonlinearity.

    Returns:
        A figure with one axes. Its description has the number of epochs for each nonlinearity.

    Raises:
        ValueError: If there are fewer than two curves.

    Source: section 3.1, figure 1.
    """
    if len(errors) < 2:
        raise ValueError(f"Expected the errors of at least two nonlinearities. Received: {list(errors)}")
    reached = {name: epochs_to_reach(curve, TARGET_ERROR) for name, curve in errors.items()}
    words = ", ".join(f"{name} {'never' if n is None else f'after {n:.1f} epochs'}" for name, n in reached.items())
    figure = sheet(5, 3.8, f"Training error by nonlinearity: {TARGET_ERROR:.0%} is reached by {words}")
    axes = figure.subplots()
    for style, (name, curve) in zip(STYLES * len(errors), errors.items(), strict=False):
        axes.plot(np.arange(1, len(curve) + 1), curve, style, color="black", lw=1.6, label=name)
    axes.axhline(TARGET_ERROR, color=GRAY, lw=0.8, ls=":")
    axes.text(0.01, TARGET_ERROR, f"{TARGET_ERROR:.0%}", transform=axes.get_yaxis_transform(), color=GRAY, va="bottom")
    _compare_epochs(axes, [epochs for epochs in reached.values() if epochs is not None], TARGET_ERROR)
    axes.set(xlabel="epoch", ylabel="training error", ylim=(0, None))
    axes.yaxis.set_major_formatter(PercentFormatter(1))
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False)
    return figure


def _compare_epochs(axes: Axes, epochs: Sequence[float], target: float) -> None:
    """Mark where each curve reaches the target, and print the ratio of the slowest to the fastest."""
    axes.plot(epochs, [target] * len(epochs), "o", color="black", mfc="white", ms=6)
    if len(epochs) > 1:
        first, last = min(epochs), max(epochs)
        arrow = {"arrowstyle": "<->", "color": ORANGE, "shrinkA": 4, "shrinkB": 4}
        axes.annotate("", (first, target), (last, target), arrowprops=arrow)
        place = {"xy": ((first + last) / 2, target), "xytext": (0, -6), "textcoords": "offset points"}
        axes.annotate(f"{last / first:.1f} times the epochs", ha="center", va="top", **place)


def differences(measured: Mapping[str, tuple[float, tuple[float, float], float | None]]) -> Figure:
    """Draw the effect of changes on an error, each with its interval and the paper's number.

    Args:
        measured: For each change, the mean difference in points, its interval, and the paper's difference or None.

    Returns:
        A figure with one axes.

    Source: sections 3.2 to 4.2 and 7.
    """
    words = "; ".join(f"{name} {mean:+.1f}" for name, (mean, *_) in measured.items())
    figure = sheet(7, 1.3 + 0.32 * len(measured), f"Points of error that a change costs: {words}")
    axes = figure.subplots()
    axes.axvline(0, color=GRAY, lw=0.8, ls=":")
    for place, (mean, interval, paper) in enumerate(measured.values()):
        axes.plot(interval, [place, place], color="black", lw=1.6)
        axes.plot(mean, place, "o", color="black", ms=6, label="here, 95 % interval" if place == 0 else None)
        if paper is not None:
            axes.plot(paper, place - 0.28, "D", mfc="white", mec=ORANGE, ms=5)  # above, not to hide the interval
    axes.plot([], [], "D", mfc="white", mec=ORANGE, ms=5, ls="", label="the paper, on ImageNet")
    axes.set(yticks=range(len(measured)), yticklabels=list(measured), ylim=(len(measured) - 0.5, -0.5))
    axes.set_xlabel("points of error that the change costs")
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(frameon=False, fontsize="small", loc="lower left", bbox_to_anchor=(0, 1), ncols=2)
    return figure
