"""Learning rate schedules (paper section 5)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from keras_alexnet.recipes import Recipe


def divided_learning_rate(first: float, errors: Sequence[float], patience: int, divisions: int = 3) -> float:
    """Return the learning rate after epochs with these validation errors: divided by ten when they stop improving.

    It depends on nothing but the log of the run, so a resumed run continues where it stopped.

    Args:
        first: Learning rate of the first epoch.
        errors: Validation error of each finished epoch, oldest first.
        patience: Number of epochs without a new best before the rate is divided.
        divisions: How often it is divided at most; 3 in the paper.

    Returns:
        The learning rate of the next epoch.

    Example:
        >>> divided_learning_rate(0.01, [0.9, 0.8, 0.8, 0.8], patience=2)
        0.001

    Source: section 5: "divide the learning rate by 10 when the validation error rate stopped improving", three times.
    """
    best, waited, divided = float("inf"), 0, 0
    for error in errors:
        best, waited = (error, 0) if error < best else (best, waited + 1)
        if waited == patience and divided < divisions:
            divided, waited = divided + 1, 0
    return first / 10**divided


def learning_rate(recipe: Recipe, rows: Sequence[Mapping[str, Any]]) -> float:
    """Return the learning rate of a run's next epoch: by its errors, or after the epochs that the recipe names.

    Args:
        recipe: The settings of the run.
        rows: The log of the run, one mapping per epoch with `recipe.error_name()`.

    Source: section 5. The authors' own log names the epochs: they divided by hand.
    """
    if recipe.schedule == "cosine":
        return recipe.learning_rate  # `step_factor` does the rest
    if recipe.divide_after:
        return recipe.learning_rate / 10 ** sum(len(rows) >= epoch for epoch in recipe.divide_after)
    errors = [row[recipe.error_name()] for row in rows]
    return divided_learning_rate(recipe.learning_rate, errors, recipe.patience, recipe.divisions)


def step_factor(recipe: Recipe, step: int, steps: int) -> float:
    """Return what the learning rate of an epoch is multiplied by at one step: warm-up and cosine decay.

    It depends on the number of the step alone, so a resumed run continues where it stopped.

    Args:
        recipe: The settings of the run.
        step: Number of the step, counted from 0 over all epochs.
        steps: Steps of all epochs together.

    Example:
        >>> recipe = Recipe(schedule="cosine", warmup_steps=10)
        >>> [round(step_factor(recipe, step, steps=100), 2) for step in (0, 9, 50, 99)]
        [0.1, 0.98, 0.5, 0.0]
    """
    warmup = min(1.0, (step + 1) / recipe.warmup_steps) if recipe.warmup_steps else 1.0
    return warmup * (0.5 * (1 + math.cos(math.pi * step / steps)) if recipe.schedule == "cosine" else 1.0)
