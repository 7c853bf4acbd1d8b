"""Training, from the first batch to the last (paper section 5)."""

import contextlib
import dataclasses
import os
import pathlib
import time
from collections.abc import Iterator

import keras
import numpy as np
import tensorflow as tf

from keras_alexnet import files, runs
from keras_alexnet.arguments import check_type
from keras_alexnet.data import balancing, pipeline
from keras_alexnet.data.datasets import Dataset
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.evaluation.chance import chance_loss
from keras_alexnet.evaluation.metrics import MeanClassError, TopKError
from keras_alexnet.interrupts import StopRequest, deferred_signals
from keras_alexnet.models import architectures
from keras_alexnet.models.alexnet import build
from keras_alexnet.models.pixels import unwatch
from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.text import printable
from keras_alexnet.training import checkpoints, errors, hardware, loss_checks, provenance, recovery, schedules
from keras_alexnet.training.callbacks import (
    CheckpointWriter,
    LearningRate,
    LogWriter,
    LossGuard,
    ProgressBar,
    RateFactors,
    TimeLimit,
)
from keras_alexnet.training.histograms import Histograms
from keras_alexnet.training.losses import CrossEntropy
from keras_alexnet.training.optimizers import PaperSGD
from keras_alexnet.training.strategies import Strategy
from keras_alexnet.weights import loading, names


def compiled_model(
    recipe: Recipe,
    classes: int,
    weights: str | os.PathLike[str] | None = None,
    head: str = "kept",
    strategy: Strategy | None = None,
    verbose: bool = True,
) -> keras.Model:
    """Build the recipe's network with its optimizer, ready for `fit`.

    Args:
        recipe: The recipe.
        classes: Number of classes.
        weights: Weights of the same network to start from: "drawn", a name in `weights.names.NAMES`, or a file or run
            folder that `weights.load` can read.
        head: What to do with the last layer of the weights, see `weights.loading.load`.
        strategy: The devices to train on; None for one device.
        verbose: Whether to print what was loaded into each layer.

    Returns:
        A compiled model.

    Raises:
        TypeError: If an argument is another kind of object, such as the name of a recipe.
        ValueError: If the network of the recipe or the weights are unknown.
    """
    strategy = strategy or Strategy()
    _check_recipe(recipe)
    _check_strategy(strategy)
    architecture = architectures.get(recipe.architecture)
    network = build(
        dataclasses.replace(architecture, dropout=recipe.dropout, dropout_form=recipe.dropout_form),
        input_shape=(recipe.crop_size, recipe.crop_size, 3),
        classes=classes,
        name=f"alexnet_{recipe.architecture}",
        initial_weights=recipe.initial_weights,
        include_preprocessing=recipe.mean == "network",
    )
    schedules.check_layers(recipe, [layer.name for layer in network.layers if layer.weights])
    lines = loading.load(network, names.locate(weights, recipe.architecture), head) if weights else ()
    if lines and verbose and weights != names.DRAWN:  # the commands print their own line for it
        print(f"Loaded from {printable(str(weights))}:", *lines, sep="\n  ")
    unwatch(network)  # the pipeline's pixel values are right
    model = strategy.adapt(network)
    model.compile(
        PaperSGD(
            learning_rate=recipe.learning_rate,
            momentum=recipe.momentum,
            weight_decay=recipe.weight_decay,
            bias_learning_rate_factor=recipe.bias_learning_rate_factor,
            decay_into=recipe.decay_into,
            no_weight_decay=recipe.no_weight_decay,
            learning_rate_factors=schedules.layer_factors(recipe, 0, network.layers[-1].name),
            global_clipnorm=recipe.clip_norm,
        ),
        loss=CrossEntropy() if recipe.has_soft_labels else "sparse_categorical_crossentropy",
        metrics=[TopKError(1), TopKError(5), *([MeanClassError(classes)] if recipe.balance != "none" else [])],
        # XLA's gradient of max pooling is ten times slower on the CPU than TensorFlow's own
        jit_compile=False if hardware.is_tensorflow_on_cpu() else "auto",
    )
    return model


@hardware.precision_as_before()
def fit(
    recipe: Recipe, data: Dataset, run: runs.Run, options: Options, strategy: Strategy | None = None
) -> dict | None:
    """Train a recipe and save the network in the run's folder. Continue from the newest checkpoint, if any.

    The seeds of Python, NumPy and the backend are set to that of the options.

    A run that is killed at any moment continues from its newest complete checkpoint and writes the same log as without
    the interruption, bit for bit with `options.deterministic` on CPUs. On SIGINT and SIGTERM it saves a checkpoint
    after the current step and exits with status 130 or 143.

    Args:
        recipe: The recipe.
        data: A data set with a "train" split and usually a "validation" split.
        run: The run, new or interrupted.
        options: Seed, precision, weights to start from, steps per epoch.
        strategy: The devices to train on; None for one device.

    Returns:
        The results, as in the run's `results.json`; None in a process that is not the chief of several.

    Raises:
        TypeError: If an argument is another kind of object, such as the name of a recipe.
        ValueError: If the batch size is not divisible by the number of devices, there are too few pictures for a batch,
            a batch does not fit into memory, the loss is NaN, or another process is training this run.
        OSError: If the run's folder cannot be written, or the pictures can no longer be read.

    Source: section 5.
    """
    strategy = strategy or Strategy()
    _check_types(recipe, data, run, options, strategy)
    _check(recipe, data, options, strategy)
    precision = set_seed_and_precision(_with_precision_of(run, options))
    saved_in, is_resumed = checkpoints.folder_of(run, options), run.has_recipe()
    with _locked(run, saved_in) if strategy.is_chief else contextlib.nullcontext():
        if strategy.is_chief:
            files.remove_partial_files(run.folder)
            if options.checkpoint_path:  # then they are not in the run's folder
                files.remove_partial_files(saved_in)
            if is_resumed:  # it keeps its own recipe
                run.update(recipe.epochs, options)
            else:
                made = provenance.describe(recipe, options, data.identity.as_json(), precision, strategy.devices)
                run.write_provenance(made | {"first_name": run.name})
            if not run.classes.exists():
                run.write_classes(data.class_names)
        is_new, started = not checkpoints.exist(saved_in), time.perf_counter()

        def how_to_go_on() -> str:
            can_continue = is_resumed or checkpoints.exist(saved_in)
            return f"continue with --resume {run.folder}" if can_continue else "start again"

        with errors.readable_errors(recipe, how_to_go_on):
            recoveries, counts = _train(recipe, data, run, options, strategy)
        if not strategy.is_chief:
            return None
        seconds = {"seconds": round(time.perf_counter() - started)} if is_new else {}  # misleading for a resumed run
        results = {"epochs": len(run.read_log())} | seconds | ({"recoveries": len(recoveries)} if recoveries else {})
        results["class_counts"] = balancing.counts_as_seen(counts, recipe).tolist()
        run.write_results(results)
        return results


@contextlib.contextmanager
def _locked(run: runs.Run, saved_in: pathlib.Path) -> Iterator[None]:
    """Hold the locks of the run folder and of the folder of its checkpoints, which a copy of the run may share."""
    with files.locked(run.folder), contextlib.ExitStack() as stack:
        if saved_in != run.last:
            saved_in.mkdir(parents=True, exist_ok=True)
            stack.enter_context(files.locked(saved_in))
        yield


def _check_types(recipe: Recipe, data: Dataset, run: runs.Run, options: Options, strategy: Strategy) -> None:
    """Check the arguments that other functions take as names."""
    _check_recipe(recipe)
    check_type("data", data, Dataset, 'a Dataset, such as datasets.load("oxford_flowers102")')
    check_type("run", run, runs.Run, 'a Run, such as Run.create("runs/mine")')
    check_type("options", options, Options, "an Options, such as Options(seed=1)")
    _check_strategy(strategy)


def _check_recipe(recipe: Recipe) -> None:
    check_type("recipe", recipe, Recipe, 'a Recipe, such as RECIPES["flowers"]')


def _check_strategy(strategy: Strategy) -> None:
    check_type("strategy", strategy, Strategy, "a Strategy, such as create_strategy(devices=2)")


def _check(recipe: Recipe, data: Dataset, options: Options, strategy: Strategy) -> None:
    """Check the settings before anything is read or written."""
    strategy.prepare(recipe)
    is_fixed = recipe.schedule != "divided" or recipe.divide_after or not recipe.divisions
    if "validation" not in data.splits and not is_fixed:
        raise ValueError(
            "Training without a validation split needs a fixed schedule: use `divide_after` and `epochs`, "
            f"`divisions`=0, or a cosine `schedule`. Received: {data.name}, divide_after={recipe.divide_after}"
        )
    if options.max_minutes and not strategy.is_alone:
        raise ValueError(
            "`max_minutes` does not work with several workers: leave it out. "
            f"Received: max_minutes={options.max_minutes}"
        )
    if keras.backend.backend() not in ("tensorflow", "jax"):
        raise ValueError(
            "Training needs the TensorFlow or the JAX backend: set KERAS_BACKEND to one of them. "
            f"Received: KERAS_BACKEND={keras.backend.backend()}"
        )
    if options.tensorboard_verbose and keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Histograms need the TensorFlow backend: leave out `tensorboard_verbose`. "
            f"Received: KERAS_BACKEND={keras.backend.backend()}"
        )
    if options.tensorboard_verbose and options.strategy == "towers":
        raise ValueError(
            "Histograms need the whole network on one device: leave out `tensorboard_verbose`. "
            f"Received: tensorboard_verbose={options.tensorboard_verbose}"
        )
    if recipe.stop_after and "validation" not in data.splits:
        raise ValueError(f"`stop_after` needs a validation split. Received: {data.name}")
    pipeline.steps_of_an_epoch(len(data.splits["train"]), recipe.batch_size, options.steps_per_epoch)


def _with_precision_of(run: runs.Run, options: Options) -> Options:
    """Return the options with the precision that a resumed run began with, also if this machine has a faster one."""
    precision = run.read_provenance().get("precision") if run.has_recipe() else None
    return dataclasses.replace(options, precision=precision) if precision else options


def set_seed_and_precision(options: Options) -> str:
    """Set the seeds and the precision, and return the precision."""
    keras.utils.set_random_seed(options.seed)
    if options.deterministic:
        hardware.make_deterministic()
    precision = hardware.fastest_precision() if options.precision == "auto" else options.precision
    keras.mixed_precision.set_global_policy(precision)
    return precision


@dataclasses.dataclass(frozen=True)
class _Job:
    """The parts of a training run that do not change when it goes back.

    Attributes:
        recipe: The recipe.
        data: The data set.
        run: The run.
        options: The options.
        strategy: The devices to train on.
        train: The training pictures, resized.
        counts: Number of training pictures of each class.
        started: Start time, from `time.perf_counter`.
    """

    recipe: Recipe
    data: Dataset
    run: runs.Run
    options: Options
    strategy: Strategy
    train: tf.data.Dataset
    counts: np.ndarray
    started: float

    @property
    def chance(self) -> float:
        """The loss of chance."""
        return chance_loss(balancing.counts_as_seen(self.counts, self.recipe), self.recipe.label_smoothing)

    def new_model(self, verbose: bool = True) -> keras.Model:
        """Build the network with its initial weights."""
        with self.strategy.scope():
            classes, options = len(self.data.class_names), self.options
            return compiled_model(self.recipe, classes, options.weights, options.head, self.strategy, verbose)

    def initial_model(self) -> keras.Model:
        """Rebuild the network as at the beginning, including the variables of its optimizer."""
        keras.utils.set_random_seed(self.options.seed)
        model = self.new_model(verbose=False)
        with self.strategy.scope():
            model.optimizer.build(model.trainable_variables)
        return model


def _train(
    recipe: Recipe, data: Dataset, run: runs.Run, options: Options, strategy: Strategy
) -> tuple[list[dict], np.ndarray]:
    """Train the epochs that remain after the newest checkpoint. Go back on failure if the options allow it.

    Returns:
        The recoveries, and the number of training pictures of each class.
    """
    started, folder = time.perf_counter(), checkpoints.folder_of(run, options)
    train = pipeline.resize_pictures(data.splits["train"], recipe.training_size)
    job = _Job(recipe, data, run, options, strategy, train, _label_counts(recipe, data, train), started)
    while True:
        checkpoint = checkpoints.newest(folder, len(run.read_log()))
        if checkpoint and checkpoint.epochs > len(run.read_log()):  # a row is written before its checkpoint
            raise ValueError(
                f"The checkpoints in {folder} are ahead of the log, as if a copy of this run had continued: continue "
                f"that copy, or start a new run. Received: {run.folder}"
            )
        recoveries = checkpoint.recoveries if checkpoint else []
        may_recover = options.recover and strategy.is_alone and len(recoveries) < recovery.MAX_RECOVERIES
        try:
            _train_from(checkpoint, job, may_recover)
            return recoveries, job.counts
        except loss_checks.TrainingFailed as failure:
            if not may_recover:
                raise
            rows, rate = run.read_log(), recipe.learning_rate
            recoveries = recovery.go_back(failure, folder, rows, job.chance, rate, job.initial_model)
            run.write_recoveries(recoveries)
            print(runs.describe_recovery(recoveries[-1]), flush=True)


def _label_counts(recipe: Recipe, data: Dataset, train: tf.data.Dataset) -> np.ndarray:
    """Return the number of training pictures of each class. In a large data set, count the first pictures."""
    in_memory = pipeline.fits_in_memory(train, recipe.training_size)
    counted = train if in_memory else data.splits["train"].take(balancing.COUNTED)
    return balancing.count_labels(counted, len(data.class_names))


def _train_from(checkpoint: checkpoints.Checkpoint | None, job: _Job, may_recover: bool) -> None:
    """Train from a checkpoint or from the beginning: the rest of the current epoch, then all others."""
    recipe, options, strategy, train = job.recipe, job.options, job.strategy, job.train
    epoch, step = (checkpoint.epochs, checkpoint.steps) if checkpoint else (0, 0)
    if recipe.is_over(job.run.read_log()[:epoch]):
        return
    statistics = _statistics(job.run, train, strategy)
    steps = pipeline.steps_of_an_epoch(len(train), recipe.batch_size, options.steps_per_epoch)
    validation = _evaluation_batches(job.data.splits.get("validation"), statistics, recipe, strategy)
    with strategy.scope():
        model = strategy.adapt(checkpoint.load()) if checkpoint else job.new_model()
    bar = ProgressBar(recipe.batch_size, recipe.epochs)
    with strategy.training_scope(), deferred_signals(strategy.is_alone) as stop, contextlib.closing(bar):
        callbacks = [bar, *_callbacks(job, checkpoint, steps, stop, may_recover, statistics)]
        if step == steps:
            some = _evaluation_batches(job.data.splits["train"].take(recipe.batch_size), statistics, recipe, strategy)
            _evaluate_epoch(model, validation, some, checkpoint, callbacks)
            epoch, step = epoch + 1, 0
            if model.stop_training:
                return
        pictures = train if pipeline.fits_in_memory(train, recipe.training_size) else job.data.splits["train"]
        repeats = balancing.repeats_by_class(job.counts) if recipe.balance == "repeat" else None
        for epochs, first_step in _parts(epoch, step, recipe.epochs):
            batches = pipeline.training_batches(
                pictures,
                statistics,
                recipe,
                options.seed,
                epochs,
                options.steps_per_epoch,
                first_step,
                repeats,
                len(job.data.class_names),
            )
            model.fit(
                batches,
                validation_data=validation,
                initial_epoch=epochs.start,
                epochs=epochs.stop,
                shuffle=False,  # the batches are shuffled already
                steps_per_epoch=steps - first_step,
                verbose=0,
                callbacks=callbacks,
            )
            if model.stop_training:
                return


def _parts(epoch: int, step: int, end: int) -> list[tuple[range, int]]:
    """Return the epochs of each `fit` and their first step. A partial epoch has fewer steps and its own `fit`."""
    begun = range(epoch, epoch + 1 if step else epoch)
    return [part for part in ((begun, step), (range(begun.stop, end), 0)) if part[0]]


def _callbacks(
    job: _Job,
    checkpoint: checkpoints.Checkpoint | None,
    steps: int,
    stop: StopRequest,
    may_recover: bool,
    statistics: Statistics,
) -> list[keras.callbacks.Callback]:
    """Return the callbacks. Only the chief of several workers writes."""
    run, recipe, options, is_chief = job.run, job.recipe, job.options, job.strategy.is_chief
    rows, first_steps = run.read_log()[: checkpoint.epochs if checkpoint else 0], checkpoint.steps if checkpoint else 0
    histograms_every = options.tensorboard_verbose if is_chief else 0
    images, labels = _first_batch(job, statistics) if may_recover or histograms_every else (None, None)
    watched = images if may_recover else None
    guard = LossGuard(run, recipe, rows, steps, job.chance, first_steps, watched, classes=len(job.counts))
    limit = [TimeLimit(60 * options.max_minutes, job.started)] if options.max_minutes else []
    factor = recovery.factor(checkpoint.recoveries if checkpoint else [])
    rates = LearningRate(recipe, rows, steps, first_steps, factor)
    log = LogWriter(run, recipe, rows, rates, is_chief)
    saving = CheckpointWriter(checkpoints.folder_of(run, options), steps, checkpoint, options, stop, log)
    events = [keras.callbacks.TensorBoard(run.tensorboard, write_graph=False)] if is_chief else []
    if histograms_every:
        events.append(Histograms(run.tensorboard, images, labels, histograms_every))
    return [guard, *limit, rates, log, RateFactors(recipe, rows), saving, *events]


def _first_batch(job: _Job, statistics: Statistics) -> tuple[tf.Tensor, tf.Tensor]:
    """Return the central crops of the first training pictures, and their labels."""
    first = pipeline.resize_pictures(job.data.splits["train"].take(job.recipe.batch_size), job.recipe.resize_size)
    return next(iter(pipeline.evaluation_batches(first, statistics, job.recipe, job.recipe.batch_size)))


def _evaluate_epoch(
    model: keras.Model,
    validation: tf.data.Dataset | None,
    some: tf.data.Dataset,
    checkpoint: checkpoints.Checkpoint,
    callbacks: list[keras.callbacks.Callback],
) -> None:
    """Finish an epoch that was stopped after its last step. Without validation, `some` pictures build the metrics."""
    callbacks = keras.callbacks.CallbackList(callbacks, model=model, epochs=checkpoint.epochs + 1, steps=0)
    model.stop_training = False  # as `fit` does
    measured = model.evaluate(validation or some, verbose=0, return_dict=True)
    validated = measured if validation else {}
    model.reset_metrics()
    checkpoints.assign(model.metrics_variables, checkpoint.metrics)
    callbacks.on_train_begin()
    callbacks.on_epoch_begin(checkpoint.epochs)
    logs = model.get_metrics_result() | {f"val_{name}": value for name, value in validated.items()}
    callbacks.on_epoch_end(checkpoint.epochs, logs)
    callbacks.on_train_end()


def _evaluation_batches(
    pictures: tf.data.Dataset | None, statistics: Statistics, recipe: Recipe, strategy: Strategy
) -> tf.data.Dataset | None:
    if pictures is None:
        return None
    pictures = pipeline.resize_pictures(pictures, recipe.resize_size)
    size = strategy.evaluation_batch_size(len(pictures), recipe.batch_size)
    return pipeline.evaluation_batches(pictures, statistics, recipe, size)


def _statistics(run: runs.Run, pictures: tf.data.Dataset, strategy: Strategy) -> Statistics:
    """Measure the statistics of the training split, or read them if the run is resumed."""
    if run.statistics.exists():
        return Statistics.load(run.statistics)
    statistics = Statistics.measure(pictures)
    if strategy.is_chief:
        statistics.save(run.statistics)
    return statistics
