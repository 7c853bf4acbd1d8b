"""The estimated speed of a machine, and the number of epochs for the time."""

import types

import keras
import pytest

from keras_alexnet.recipes import Recipe
from keras_alexnet.training import time_planning
from keras_alexnet.training.defaults import DataFacts, recipe_for
from keras_alexnet.training.time_planning import images_per_second, measure_speed, plan, shorten


def chosen(pictures):
    """The recipe for two classes of photographs."""
    return recipe_for(DataFacts(pictures, 2, 256, False, pictures // 2, pictures // 2))


def test_a_plan_fits_into_the_time():
    recipe = chosen(1000)
    epochs, steps = plan(recipe, 1000, seconds=600, images_per_second=40)
    assert steps is None
    assert epochs * 1000 / 40 < 600
    assert (epochs + 1) * 1000 / 40 > 0.75 * 600
    assert plan(recipe, 1000, seconds=1e6, images_per_second=40) == (recipe.epochs, None)


def test_an_epoch_of_a_single_step_takes_longer_than_the_step():
    """On two cores, 32 pictures of 131 pixels: 0.6 s for the step and 0.2 to 0.3 s for the rest of an epoch."""
    epochs, _ = plan(chosen(32), 32, seconds=60, images_per_second=32 / 0.6)
    assert 40 < epochs * (0.6 + 0.25) < 55


def test_a_short_plan_has_four_epochs_of_some_of_the_pictures():
    recipe = chosen(50_000)
    epochs, steps = plan(recipe, 50_000, seconds=120, images_per_second=40)
    assert epochs == 4
    assert 0.7 * 120 < 4 * steps * recipe.batch_size / 40 < 120


def test_given_steps_are_kept():
    recipe = Recipe(batch_size=32, epochs=100)
    epochs, steps = time_planning.plan(recipe, 50_000, seconds=600, images_per_second=50, steps=10)
    assert steps == 10
    taken = epochs * (10 * 32 / 50 + time_planning.EPOCH_SECONDS)
    assert 0.7 * 600 < taken < 600
    assert time_planning.plan(recipe, 50_000, seconds=1, images_per_second=50, steps=10) == (1, 10)
    assert time_planning.plan(recipe, 50_000, seconds=1e6, images_per_second=50, steps=10) == (100, 10)


@pytest.mark.parametrize(
    ("speed", "epochs"),
    [
        (1000, 243),  # 243,000 pictures in four minutes: all of them
        (100, 120),  # 120,000 pictures in twenty minutes
        (50, 81),  # a third of them, in 27 minutes
    ],
)
def test_a_slow_machine_trains_fewer_epochs_but_at_least_a_third(speed, epochs):
    assert shorten(chosen(1000), 1000, speed) == epochs


@pytest.mark.slow
def test_speed_is_measured_with_steps_of_the_network():
    recipe = Recipe(architecture="figure_1", crop_size=16, resize_size=18, batch_size=4)
    assert measure_speed(recipe, classes=2) > 0


def test_a_training_step_costs_three_forward_passes_but_for_the_gradient_of_the_picture(monkeypatch):
    """On a machine of a gigaflop per second. The multiply-adds of figure 1's network are counted by hand."""
    times = iter((0.0, 5 * 2 * 1024**3 / 1e9))
    monkeypatch.setattr(time_planning, "time", types.SimpleNamespace(perf_counter=lambda: next(times)))
    first = 32 * 32 * 5 * 5 * 3 * 32
    multiply_adds = first + 16 * 16 * 5 * 5 * 32 * 32 + 8 * 8 * 5 * 5 * 32 * 64 + 4 * 4 * 64 * 10
    speed = images_per_second(Recipe(architecture="figure_1", crop_size=32, resize_size=32), classes=10)
    assert speed == pytest.approx(time_planning.STEADY_SHARE * 1e9 / (2 * (3 * multiply_adds - first)))


def test_the_estimated_speed_is_that_of_the_precision(monkeypatch):
    monkeypatch.setattr(time_planning, "MIXED_GAIN", 1e6)
    recipe = Recipe(architecture="figure_1", crop_size=32, resize_size=32)
    slow = images_per_second(recipe, classes=10)
    keras.mixed_precision.set_global_policy("mixed_bfloat16")
    assert images_per_second(recipe, classes=10) > 1000 * slow
