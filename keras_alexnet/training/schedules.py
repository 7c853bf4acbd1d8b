"""Learning rate schedules (paper section 5)."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from keras_alexnet.recipes import Recipe
from keras_alexnet.recipes.recipe import layers_and_epochs


def divided_learning_rate(first: float, errors: Sequence[float], patience: int, divisions: int = 3) -> float:
    """Return the learning rate after epochs with these validation errors: divided by ten when they stop improving.

    It depends only on the log of the run, so a resumed run continues where it stopped.

    Args:
        first: Learning rate of the first epoch.
        errors: Validation error of each finished epoch, oldest first.
        patience: Number of epochs without a new best error before the rate is divided.
        divisions: Maximum number of divisions; 3 in the paper.

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
    """Return the learning rate of a run's next epoch, from its errors or from the epochs listed in the recipe.

    Args:
        recipe: The settings of the run.
        rows: The log of the run, one mapping per epoch with `recipe.error_name()`.

    Source: section 5. The authors' own log lists the epochs: they divided the rate by hand.
    """
    if recipe.schedule != "divided" or not (recipe.divide_after or recipe.divisions):
        return recipe.learning_rate  # constant, or `step_factor` does the rest
    if recipe.divide_after:
        return recipe.learning_rate / 10 ** _passed(recipe.divide_after, len(rows))
    errors = [row[recipe.error_name()] for row in rows]
    return divided_learning_rate(recipe.learning_rate, errors, recipe.patience, recipe.divisions)


def _passed(epochs, finished):
    """Return how many of the epochs are finished."""
    return sum(finished >= epoch for epoch in epochs)


def bias_factor(recipe: Recipe, rows: Sequence[Mapping[str, Any]]) -> float:
    """Return the ratio of the learning rate of biases to that of the weights in a run's next epoch.

    Args:
        recipe: The settings of the run.
        rows: The log of the run, as for `learning_rate`.

    Example:
        >>> recipe = Recipe(bias_learning_rate_factor=2.0, divide_after=(1, 3), bias_divide_after=(3,))
        >>> [round(bias_factor(recipe, [{}] * finished)) for finished in range(4)]
        [2, 20, 20, 20]

    Source: the authors' own logs, where the learning rate of biases is divided later than that of the weights or never.
    """
    if recipe.bias_divide_after is None:
        return recipe.bias_learning_rate_factor
    own = recipe.learning_rate / 10 ** _passed(recipe.bias_divide_after, len(rows))
    return recipe.bias_learning_rate_factor * own / learning_rate(recipe, rows)


def layer_factors(recipe: Recipe, finished: int, head: str = "fc8") -> dict[str, float]:
    """Return the learning rate factors of single layers in a run's next epoch, by layer name.

    Args:
        recipe: The settings of the run.
        finished: Number of finished epochs.
        head: Name of the last layer, for `head_learning_rate_factor`.

    Returns:
        A factor for each layer whose rate differs from that of the others; 0 for a frozen layer.

    Example:
        >>> recipe = Recipe(divide_layer_after=("conv1:67",), freeze_layer_after=("conv1:72",))
        >>> [layer_factors(recipe, finished) for finished in (66, 67, 72)]
        [{}, {'conv1': 0.1}, {'conv1': 0.0}]

    Source: the authors' own logs, where conv1 stops learning before the other layers.
    """
    factors = {head: recipe.head_learning_rate_factor} if recipe.head_learning_rate_factor != 1 else {}
    for layer, epoch in layers_and_epochs(recipe.divide_layer_after):
        if finished >= epoch:
            factors[layer] = factors.get(layer, 1.0) / 10
    return factors | {layer: 0.0 for layer, epoch in layers_and_epochs(recipe.freeze_layer_after) if finished >= epoch}


def check_layers(recipe: Recipe, known: Sequence[str]) -> None:
    """Check that the network has the layers that the recipe treats differently.

    Args:
        recipe: The settings of a run.
        known: Names of the network's layers with weights.

    Raises:
        ValueError: If a layer is missing.
    """
    for layer in recipe.no_weight_decay:
        if layer not in known:
            raise ValueError(f"`no_weight_decay` must name layers of {', '.join(known)}. Received: {layer}")
    for setting in ("divide_layer_after", "freeze_layer_after"):
        for layer, epoch in layers_and_epochs(getattr(recipe, setting)):
            if layer not in known:
                raise ValueError(f"`{setting}` must name layers of {', '.join(known)}. Received: {layer}:{epoch}")


def step_factor(recipe: Recipe, step: int, steps: int) -> float:
    """Return the factor of an epoch's learning rate at one step: warm-up, cosine and exponential decay.

    It depends only on the number of the step, so a resumed run continues where it stopped.

    Args:
        recipe: The settings of the run.
        step: Number of the step, counted from 0 over all epochs.
        steps: Number of steps of all epochs.

    Example:
        >>> recipe = Recipe(schedule="cosine", warmup_steps=10)
        >>> [round(step_factor(recipe, step, steps=100), 2) for step in (0, 9, 50, 99)]
        [0.1, 0.98, 0.5, 0.0]
        >>> recipe = Recipe(schedule="exponential", learning_rate=0.02, final_learning_rate=0.0002)
        >>> [round(0.02 * step_factor(recipe, step, steps=100), 6) for step in (0, 50, 100)]
        [0.02, 0.002, 0.0002]

    Source: the authors' runs 155 to 158 for the exponential schedule.
    """
    warmup = min(1.0, (step + 1) / recipe.warmup_steps) if recipe.warmup_steps else 1.0
    match recipe.schedule:
        case "cosine":
            return warmup * 0.5 * (1 + math.cos(math.pi * step / steps))
        case "exponential":
            return warmup * (recipe.final_learning_rate / recipe.learning_rate) ** (step / steps)
        case _:
            return warmup
