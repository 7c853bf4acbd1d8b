"""Callbacks of a training, one at a time, without a network."""

import math
import types

import pytest

from keras_alexnet.interrupts import StopRequest
from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.runs import Run
from keras_alexnet.training import callbacks


def test_a_resumed_epoch_after_a_recovery_has_the_rates_of_its_remaining_steps():
    """Of the second epoch, whose first two steps are done, at a third of the rate: a cosine over twenty steps."""
    recipe = Recipe(schedule="cosine", epochs=4, learning_rate=0.3)
    schedule, rates = callbacks.LearningRate(recipe, [{}], steps=5, first_steps=2, factor=1 / 3), []
    model = types.SimpleNamespace(optimizer=types.SimpleNamespace())
    schedule.set_model(model)
    schedule.on_epoch_begin(1)
    for batch in range(3):
        schedule.on_train_batch_begin(batch)
        rates.append(model.optimizer.learning_rate)
    assert rates == pytest.approx([0.1 * (1 + math.cos(math.pi * step / 20)) / 2 for step in (7, 8, 9)])
    schedule.on_epoch_begin(2)
    schedule.on_train_batch_begin(0)
    assert model.optimizer.learning_rate == pytest.approx(0.1 * (1 + math.cos(math.pi * 10 / 20)) / 2)


def test_factors_change_after_their_epoch_and_only_then_is_the_step_compiled_again():
    recipe = Recipe(freeze_layer_after=("conv1:2",), patience=9)
    rows, compiled = [], []
    optimizer = types.SimpleNamespace(bias_learning_rate_factor=1.0, learning_rate_factors={})
    factors = callbacks.RateFactors(recipe, rows)
    factors.set_model(
        types.SimpleNamespace(
            optimizer=optimizer,
            layers=[types.SimpleNamespace(name="fc8")],
            make_train_function=lambda force: compiled.append(len(rows)),
        )
    )
    for epoch in range(4):
        factors.on_epoch_begin(epoch)
        assert optimizer.learning_rate_factors == ({} if epoch < 2 else {"conv1": 0.0})
        rows.append({"val_top1_error": 0.5})
    assert compiled == [2]


def test_no_epoch_is_begun_that_would_exceed_the_time(monkeypatch):
    """Each takes six seconds. At 16 there is time for another until 22, but not until 20."""
    for seconds, stops in ((20, True), (22.5, False)):
        times = iter((10.0, 16.0))
        monkeypatch.setattr(callbacks, "time", types.SimpleNamespace(perf_counter=lambda times=times: next(times)))
        limit = callbacks.TimeLimit(seconds, started=0.0)
        limit.set_model(types.SimpleNamespace(stop_training=False))
        limit.on_epoch_begin(0)
        limit.on_epoch_end(0)
        assert limit.model.stop_training == stops


def test_the_line_of_an_epoch_has_both_splits_the_speed_and_the_time_left(monkeypatch, capsys):
    clock = types.SimpleNamespace(now=0.0)
    monkeypatch.setattr(callbacks.time, "perf_counter", lambda: clock.now)
    bar = callbacks.ProgressBar(batch_size=4, epochs=3)
    bar.set_model(types.SimpleNamespace(output_shape=(None, 17)))
    bar.set_params({"steps": 2})
    bar.on_train_begin()
    bar.on_epoch_begin(0)
    for step in range(2):
        clock.now += 5.0
        bar.on_train_batch_end(step, {"loss": 3.0})
    clock.now += 2.0  # validation
    train = {"loss": 2.5, "top1_error": 0.75, "top5_error": 0.25}
    bar.on_epoch_end(0, train | {"val_loss": 12345.0, "val_top1_error": 0.5, "val_top5_error": 0.125})
    assert capsys.readouterr().out == (
        "epoch 1/3: loss 2.500  top1_error 0.750  top5_error 0.250  |  "
        "validation loss 1.23e+04  top1_error 0.500  top5_error 0.125  |  1 images/s, 24 s left\n"
    )


def test_errors_of_the_log_are_those_of_the_metrics(tmp_path):
    recipe, rows = Recipe(patience=9), []
    rates = callbacks.LearningRate(recipe, rows, steps=1)
    log = callbacks.LogWriter(Run(tmp_path), recipe, rows, rates, is_chief=False)
    model = types.SimpleNamespace(optimizer=types.SimpleNamespace(), stop_training=False)
    names = [f"{prefix}{name}" for prefix in ("", "val_") for name in ("loss", "top1_error", "top5_error")]
    for each in (rates, log):
        each.set_model(model)
        each.on_epoch_begin(0)
    log.on_epoch_end(0, {name: number / 10 for number, name in enumerate(names)})
    assert log.rows == [{"epoch": 1, "learning_rate": 0.01} | {name: number / 10 for number, name in enumerate(names)}]


def test_factors_reach_the_optimizer_inside_a_loss_scale():
    """As with mixed_float16."""
    inner = types.SimpleNamespace(bias_learning_rate_factor=1.0, learning_rate_factors={})
    factors = callbacks.RateFactors(Recipe(freeze_layer_after=("conv1:1",)), [{"val_top1_error": 0.5}])
    factors.set_model(
        types.SimpleNamespace(
            optimizer=types.SimpleNamespace(inner_optimizer=inner),
            layers=[types.SimpleNamespace(name="fc8")],
            make_train_function=lambda force: None,
        )
    )
    factors.on_epoch_begin(1)
    assert inner.learning_rate_factors == {"conv1": 0.0}


def test_a_validation_loss_of_nan_ends_the_training(tmp_path):
    """Then the epoch is not logged, and its weights are not kept."""
    guard = callbacks.LossGuard(Run(tmp_path), Recipe(), [], steps=2, chance=0.7)
    guard.on_epoch_begin(0)
    with pytest.raises(ValueError, match=r"Received: nan at the validation of epoch 1"):
        guard.on_epoch_end(0, {"loss": 0.5, "val_loss": math.nan})


@pytest.mark.parametrize(
    ("keep", "has_best", "is_saved"), [("best", True, True), ("best", False, False), ("last", True, False)]
)
def test_a_checkpoint_follows_every_best_epoch_that_is_kept(keep, has_best, is_saved, tmp_path, monkeypatch):
    """After the first epoch, when it is not due for another reason."""
    log = types.SimpleNamespace(has_best=has_best, recipe=Recipe(keep=keep))
    writer = callbacks.CheckpointWriter(tmp_path, 5, None, Options(), StopRequest(), log)
    saved = []
    monkeypatch.setattr(writer, "_save", saved.append)
    writer.set_model(types.SimpleNamespace(stop_training=False))
    writer.due_at = math.inf
    writer.on_epoch_end(3)
    assert saved == ([4] if is_saved else [])
