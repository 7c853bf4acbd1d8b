"""The loss and error of a network that has learned only the class frequencies."""

from collections.abc import Sequence

import numpy as np

EXPLODED = 10  # ours: a loss above this multiple of the loss of chance has diverged
LEAST = 0.1  # ours: smallest loss of chance for this; with one rare class it is so low that single mistakes exceed it
AT_CHANCE = 0.99  # ours: above this fraction of the loss of chance, the network has learned nothing


def chance_loss(counts: Sequence[float]) -> float:
    """Return the loss of a network that predicts the class frequencies for every picture.

    Args:
        counts: Number of pictures of each class, as sampled for training.

    Returns:
        The entropy in nats, which is ln(classes) for balanced classes.

    Example:
        >>> round(chance_loss([100, 100]), 3), round(chance_loss([1000, 20]), 3)
        (0.693, 0.097)
    """
    shares = np.asarray(counts, float) / np.sum(counts)
    return float(-(shares[shares > 0] * np.log(shares[shares > 0])).sum())


def chance_error(counts: Sequence[float]) -> float:
    """Return the top-1 error of always predicting the most frequent class.

    Args:
        counts: As for `chance_loss`.

    Returns:
        A fraction from 0 to 1.

    Example:
        >>> chance_error([1, 1, 1, 1]), chance_error([3, 1])
        (0.75, 0.25)
    """
    return 1 - max(counts) / sum(counts)


def has_exploded(loss: float, chance: float) -> bool:
    """Return whether a loss, or NaN, is far above that of chance.

    Example:
        >>> has_exploded(6.0, chance=0.69), has_exploded(7.0, chance=0.69), has_exploded(float("nan"), chance=0.69)
        (False, True, True)
    """
    return not loss <= EXPLODED * max(chance, LEAST)
