"""A loss that is NaN, far above chance, or stays at chance."""

import contextlib
import math

import numpy as np
import pytest

from keras_alexnet.recipes import Recipe
from keras_alexnet.training import loss_checks
from keras_alexnet.training.loss_checks import TrainingFailed


def test_a_loss_far_above_chance_has_diverged_and_one_batch_tells_little():
    loss_checks.check_exploded(6.8, math.log(2), epoch=1, step=20)
    loss_checks.check_exploded(70.0, math.log(2), epoch=1, step=2)
    with pytest.raises(TrainingFailed, match=r"the loss was 70, and that of guessing is 0\.693"):
        loss_checks.check_exploded(70.0, math.log(2), epoch=1, step=20)
    with pytest.raises(TrainingFailed):
        loss_checks.check_exploded(70.0, math.log(2), epoch=1, step=None)


@pytest.mark.parametrize(
    ("losses", "steps", "all_steps", "is_stuck"),
    [
        ([2.3] * 5, 400, 8000, True),
        ([2.3] * 5, 400, 100_000, False),  # a long training has a quarter of its steps
        ([2.3] * 4, 1000, 100_000, False),  # too few epochs
        ([2.3] * 20, 50, 100_000, False),  # too few steps
        ([2.3] * 20, 5, 200, True),  # half of a short training
        ([2.3] * 8, 2, 16, False),  # too short to tell
        ([2.3] * 9 + [2.1], 1000, 100_000, False),  # it has left chance
        ([1.0] * 9 + [2.3] * 5, 1000, 20_000, True),  # it fell back to chance
        ([6.0, 5.0, 4.2, 3.5, 3.0, 2.8, 2.6, 2.5, 2.4, 2.35], 1, 20, False),  # it comes from above, and falls
        ([4.0] + [2.3] * 9, 1000, 20_000, True),  # it came from above, and stays
    ],
)
def test_a_loss_at_chance_for_long_is_stuck(losses, steps, all_steps, is_stuck):
    expected = pytest.raises(TrainingFailed, match="steps, and that of") if is_stuck else contextlib.nullcontext()
    with expected:
        loss_checks.check_stuck(losses, math.log(10), steps, all_steps)


def test_the_same_outputs_for_every_picture_are_dead_units():
    outputs = np.full((4, 2), 0.5)
    alive = outputs + np.outer([1e-4, 0, 0, 0], [1, -1])
    loss_checks.check_dead(alive, 0.693, math.log(2), epoch=1)
    loss_checks.check_dead(outputs, 0.5, math.log(2), epoch=1)  # the loss is below chance: dropout apart, it learns
    with pytest.raises(TrainingFailed, match="the same outputs for every picture") as failure:
        loss_checks.check_dead(outputs, 0.693, math.log(2), epoch=1)
    assert failure.value.is_stuck


@pytest.mark.parametrize("loss", [math.nan, math.inf])
def test_a_loss_that_is_nan_or_infinite(loss):
    loss_checks.check_finite(1e30, 3, 7, Recipe(), "runs/a")
    with pytest.raises(ValueError, match=r"`learning_rate`.*runs/a has.*Received: (nan|inf) at step 7 of epoch 3"):
        loss_checks.check_finite(loss, 3, 7, Recipe(), "runs/a")


def test_a_loss_at_chance_is_reported_once():
    said = [loss_checks.stuck_warning([4.62] * epochs, math.log(102)) for epochs in range(12)]
    assert [epochs for epochs, line in enumerate(said) if line] == [5]
    assert "--initial-weights text" in said[5]
    assert loss_checks.stuck_warning([4.62, 4.62, 4.62, 4.62, 4.5], math.log(102)) is None
