"""Find a learning rate: train a few steps with an increasing rate until the loss explodes (ours).

The idea is Smith's range test (arXiv 1506.01186), which proposes the rate with the steepest descent. AlexNet's loss
stays at chance for longer than such a test lasts, so it shows no descent. It does show the rate at which training
diverges; the proposal is a tenth of it.
"""

import dataclasses
import math
from collections.abc import Callable, Sequence

import numpy as np

from keras_alexnet.data import pipeline
from keras_alexnet.data.datasets import Dataset
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.training import trainer

STEPS = 100
LOWEST, HIGHEST = 1e-4, 10.0
MEASURED = 1000  # the mean is measured from at most this many pictures
SMOOTHING = 0.8  # weight of the previous mean loss in each step
BREAKDOWN = 1.5  # a mean loss above this multiple of the lowest one has diverged
SHARE = 0.1  # fraction of the rate at which training diverges


def rates() -> np.ndarray:
    """Return the learning rate of each step, a geometric series, `(STEPS,)`."""
    return np.geomspace(LOWEST, HIGHEST, STEPS)


def range_test(
    recipe: Recipe, data: Dataset, options: Options, report: Callable[[float, float], None] = lambda rate, loss: None
) -> list[float]:
    """Train from the initial weights and increase the rate at each step, until the loss is far above its lowest value.

    Args:
        recipe: The recipe. Its learning rate, warm-up and schedule are not used.
        data: A data set.
        options: Seed, precision and weights to start from.
        report: Called with the rate and the mean loss of every tenth step.

    Returns:
        The mean loss after each step, for the first of `rates()`.
    """
    trainer.set_seed_and_precision(options)
    pictures = data.splits["train"].take(STEPS * recipe.batch_size)
    resized = pipeline.resize_pictures(pictures.take(MEASURED), recipe.training_size)
    statistics = Statistics.measure(resized)
    steps = pipeline.steps_of_an_epoch(len(pictures), recipe.batch_size)
    epochs = range(-(-STEPS // steps))
    batches = pipeline.training_batches(
        pictures, statistics, recipe, options.seed, epochs, classes=len(data.class_names)
    )
    model = trainer.compiled_model(recipe, len(data.class_names), options.weights, options.head)
    losses, mean, weight = [], 0.0, 0.0
    for step, (rate, (images, labels)) in enumerate(zip(rates(), batches, strict=False), start=1):
        model.optimizer.learning_rate = rate
        model.reset_metrics()
        loss = float(model.train_on_batch(images, labels, return_dict=True)["loss"])
        mean, weight = SMOOTHING * mean + (1 - SMOOTHING) * loss, SMOOTHING * weight + 1 - SMOOTHING
        losses.append(mean / weight)
        if step % 10 == 0 or is_broken(losses):
            report(rate, losses[-1])
        if is_broken(losses):
            break
    return losses


def is_broken(losses: Sequence[float]) -> bool:
    """Return whether the last mean loss is NaN or far above the lowest."""
    return not losses[-1] < BREAKDOWN * max(min(losses), 1e-3) or not math.isfinite(losses[-1])


def proposal(losses: Sequence[float]) -> float | None:
    """Return a learning rate to try, None if training has not diverged.

    Args:
        losses: From `range_test`.

    Example:
        >>> steps = int(np.searchsorted(rates(), 0.1))
        >>> round(proposal([0.7] * steps + [7.0]), 4)
        0.0107
    """
    if not is_broken(losses):
        return None
    return float(SHARE * rates()[len(losses) - 1])


def find(recipe: Recipe, data: Dataset, options: Options, say: Callable[[str], None]) -> None:
    """Run the test and print the result and a rate to try.

    Args:
        recipe: The recipe.
        data: A data set.
        options: Seed, precision and weights to start from.
        say: Called with each line.
    """
    say(f"Trying learning rates from {LOWEST:g}, for up to {STEPS} steps:")
    losses = range_test(
        # repeated and mixed pictures make the loss jump
        dataclasses.replace(recipe, balance="none", mixup=0.0, cutmix=0.0),
        data,
        options,
        lambda rate, loss: say(f"learning rate {rate:.2g}: mean loss {loss:.3g}"),
    )
    rate = proposal(losses)
    if rate is None:
        say("Training did not diverge. Try --learning-rate 0.01, or a larger one if the loss falls slowly.")
    else:
        say(f"Training diverges at {rate / SHARE:.2g}. Try --learning-rate {rate:.2g}")
