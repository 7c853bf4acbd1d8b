"""The comparisons of benchmark.py with data in them: the input pipeline alone, and `training.fit` as a whole.

Each takes the parsed flags and a `measuring.Report`, and adds what it measured.

TensorFlow is imported inside functions, because every worker process imports the main script again.
"""

import contextlib
import functools
import pathlib
import sys
import tempfile
import time
import unittest.mock

import numpy as np
from PIL import Image

from benchmarks import rivals
from benchmarks.measuring import take_turns
from benchmarks.network_speed import OURS, POLICIES, ours, precision, random_batch, recipe, training_step
from keras_alexnet.recipes import Options
from keras_alexnet.runs import Run

WIDTH, HEIGHT = 700, 500  # of the photographs, pixels
QUALITY = 80  # of the JPEGs
TEXTURE = 4.0  # grey levels of noise on the drawn flowers: files of 45 KiB, where those of Flowers-102 have 41
PASSES = 8  # over the files in one turn of ours: the epochs of a training are one stream as well
FIT_STEPS = 4  # batches an epoch of `training.fit`


def input_pipeline(arguments, report):
    """Measure picture files to batches of training crops, decoded in every pass, against Pillow in a DataLoader."""
    with tempfile.TemporaryDirectory() as folder:
        paths, labels = _take_photographs(pathlib.Path(folder), arguments.files)
        settings = recipe(arguments.size, batch_size=arguments.batch_sizes[0])
        pictures, statistics = _read(folder, settings.resize_size)
        contenders = {OURS: _our_pass(pictures, statistics, settings)}
        if rivals.HAS_PYTORCH:
            views = rivals.PillowViews(paths, labels, statistics, settings)
            batches = rivals.pillow_loader(views, settings.batch_size)
            work = len(batches) * settings.batch_size
            contenders[f"Pillow, DataLoader, {rivals.WORKERS} workers"] = functools.partial(_exhaust, batches), work
        else:
            report.leave_out(rivals.NO_PYTORCH)
        rates = take_turns(contenders, arguments.repeats, arguments.seconds)
        size = sum(path.stat().st_size for path in paths) / len(paths) / 1024
    subject = f"{len(paths)} JPEGs of {HEIGHT} x {WIDTH}, {size:.0f} KiB each, to {settings.crop_size} px"
    report.add("pipeline", subject, "images/s", rates)


def _take_photographs(folder, count):
    """Writes JPEGs of two classes, and the few that the other splits need; gives paths and labels of the first."""
    from keras_alexnet.data.drawings import petals

    random = np.random.default_rng(0)
    paths = []
    for split, size in (("train", count), ("validation", 2), ("test", 2)):
        for number, flower in enumerate(petals.draw(size)[0]):
            path = folder / split / f"class{number % 2}" / f"{number:04d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            large = np.asarray(Image.fromarray(flower).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC))
            large = large + random.normal(0, TEXTURE, (HEIGHT, WIDTH, 1))
            Image.fromarray(np.uint8(large.clip(0, 255))).save(path, quality=QUALITY)
            paths.append(path)
    return paths[:count], [number % 2 for number in range(count)]


def _read(folder, side):
    """The train split, whose pictures are read as those of a set too large to be kept in memory; and its statistics."""
    from keras_alexnet.data import datasets, pipeline
    from keras_alexnet.data.statistics import Statistics

    split = datasets.load(folder).splits["train"]
    return split, Statistics.measure(pipeline.resize_pictures(split, side))


def _our_pass(pictures, statistics, settings):
    """A function that makes every batch of several epochs, and the number of their images."""
    from keras_alexnet.data import pipeline

    batches = pipeline.training_batches(pictures, statistics, settings, seed=0, epochs=range(PASSES))
    return functools.partial(_exhaust, batches), len(batches) * settings.batch_size


def _exhaust(batches):
    for _ in batches:
        pass


def fit(arguments, report):
    """Epochs of `training.fit` on squares in memory, beside as many bare steps before each.

    An epoch is timed from its begin to the end of its last batch. Views, steps, metrics, progress bar and event files
    are in; validation and checkpoints, which come after, are not. The first epoch, in which TensorFlow traces and the
    squares are made, does not count.
    """
    from keras_alexnet.training import trainer as library

    batch, name = arguments.batch_sizes[0], arguments.precisions[0]
    settings = recipe(arguments.size, batch_size=batch, epochs=arguments.repeats + 1)
    options = Options(precision=POLICIES[name], steps_per_epoch=FIT_STEPS)
    rates = {"training.fit": [], "bare training step": []}
    with tempfile.TemporaryDirectory() as folder, precision(name), contextlib.redirect_stdout(sys.stderr):
        network = ours(arguments)
        bare = training_step(network, *random_batch(network, batch, arguments.size))
        bar = functools.partial(_timed_bar(), bare=bare, rates=rates)
        run = Run.create(pathlib.Path(folder) / "run")
        with unittest.mock.patch.object(library, "ProgressBar", bar):
            library.fit(settings, _noise(batch * FIT_STEPS, settings.resize_size), run, options)
    counted = {who: measured[1:] for who, measured in rates.items()}
    report.add("fit", f"batch {batch}, {name}, epochs without validation and checkpoints", "images/s", counted)


def _noise(count, side):
    """A data set in memory."""
    import tensorflow as tf

    from keras_alexnet.data.datasets import Dataset
    from keras_alexnet.data.identity import DataIdentity

    random, splits = np.random.default_rng(0), {}
    for split, size in (("train", count), ("validation", 8)):
        images = random.integers(256, size=(size, side, side, 3), dtype=np.uint8)
        splits[split] = tf.data.Dataset.from_tensor_slices((images, random.integers(rivals.CLASSES, size=size)))
    class_names = tuple(f"class {label}" for label in range(rivals.CLASSES))
    return Dataset("noise", class_names, splits, DataIdentity("other", "noise"))


def _timed_bar():
    """The progress bar of `training.fit`, which also lets the bare step run before an epoch, and times both."""
    from keras_alexnet.training.trainer import ProgressBar

    class TimedBar(ProgressBar):
        def __init__(self, batch_size, bare, rates):
            super().__init__(batch_size)
            self.bare = bare
            self.rates = rates

        def on_epoch_begin(self, epoch, logs=None):
            self.started = time.perf_counter()
            for _ in range(FIT_STEPS):
                self.bare()
            self._count("bare training step", time.perf_counter())
            self.started = time.perf_counter()
            super().on_epoch_begin(epoch, logs)

        def on_train_batch_end(self, batch, logs=None):
            super().on_train_batch_end(batch, logs)
            self.ended = time.perf_counter()

        def on_epoch_end(self, epoch, logs=None):
            self._count("training.fit", self.ended)
            super().on_epoch_end(epoch, logs)

        def _count(self, who, ended):
            self.rates[who].append(FIT_STEPS * self.batch_size / (ended - self.started))

    return TimedBar
