"""Learning rates within an epoch."""

import pytest

from keras_alexnet.recipes import Recipe
from keras_alexnet.training.schedules import step_factor


@pytest.mark.parametrize(
    ("schedule", "last"),
    [({"schedule": "cosine"}, 0.5), ({"schedule": "exponential", "final_learning_rate": 1e-4}, 0.1)],
)
def test_every_schedule_warms_up(schedule, last):
    """To half of the rate after five of ten steps; in the middle of all steps it is over."""
    recipe = Recipe(learning_rate=0.01, warmup_steps=10, **schedule)
    assert step_factor(recipe, 4, 100_000) == pytest.approx(0.5, rel=1e-3)
    assert step_factor(recipe, 50_000, 100_000) == pytest.approx(last)
