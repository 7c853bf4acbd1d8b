"""The default recipe: the settings for different data, and training on small data sets."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from keras_alexnet.commands import _fit_settings, fit
from keras_alexnet.data import balancing, datasets
from keras_alexnet.recipes import RECIPES
from keras_alexnet.runs import Run
from keras_alexnet.training.defaults import (
    DataFacts,
    announce,
    fine_tuning_recipe,
    measure_facts,
    recipe_for,
    starts_from_drawn,
)
from keras_alexnet.weights.origin import Origin


def facts(pictures=1000, classes=10, shorter_side=256, is_gray=False):
    return DataFacts(pictures, classes, shorter_side, is_gray, pictures // classes, pictures // classes)


@pytest.fixture
def folder(tmp_path):
    """Two classes that differ in brightness, 12 and 24 gray pictures of 30 x 40 pixels."""
    random = np.random.default_rng(0)
    for (label, name), number in itertools.product(enumerate("ab"), range(24)):
        if number < 12 * (label + 1):
            path = tmp_path / "pictures" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(random.integers(0, 100, (30, 40), np.uint8) + np.uint8(120 * label)).save(path)
    return tmp_path / "pictures"


def test_facts_are_measured_on_the_training_pictures(folder):
    found = measure_facts(datasets.load(str(folder)))
    assert (found.classes, found.shorter_side, found.is_gray) == (2, 30, True)
    assert found.smallest_class < found.largest_class
    assert found.smallest_class + found.largest_class == found.pictures


def test_facts_of_pictures_that_differ(tmp_path):
    """The shorter side is the median, whichever side it is; one colored picture is enough for color."""
    random = np.random.default_rng(0)
    for name, shapes in (("a", [(90, 40), (50, 80), (300, 400)] * 2), ("b", [(70, 60), (60, 70), (60, 66)] * 2)):
        (tmp_path / name).mkdir()
        for number, shape in enumerate(shapes):
            gray = random.integers(0, 256, (*shape, 1), np.uint8).repeat(3, 2)
            pixels = gray if name == "a" else random.integers(0, 256, (*shape, 3), np.uint8)
            Image.fromarray(pixels).save(tmp_path / name / f"{number}.png")
    found = measure_facts(datasets.load(str(tmp_path)))
    assert (found.shorter_side, found.is_gray) == (60, False)


@pytest.mark.parametrize(
    ("given", "sizes"),
    [
        ({"shorter_side": 28}, (67, 76)),
        ({"shorter_side": 256}, (131, 148)),
        ({"shorter_side": 256, "pictures": 1_200_000, "classes": 1000}, (227, 256)),
        ({"shorter_side": 64, "pictures": 1_200_000, "classes": 1000}, (67, 76)),
    ],
)
def test_crops_fit_the_pictures_and_the_time(given, sizes):
    recipe = recipe_for(facts(**given))
    assert (recipe.crop_size, recipe.resize_size) == sizes


@pytest.mark.parametrize(("pictures", "epochs"), [(40, 300), (1020, 240), (6000, 99), (1_200_000, 40)])
def test_few_pictures_are_seen_more_often(pictures, epochs):
    assert recipe_for(facts(pictures)).epochs == epochs


def test_a_batch_is_never_larger_than_the_set():
    assert recipe_for(facts(pictures=20, classes=2)).batch_size == 20


def test_small_gray_pictures_are_not_mirrored():
    assert recipe_for(facts(shorter_side=28, is_gray=True)).augmentation == ("crop",)
    assert "mirror" in recipe_for(facts(shorter_side=28)).augmentation


@pytest.mark.parametrize(("shorter_side", "first"), [(64, "crop"), (65, "resized_crop")])
def test_parts_of_random_size_are_cropped_where_pictures_are_large_enough(shorter_side, first):
    recipe = recipe_for(facts(shorter_side=shorter_side), epochs=30)
    assert recipe.augmentation == (first, "mirror", "lighting")
    assert recipe.smallest_area == 0.25


@pytest.mark.parametrize(
    ("data", "epochs", "is_long"),
    [
        ({}, 33, True),  # of 31 steps
        ({}, 32, False),
        ({"shorter_side": 64}, 300, False),
        ({"pictures": 20_001}, 300, False),
    ],
)
def test_a_long_training_on_few_large_pictures_has_settings_of_its_own(data, epochs, is_long):
    recipe = recipe_for(facts(**data), epochs=epochs)
    assert (recipe.learning_rate, recipe.weight_decay, recipe.lighting_std) == (
        (0.0025, 0.005, 0.2) if is_long else (0.01, 0.0005, 0.1)
    )
    assert ("rotation" in recipe.augmentation) == is_long


def test_the_settings_follow_from_the_steps_of_some_of_the_pictures():
    assert recipe_for(facts(), steps_per_epoch=5, epochs=199).learning_rate == 0.01
    assert recipe_for(facts(), steps_per_epoch=5, epochs=200).learning_rate == 0.0025


def test_the_recipe_for_flowers_follows_from_the_rules():
    """But for vertical flips, which suit flowers seen from above, and a schedule from before the cosine."""
    chosen, named = recipe_for(facts(1020, 102)), RECIPES["flowers"]
    same = ("crop_size", "resize_size", "batch_size", "epochs", "learning_rate", "weight_decay", "lighting_std")
    assert [getattr(chosen, name) for name in same] == [getattr(named, name) for name in same]
    assert {*named.augmentation} - {*chosen.augmentation} == {"vertical_flip"}


def test_settings_of_the_user_take_precedence():
    recipe = recipe_for(facts(), crop_size=99, epochs=3, divide_after=(2,))
    assert (recipe.crop_size, recipe.epochs, recipe.schedule) == (99, 3, "divided")
    assert recipe.resize_size == 112


@pytest.mark.parametrize("given", [{"cut_from": 200}, {"smallest_area": 0.5}])
def test_settings_of_crops_of_random_size_keep_them_in_long_training(given):
    assert "rotation" in recipe_for(facts()).augmentation  # it is long
    recipe = recipe_for(facts(), **given)
    assert "resized_crop" in recipe.augmentation
    assert recipe.learning_rate == recipe_for(facts()).learning_rate


@pytest.mark.parametrize(
    ("given", "keep"),
    [({}, "last"), ({"stop_after": 5}, "best"), ({"patience": 5}, "best"), ({"stop_after": 5, "keep": "last"}, "last")],
)
def test_the_last_network_is_kept_where_the_schedule_ends_at_zero(given, keep):
    assert recipe_for(facts(), **given).keep == keep


def test_a_network_of_other_layers_keeps_its_initial_weights():
    assert recipe_for(facts(), architecture="figure_1").initial_weights is None
    assert recipe_for(facts(), architecture="source_conv6").initial_weights is None


def test_a_network_without_a_layer_also_starts_with_biases_of_zero():
    assert recipe_for(facts(), architecture="no_conv3").initial_weights == "zero_biases"


PUBLISHED = Origin(Path("bvlcalexnet-12.onnx"), "caffe", 227, 256)


def test_warm_up_is_a_fifth_of_a_short_training_but_never_missing():
    """40 pictures are one batch of 32 per epoch: 75 epochs of fine-tuning have 75 steps."""
    assert fine_tuning_recipe(facts(40, 5), PUBLISHED).warmup_steps == 15
    assert fine_tuning_recipe(facts(40, 5), PUBLISHED, epochs=20).warmup_steps == 5
    assert fine_tuning_recipe(facts(40, 5), PUBLISHED, epochs=20, warmup_steps=50).warmup_steps == 50
    assert fine_tuning_recipe(facts(16, 2), PUBLISHED, epochs=1).warmup_steps == 5
    assert recipe_for(facts(40, 5)).warmup_steps == 50  # 300 steps
    assert recipe_for(facts(50_000), steps_per_epoch=30, epochs=4).warmup_steps == 24


def test_fine_tuning_takes_the_settings_of_the_weights():
    recipe = fine_tuning_recipe(facts(1020, 102), PUBLISHED)
    assert (recipe.architecture, recipe.crop_size, recipe.resize_size) == ("caffe", 227, 256)
    assert (recipe.mean, recipe.initial_weights) == ("architecture", None)
    assert (recipe.learning_rate, recipe.head_learning_rate_factor, recipe.warmup_steps) == (0.001, 10.0, 50)
    assert recipe.schedule == "cosine"


@pytest.mark.parametrize(("pictures", "epochs"), [(40, 75), (1020, 60), (6000, 25), (1_200_000, 10)])
def test_fine_tuning_takes_a_quarter_of_the_epochs(pictures, epochs):
    assert fine_tuning_recipe(facts(pictures), PUBLISHED).epochs == epochs


def test_settings_of_the_user_take_precedence_over_the_weights():
    recipe = fine_tuning_recipe(facts(), PUBLISHED, crop_size=131, mean="color", learning_rate=0.01, epochs=3)
    assert (recipe.crop_size, recipe.resize_size, recipe.mean) == (131, 148, "color")
    assert (recipe.learning_rate, recipe.epochs) == (0.01, 3)


def test_fine_tuning_is_announced_in_three_lines():
    recipe = fine_tuning_recipe(facts(2000, 2), PUBLISHED)
    lines = announce(facts(2000, 2), recipe, speed=100, weights="bvlcalexnet-12.onnx").splitlines()
    assert len(lines) == 3
    assert "caffe with the weights of bvlcalexnet-12.onnx, crops of 227 pixels" in lines[1]
    assert lines[1].endswith("43 epochs (2,666 steps), learning rate 0.001 and 10 times that for the last layer.")


def test_named_recipes_have_not_changed():
    recipes = [recipe for name, recipe in RECIPES.items() if name != "drawn"]
    assert {recipe.schedule for recipe in recipes} == {"divided", "exponential"}
    assert {recipe.clip_norm for recipe in recipes} == {None}
    assert {recipe.head_learning_rate_factor for recipe in RECIPES.values()} == {1.0}


def test_three_lines_are_announced():
    lines = announce(facts(2000, 2), recipe_for(facts(2000, 2)), speed=100).splitlines()
    assert lines[0].startswith("2,000 training pictures of 2 classes, 1,000 per class")
    assert "crops of 131 pixels, batches of 32, 172 epochs" in lines[1]
    assert lines[2].startswith("The training steps will take about 57 min here, ")  # 172 x 62 x 32 pictures


def test_a_batch_of_all_pictures_is_announced():
    few = facts(20, 2)
    assert recipe_for(few).batch_size == 20
    assert "batches of 20 (all pictures), " in announce(few, recipe_for(few), speed=100)


def test_unbalanced_classes_are_reported(folder):
    found = measure_facts(datasets.load(str(folder)))
    assert (found.fewest, found.most) == ((("a", 10),), (("b", 20),))
    assert "Unbalanced" not in announce(found, recipe_for(found), speed=100)
    uneven = dataclasses.replace(
        found, fewest=(("rose", 9),), most=(("lily", 400),), smallest_class=9, largest_class=400
    )
    recipe = recipe_for(uneven, balance="none")
    line = announce(uneven, recipe, speed=100).splitlines()[1]
    assert line.startswith("Unbalanced classes, fewest training pictures: rose 9; most: lily 400 (")


def test_networks_with_the_paper_s_convolutions_start_from_drawn_pictures_except_for_large_sets():
    assert starts_from_drawn(1000, recipe_for(facts(1000)))
    assert starts_from_drawn(45_000, recipe_for(facts(45_000)))
    assert starts_from_drawn(1000, recipe_for(facts(1000), architecture="caffenet"))
    assert not starts_from_drawn(1000, recipe_for(facts(1000), architecture="half"))
    assert not starts_from_drawn(500_000, recipe_for(facts(500_000)))


@pytest.mark.parametrize(
    ("flags", "weights"), [([], "drawn"), (["--weights", "none"], None), (["--architecture", "half"], None)]
)
def test_the_start_from_drawn_pictures_is_announced_and_optional(flags, weights, folder, capsys):
    arguments = fit.build_parser().parse_args(["--dataset", str(folder), *flags])
    _, options = _fit_settings.new_run_settings(arguments)
    _, options = _fit_settings.fill_in_settings(None, options, datasets.load(str(folder)), arguments, None)
    assert options.weights == weights
    assert ("kernels trained on drawn pictures" in capsys.readouterr().out) == (weights == "drawn")


@pytest.mark.slow
def test_quick_is_planned_and_announced(folder, tmp_path, capsys):
    run = tmp_path / "run"
    flags = ["--quick", "--max-minutes", "0.5"]
    assert fit.main(["--dataset", str(folder), "--run", str(run), *flags]) == 0
    assert "Quick try: crops of 67 pixels and about 0.5 minutes" in capsys.readouterr().out
    assert Run.open(run).read_recipe().epochs < 300


@pytest.mark.slow
def test_a_folder_trains_without_another_flag_and_resumes(folder, tmp_path, capsys):
    """With one flag to shorten the test: fewer epochs."""
    run = tmp_path / "run"
    assert fit.main(["--dataset", str(folder), "--run", str(run), "--epochs", "2"]) == 0
    assert "training pictures of 2 classes" in capsys.readouterr().out
    recipe = Run.open(run).read_recipe()
    assert (recipe.schedule, recipe.initial_weights, recipe.epochs) == ("cosine", "zero_biases", 2)
    assert fit.main(["--resume", str(run)]) == 0


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_set_on_which_the_paper_s_recipe_fails_is_learned(folder, tmp_path, seed):
    run = tmp_path / "run"
    assert fit.main(["--dataset", str(folder), "--run", str(run), "--seed", str(seed), "--epochs", "60"]) == 0
    rows = Run.open(run).read_log()
    assert max(row["loss"] for row in rows) < 2 * np.log(2)
    assert rows[-1]["top1_error"] < 0.1


def test_settings_that_make_small_sets_learn():
    """Where they differ from the paper's, and the paper's where they do not."""
    recipe = recipe_for(facts(1020, 102), epochs=20)
    assert (recipe.initial_weights, recipe.schedule, recipe.warmup_steps) == ("zero_biases", "cosine", 50)
    assert (recipe.learning_rate, recipe.clip_norm, recipe.lighting) == (0.01, 5.0, "source")
    assert (recipe.momentum, recipe.weight_decay, recipe.dropout) == (0.9, 0.0005, 0.5)
    assert [recipe_for(facts(pictures)).batch_size for pictures in (1020, 100_000, 100_001)] == [32, 32, 128]


def test_classes_of_a_sample_are_scaled_to_the_whole_set(folder, monkeypatch):
    """Of 30 training pictures, 15 are counted."""
    monkeypatch.setattr(balancing, "COUNTED", 15)
    found = measure_facts(datasets.load(str(folder)))
    assert found.smallest_class + found.largest_class == pytest.approx(30, abs=1)
