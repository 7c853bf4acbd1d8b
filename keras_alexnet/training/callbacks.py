"""Training callbacks: the log, the checkpoints, the schedules, the progress bar."""

import math
import pathlib
import time
from typing import Any

import keras
import numpy as np
import tqdm

from keras_alexnet.evaluation.chance import AT_CHANCE
from keras_alexnet.evaluation.top_k import has_top5
from keras_alexnet.interrupts import StopRequest
from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.runs import Run
from keras_alexnet.text import duration
from keras_alexnet.training import checkpoints, loss_checks, towers
from keras_alexnet.training.schedules import bias_factor, layer_factors, learning_rate, step_factor

LOGGED = ("loss", "top1_error", "mean_class_error", "top5_error")
SAVING_SHARE = 0.03  # ours: largest fraction of the time for optional checkpoints


class LearningRate(keras.callbacks.Callback):
    """Set the learning rate of each epoch, and of each step for warm-up and decay.

    Args:
        recipe: The recipe of the run.
        rows: The log of the epochs so far.
        steps: Number of steps per epoch.
        first_steps: Number of steps of the first epoch that are already done.
        factor: Factor of the recipe's learning rates.
    """

    def __init__(self, recipe: Recipe, rows: list[dict], steps: int, first_steps: int = 0, factor: float = 1.0) -> None:
        super().__init__()
        self.recipe, self.rows, self.steps = recipe, rows, steps
        self.first_steps, self.factor = first_steps, factor

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.rate = learning_rate(self.recipe, self.rows) * self.factor
        self.model.optimizer.learning_rate = self.rate
        self.step, self.first_steps = epoch * self.steps + self.first_steps, 0

    def on_train_batch_begin(self, batch: int, logs: dict | None = None) -> None:
        if self.recipe.schedule != "divided" or self.recipe.warmup_steps:
            self.model.optimizer.learning_rate = self.rate_of(self.step)
            self.step += 1

    def rate_of(self, step: int) -> float:
        """Return the learning rate of a step of this epoch, counted from 0 over all epochs."""
        return self.rate * step_factor(self.recipe, step, self.recipe.epochs * self.steps)


class LogWriter(keras.callbacks.Callback):
    """Write the run's log after each epoch, with the learning rate of the epoch's last step.

    It also saves the best network so far: that of the epoch with the lowest validation error. Of equal errors the first
    counts, except that the last epoch of a cosine schedule wins. Without validation, and with `keep="last"`, the
    network of the last epoch replaces it at the end.

    It comes before `CheckpointWriter`. A crash between the two is harmless: a log that is ahead of the checkpoint is
    truncated when the run is resumed.

    Args:
        run: The run.
        recipe: Its recipe.
        rows: The log of the epochs so far.
        rates: Provides the learning rate of a step.
        is_chief: Whether this process writes.

    Attributes:
        has_best: Whether the last epoch is the best so far.
    """

    def __init__(self, run: Run, recipe: Recipe, rows: list[dict], rates: LearningRate, is_chief: bool) -> None:
        super().__init__()
        self.run, self.recipe, self.rows, self.rates, self.is_chief = run, recipe, rows, rates, is_chief
        self.has_best = False

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        row = {"epoch": epoch + 1, "learning_rate": self.rates.rate_of((epoch + 1) * self.rates.steps - 1)}
        row |= {key: float(logs[key]) for prefix in ("", "val_") for name in LOGGED if (key := prefix + name) in logs}
        self.rows.append(row)
        if self.recipe.is_over(self.rows):
            self.model.stop_training = True
        self.has_best = self._is_best()
        if not self.is_chief:
            return
        if self.has_best:
            network = towers.plain(self.model)
            network = keras.Model(network.input, network.output, name=network.name)  # without the optimizer
            self.run.write_network(network)
        self.run.write_log(self.rows)

    def _is_best(self) -> bool:
        name, ends = self.recipe.error_name(), self.model.stop_training
        *before, last = self.rows
        if name not in last or (ends and self.recipe.keep == "last"):
            return ends
        lowest = min((row[name] for row in before), default=math.inf)
        return last[name] < lowest or (last[name] == lowest and ends and self.recipe.schedule == "cosine")


class RateFactors(keras.callbacks.Callback):
    """Set the learning rate factors of biases and of single layers in each epoch.

    When one changes, the training step is recompiled, which takes seconds.

    Args:
        recipe: The recipe of the run.
        rows: The log of the epochs so far.
    """

    def __init__(self, recipe: Recipe, rows: list[dict]) -> None:
        super().__init__()
        self.recipe, self.rows = recipe, rows

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        recipe, rows = self.recipe, self.rows
        # inside a LossScaleOptimizer
        optimizer = getattr(self.model.optimizer, "inner_optimizer", self.model.optimizer)
        factors = bias_factor(recipe, rows), layer_factors(recipe, len(rows), self.model.layers[-1].name)
        if factors != (optimizer.bias_learning_rate_factor, dict(optimizer.learning_rate_factors)):
            optimizer.bias_learning_rate_factor, optimizer.learning_rate_factors = factors
            self.model.make_train_function(force=True)


class LossGuard(keras.callbacks.Callback):
    """Stop training before NaN weights are saved, and warn once if the loss stays at chance.

    Args:
        run: The run.
        recipe: Its recipe.
        rows: The log of the epochs so far.
        steps: Number of steps per epoch.
        chance: Loss of chance.
        first_steps: Number of steps of the first epoch that are already done.
        images: A batch of preprocessed pictures, to detect dead units. If given, training is also stopped when its
            loss is far above chance or stays there, so that it can go back.
        classes: Number of classes.
    """

    def __init__(
        self,
        run: Run,
        recipe: Recipe,
        rows: list[dict],
        steps: int,
        chance: float,
        first_steps: int = 0,
        images: Any = None,
        classes: int = 2,
    ) -> None:
        super().__init__()
        self.run, self.recipe, self.rows, self.first_steps = run, recipe, rows, first_steps
        self.steps, self.chance, self.images, self.classes = steps, chance, images, classes

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch, self.step, self.first_steps = epoch + 1, self.first_steps, 0

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.step += 1
        self._check(logs["loss"], self.step)
        is_resumed = batch == 0 and self.step > 1  # the loss is that of this step: `CheckpointWriter` adds the others
        if self.images is not None and not is_resumed:
            loss_checks.check_exploded(float(logs["loss"]), self.chance, self.epoch, self.step, self.classes)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self._check(logs.get("val_loss", logs["loss"]), None)
        losses = [row["loss"] for row in self.rows] + [float(logs["loss"])]
        if self.images is not None:
            loss_checks.check_exploded(losses[-1], self.chance, self.epoch, None, self.classes)
            loss_checks.check_stuck(losses, self.chance, self.steps, self.recipe.epochs * self.steps)
            if losses[-1] >= AT_CHANCE * self.chance:
                outputs = keras.ops.convert_to_numpy(self.model(np.asarray(self.images), training=False))
                loss_checks.check_dead(outputs, losses[-1], self.chance, self.epoch)
            return
        warning = loss_checks.stuck_warning(losses, self.chance)
        if warning:
            print(warning, flush=True)

    def _check(self, loss, step):
        loss_checks.check_finite(float(loss), self.epoch, step, self.recipe, self.run.folder)


class CheckpointWriter(keras.callbacks.Callback):
    """Save checkpoints, so that a killed run loses little.

    It saves after the first and the last epoch, and after each best one if the recipe keeps that. After other epochs it
    saves only if saving takes less than 3 % of the time, since with a small data set a checkpoint takes longer than the
    steps of an epoch. It also saves after every N steps or epochs if the options say so, and when the run is asked to
    stop. It comes after `LogWriter`.

    Args:
        folder: Folder of the checkpoints.
        steps: Number of steps per epoch.
        resumed: The checkpoint to continue from, None for a new run.
        options: How often to save, and how many checkpoints to keep.
        stop: When it is set, the step ends, the state is saved, and the process exits.
        log: Provides the best epoch.
    """

    def __init__(
        self,
        folder: pathlib.Path,
        steps: int,
        resumed: checkpoints.Checkpoint | None,
        options: Options,
        stop: StopRequest,
        log: LogWriter,
    ) -> None:
        super().__init__()
        self.folder, self.steps, self.resumed, self.options = folder, steps, resumed, options
        self.stop, self.log = stop, log
        self.recoveries = resumed.recoveries if resumed else []
        self.due_at = time.perf_counter()  # the first is always due

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch, self.step, self.sums = epoch, 0, ()
        if self.resumed and self.resumed.epochs == epoch:
            self.step, self.sums = self.resumed.steps, self.resumed.metrics

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.step += 1
        if self.sums:  # of the earlier steps; Keras creates the metric variables in the first step
            both = zip(self.sums, checkpoints.values(self.model.metrics_variables), strict=True)
            checkpoints.assign(self.model.metrics_variables, [np.add(*np.float32(pair)) for pair in both])
            self.sums = ()
        every = self.options.checkpoint_steps
        due = every and self.step % every == 0 and self.step < self.steps
        if due or self.stop.is_set() or self.step == self.steps:
            self.metrics = checkpoints.values(self.model.metrics_variables)  # the validation resets them
        if due or self.stop.is_set():
            self._save(self.epoch, self.step, self.metrics)

    def on_test_batch_end(self, batch: int, logs: dict | None = None) -> None:
        if self.stop.is_set():
            self._save(self.epoch, self.step, self.metrics)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        every = self.options.checkpoint_epochs
        in_turn = (epoch + 1) % every == 0 if every else time.perf_counter() >= self.due_at
        has_best = self.log.has_best and self.log.recipe.keep == "best"
        if epoch == 0 or in_turn or has_best or self.model.stop_training or self.stop.is_set():
            self._save(epoch + 1)

    def _save(self, epochs, steps=0, metrics=()):
        if any(not np.isfinite(keras.ops.sum(weight)) for weight in self.model.trainable_weights):
            return  # the next step's loss is NaN, and `LossGuard` reports it
        if self.log.is_chief:
            started, kept = time.perf_counter(), self.options.max_checkpoints
            checkpoints.save(self.folder, self.model, epochs, steps, metrics, self.recoveries, kept)
            ended = time.perf_counter()
            self.due_at = ended + (ended - started) / SAVING_SHARE
        if self.stop.is_set():
            self.stop.exit()


class TimeLimit(keras.callbacks.Callback):
    """Stop training after an epoch if there is no time for another. It comes before `LogWriter`.

    Args:
        seconds: The time limit.
        started: Start time, from `time.perf_counter`.
    """

    def __init__(self, seconds: float, started: float) -> None:
        super().__init__()
        self.seconds, self.started = seconds, started

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        self.epoch_began = time.perf_counter()

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        now = time.perf_counter()
        if now - self.started + (now - self.epoch_began) > self.seconds:
            self.model.stop_training = True


class ProgressBar(keras.callbacks.Callback):
    """Show a progress bar for each epoch, and print a line after it.

    The bar appears only on a terminal. A file or pipe gets one line per epoch.

    Args:
        batch_size: Images per step.
        epochs: Number of epochs of the run. A single `fit` may end earlier.
    """

    def __init__(self, batch_size: int, epochs: int) -> None:
        super().__init__()
        self.batch_size, self.all_epochs = batch_size, epochs
        self.bar = tqdm.tqdm(disable=True)
        self.began, self.epochs, self.left = time.perf_counter(), 0, ""

    def close(self) -> None:
        """Remove the bar, so that the next output starts on a new line."""
        self.bar.close()

    def on_epoch_begin(self, epoch: int, logs: dict | None = None) -> None:
        classes = self.model.output_shape[-1]
        self.shown = [name for name in LOGGED if name != "top5_error" or has_top5(classes)]
        self.started, self.images = time.perf_counter(), 0
        total = self.params["steps"] * self.batch_size
        title = f"epoch {epoch + 1}/{self.all_epochs}{self.left}"
        self.bar = tqdm.tqdm(total=total, desc=title, unit="img", leave=False, disable=None)

    def on_train_batch_end(self, batch: int, logs: dict | None = None) -> None:
        self.images += self.batch_size
        self.trained = time.perf_counter()
        if not self.bar.disable:
            self.bar.set_postfix({name: _format(logs[name]) for name in self.shown if name in logs}, refresh=False)
            self.bar.update(self.batch_size)

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        self.close()
        train, *validation = (
            "  ".join(f"{name} {_format(logs[prefix + name])}" for name in self.shown if prefix + name in logs)
            for prefix in ("", "val_")
            if prefix + "loss" in logs
        )
        evaluated = "".join(f"validation {errors}  |  " for errors in validation)
        rate = self.images / (self.trained - self.started) if self.images else 0
        self.epochs += 1
        epochs_left = self.all_epochs - epoch - 1
        seconds = (time.perf_counter() - self.began) / self.epochs * epochs_left
        self.left = f", {duration(seconds)} left" if epochs_left else ""
        print(f"epoch {epoch + 1}/{self.all_epochs}: {train}  |  {evaluated}{rate:.0f} images/s{self.left}", flush=True)


def _format(value: object) -> str:
    """Format a loss or an error with three decimals, or in scientific notation if it is very large."""
    number = float(value)
    return f"{number:.3f}" if abs(number) < 1e4 else f"{number:.2e}"
