"""A run from first batch to result (paper section 5)."""

import contextlib
import dataclasses
import signal
import time

import keras
import tensorflow as tf

from keras_alexnet import files, runs
from keras_alexnet.data import pipeline
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.evaluation import evaluate, features
from keras_alexnet.evaluation.classifier import Classifier
from keras_alexnet.evaluation.metrics import TopKError
from keras_alexnet.models.alexnet import build
from keras_alexnet.models.architectures import ARCHITECTURES, lookup
from keras_alexnet.reporting import report, run_figures
from keras_alexnet.training import checkpoints, errors, strategies
from keras_alexnet.training.callbacks import Guard, ProgressBar, Record, Saving
from keras_alexnet.training.optimizers import PaperSGD
from keras_alexnet.weights import loading


def compiled_model(recipe, classes, file=None, replace_head=False):
    """The recipe's network with its update rule, ready for `fit`.

    Args:
        recipe: A `Recipe`.
        classes: Number of classes.
        file: None, or weights of the same network to start from, in any format that `loading.load` knows.
        replace_head: Whether a last layer for another number of classes starts anew.

    Returns:
        A compiled `keras.Model`.

    Raises:
        ValueError: If the recipe or the file is of no such network.
    """
    architecture = lookup(ARCHITECTURES, recipe.architecture, "architecture")
    network = build(
        dataclasses.replace(architecture, dropout=recipe.dropout),
        input_shape=(recipe.crop_size, recipe.crop_size, 3),
        classes=classes,
        name=f"alexnet_{recipe.architecture}",
        initial_weights=recipe.initial_weights,
    )
    for line in loading.load(network, file, replace_head) if file else ():
        print(line)
    model = strategies.for_workers(network)
    optimizer = PaperSGD(
        recipe.learning_rate, recipe.momentum, recipe.weight_decay, recipe.bias_learning_rate_factor, recipe.decay_into
    )
    on_tensorflow_cpu = keras.backend.backend() == "tensorflow" and not tf.config.list_physical_devices("GPU")
    model.compile(
        optimizer,
        loss="sparse_categorical_crossentropy",
        metrics=[TopKError(1), TopKError(5)],
        jit_compile=False if on_tensorflow_cpu else "auto",  # XLA's max pooling gradient on the CPU is ten times slower
    )
    return model


def fit(recipe, data, run, options, strategy):
    """Train by `recipe` on `data` and leave everything in the folder of `run`; go on where the run has a checkpoint.

    Args:
        recipe: A `Recipe`.
        data: A `datasets.Dataset` with "train" and "validation" splits.
        run: A `runs.Run`, new or interrupted.
        options: `recipes.Options`: seed, precision, first weights, length of an epoch.
        strategy: A `tf.distribute.Strategy` for the devices that train.

    A run killed at any moment goes on from its newest whole checkpoint and leaves the record that it would have left:
    to the last bit with `options.deterministic` on CPUs. SIGTERM saves after the step and exits with status 143.

    Returns:
        The results, as in the run's `results.json`; None in a process that is not the chief of several.

    Raises:
        ValueError: If the batch does not divide among the devices, the data are too few for one batch, a batch does
            not fit into memory, the loss is no number, or another process trains this run.
        OSError: If the run's folder cannot be written or the pictures cannot be read any longer.

    Source: section 5.
    """
    replicas = strategy.num_replicas_in_sync
    if recipe.batch_size % replicas:
        raise ValueError(
            f"`--batch-size` must divide among the {replicas} devices. Received: batch_size={recipe.batch_size}"
        )
    if "validation" not in data.splits and not recipe.divide_after:
        raise ValueError(
            "Training without a validation split needs a schedule that was settled before: `--divide-after` and "
            f"`--epochs`. Received: {data.name}, divide_after={recipe.divide_after}"
        )
    precision = _prepare(options)
    squares = {
        name: pipeline.resize_pictures(split, recipe.resize_size)
        for name, split in data.splits.items()
        if name != "test"
    }
    chief = strategies.is_chief(strategy)
    with files.locked(run.folder) if chief else contextlib.nullcontext():
        if chief:
            files.remove_partial_files(run.folder)
            _describe(run, recipe, data, options, strategy, precision)
        whole, started = not run.last.exists(), time.perf_counter()
        with errors.explained(recipe, run.folder):
            _train(recipe, data, squares, run, options, strategy)
        seconds = {"seconds": round(time.perf_counter() - started)} if whole else {}  # a resumed run's tell little
        return _finish(run, recipe, data, squares.get("validation"), seconds) if chief else None


def _prepare(options):
    """Set the seeds and the precision, which is returned."""
    keras.utils.set_random_seed(options.seed)
    if options.deterministic:
        tf.config.experimental.enable_op_determinism()
    precision = strategies.fastest_precision() if options.precision == "auto" else options.precision
    keras.mixed_precision.set_global_policy(precision)
    return precision


def _train(recipe, data, squares, run, options, strategy):
    """The epochs that the newest checkpoint leaves: what is left of the one begun, then all others in one `fit`."""
    checkpoint = checkpoints.newest(run.last, len(run.read_log()))
    epoch, step = (checkpoint.epochs, checkpoint.steps) if checkpoint else (0, 0)
    if epoch == recipe.epochs:
        return
    chief = strategies.is_chief(strategy)
    statistics = _statistics(run, squares["train"], chief)
    steps = pipeline.steps_of_an_epoch(len(squares["train"]), recipe.batch_size, options.steps_per_epoch)
    validation = _validation_batches(squares.get("validation"), statistics, recipe, strategy.num_replicas_in_sync)
    with strategy.scope():
        weights, anew = options.weights, options.head == "new"
        model = checkpoint.load() if checkpoint else compiled_model(recipe, len(data.class_names), weights, anew)
    bar = ProgressBar(recipe.batch_size)
    with errors.postponed(signal.SIGTERM, strategies.is_alone(strategy)) as stop, contextlib.closing(bar):
        callbacks = [bar, *_callbacks(recipe, run, options, steps, checkpoint, stop, chief)]
        if step == steps:
            _judge_epoch(model, validation, checkpoint, callbacks)
            epoch, step = epoch + 1, 0
        pictures = (squares if pipeline.fits_in_memory(data.splits["train"], recipe.resize_size) else data.splits)[
            "train"
        ]
        for epochs, first_step in _parts(epoch, step, recipe.epochs):
            batches = pipeline.training_batches(
                pictures, statistics, recipe, options.seed, epochs, options.steps_per_epoch, first_step
            )
            model.fit(
                batches,
                validation_data=validation,
                initial_epoch=epochs.start,
                epochs=epochs.stop,
                shuffle=False,  # the batches come shuffled
                steps_per_epoch=steps - first_step,
                verbose=0,
                callbacks=callbacks,
            )


def _parts(epoch, step, end):
    """The epochs of each `fit`, and their first step: the epoch that was begun apart, for it has fewer."""
    begun = range(epoch, epoch + 1 if step else epoch)
    return [part for part in ((begun, step), (range(begun.stop, end), 0)) if part[0]]


def _callbacks(recipe, run, options, steps, checkpoint, stop, chief):
    """Of several workers the chief alone writes."""
    rows = run.read_log()[: checkpoint.epochs if checkpoint else 0]
    guard = Guard(run, recipe, rows, checkpoint.steps if checkpoint else 0)
    saving = Saving(run.last, steps, checkpoint, options.checkpoint_steps, stop, chief)
    events = [keras.callbacks.TensorBoard(run.tensorboard, write_graph=False)] if chief else []
    return [guard, Record(run, recipe, rows, chief), saving, *events]


def _judge_epoch(model, validation, checkpoint, callbacks):
    """End an epoch that was stopped in its validation."""
    callbacks = keras.callbacks.CallbackList(callbacks, model=model, epochs=checkpoint.epochs + 1, steps=0)
    errors = model.evaluate(validation, verbose=0, return_dict=True) if validation else {}  # it resets the metrics
    model.reset_metrics()
    checkpoints.assign(model.metrics_variables, checkpoint.metrics)
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(checkpoint.epochs)
    logs = model.get_metrics_result() | {f"val_{name}": value for name, value in errors.items()}
    callbacks.on_epoch_end(checkpoint.epochs, logs)
    callbacks.on_train_end()


def summary(results):
    """The result of a run in one line."""
    if "validation_1_view" not in results:
        return f"trained for {results['epochs']} epochs without validation: scripts/evaluate.py judges the last network"
    return "validation: " + ", ".join(
        f"{views} view{'s' * (views > 1)} top-1 error {100 * errors['top1_error']:.1f} %, "
        f"top-5 {100 * errors['top5_error']:.1f} %"
        for views, errors in ((1, results["validation_1_view"]), (10, results["validation_10_views"]))
    )


def _describe(run, recipe, data, options, strategy, precision):
    """Keep what the run is made with; a resumed run keeps its first account."""
    if not (run.folder / "recipe.json").exists():
        run.write_classes(data.class_names)
        made_with = runs.provenance(recipe, options, data.describe(), precision, strategy.num_replicas_in_sync)
        run.write_json("recipe.json", made_with)


def _validation_batches(squares, statistics, recipe, replicas):
    """As large as leave no replica without a picture in the last batch, on which TensorFlow fails; None of nothing."""
    if squares is None:
        return None
    most = recipe.batch_size
    fitting = (size for size in range(most, 0, -replicas) if not 0 < len(squares) % size < replicas)
    return pipeline.evaluation_batches(squares, statistics, recipe, next(fitting, most))


def _statistics(run, squares, writes):
    """Measured once, from the training split; a resumed run reads them."""
    if run.statistics.exists():
        return Statistics.load(run.statistics)
    statistics = Statistics.measure(squares)
    if writes:
        statistics.save(run.statistics)
    return statistics


def _finish(run, recipe, data, squares, seconds):
    """Judge the best network on the validation split, one view and ten, draw the figures and write the report."""
    results = {"epochs": recipe.epochs} | seconds
    evaluation = evaluate.evaluate_run(run, data, "validation", squares) if squares is not None else None
    if evaluation:
        numbers = evaluation.numbers()
        results |= {f"validation_{key}": numbers[key] for key in ("1_view", "10_views")}
    kernels = features.first_kernels(Classifier.of_run(run).model)
    if kernels.shape[-1] % 2 == 0:
        results["specialization"] = features.specialization(kernels)  # for records, which have no weights
    run.write_json("results.json", results)
    run_figures.draw(run, evaluation)
    report.write(run)
    return results
