"""The settings of a training reach the network, the batches and the validation."""

import dataclasses

import keras
import numpy as np
import pytest
from small_pictures import save_splits

from keras_alexnet.data import datasets, pipeline
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.runs import Run
from keras_alexnet.training import hardware, trainer

RECIPE = Recipe(
    architecture="figure_1", crop_size=16, resize_size=18, batch_size=8, epochs=3, learning_rate=0.001, patience=1
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    counts = {"train": (9, 9, 8), "validation": (6, 6, 5), "test": (2, 2, 2)}
    return save_splits(tmp_path_factory.mktemp("pictures"), 18, **counts)


def fit(folder, run, recipe=RECIPE, **options):
    return trainer.fit(recipe, datasets.load(str(folder)), run, Options(dataset=str(folder), **options))


def test_epochs_are_validated_on_the_validation_split(tmp_path, monkeypatch):
    """And the mean is that of the training pictures."""
    folder = save_splits(tmp_path / "pictures", 18, train=(9, 1, 1), validation=(1, 5, 2), test=(1, 2, 7))
    recipe = Recipe(architecture="figure_1", crop_size=16, resize_size=18, batch_size=4, epochs=1)
    seen, data, run = [], datasets.load(str(folder)), Run.create(tmp_path / "run")

    def look(model, batches, validation_data, **rest):
        seen.extend(label for _, labels in validation_data.as_numpy_iterator() for label in labels)
        model.stop_training = True

    monkeypatch.setattr(keras.Model, "fit", look)
    trainer.fit(recipe, data, run, Options(dataset=str(folder)))
    assert np.bincount(seen).tolist() == [1, 5, 2]
    colors = [np.mean(picture, axis=(0, 1)) for picture, _ in pipeline.resize_pictures(data.splits["train"], 18)]
    with np.load(run.statistics) as statistics:
        np.testing.assert_allclose(statistics["mean_image"].mean(axis=(0, 1)), np.mean(colors, axis=0), rtol=1e-5)


def test_every_setting_of_a_recipe_reaches_the_network_and_its_optimizer(monkeypatch):
    """Each differs from its default, so that none can be left out."""
    monkeypatch.setitem(ARCHITECTURES, "paper", dataclasses.replace(ARCHITECTURES["paper"], hidden=(8, 4)))
    recipe = Recipe(
        crop_size=67,
        resize_size=76,
        mean="network",
        initial_weights="zero_biases",
        dropout=0.25,
        dropout_form="paper",
        learning_rate=0.02,
        momentum=0.8,
        weight_decay=0.003,
        no_weight_decay=("conv1",),
        decay_into="weights",
        bias_learning_rate_factor=3.0,
        head_learning_rate_factor=10.0,
        clip_norm=4.0,
    )
    model = trainer.compiled_model(recipe, classes=3)
    optimizer = model.optimizer
    assert float(optimizer.learning_rate) == pytest.approx(0.02)
    assert (optimizer.momentum, optimizer.weight_decay, optimizer.decay_into) == (0.8, 0.003, "weights")
    assert (optimizer.no_weight_decay, optimizer.global_clipnorm) == (("conv1",), 4.0)
    assert (optimizer.bias_learning_rate_factor, optimizer.learning_rate_factors) == (3.0, {"fc8": 10.0})
    drops = [layer for layer in model.layers if isinstance(layer, keras.layers.Dropout)]
    assert [(type(layer).__name__, layer.rate) for layer in drops] == [("PaperDropout", 0.25)] * 2
    assert not any(model.get_layer(name).get_weights()[1].any() for name in ("conv2", "conv4", "fc6"))
    assert model.layers[1].name == "preprocessing"


@pytest.fixture
def first_batches(monkeypatch):
    """Weights and batches of each training that begins, which ends at once."""
    seen = []

    def look(model, batches, **rest):
        images, labels = zip(*batches.as_numpy_iterator(), strict=True)
        seen.append([*model.get_weights(), np.concatenate(images), np.concatenate(labels)])
        model.stop_training = True

    monkeypatch.setattr(keras.Model, "fit", look)
    return seen


def test_the_seed_decides_the_initial_weights_and_the_batches(folder, tmp_path, first_batches):
    for number, seed in enumerate((5, 5, 6)):
        fit(folder, Run.create(tmp_path / f"run-{number}"), seed=seed)
    first, again, other = first_batches
    for one, two in zip(first, again, strict=True):
        np.testing.assert_array_equal(one, two)
    for place in (0, -2, -1):  # a kernel, the pictures and the labels
        assert (first[place] != other[place]).any()


def test_rare_classes_are_sampled_more_often_with_balancing(tmp_path, first_batches):
    """Of 12 and 4 pictures, in epochs of 16."""
    folder = save_splits(tmp_path / "pictures", 18, train=(12, 4), validation=(2, 2), test=(1, 1))
    for balance in ("none", "repeat"):
        recipe = dataclasses.replace(RECIPE, balance=balance, epochs=20)
        fit(folder, Run.create(tmp_path / balance), recipe)
    plain, balanced = (labels.mean() for *_, labels in first_batches)
    assert plain == 0.25
    assert balanced == pytest.approx(0.5, abs=0.05)


def test_a_resumed_run_keeps_its_precision(small_run, monkeypatch):
    """Also on a machine where another is faster."""
    monkeypatch.setattr(hardware, "fastest_precision", lambda: "mixed_bfloat16")
    assert trainer.set_seed_and_precision(Options()) == "mixed_bfloat16"
    assert trainer.set_seed_and_precision(trainer._with_precision_of(small_run, Options())) == "float32"
    assert (
        trainer.set_seed_and_precision(trainer._with_precision_of(Run(small_run.folder / "new"), Options()))
        == "mixed_bfloat16"
    )
