import dataclasses

import pytest

from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.recipes import DEFAULT_RECIPES, RECIPES, Options, Recipe


def test_text_recipe_has_the_numbers_of_section_5():
    recipe = RECIPES["text"]
    assert (recipe.batch_size, recipe.learning_rate, recipe.momentum, recipe.weight_decay) == (128, 0.01, 0.9, 0.0005)
    assert (recipe.epochs, recipe.divisions, recipe.dropout, recipe.lighting_std) == (90, 3, 0.5, 0.1)


def test_source_recipe_differs_from_the_text_as_the_authors_code_does():
    text, source = (dataclasses.asdict(RECIPES[name]) for name in ("text", "source"))
    assert {key for key in text if text[key] != source[key]} == {
        "architecture",
        "crop_size",
        "mean",
        "lighting",
        "bias_learning_rate_factor",
    }


def test_figure_1_has_no_regularization():
    recipe = RECIPES["figure_1"]
    assert (recipe.augmentation, recipe.weight_decay, recipe.divisions) == ((), 0.0, 0)
    assert ARCHITECTURES["figure_1"].hidden == ()  # so no dropout either
    assert {RECIPES[name].architecture for name in ("figure_1", "figure_1_tanh")} <= set(ARCHITECTURES)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_are_of_networks_on_record(name):
    architecture = ARCHITECTURES[RECIPES[name].architecture]
    assert RECIPES[name].crop_size >= architecture.smallest_size


def test_default_recipes_exist():
    assert set(DEFAULT_RECIPES.values()) <= set(RECIPES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"augmentation": ("crop", "blur")}, "Received: blur"),
        ({"augmentation": ("resized_crop", "crop")}, "either crop or resized_crop. Received: both"),
        ({"mean": "median"}, "Received: 'median'"),
        ({"lighting": "paper"}, "Received: 'paper'"),
        ({"decay_into": "loss"}, "Received: 'loss'"),
        ({"batch_size": 0}, "`batch_size` must be more than zero. Received: 0"),
        ({"crop_size": 300}, "resize_size=256, crop_size=300"),
        ({"dropout": 1.0}, "Received: 1.0"),
        ({"momentum": 3.0}, "`momentum` must be at least 0 and less than 1. Received: 3.0"),
        ({"lighting_std": -1.0}, "`lighting_std` must be at least zero. Received: -1.0"),
        ({"divisions": -5}, "Received: -5"),
        ({"divide_after": (0, 3)}, r"Received: \(0, 3\)"),
    ],
)
def test_refuses_what_makes_no_sense(change, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**change)


@pytest.mark.parametrize("change", [{"devices": 0}, {"virtual_devices": -1}, {"precision": "float8"}])
def test_options_refuse_what_makes_no_sense(change):
    with pytest.raises(ValueError, match=f"Received: '?{next(iter(change.values()))}"):
        Options(**change)
