"""The loss and error of a network that has learned only the class frequencies, and when training counts as failed."""

from collections.abc import Mapping, Sequence

import numpy as np

EXPLODED = 10  # ours: a loss above this multiple of the loss of chance has diverged
# Ours: smallest loss of chance for this; with one rare class it is so low that single mistakes exceed it.
MIN_CHANCE_LOSS = 0.1
# Ours: nor has a loss below this multiple of ln(classes). That is the loss of a new network, and far above chance if
# most pictures are of one class.
EXPLODED_NEW = 1.5
AT_CHANCE = 0.99  # ours: above this fraction of the loss of chance, the network has learned nothing
STUCK_EPOCHS = 5  # ours: after fewer epochs, a loss at chance is normal


def chance_loss(counts: Sequence[float], label_smoothing: float = 0.0) -> float:
    """Return the loss of a network that predicts the class frequencies for every picture.

    Args:
        counts: Number of pictures of each class, as sampled for training.
        label_smoothing: Fraction of every label that is spread over all classes. Mixing pictures changes nothing, since
            it keeps the class frequencies.

    Returns:
        The entropy of the labels in nats, which is ln(classes) for balanced classes.

    Example:
        >>> round(chance_loss([100, 100]), 3), round(chance_loss([1000, 20]), 3)
        (0.693, 0.097)
    """
    shares = np.asarray(counts, float) / np.sum(counts)
    shares = (1 - label_smoothing) * shares + label_smoothing / len(shares)
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


def has_exploded(loss: float, chance: float, classes: int = 2) -> bool:
    """Return whether a loss, or NaN, is far above that of chance and of a new network.

    Args:
        loss: The loss.
        chance: The result of `chance_loss`.
        classes: Number of classes.

    Example:
        >>> has_exploded(6.0, chance=0.69), has_exploded(7.0, chance=0.69), has_exploded(float("nan"), chance=0.69)
        (False, True, True)
    """
    return not loss <= max(EXPLODED * max(chance, MIN_CHANCE_LOSS), EXPLODED_NEW * float(np.log(classes)))


def training_warning(
    log: Sequence[Mapping[str, float]], counts: Sequence[int], label_smoothing: float = 0.0
) -> str | None:
    """Return a sentence if training diverged or learned nothing, else None.

    Args:
        log: The rows of a run's log, with `loss`.
        counts: Number of training pictures of each class, up to a factor.
        label_smoothing: As for `chance_loss`.

    Example:
        >>> training_warning([{"loss": 2.9e22}], counts=[30, 30])
        'Training diverged: the last loss is 2.9e+22, and that of guessing is 0.69. Try a smaller learning rate.'
    """
    if not log or len(counts) < 2:
        return None
    loss, chance = log[-1]["loss"], chance_loss(counts, label_smoothing)
    if has_exploded(loss, chance, len(counts)):
        return (
            f"Training diverged: the last loss is {loss:.3g}, and that of guessing is {chance:.2f}. "
            "Try a smaller learning rate."
        )
    errors = [row.get("top1_error", chance_error(counts)) for row in log]
    # The error may improve before the loss does, and after a few epochs it is too early to say.
    if loss > AT_CHANCE * chance and len(log) >= STUCK_EPOCHS and min(errors) > 0.9 * chance_error(counts):
        return (
            f"The network learned nothing: the last loss is {loss:.3g}, and that of guessing is {chance:.2f}. "
            "Try more epochs or another learning rate."
        )
    return None
