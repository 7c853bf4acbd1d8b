"""A run from first batch to result (paper section 5)."""

import dataclasses
import datetime
import importlib.metadata
import pathlib
import platform
import shlex
import subprocess
import sys
import time

import keras
import tensorflow as tf
import tqdm

from keras_alexnet import evaluation, gallery, pipeline, report, weights
from keras_alexnet.architectures import ARCHITECTURES, lookup
from keras_alexnet.distribution import fastest_precision
from keras_alexnet.files import written_aside
from keras_alexnet.metrics import TopKError
from keras_alexnet.model import build
from keras_alexnet.optimizers import PaperSGD, divided_learning_rate

LOGGED = ("loss", "top1_error", "top5_error")


def compiled_model(recipe, classes, file=None, replace_head=False):
    """The recipe's network with its update rule, ready for `fit`.

    Args:
        recipe: A `Recipe`.
        classes: Number of classes.
        file: None, or weights of the same network to start from, in any format that `weights.load` knows.
        replace_head: Whether a last layer for another number of classes starts anew.

    Returns:
        A compiled `keras.Model`.

    Raises:
        ValueError: If the recipe or the file is of no such network.
    """
    architecture = lookup(ARCHITECTURES, recipe.architecture, "architecture")
    model = build(
        dataclasses.replace(architecture, dropout=recipe.dropout),
        input_shape=(recipe.size, recipe.size, 3),
        classes=classes,
        name=f"alexnet_{recipe.architecture}",
        initial_weights=recipe.initial_weights,
    )
    for line in weights.load(model, file, replace_head) if file else ():
        print(line)
    optimizer = PaperSGD(
        recipe.learning_rate, recipe.momentum, recipe.decay, recipe.bias_learning_rate_factor, recipe.decay_into
    )
    on_tensorflow_cpu = keras.backend.backend() == "tensorflow" and not tf.config.list_physical_devices("GPU")
    model.compile(
        optimizer,
        loss="sparse_categorical_crossentropy",
        metrics=[TopKError(1), TopKError(5)],
        jit_compile=False if on_tensorflow_cpu else "auto",  # XLA's max pooling gradient on the CPU is ten times slower
    )
    return model


class Record(keras.callbacks.Callback):
    """Keeps the run's record after each epoch, and sets the learning rate that follows from it.

    The order of writing makes a crash harmless: a log that is an epoch ahead of the checkpoint is cut when resumed.
    """

    def __init__(self, run, recipe, rows):
        super().__init__()
        self.run = run
        self.recipe = recipe
        self.rows = rows

    def on_epoch_begin(self, epoch, logs=None):
        errors = [row["val_top1_error"] for row in self.rows]
        recipe = self.recipe
        self.rate = divided_learning_rate(recipe.learning_rate, errors, recipe.patience, recipe.divisions)
        self.model.optimizer.learning_rate = self.rate

    def on_epoch_end(self, epoch, logs=None):
        row = {"epoch": epoch + 1, "learning_rate": self.rate}
        row |= {key: float(logs[key]) for prefix in ("", "val_") for key in (prefix + name for name in LOGGED)}
        if row["val_top1_error"] < min((row["val_top1_error"] for row in self.rows), default=float("inf")):
            network = keras.Model(self.model.inputs, self.model.outputs, name=self.model.name)  # not its optimizer
            with written_aside(self.run.best) as aside:
                network.save(aside)
        self.rows.append(row)
        self.run.write_log(self.rows)
        self.run.save_last(self.model, epoch + 1)


class ProgressBar(keras.callbacks.Callback):
    """A bar an epoch, with the images a second, and the result of the epoch when it is over."""

    def __init__(self, batch_size):
        super().__init__()
        self.batch_size = batch_size

    def on_epoch_begin(self, epoch, logs=None):
        total = self.params["steps"] * self.batch_size
        self.bar = tqdm.tqdm(total=total, desc=f"epoch {epoch + 1}/{self.params['epochs']}", unit="img", leave=False)

    def on_train_batch_end(self, batch, logs=None):
        self.bar.set_postfix({name: f"{float(logs[name]):.3f}" for name in LOGGED}, refresh=False)
        self.bar.update(self.batch_size)

    def on_epoch_end(self, epoch, logs=None):
        rate = self.bar.format_dict["rate"] or 0
        self.bar.close()
        train, validation = (
            "  ".join(f"{name} {float(logs[prefix + name]):.3f}" for name in LOGGED) for prefix in ("", "val_")
        )
        print(f"epoch {epoch + 1}: {train}  |  validation {validation}  |  {rate:.0f} images/s", flush=True)


def fit(recipe, data, run, options, strategy):
    """Train by `recipe` on `data` and leave everything in the folder of `run`; go on where the run has a checkpoint.

    Args:
        recipe: A `Recipe`.
        data: A `datasets.Dataset` with "train" and "validation" splits.
        run: A `runs.Run`, new or interrupted.
        options: `recipes.Options`: seed, precision, first weights, length of an epoch.
        strategy: A `tf.distribute.Strategy` for the devices that train.

    Returns:
        The results, as in the run's `results.json`.

    Raises:
        ValueError: If the batch does not divide among the devices, or the data are too few for one batch.

    Source: section 5.
    """
    replicas = strategy.num_replicas_in_sync
    if recipe.batch_size % replicas:
        raise ValueError(
            f"`--batch-size` must divide among the {replicas} devices. Received: batch_size={recipe.batch_size}"
        )
    if "validation" not in data.splits:
        raise ValueError(f"Training needs a validation split, by which the best epoch is chosen. Received: {data.name}")
    keras.utils.set_random_seed(options.seed)
    precision = fastest_precision() if options.precision == "auto" else options.precision
    keras.mixed_precision.set_global_policy(precision)
    _describe(run, recipe, data, options, strategy, precision)
    squares = {name: pipeline.squares(split, recipe.side) for name, split in data.splits.items() if name != "test"}
    statistics = _statistics(run, squares["train"])

    checkpoint, first_epoch = run.last()
    rows = run.read_log()[:first_epoch]
    batches = pipeline.training_batches(
        squares["train"], statistics, recipe, options.seed, range(first_epoch, recipe.epochs), options.steps_per_epoch
    )
    size = _validation_batch_size(len(squares["validation"]), recipe.batch_size, replicas)
    validation = pipeline.evaluation_batches(squares["validation"], statistics, recipe, size)
    started = time.perf_counter()
    if first_epoch < recipe.epochs:
        with strategy.scope():
            model = (
                keras.models.load_model(checkpoint)
                if checkpoint
                else compiled_model(recipe, len(data.class_names), options.weights, options.head == "new")
            )
        model.fit(
            batches,
            validation_data=validation,
            initial_epoch=first_epoch,
            epochs=recipe.epochs,
            shuffle=False,  # the batches come shuffled
            steps_per_epoch=int(batches.cardinality()) // (recipe.epochs - first_epoch),
            verbose=0,
            callbacks=[
                Record(run, recipe, rows),
                ProgressBar(recipe.batch_size),
                keras.callbacks.TensorBoard(run.tensorboard, write_graph=False),
            ],
        )
    return _finish(run, recipe, data, squares["validation"], time.perf_counter() - started)


def summary(results):
    """The result of a run in one line."""
    return "validation: " + ", ".join(
        f"{views} view{'s' * (views > 1)} top-1 error {100 * errors['top1_error']:.1f} %, "
        f"top-5 {100 * errors['top5_error']:.1f} %"
        for views, errors in ((1, results["validation_1_view"]), (10, results["validation_10_views"]))
    )


def _describe(run, recipe, data, options, strategy, precision):
    """Keep what the run is made with; a resumed run keeps its first account."""
    if (run.folder / "recipe.json").exists():
        return
    packages = ("keras_alexnet", "keras", keras.backend.backend(), "tensorflow", "tensorflow-datasets", "numpy")
    run.write_classes(data.class_names)
    run.write_json(
        "recipe.json",
        {
            "recipe": dataclasses.asdict(recipe),
            "options": dataclasses.asdict(options),
            "data": data.describe(),
            "precision": precision,
            "backend": keras.backend.backend(),
            "devices": strategy.num_replicas_in_sync,
            "machine": platform.platform(),
            "command": shlex.join(["python", *sys.argv]),
            "commit": _commit(),
            "date": datetime.date.today().isoformat(),
            "versions": {name: importlib.metadata.version(name) for name in dict.fromkeys(packages)},
        },
    )


def _commit():
    """The checkout's commit, None outside one."""
    command = ["git", "-C", str(pathlib.Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None


def _validation_batch_size(pictures, most, replicas):
    """The largest that leaves no replica without a picture in the last batch: TensorFlow fails on none."""
    fitting = (size for size in range(most, 0, -replicas) if not 0 < pictures % size < replicas)
    return next(fitting, most)


def _statistics(run, squares):
    """Measured once, from the training split; a resumed run reads them."""
    if run.statistics.exists():
        return pipeline.Statistics.load(run.statistics)
    statistics = pipeline.Statistics.measure(squares)
    statistics.save(run.statistics)
    return statistics


def _finish(run, recipe, data, squares, seconds):
    """Judge the best network on the validation split, one view and ten, draw the figures and write the report."""
    judgement = evaluation.judge_squares(run, data, "validation", squares)
    numbers = judgement.numbers()
    results = {"epochs": recipe.epochs, "seconds": round(seconds)}
    results |= {f"validation_{key}": numbers[key] for key in ("1_view", "10_views")}
    run.write_json("results.json", results)
    gallery.draw(run, judgement)
    report.write(run)
    return results
