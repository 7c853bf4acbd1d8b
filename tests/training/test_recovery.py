"""Training that diverges or learns nothing goes back with a smaller learning rate, and resumes exactly."""

import dataclasses
import math
import shlex

import keras
import numpy as np
import pytest
from small_pictures import save_splits

from keras_alexnet.commands import fit
from keras_alexnet.data import datasets
from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.runs import Run
from keras_alexnet.training import callbacks, checkpoints, loss_checks, recovery, trainer

TOY = Recipe(
    architecture="figure_1",
    crop_size=16,
    resize_size=18,
    batch_size=4,
    epochs=12,
    learning_rate=1e-20,
    schedule="cosine",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes that differ in color: 16 training pictures, 4 for validation and 2 for testing."""
    counts = {"train": (8, 8), "validation": (2, 2), "test": (1, 1)}
    return save_splits(tmp_path_factory.mktemp("pictures"), size=20, **counts)


def train(folder, run, recipe=TOY, **options):
    options = Options(dataset=str(folder), precision="float32", **({"recover": True} | options))
    return trainer.fit(recipe, datasets.load(str(folder)), run, options)


@pytest.mark.parametrize("first_steps", [0, 20])
def test_the_first_step_of_a_resumed_epoch_tells_little(tmp_path, first_steps):
    """Its loss is that of this step alone; those of the next are means over the epoch again."""
    guard = callbacks.LossGuard(Run(tmp_path), TOY, [], steps=50, chance=0.1, first_steps=first_steps, images=())
    guard.on_epoch_begin(0)
    for batch, loss in enumerate([1.2] + 12 * [0.2]):
        guard.on_train_batch_end(batch, {"loss": loss})
    with pytest.raises(loss_checks.TrainingFailed):
        guard.on_train_batch_end(13, {"loss": 1.2})


def test_without_recovery_a_loss_at_chance_is_reported_and_training_goes_on(tmp_path, capsys):
    rare = -math.log(500 / 510) * 500 / 510 - math.log(10 / 510) * 10 / 510  # the entropy of 500 and 10 pictures
    rows = [{"loss": rare}] * 4
    guard = callbacks.LossGuard(Run(tmp_path), TOY, rows, steps=50, chance=rare)
    guard.on_epoch_begin(4)
    guard.on_train_batch_end(0, {"loss": 100.0})
    guard.on_epoch_end(4, {"loss": rare})
    assert "The loss is still 0.10, that of guessing" in capsys.readouterr().out


def failed(is_stuck=False):
    return loss_checks.TrainingFailed("the loss was nan", epoch=4, step=2, is_stuck=is_stuck)


def tiny(value):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2, kernel_initializer="zeros")])
    model.compile("sgd", "mse")
    model.layers[0].kernel.assign(np.full((2, 2), value))
    return model


class TestGoingBack:
    @pytest.fixture
    def last(self, tmp_path):
        for epochs in (2, 3):
            checkpoints.save(tmp_path, tiny(epochs), epochs)
        return tmp_path

    def back(self, last, losses, is_stuck=False):
        rows = [{"loss": loss} for loss in losses]
        found = recovery.go_back(failed(is_stuck), last, rows, math.log(2), 0.09, lambda: tiny(0))
        newest = checkpoints.newest(last)
        assert newest.recoveries == found
        return newest.epochs, float(newest.load().layers[0].kernel[0, 0]), found

    def test_recovery_goes_back_to_the_newest_checkpoint(self, last):
        epochs, weight, found = self.back(last, [0.7, 0.6, 0.5])
        assert (epochs, weight) == (3, 3)
        assert found == [
            {
                "epoch": 4,
                "step": 2,
                "reason": "the loss was nan",
                "back_to_epochs": 3,
                "back_to_steps": 0,
                "learning_rate": 0.03,
            }
        ]

    @pytest.mark.parametrize(("losses", "is_stuck"), [([0.7, 5.0, 5.0], False), ([0.7, 0.7, 0.7], True)])
    def test_recovery_goes_back_to_the_initial_weights_if_the_checkpoints_are_bad(self, last, losses, is_stuck):
        assert self.back(last, losses, is_stuck)[:2] == (0, 0)
        assert [file.name for file in last.glob("*.keras")] == ["epoch-00000.keras"]

    def test_recovery_goes_back_to_an_older_checkpoint_if_the_newest_is_bad(self, last):
        assert self.back(last, [0.7, 0.6, 5.0])[:2] == (2, 2)
        assert [file.name for file in last.glob("*.keras")] == ["epoch-00002.keras"]

    @pytest.mark.parametrize(("total", "back_to"), [(50.0, (3, 0)), (math.nan, (3, 0)), (6.0, (3, 10))])
    def test_a_checkpoint_within_an_epoch_counts_with_the_loss_of_that_epoch(self, last, total, back_to):
        checkpoints.save(last, tiny(4), 3, steps=10, metrics=[total, 10.0, 0.0, 10.0])
        *_, (found,) = self.back(last, [0.7, 0.6, 0.5])
        assert (found["back_to_epochs"], found["back_to_steps"]) == back_to

    def test_a_second_recovery_uses_a_ninth_of_the_rate(self, last):
        self.back(last, [0.7, 0.6, 0.5])
        *_, found = self.back(last, [0.7, 0.6, 0.5])
        assert [each["learning_rate"] for each in found] == pytest.approx([0.03, 0.01])
        assert recovery.factor(found) == pytest.approx(1 / 9)

    def test_a_checkpoint_is_not_used_twice_for_the_same_epoch(self, last):
        """Its loss was measured before its last step, which may have spoiled it."""
        assert [self.back(last, [0.7, 0.6, 0.5])[0] for _ in range(2)] == [3, 2]

    def test_recovery_without_a_checkpoint(self, tmp_path):
        assert self.back(tmp_path / "last", [])[:2] == (0, 0)


@pytest.mark.slow
def test_a_training_at_chance_goes_back_three_times_and_then_warns(folder, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(loss_checks, "FEWEST_STUCK_STEPS", 0)  # this one has 48 steps
    run = Run.create(tmp_path / "run")
    results = train(folder, run)
    assert results["recoveries"] == 3
    told = capsys.readouterr().out
    assert told.count("went back to the initial weights") == 3
    assert "In epoch 6 the loss was 0.693 after 24 steps, and that of guessing is 0.693: went back" in told
    assert [row["epoch"] for row in run.read_log()] == list(range(1, 13))
    assert run.read_log()[0]["learning_rate"] == pytest.approx(1e-20 / 27 * (1 + math.cos(math.pi * 3 / 48)) / 2)


@pytest.mark.slow
def test_without_recovery_training_continues(folder, tmp_path, capsys):
    run = Run.create(tmp_path / "run")
    assert "recoveries" not in train(folder, run, dataclasses.replace(TOY, epochs=7), recover=None)
    assert "The loss is still 0.69, that of guessing" in capsys.readouterr().out
    assert run.read_recoveries() == []


@pytest.mark.slow
def test_an_interrupted_training_that_went_back_continues_in_the_same_way(folder, tmp_path, monkeypatch):
    """Interrupted in the third epoch, after the first recovery in the second."""
    recipe = dataclasses.replace(TOY, epochs=4, learning_rate=0.01)
    check = trainer.LossGuard.on_epoch_end

    def diverge_once(self, epoch, logs=None):
        if epoch == 1 and self.model.optimizer.learning_rate > 0.005:
            raise failed()
        check(self, epoch, logs)

    monkeypatch.setattr(trainer.LossGuard, "on_epoch_end", diverge_once)
    whole = Run.create(tmp_path / "whole")
    train(folder, whole, recipe, deterministic=True)
    begin = trainer.LearningRate.on_epoch_begin

    def interrupt(self, epoch, logs=None):
        if epoch == 2:
            raise KeyboardInterrupt
        begin(self, epoch, logs)

    run = Run.create(tmp_path / "run")
    monkeypatch.setattr(trainer.LearningRate, "on_epoch_begin", interrupt)
    with pytest.raises(KeyboardInterrupt):
        train(folder, run, recipe, deterministic=True)
    monkeypatch.setattr(trainer.LearningRate, "on_epoch_begin", begin)
    train(folder, run, recipe, deterministic=True)
    assert (run.folder / "log.csv").read_text() == (whole.folder / "log.csv").read_text()
    assert run.read_recoveries() == whole.read_recoveries()
    assert [each["back_to_epochs"] for each in run.read_recoveries()] == [1]
    ends = [checkpoints.newest(each.last).load().get_weights() for each in (run, whole)]
    for one, other in zip(*ends, strict=True):
        np.testing.assert_array_equal(one, other)


# From random weights: kernels that have learned answer more strongly, and need more than three divisions.
DIVERGING = shlex.split("--weights none --learning-rate 3 --clip-norm 100 --crop-size 67 --epochs 3 --warmup-steps 0")


def test_a_network_that_knows_all_smoothed_labels_of_unbalanced_classes_is_not_stuck():
    recipe = dataclasses.replace(TOY, label_smoothing=0.2)
    job = trainer._Job(recipe, None, None, None, None, None, np.array([150, 6]), 0.0)
    known = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    loss_checks.check_stuck([known] * 40, job.chance, steps=19, all_steps=760)
    plain = dataclasses.replace(job, recipe=TOY)
    with pytest.raises(loss_checks.TrainingFailed):
        loss_checks.check_stuck([known] * 40, plain.chance, steps=19, all_steps=760)


@pytest.mark.slow
def test_a_rate_of_3_is_divided_until_it_trains(folder, tmp_path, capsys):
    run = tmp_path / "run"
    fit.main(["--dataset", str(folder), "--run", str(run), *DIVERGING, "--batch-size", "8", "--recover"])
    told, found = capsys.readouterr().out, Run.open(run).read_recoveries()
    assert 1 <= len(found) <= 3
    assert told.count("went back to") == len(found)
    rows = Run.open(run).read_log()
    assert len(rows) == 3
    assert all(row["loss"] < 10 * math.log(2) for row in rows)
    assert rows[0]["learning_rate"] == pytest.approx(3 / 3 ** len(found) * (1 + math.cos(math.pi / 6)) / 2)
    assert "went back to" in (run / "report.html").read_text()


@pytest.mark.slow
def test_a_rate_of_the_user_is_not_changed(folder, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        fit.main(["--dataset", str(folder), "--run", str(tmp_path / "run"), *DIVERGING, "--learning-rate", "1e9"])
    assert stop.value.code == 2
    assert "smaller --learning-rate" in capsys.readouterr().err


def test_a_high_loss_long_before_the_checkpoint_does_not_matter(tmp_path):
    checkpoints.save(tmp_path, tiny(3), 3)
    rows = [{"loss": loss} for loss in (5.0, 0.6, 0.5)]
    failure = loss_checks.TrainingFailed("the loss was nan", epoch=4, step=2)
    (found,) = recovery.go_back(failure, tmp_path, rows, math.log(2), 0.09, lambda: tiny(0))
    assert found["back_to_epochs"] == 3
