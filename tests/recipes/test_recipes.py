import dataclasses
import json
import pathlib

import numpy as np
import pytest

from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.recipes import RECIPES, Options, Recipe
from keras_alexnet.recipes.named import DEFAULT_RECIPES
from keras_alexnet.training.schedules import bias_factor, learning_rate


def test_text_recipe_has_the_numbers_of_section_5():
    recipe = RECIPES["text"]
    assert (recipe.batch_size, recipe.learning_rate, recipe.momentum, recipe.weight_decay) == (128, 0.01, 0.9, 0.0005)
    assert (recipe.epochs, recipe.divisions, recipe.dropout, recipe.lighting_std) == (90, 3, 0.5, 0.1)


def test_a_fraction_is_not_a_number_of_pictures():
    with pytest.raises(ValueError, match=r"`batch_size` must be an integer\. Received: 32\.5"):
        Recipe(batch_size=32.5)


def test_source_recipe_differs_from_the_text_as_the_authors_code_does():
    text, source = (dataclasses.asdict(RECIPES[name]) for name in ("text", "source"))
    assert {key for key in text if text[key] != source[key]} == {
        "architecture",
        "crop_size",
        "mean",
        "lighting",
        "lighting_until",
        "dropout_form",
        "epochs",
        "divide_after",
        "bias_learning_rate_factor",
        "bias_divide_after",
        "divide_layer_after",
        "freeze_layer_after",
    }


@pytest.mark.parametrize(
    ("name", "divided", "conv1", "frozen", "lighting", "stopped", "bias_rate"),
    [  # the notes in layer-params-145, -145-2010 and -145-half; the last division of the half network is inferred
        ("source", (25, 51, 79), 67, 72, 67, 91, 0.02),
        ("source_2010", (23, 51, 78), 68, 72, 68, 93, 0.002),
        ("source_half", (20, 48, 79), 66, 72, 66, 96, 0.02),
    ],
)
def test_recipes_of_the_authors_are_their_logs(name, divided, conv1, frozen, lighting, stopped, bias_rate):
    recipe = RECIPES[name]
    assert (recipe.divide_after, recipe.epochs, recipe.lighting_until) == (divided, stopped, lighting)
    assert recipe.divide_layer_after == (f"conv1:{conv1}",)
    assert recipe.freeze_layer_after == (f"conv1:{frozen}",)
    last = [{}] * (stopped - 1)
    assert learning_rate(recipe, last) == pytest.approx(0.00001)
    assert learning_rate(recipe, last) * bias_factor(recipe, last) == pytest.approx(bias_rate)


def test_a_recipe_of_version_0_1_0_keeps_its_settings():
    """`source` then had inverted dropout and divided the rate by the validation error."""
    old = {"architecture": "source", "size": 224, "side": 256, "mean": "image", "lighting": "source"}
    recipe = Recipe.from_dict(old | {"bias_learning_rate_factor": 2.0, "epochs": 90, "divide_after": [], "patience": 5})
    assert (recipe.divide_after, recipe.patience, recipe.epochs) == ((), 5, 90)
    assert (recipe.dropout_form, recipe.bias_divide_after, recipe.lighting_until) == ("inverted", None, None)
    assert (recipe.divide_layer_after, recipe.freeze_layer_after) == ((), ())
    assert Recipe.from_dict(json.loads(json.dumps(dataclasses.asdict(RECIPES["source"])))) == RECIPES["source"]


def test_the_four_layers_of_section_3_3_have_the_authors_settings():
    """layer-params-conv-local-11pct.cfg: epsW 0.001, epsB 0.002, wc 0.004 but 0 in conv1 and conv2."""
    plain, normalized = RECIPES["conv_local"], RECIPES["conv_local_norm"]
    assert dataclasses.replace(plain, architecture="conv_local_norm") == normalized
    assert (plain.learning_rate, plain.bias_learning_rate_factor * plain.learning_rate) == (0.001, 0.002)
    assert (plain.weight_decay, plain.no_weight_decay) == (0.004, ("conv1", "conv2"))
    norm = ARCHITECTURES["conv_local_norm"].norm
    assert (norm.window, norm.k, norm.alpha * norm.window, norm.beta) == (5, 1.0, pytest.approx(0.001), 0.75)


def test_figure_1_has_no_regularization():
    recipe = RECIPES["figure_1"]
    assert (recipe.augmentation, recipe.weight_decay, recipe.divisions) == ((), 0.0, 0)
    assert ARCHITECTURES["figure_1"].hidden == ()  # so no dropout either
    assert {RECIPES[name].architecture for name in ("figure_1", "figure_1_tanh")} <= set(ARCHITECTURES)


@pytest.mark.parametrize("name", RECIPES)
def test_recipes_have_known_architectures(name):
    architecture = ARCHITECTURES[RECIPES[name].architecture]
    assert RECIPES[name].crop_size >= architecture.smallest_size


def test_default_recipes_exist():
    assert set(DEFAULT_RECIPES.values()) <= set(RECIPES)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"augmentation": ("crop", "blur")}, "Received: blur"),
        ({"augmentation": ("resized_crop", "crop")}, "either crop or resized_crop. Received: both"),
        ({"augmentation": "crop"}, r"must be a tuple, such as \('crop',\). Received: 'crop'"),
        ({"divide_after": 30}, r"must be a tuple, such as \(30,\). Received: 30"),
        ({"dropout": "0.5"}, "`dropout` must be a finite number. Received: '0.5'"),
        ({"epochs": True}, "`epochs` must be an integer. Received: True"),
        ({"mean": "median"}, "Received: 'median'"),
        ({"lighting": "paper"}, "Received: 'paper'"),
        ({"decay_into": "loss"}, "Received: 'loss'"),
        ({"batch_size": 0}, "`batch_size` must be more than zero. Received: 0"),
        ({"smallest_area": 0.0}, "at most 1. Received: 0.0"),
        ({"cut_from": 300}, "cut_from=300, resize_size=256, augmentation=crop, mirror, lighting, mean='color'"),
        ({"cut_from": 200, "augmentation": ("resized_crop",)}, "at least `resize_size`.*cut_from=200"),
        ({"cut_from": 300, "augmentation": ("resized_crop",), "mean": "image"}, "a mean color.*mean='image'"),
        ({"crop_size": 300}, "resize_size=256, crop_size=300"),
        ({"dropout": 1.0}, "Received: 1.0"),
        ({"momentum": 3.0}, "`momentum` must be at least 0 and less than 1. Received: 3.0"),
        ({"lighting_std": -1.0}, "`lighting_std` must be at least zero. Received: -1.0"),
        ({"divisions": -5}, "Received: -5"),
        ({"divide_after": (0, 3)}, r"Received: \(0, 3\)"),
        ({"bias_divide_after": (-1,)}, r"`bias_divide_after` .* Received: \(-1,\)"),
        ({"bias_divide_after": (), "schedule": "cosine"}, "Received: 'cosine'"),
        ({"divide_layer_after": ("conv1",)}, "such as conv1:67. Received: 'conv1'"),
        ({"freeze_layer_after": ("conv1:0",)}, "Received: 'conv1:0'"),
        ({"freeze_layer_after": (":5",)}, "Received: ':5'"),
        ({"lighting_until": -1}, "`lighting_until` must be at least zero. Received: -1"),
        ({"stop_after": 0}, "`stop_after` must be at least 1. Received: 0"),
        ({"clip_norm": 0.0}, "`clip_norm` must be more than zero. Received: 0.0"),
        ({"learning_rate": float("nan")}, "`learning_rate` must be a finite number. Received: nan"),
        ({"learning_rate": float("inf")}, "`learning_rate` must be a finite number. Received: inf"),
        ({"architecture": 3}, "`architecture` must be text. Received: 3"),
        ({"initial_weights": {}}, "`initial_weights` must be text. Received: {}"),
        ({"augmentation": ("crop", 3)}, r"`augmentation` must be a tuple of texts\. Received: \('crop', 3\)"),
        ({"augmentation": [["crop"]]}, "`augmentation` must be a tuple of texts. Received"),
        ({"divide_after": ("20",)}, r"`divide_after` must be a tuple of integers\. Received: \('20',\)"),
        ({"divide_layer_after": (67,)}, "`divide_layer_after` must be a tuple of texts. Received"),
        ({"keep": None}, "`keep` must be best or last. Received: None"),
        ({"dropout_form": "halved"}, "Received: 'halved'"),
        ({"schedule": "exponential"}, "final_learning_rate=None, schedule='exponential'"),
        ({"final_learning_rate": 0.1}, "final_learning_rate=0.1, schedule='divided'"),
        ({"schedule": "exponential", "final_learning_rate": 0.0}, "more than zero. Received: 0.0"),
    ],
)
def test_invalid_settings_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        Recipe(**change)


@pytest.mark.parametrize(
    "change",
    [
        {"devices": 0},
        {"virtual_devices": -1},
        {"max_checkpoints": 0},
        {"precision": "float8"},
        {"strategy": "ring"},
        {"seed": -1},
        {"seed": 2**32},
        {"max_minutes": float("inf")},
        {"tensorboard_verbose": 4},
        {"dataset": ""},
        {"dataset": 3},
        {"weights": 3},
        {"deterministic": "no"},
        {"validation_share": float("nan")},
    ],
)
def test_invalid_options_are_refused(change):
    with pytest.raises(
        ValueError, match=f"Received: '?{'an empty text' if '' in change.values() else next(iter(change.values()))}"
    ):
        Options(**change)


@pytest.mark.parametrize(
    ("name", "lighting", "frozen"),
    [("source_155", 61, 74), ("source_156", 61, 72), ("source_157", 62, 73), ("source_158", 63, 77)],
)
def test_exponential_recipes_of_the_authors_are_their_logs(name, lighting, frozen):
    """The notes in layer-params-155 to -158."""
    recipe = RECIPES[name]
    assert (recipe.epochs, recipe.lighting_until, recipe.freeze_layer_after) == (90, lighting, (f"conv1:{frozen}",))
    assert (recipe.divide_after, recipe.bias_divide_after, recipe.divide_layer_after) == ((), None, ())


def test_the_four_layers_train_as_long_as_the_authors_did():
    """About 300 epochs and 150 more, then 10 each with a tenth and a hundredth of the rate."""
    recipe = RECIPES["conv_local"]
    assert (recipe.epochs, recipe.divide_after, recipe.mean) == (470, (450, 460), "image")
    assert (recipe.crop_size, recipe.resize_size, recipe.augmentation) == (24, 32, ("crop", "mirror"))


def test_kernels_in_the_package_come_from_four_epochs_of_drawn_pictures():
    recipe = RECIPES["drawn"]
    assert (recipe.epochs, recipe.batch_size, recipe.warmup_steps, recipe.clip_norm) == (4, 64, 50, 5.0)
    assert (recipe.schedule, recipe.initial_weights, recipe.dropout) == ("cosine", "zero_biases", 0.2)


def test_numpy_numbers_and_paths_are_stored_as_plain_values():
    recipe = Recipe(batch_size=np.int64(4), learning_rate=np.float32(0.5), divide_after=tuple(np.arange(30, 90, 30)))
    assert json.loads(json.dumps(dataclasses.asdict(recipe)))["divide_after"] == [30, 60]
    assert Options(dataset=pathlib.Path("pictures"), deterministic=np.bool_(True)) == Options(
        "pictures", deterministic=True
    )
