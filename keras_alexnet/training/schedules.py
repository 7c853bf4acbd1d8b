"""Learning rate schedules (paper section 5)."""


def divided_learning_rate(first, errors, patience, divisions=3):
    """The learning rate after epochs with the given validation errors: divided by ten when they stop improving.

    It depends on nothing but the record of the run, so a resumed run goes on where the first one was.

    Args:
        first: Learning rate of the first epoch.
        errors: Validation error of each finished epoch, oldest first.
        patience: Epochs without a new best before the rate is divided.
        divisions: Times it is divided at most; 3 in the paper.

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


def learning_rate(recipe, rows):
    """The learning rate of a run's next epoch: by its errors, or after the epochs that the recipe names.

    Args:
        recipe: A `Recipe`.
        rows: The run's record, one mapping an epoch with `val_top1_error`.

    Returns:
        A number.

    Source: section 5. The authors' own record names the epochs: they divided by hand.
    """
    if recipe.divide_after:
        return recipe.learning_rate / 10 ** sum(len(rows) >= epoch for epoch in recipe.divide_after)
    errors = [row["val_top1_error"] for row in rows]
    return divided_learning_rate(recipe.learning_rate, errors, recipe.patience, recipe.divisions)
