"""Settings chosen for a data set, the weights, and the speed of the machine."""

import keras
import pytest
from small_pictures import save_picture

from keras_alexnet.data import datasets
from keras_alexnet.recipes import Options
from keras_alexnet.training import time_planning
from keras_alexnet.training.choosing import choose


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """Twenty pictures of two classes, of which sixteen are for training."""
    folder = tmp_path_factory.mktemp("pictures")
    for seed in range(20):
        save_picture(folder / "ab"[seed % 2] / f"{seed}.png", seed, (80, 90))
    return datasets.load(str(folder))


@pytest.fixture
def slow_machine(monkeypatch):
    monkeypatch.setattr(time_planning, "images_per_second", lambda *_: 1.0)
    monkeypatch.setattr(time_planning, "measure_speed", lambda *_: 100.0)


def test_settings_follow_from_the_data_alone(data):
    recipe, options, announcement = choose(data, Options())
    assert (recipe.crop_size, recipe.batch_size, recipe.keep, options.weights) == (131, 16, "last", "drawn")
    assert "16 training pictures of 2 classes, 8 per class" in announcement


def test_the_precision_of_the_program_stays(data):
    before = keras.config.dtype_policy()
    choose(data, Options(precision="mixed_bfloat16"))
    assert keras.config.dtype_policy() == before


@pytest.mark.parametrize(
    ("given", "keep_start", "weights"),
    [({}, False, "drawn"), ({}, True, None), ({"architecture": "half"}, False, None)],
)
def test_the_start_from_drawn_pictures_is_optional(data, given, keep_start, weights):
    _, options, announcement = choose(data, Options(), given, keep_start=keep_start)
    assert options.weights == weights
    assert ("kernels trained on drawn pictures" in announcement) == (weights == "drawn")


@pytest.mark.parametrize(("given", "epochs"), [({}, 100), ({"epochs": 300}, 300)])
def test_fewer_epochs_on_a_slow_machine_are_announced_and_optional(data, slow_machine, given, epochs):
    recipe, _, announcement = choose(data, Options(), given)
    assert recipe.epochs == epochs
    assert ("was reduced from 300 to limit" in announcement) == (not given)


def test_several_replicas_train_longer_in_the_same_time(data, slow_machine):
    epochs = [
        choose(data, Options(virtual_devices=v), replicas=n).recipe.epochs for v, n in ((None, 1), (None, 2), (2, 2))
    ]
    assert epochs == [100, 150, 100]  # of 300: at least a third, or what takes 20 minutes


@pytest.mark.parametrize(("replicas", "given", "size"), [(3, {}, 15), (2, {}, 16), (3, {"batch_size": 8}, 8)])
def test_a_chosen_batch_can_be_divided_among_the_replicas(data, replicas, given, size):
    """16 pictures are one batch on one device."""
    assert choose(data, Options(), given, replicas=replicas).recipe.batch_size == size


@pytest.mark.parametrize(("given", "sizes"), [({}, (67, 76)), ({"crop_size": 99}, (99, 112))])
def test_a_quick_try_can_have_another_size(data, slow_machine, given, sizes):
    recipe, _, announcement = choose(data, Options(quick=True, max_minutes=2), given)
    assert (recipe.crop_size, recipe.resize_size) == sizes
    assert f"Quick try: crops of {sizes[0]} pixels and about 2 minutes" in announcement


def test_a_time_limit_is_in_minutes(data, slow_machine):
    """16 pictures at 100 per second, and 0.3 s besides, in each epoch."""
    recipe = choose(data, Options(max_minutes=1)).recipe
    assert 40 < recipe.epochs * (16 / 100 + 0.3) < 60


def test_a_quick_try_takes_two_minutes(data, slow_machine):
    recipe, options, announcement = choose(data, Options(quick=True))
    assert (recipe.crop_size, options.max_minutes) == (67, 2)
    assert "about 2 minutes of training" in announcement


@pytest.mark.parametrize(("given", "recovers"), [({}, True), ({"learning_rate": 0.01}, False)])
def test_training_recovers_unless_its_rate_is_given(data, given, recovers):
    assert choose(data, Options(), given).options.recover is recovers
    assert choose(data, Options(recover=not recovers), given).options.recover is not recovers


def test_weights_determine_the_settings(data, small_run):
    recipe = choose(data, Options(weights=str(small_run.folder))).recipe
    assert recipe.crop_size == small_run.read_recipe().crop_size
    assert recipe.head_learning_rate_factor == 10


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"data": "pictures"}, "`data` must be a Dataset"),
        ({"options": None}, "`options` must be Options"),
        ({"given": 3}, "`given` must be a mapping"),
        ({"given": {"learning_rat": 0.1}}, r"Did you mean learning_rate, .*Received: 'learning_rat'"),
        ({"given": {"batch_size": 17}}, "larger than the training set: .*Received: batch size 17, 16 pictures"),
        ({"given": {"rotation": 5.0}}, "`rotation` needs the augmentation rotation: add `augmentation` .* rotation"),
        ({"replicas": 0}, "`replicas` must be an integer of at least 1"),
    ],
)
def test_arguments_are_checked(data, changed, words):
    with pytest.raises((TypeError, ValueError), match=words):
        choose(**{"data": data, "options": Options()} | changed)
