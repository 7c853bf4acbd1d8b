"""What happens at each step and each epoch of a training: the record, the checkpoints, the bar on the screen."""

import keras
import numpy as np
import tqdm

from keras_alexnet.files import atomic_write
from keras_alexnet.training import checkpoints, errors
from keras_alexnet.training.schedules import learning_rate

LOGGED = ("loss", "top1_error", "top5_error")


class Record(keras.callbacks.Callback):
    """Keeps the run's record after each epoch, and sets the learning rate that follows from it.

    The best network is that of the least validation error; without validation, that of the last epoch.

    It comes before `Saving`. A crash between the two is harmless: a log ahead of the checkpoint is cut when resumed.

    Args:
        run: A `runs.Run`.
        recipe: A `Recipe`.
        rows: The record of the epochs so far.
        chief: Whether this process writes.
    """

    def __init__(self, run, recipe, rows, chief):
        super().__init__()
        self.run, self.recipe, self.rows, self.chief = run, recipe, rows, chief

    def on_epoch_begin(self, epoch, logs=None):
        self.rate = learning_rate(self.recipe, self.rows)
        self.model.optimizer.learning_rate = self.rate

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1, "learning_rate": self.rate}
        row |= {key: float(logs[key]) for prefix in ("", "val_") for name in LOGGED if (key := prefix + name) in logs}
        self.rows.append(row)
        if not self.chief:
            return
        if self._is_best():
            network = keras.Model(self.model.input, self.model.output, name=self.model.name)  # not its optimizer
            with atomic_write(self.run.best) as temporary:
                network.save(temporary)
        self.run.write_log(self.rows)

    def _is_best(self):
        *before, last = self.rows
        if "val_top1_error" not in last:
            return len(self.rows) == self.recipe.epochs
        return last["val_top1_error"] < min((row["val_top1_error"] for row in before), default=float("inf"))


class Guard(keras.callbacks.Callback):
    """Stops a training whose loss is no number before that is kept; says once when a loss stays at chance."""

    def __init__(self, run, recipe, rows, first_steps=0):
        super().__init__()
        self.run, self.recipe, self.rows, self.first_steps = run, recipe, rows, first_steps

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.steps, self.first_steps = epoch + 1, self.first_steps, 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps += 1
        self._check(logs["loss"], self.steps)

    def on_epoch_end(self, epoch, logs=None):
        self._check(logs.get("val_loss", logs["loss"]), None)
        losses = [row["loss"] for row in self.rows] + [float(logs["loss"])]
        told = errors.stuck(losses, self.model.output_shape[-1])
        if told:
            print(told, flush=True)

    def _check(self, loss, step):
        errors.check_finite(float(loss), self.epoch, step, self.recipe, self.run.folder)


class Saving(keras.callbacks.Callback):
    """Saves a checkpoint after each epoch, after every so many steps, and when the training is told to stop.

    Args:
        folder: Path of the folder of checkpoints.
        steps: Steps of an epoch.
        resumed: The `checkpoints.Checkpoint` that the training goes on from, or None.
        every: Steps between two checkpoints, or None for none within an epoch.
        stop: `threading.Event`: when set, save after the step and exit with status 143.
        chief: Whether this process writes.
    """

    def __init__(self, folder, steps, resumed, every, stop, chief):
        super().__init__()
        self.folder, self.steps, self.resumed, self.every, self.stop = folder, steps, resumed, every, stop
        self.chief = chief

    def on_epoch_begin(self, epoch, logs=None):
        self.epoch, self.step, self.sums = epoch, 0, ()
        if self.resumed and self.resumed.epochs == epoch:
            self.step, self.sums = self.resumed.steps, self.resumed.metrics

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.sums:  # those of the steps before; Keras makes the metrics' variables in the first step
            both = zip(self.sums, checkpoints.values(self.model.metrics_variables), strict=True)
            checkpoints.assign(self.model.metrics_variables, [np.add(*np.float32(pair)) for pair in both])
            self.sums = ()
        due = self.every and self.step % self.every == 0 and self.step < self.steps
        if due or self.stop.is_set() or self.step == self.steps:
            self.metrics = checkpoints.values(self.model.metrics_variables)  # the validation resets them
        if due or self.stop.is_set():
            self._save(self.epoch, self.step, self.metrics)

    def on_test_batch_end(self, batch, logs=None):
        if self.stop.is_set():
            self._save(self.epoch, self.step, self.metrics)

    def on_epoch_end(self, epoch, logs=None):
        self._save(epoch + 1)

    def _save(self, epochs, steps=0, metrics=()):
        if any(not np.isfinite(keras.ops.sum(weight)) for weight in self.model.trainable_weights):
            return  # the next step's loss is no number, and `Guard` says so
        if self.chief:
            checkpoints.save(self.folder, self.model, epochs, steps, metrics)
        if self.stop.is_set():
            raise SystemExit(143)


class ProgressBar(keras.callbacks.Callback):
    """A bar an epoch, with the images a second, and the result of the epoch when it is over."""

    def __init__(self, batch_size):
        super().__init__()
        self.batch_size = batch_size
        self.bar = tqdm.tqdm(disable=True)

    def close(self):
        """Clear the line, for what is said of an epoch that does not end."""
        self.bar.close()

    def on_epoch_begin(self, epoch, logs=None):
        total = self.params["steps"] * self.batch_size
        self.bar = tqdm.tqdm(total=total, desc=f"epoch {epoch + 1}/{self.params['epochs']}", unit="img", leave=False)

    def on_train_batch_end(self, batch, logs=None):
        self.bar.set_postfix({name: f"{float(logs[name]):.3f}" for name in LOGGED}, refresh=False)
        self.bar.update(self.batch_size)

    def on_epoch_end(self, epoch, logs=None):
        rate = self.bar.format_dict["rate"] or 0
        self.close()
        train, *validation = (
            "  ".join(f"{name} {float(logs[prefix + name]):.3f}" for name in LOGGED)
            for prefix in ("", "val_")
            if prefix + "loss" in logs
        )
        judged = "".join(f"validation {errors}  |  " for errors in validation)
        print(f"epoch {epoch + 1}: {train}  |  {judged}{rate:.0f} images/s", flush=True)
