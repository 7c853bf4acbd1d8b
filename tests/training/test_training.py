"""A complete run on toy pictures: its files, resuming, and several devices."""

import csv
import dataclasses
import itertools
import json
import math
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image
from small_pictures import save_splits

import keras_alexnet
from keras_alexnet.data import datasets
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.evaluation import evaluate
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.recipes import RECIPES, Options, Recipe
from keras_alexnet.runs import Run
from keras_alexnet.training import checkpoints, trainer
from keras_alexnet.training.strategies import Strategy

SIZE, SIDE = 16, 18
RECIPE = Recipe(  # the smallest network on record
    architecture="figure_1", crop_size=SIZE, resize_size=SIDE, batch_size=8, epochs=3, learning_rate=0.001, patience=1
)
FIT = Path(__file__).parents[2] / "scripts" / "fit.py"


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """Three classes of tiny pictures that differ in color; 17 for validation: two batches of 8 and one picture."""
    counts = {"train": (9, 9, 8), "validation": (6, 6, 5), "test": (2, 2, 2)}
    return save_splits(tmp_path_factory.mktemp("pictures"), SIDE, **counts)


def fit(folder, run, recipe=RECIPE, **options):
    return trainer.fit(recipe, datasets.load(str(folder)), run, Options(dataset=str(folder), **options))


@pytest.fixture(scope="session")
def finished(folder, tmp_path_factory):
    run = Run.create(tmp_path_factory.mktemp("runs") / "run")
    return run, fit(folder, run)


def test_run_folder_is_complete(finished):
    run, results = finished
    names = {path.relative_to(run.folder).as_posix() for path in run.folder.rglob("*") if path.is_file()}
    assert {
        "recipe.json",
        "classes.txt",
        "statistics.npz",
        "log.csv",
        "best.keras",
        "last/epoch-00003.keras",
        "results.json",
    } <= names
    assert any(name.startswith("tensorboard/train/") for name in names)
    assert not any(Path(name).name.startswith(".") for name in names)  # nothing half written
    assert json.loads((run.folder / "results.json").read_text()) == json.loads(json.dumps(results))
    assert run.read_recipe() == RECIPE
    assert run.read_json("recipe.json")["precision"] in ("float32", "mixed_bfloat16")  # what "auto" became
    assert run.read_classes() == ("a", "b", "c")
    assert keras.config.dtype_policy().name == "float32"  # of other networks


def test_names_instead_of_objects_are_refused(folder, tmp_path):
    data, run, options = datasets.load(str(folder)), Run.create(tmp_path / "run"), Options(dataset=str(folder))
    for arguments, received in (
        (("flowers", data, run), "recipe='flowers'"),
        ((RECIPE, "pictures", run), "data='pictures'"),
        ((RECIPE, data, "run"), "run='run'"),
    ):
        with pytest.raises(TypeError, match=rf"such as .*Received: {received}$"):
            trainer.fit(*arguments, options)
    with pytest.raises(TypeError, match=r"`options` must be an Options, .*Received: options={'seed': 1}"):
        trainer.fit(RECIPE, data, run, {"seed": 1})
    with pytest.raises(TypeError, match=r"`strategy` must be a Strategy, .*Received: strategy='mirrored'"):
        trainer.fit(RECIPE, data, run, options, "mirrored")
    with pytest.raises(TypeError, match=r"`recipe` must be a Recipe, .*Received: recipe='flowers'"):
        trainer.compiled_model("flowers", 3)
    with pytest.raises(TypeError, match=r"`strategy` must be a Strategy, .*Received: strategy='mirrored'"):
        trainer.compiled_model(RECIPE, 3, strategy="mirrored")


def test_crops_are_cut_from_larger_pictures_than_those_of_evaluation(folder, tmp_path):
    recipe = dataclasses.replace(RECIPE, augmentation=("resized_crop",), cut_from=2 * SIDE, epochs=1)
    run = Run.create(tmp_path / "run")
    results = fit(folder, run, recipe, recover=True)
    assert run.read_recipe() == recipe
    assert Statistics.load(run.statistics).mean_image.shape == (2 * SIDE, 2 * SIDE, 3)
    (evaluation,) = evaluate.evaluate_runs([run], datasets.load(str(folder)), "validation", views=1)
    found, logged = evaluation.numbers()["1_view"], run.read_log()[0]
    assert found["top1_error"] == pytest.approx(logged["val_top1_error"])
    assert found["negative_log_likelihood"] == pytest.approx(logged["val_loss"], rel=1e-5)
    assert results["epochs"] == 1


def test_a_resumed_run_has_the_same_results_but_for_the_time(finished, folder, tmp_path):
    run, results = finished
    resumed = fit(folder, Run(Path(shutil.copytree(run.folder, tmp_path / "run"))))
    assert resumed == {key: value for key, value in results.items() if key != "seconds"}


def test_log_starts_with_the_loss_of_chance_and_has_one_row_per_epoch(finished):
    rows = finished[0].read_log()
    assert [row["epoch"] for row in rows] == [1, 2, 3]
    assert rows[0]["loss"] == pytest.approx(math.log(3), rel=0.1)
    assert all(math.isfinite(value) for row in rows for value in row.values())


def test_schedule_is_the_rule_of_section_5(finished):
    rows = finished[0].read_log()
    errors, rate, best = [row["val_top1_error"] for row in rows], 0.001, math.inf
    for row, error in zip(rows, errors, strict=True):
        assert row["learning_rate"] == pytest.approx(rate)
        rate, best = (rate, error) if error < best else (rate / 10, best)  # a patience of one epoch


def test_best_network_has_the_lowest_error_of_the_log(finished, folder):
    run, _ = finished
    model = keras.models.load_model(run.best)
    assert not isinstance(model.input, list)  # or every call with an array would warn
    mean = np.load(run.statistics)["mean_image"].mean(axis=(0, 1))
    wrong = []
    for label, name in enumerate("abc"):
        for path in sorted((folder / "validation" / name).iterdir()):
            crop = np.asarray(Image.open(path), "float32")[1:17, 1:17] - mean  # the center 16 of 18
            wrong.append(np.argmax(model.predict(crop[None], verbose=0)) != label)
    assert np.mean(wrong) == pytest.approx(min(row["val_top1_error"] for row in run.read_log()), abs=1e-6)


def test_an_interrupted_run_continues_exactly(finished, folder, tmp_path, monkeypatch):
    run = Run.create(tmp_path / "run")
    begin = trainer.LearningRate.on_epoch_begin

    def interrupt(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt
        begin(self, epoch, logs)

    monkeypatch.setattr(trainer.LearningRate, "on_epoch_begin", interrupt)
    with pytest.raises(KeyboardInterrupt):
        fit(folder, run, checkpoint_epochs=1)
    monkeypatch.setattr(trainer.LearningRate, "on_epoch_begin", begin)
    assert checkpoints.newest(run.last).epochs == 2
    fit(folder, run)
    for row, unbroken in zip(run.read_log(), finished[0].read_log(), strict=True):
        assert row == pytest.approx(unbroken, rel=1e-3)


def test_mixed_pictures_and_soft_labels_in_training_but_not_in_validation(folder, tmp_path):
    recipe = dataclasses.replace(RECIPE, mixup=0.5, cutmix=1.0, mixed_share=0.9, label_smoothing=0.2, epochs=2)
    longer = dataclasses.replace(recipe, epochs=3)
    run, whole = Run.create(tmp_path / "run"), Run.create(tmp_path / "whole")
    fit(folder, run, recipe)
    fit(folder, run, longer)  # from the checkpoint, which has the loss as well
    fit(folder, whole, longer)
    for row, expected in zip(run.read_log(), whole.read_log(), strict=True):
        assert row == pytest.approx(expected, rel=1e-4)
    row = min(run.read_log(), key=lambda row: row["val_top1_error"])
    assert row["val_loss"] == pytest.approx(cross_entropy(run, folder), rel=1e-3)


def cross_entropy(run, folder):
    """The mean cross-entropy of the validation pictures, without the losses of Keras."""
    model, mean = keras.models.load_model(run.best), np.load(run.statistics)["mean_image"].mean(axis=(0, 1))
    losses = []
    for label, name in enumerate("abc"):
        for path in sorted((folder / "validation" / name).iterdir()):
            crop = np.asarray(Image.open(path), "float32")[1:17, 1:17] - mean
            losses.append(-np.log(model.predict(crop[None], verbose=0)[0, label]))
    return np.mean(losses)


OF_THE_AUTHORS = dataclasses.replace(  # the schedule of their log with fewer epochs
    RECIPES["source"],
    architecture="figure_1",
    crop_size=SIZE,
    resize_size=SIDE,
    batch_size=8,
    epochs=6,
    learning_rate=0.001,
    divide_after=(1, 2, 5),
    divide_layer_after=("conv1:3",),
    freeze_layer_after=("conv1:4",),
    lighting_until=3,
)


class Diary(keras.callbacks.Callback):
    """Record the rates of each step and epoch, and the weights of each epoch. Optionally stop before an epoch."""

    def __init__(self, stop_before=None):
        super().__init__()
        self.stop_before, self.steps, self.rates, self.weights = stop_before, [], [], []

    def on_train_batch_begin(self, batch, logs=None):
        if batch == 0:
            if len(self.rates) == self.stop_before:
                raise KeyboardInterrupt
            optimizer = self.model.optimizer
            bias = float(optimizer.learning_rate) * optimizer.bias_learning_rate_factor
            self.rates.append((float(optimizer.learning_rate), bias, dict(optimizer.learning_rate_factors)))
        self.steps.append(float(self.model.optimizer.learning_rate))

    def on_epoch_end(self, epoch, logs=None):
        self.weights.append({layer.name: layer.get_weights() for layer in self.model.layers if layer.weights})


def fit_with_diary(folder, run, recipe, diary, monkeypatch):
    callbacks = trainer._callbacks
    with monkeypatch.context() as patch:
        patch.setattr(trainer, "_callbacks", lambda *arguments: [*callbacks(*arguments), diary])
        fit(folder, run, recipe, precision="float32", deterministic=True, checkpoint_epochs=1)


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "size", "side"), [("figure_1", SIZE, SIDE), ("source", 67, 70)])
def test_the_authors_schedule_on_a_short_run_and_resumed(folder, tmp_path, monkeypatch, architecture, size, side):
    small = dataclasses.replace(ARCHITECTURES["source"], hidden=(32, 16))
    monkeypatch.setitem(ARCHITECTURES, "source", small)
    recipe = dataclasses.replace(OF_THE_AUTHORS, architecture=architecture, crop_size=size, resize_size=side)
    whole, begun, resumed = Diary(), Diary(stop_before=4), Diary()
    fit_with_diary(folder, Run.create(tmp_path / "whole"), recipe, whole, monkeypatch)
    expected = [
        (1e-3, 2e-3, {}),
        (1e-4, 2e-3, {}),
        (1e-5, 2e-3, {}),
        (1e-5, 2e-3, {"conv1": 0.1}),
        (1e-5, 2e-3, {"conv1": 0.0}),
        (1e-6, 2e-3, {"conv1": 0.0}),
    ]
    for received, rates in zip(whole.rates, expected, strict=True):
        assert received[:2] == pytest.approx(rates[:2])
        assert received[2] == rates[2]
    for name in whole.weights[0]:
        moved = [
            not np.array_equal(old, new)
            for before, after in itertools.pairwise(whole.weights)
            for old, new in zip(before[name], after[name], strict=True)
        ]  # kernel and bias after the second epoch and each later one
        expected = [True] * 6 + [False] * 4 if name == "conv1" else [True] * 10
        if architecture == "source" and name != "conv1":  # a bias near 1 may stay where it is in float32
            moved, expected = moved[::2], expected[::2]
        elif architecture == "source":
            moved, expected = moved[::2] + moved[7::2], expected[::2] + expected[7::2]
        assert moved == expected

    run = Run.create(tmp_path / "broken")
    with pytest.raises(KeyboardInterrupt):
        fit_with_diary(folder, run, recipe, begun, monkeypatch)
    fit_with_diary(folder, run, recipe, resumed, monkeypatch)
    assert begun.rates + resumed.rates == whole.rates
    for name, arrays in resumed.weights[-1].items():
        for one, other in zip(arrays, whole.weights[-1][name], strict=True):
            np.testing.assert_array_equal(one, other)
    assert run.read_log() == Run(tmp_path / "whole").read_log()


@pytest.mark.slow
def test_the_exponential_schedule_falls_step_by_step(folder, tmp_path, monkeypatch):
    recipe = dataclasses.replace(RECIPE, schedule="exponential", learning_rate=1e-2, final_learning_rate=1e-4, epochs=2)
    diary = Diary()
    fit_with_diary(folder, Run.create(tmp_path / "run"), recipe, diary, monkeypatch)
    assert diary.steps == pytest.approx([1e-2 * 10 ** (-step / 3) for step in range(6)])  # two epochs of three steps


@pytest.mark.slow
def test_rows_ahead_of_the_checkpoint_are_cut(finished, folder, tmp_path):
    """As after a crash between the log and the checkpoint."""
    run = Run.create(tmp_path / "run")
    fit(folder, run, RECIPE.__class__(**{**vars(RECIPE), "epochs": 1}))
    run.write_log(run.read_log() + finished[0].read_log()[1:])
    fit(folder, run)
    assert [row["epoch"] for row in run.read_log()] == [1, 2, 3]


def test_batch_must_divide_among_devices(folder, tmp_path):
    class Three(Strategy):
        replicas = 3

    with pytest.raises(ValueError, match=r"divisible by the number of devices, 3\..*batch_size=8"):
        trainer.fit(RECIPE, datasets.load(str(folder)), Run.create(tmp_path / "run"), Options(), Three())


class TestWithoutValidation:
    @pytest.fixture
    def data(self, folder):
        """Train on all pictures except the test split."""
        data = datasets.load(str(folder))
        train = data.splits["train"].concatenate(data.splits["validation"])
        return dataclasses.replace(data, splits={"train": train, "test": data.splits["test"]})

    @pytest.mark.slow
    def test_the_last_network_counts(self, data, folder, tmp_path):
        run, recipe = Run.create(tmp_path / "run"), dataclasses.replace(RECIPE, epochs=2, divide_after=(1,))
        results = trainer.fit(recipe, data, run, Options(dataset=str(folder)))
        assert [row["learning_rate"] for row in run.read_log()] == pytest.approx([0.001, 0.0001])
        best, last = (keras.models.load_model(path) for path in (run.best, checkpoints.newest(run.last).network))
        for one, other in zip(best.get_weights(), last.get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)
        assert set(results) == {"class_counts", "epochs", "seconds"}
        (evaluation,) = evaluate.evaluate_runs([run], data, "test", views=1)
        assert len(evaluation.labels) == 6

    def test_training_without_validation_needs_a_schedule(self, data, tmp_path):
        with pytest.raises(ValueError, match="use `divide_after`"):
            trainer.fit(RECIPE, data, Run.create(tmp_path / "run"), Options())


def fit_apart(pictures, run, recipe, *flags, backend=None, devices=2):
    """Run `fit.py` in a separate process, since logical devices must exist before the backend starts."""
    flags = [*flags, *shlex.split("--recipe text --learning-rate 0.001 --dropout 0 --precision float32")]
    flags += ["--virtual-devices", str(devices)]
    for name in ("architecture", "crop_size", "resize_size", "batch_size", "epochs"):
        flags += [f"--{name.replace('_', '-')}", str(getattr(recipe, name))]
    command = [sys.executable, FIT, "--dataset", pictures, "--run", run, *flags]
    environment = os.environ | {"KERAS_BACKEND": backend or keras.backend.backend()}
    subprocess.run(command, check=True, capture_output=True, env=environment)


def learned(run):
    """The numbers of the log, and the weights after the last epoch."""
    with (run / "log.csv").open() as file:
        log = [[float(value) for value in row.values()] for row in csv.DictReader(file)]
    return np.array(log), keras.models.load_model(run / "last" / "epoch-00002.keras", compile=False).get_weights()


@pytest.mark.slow
@pytest.mark.parametrize(
    ("architecture", "size", "side"),
    [("figure_1", SIZE, SIDE), pytest.param("paper", 67, 70, marks=pytest.mark.slow)],
)
def test_two_replicas_train_like_one(folder, tmp_path, architecture, size, side):
    """Losses to 1e-3 and weights to 3e-4: two halves of a batch sum in another order than the whole.

    Where a sum in float32 puts a unit on the other side of its threshold, its weights learn a little otherwise. The
    last validation batch holds a single picture: the second replica gets none.
    """
    changes = {"architecture": architecture, "crop_size": size, "resize_size": side, "epochs": 2, "dropout": 0.0}
    recipe = dataclasses.replace(RECIPE, **changes, patience=Recipe.patience)
    fit_apart(folder, tmp_path / "two", recipe)
    fit(folder, Run.create(tmp_path / "one"), recipe, precision="float32")
    (one_log, one_weights), (two_log, two_weights) = learned(tmp_path / "one"), learned(tmp_path / "two")
    np.testing.assert_allclose(two_log, one_log, rtol=1e-3, atol=1e-6)
    for two, one in zip(two_weights, one_weights, strict=True):
        np.testing.assert_allclose(two, one, atol=3e-4)


@pytest.mark.slow
@pytest.mark.parametrize("pictures", [1, 5])
def test_two_replicas_validate_on_fewer_pictures_than_a_batch(pictures, tmp_path):
    """One replica gets more of them than the other, or all."""
    changes = {"crop_size": SIZE, "resize_size": SIDE, "epochs": 2, "dropout": 0.0, "patience": Recipe.patience}
    recipe = dataclasses.replace(RECIPE, **changes)
    counts = {"train": (9, 9, 8), "validation": (pictures, 0, 0)}
    folder = save_splits(tmp_path / "pictures", SIDE, **counts)
    fit_apart(folder, tmp_path / "two", recipe)
    fit(folder, Run.create(tmp_path / "one"), recipe, precision="float32")
    (one_log, _), (two_log, _) = learned(tmp_path / "one"), learned(tmp_path / "two")
    np.testing.assert_allclose(two_log, one_log, rtol=1e-3, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize(("architecture", "size", "side"), [("figure_1", SIZE, SIDE), ("paper", 67, 70)])
def test_tensorflow_and_jax_train_alike(folder, tmp_path, architecture, size, side):
    """From the same weights, the same batches give the same losses to 1e-3 in an epoch without dropout."""
    pytest.importorskip("jax")
    changes = {"architecture": architecture, "crop_size": size, "resize_size": side, "epochs": 1}
    recipe, weights = dataclasses.replace(RECIPE, **changes), tmp_path / "start.keras"
    keras_alexnet.build(architecture, input_shape=(size, size, 3), classes=3).save(weights)
    losses = []
    for backend in ("tensorflow", "jax"):
        fit_apart(folder, tmp_path / backend, recipe, "--weights", weights, backend=backend, devices=1)
        with (tmp_path / backend / "log.csv").open() as file:
            losses.append([(float(row["loss"]), float(row["val_loss"])) for row in csv.DictReader(file)])
    np.testing.assert_allclose(losses[1], losses[0], rtol=1e-3)


@pytest.mark.slow
def test_one_weird_trick_trains_as_one_device_and_continues_on_one(folder, tmp_path):
    """Epochs on two devices, and one epoch on two and one on one device, are as epochs on one device, to 1e-4.

    Without dropout. What two devices saved is the plain network: here TensorFlow loads it.
    """
    pytest.importorskip("jax")
    changes = {"architecture": "half", "crop_size": 67, "resize_size": 70, "epochs": 2, "dropout": 0.0}
    recipe = dataclasses.replace(RECIPE, **changes, patience=Recipe.patience)
    trick = ("--strategy", "one_weird_trick")
    fit_apart(folder, tmp_path / "one", recipe, backend="jax", devices=1)
    fit_apart(folder, tmp_path / "two", recipe, *trick, backend="jax")
    fit_apart(folder, tmp_path / "both", dataclasses.replace(recipe, epochs=1), *trick, backend="jax")
    resume(tmp_path / "both", "jax", "--epochs", "2", "--strategy", "mirrored", "--virtual-devices", "1")
    one_log, one_weights = learned(tmp_path / "one")
    for run in ("two", "both"):
        log, weights = learned(tmp_path / run)
        np.testing.assert_allclose(log, one_log, rtol=1e-4, atol=1e-6)
        for other, one in zip(weights, one_weights, strict=True):
            np.testing.assert_allclose(other, one, rtol=0, atol=1e-4)
    assert json.loads((tmp_path / "two" / "recipe.json").read_text())["devices"] == 2


def resume(run, backend, *flags):
    """Continue a run in a process of its own, and return what it says."""
    command = [sys.executable, FIT, "--resume", run, *flags]
    return subprocess.run(
        command, capture_output=True, text=True, env=os.environ | {"KERAS_BACKEND": backend}, timeout=500
    )


@pytest.mark.slow
@pytest.mark.parametrize(("first", "second"), [("tensorflow", "jax"), ("jax", "tensorflow")])
def test_a_run_continues_on_another_backend(folder, tmp_path, first, second):
    """Without dropout, losses and weights are those of a run that kept its backend, to 1e-3."""
    pytest.importorskip("jax")
    recipe = dataclasses.replace(RECIPE, epochs=1)
    fit_apart(folder, tmp_path / "run", recipe, "--seed", "3", backend=first, devices=1)
    fit_apart(folder, tmp_path / "same", recipe, "--seed", "3", backend=first, devices=1)
    told = resume(tmp_path / "run", second, "--epochs", "2")
    assert told.returncode == 0, told.stderr
    assert f"The run began on {first} and continues on {second}: " in told.stdout
    assert resume(tmp_path / "same", first, "--epochs", "2").returncode == 0
    (log, weights), (same_log, same_weights) = learned(tmp_path / "run"), learned(tmp_path / "same")
    np.testing.assert_allclose(log, same_log, rtol=1e-3)
    for other, same in zip(weights, same_weights, strict=True):
        np.testing.assert_allclose(other, same, rtol=0, atol=1e-3)
