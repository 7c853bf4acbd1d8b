"""The comparisons of benchmark.py that read data: the input pipeline alone, and `trainer.fit` as a whole.

Each takes the parsed flags and a report, and adds its measurements to the report.

TensorFlow is imported inside functions, because every worker process imports the main script again.
"""

import argparse
import contextlib
import functools
import sys
import tempfile
import time
import unittest.mock

import numpy as np
from PIL import Image

from benchmarks import baselines
from benchmarks.measuring import Report, take_turns
from benchmarks.network_speed import OURS, POLICIES, ours, precision, random_batch, recipe, training_step
from keras_alexnet.files import temporary_folder
from keras_alexnet.recipes import Options
from keras_alexnet.runs import Run

WIDTH, HEIGHT = 700, 500  # of the photographs, pixels
QUALITY = 80  # of the JPEGs
TEXTURE = 4.0  # pixel values of noise on the drawn flowers; the files then have 45 KiB, those of Flowers-102 have 41
PASSES = 8  # over the files in one turn of ours, because the epochs of a training are one stream too
QUALITY_OF_COPIES = 90  # higher, since they are encoded a second time
SMALL = f"{OURS}, smaller copies"
DECODED = "TensorFlow, decoding only"
FIT_STEPS = 4  # batches per epoch of `trainer.fit`


def input_pipeline(arguments: argparse.Namespace, report: Report) -> None:
    """Compare reading picture files into batches of training crops with Pillow in a DataLoader.

    Both decode every picture in every pass. Two more contenders show what could be gained: one reads smaller copies of
    the files, and one only decodes the parts of the pictures that the crops show, which is the most that a pipeline
    could reach with this decoder.
    """
    with temporary_folder(tempfile.gettempdir()) as folder:
        paths, labels = _take_photographs(folder, arguments.files)
        settings = recipe(arguments.size, batch_size=arguments.batch_sizes[0])
        pictures, statistics = _read(folder, settings.resize_size)
        small, _ = _read(_shrink(folder, settings.resize_size), settings.resize_size)
        contenders = {
            OURS: _our_pass(pictures, statistics, settings),
            SMALL: _our_pass(small, statistics, settings),
            DECODED: _decoding_pass(pictures, settings),
        }
        if baselines.HAS_PYTORCH:
            crops = baselines.PillowCrops(paths, labels, statistics, settings)
            batches = baselines.pillow_loader(crops, settings.batch_size)
            work = len(batches) * settings.batch_size
            contenders[f"Pillow, DataLoader, {baselines.WORKERS} workers"] = functools.partial(_exhaust, batches), work
        else:
            report.leave_out(baselines.NO_PYTORCH)
        rates = take_turns(contenders, arguments.repeats, arguments.seconds)
        size = sum(path.stat().st_size for path in paths) / len(paths) / 1024
    subject = f"{len(paths)} JPEGs of {HEIGHT} x {WIDTH}, {size:.0f} KiB each, to {settings.crop_size} px"
    report.add("pipeline", subject, "images/s", rates)


def _take_photographs(folder, count):
    """Write JPEGs of two classes for all splits. Return the paths and labels of the training pictures."""
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


def _shrink(folder, side):
    """Write copies of the JPEGs whose shorter side has `side` pixels. Return their folder."""
    for path in sorted(folder.rglob("*.jpg")):
        copy = folder / "small" / path.relative_to(folder)
        copy.parent.mkdir(parents=True, exist_ok=True)
        with Image.open(path) as picture:
            scale = side / min(picture.size)
            size = [round(scale * length) for length in picture.size]
            picture.resize(size, Image.Resampling.BICUBIC).save(copy, quality=QUALITY_OF_COPIES)
    return folder / "small"


def _read(folder, side):
    """Return the training split, read as that of a set too large for memory, and its statistics."""
    from keras_alexnet.data import datasets, pipeline
    from keras_alexnet.data.statistics import Statistics

    split = datasets.load(folder).splits["train"]
    return split, Statistics.measure(pipeline.resize_pictures(split, side))


def _our_pass(pictures, statistics, settings):
    """Return a function that makes every batch of several epochs, and the number of images in them."""
    from keras_alexnet.data import pipeline

    batches = pipeline.training_batches(pictures, statistics, settings, seed=0, epochs=range(PASSES))
    return functools.partial(_exhaust, batches), len(batches) * settings.batch_size


def _decoding_pass(pictures, settings):
    """Return a function that reads and decodes the centers of the pictures, and their number."""
    import tensorflow as tf

    from keras_alexnet.data import pipeline

    side = HEIGHT * settings.crop_size // settings.resize_size  # of a crop before it is resized
    window = [(HEIGHT - side) // 2, (WIDTH - side) // 2, side, side]

    def decoded(picture, _):
        return tf.io.decode_and_crop_jpeg(picture, window, channels=3)[0, 0]

    several = pictures.repeat(PASSES).map(decoded, pipeline.AUTOTUNE)
    batches = several.batch(settings.batch_size).prefetch(pipeline.AUTOTUNE).with_options(pipeline.OPTIONS)
    return functools.partial(_exhaust, batches), len(several)


def _exhaust(batches):
    for _ in batches:
        pass


def fit(arguments: argparse.Namespace, report: Report) -> None:
    """Compare epochs of `trainer.fit` on pictures in memory with as many bare steps before each.

    An epoch is timed from its start to the end of its last batch. This includes crops, steps, metrics, progress bar and
    event files, but not validation and checkpoints, which follow. The first epoch does not count: in it TensorFlow
    traces and the pictures are resized.
    """
    from keras_alexnet.training import trainer as library

    batch, name = arguments.batch_sizes[0], arguments.precisions[0]
    # noise cannot be learned: with the paper's learning rate, the loss of a small batch would become NaN
    settings = recipe(arguments.size, batch_size=batch, epochs=arguments.repeats + 1, learning_rate=1e-6)
    options = Options(precision=POLICIES[name], steps_per_epoch=FIT_STEPS)
    rates = {"trainer.fit": [], "bare training step": []}
    with temporary_folder(tempfile.gettempdir()) as folder, precision(name), contextlib.redirect_stdout(sys.stderr):
        network = ours(arguments)
        bare = training_step(network, *random_batch(network, batch, arguments.size))
        bar = functools.partial(_timed_bar(), bare=bare, rates=rates)
        run = Run.create(folder / "run")
        with unittest.mock.patch.object(library, "ProgressBar", bar):
            library.fit(settings, _noise(batch * FIT_STEPS, settings.resize_size), run, options)
    counted = {who: measured[1:] for who, measured in rates.items()}
    report.add("fit", f"batch {batch}, {name}, epochs without validation and checkpoints", "images/s", counted)


def _noise(count, side):
    """Return a data set of noise in memory."""
    import tensorflow as tf

    from keras_alexnet.data.datasets import Dataset
    from keras_alexnet.data.identity import DataIdentity

    random, splits = np.random.default_rng(0), {}
    for split, size in (("train", count), ("validation", 8)):
        images = random.integers(256, size=(size, side, side, 3), dtype=np.uint8)
        splits[split] = tf.data.Dataset.from_tensor_slices((images, random.integers(baselines.CLASSES, size=size)))
    class_names = tuple(f"class {label}" for label in range(baselines.CLASSES))
    return Dataset("noise", class_names, splits, DataIdentity("other", "noise"))


def _timed_bar():
    """Return a progress bar for `trainer.fit` that runs the bare steps before each epoch and times both."""
    from keras_alexnet.training.trainer import ProgressBar

    class TimedBar(ProgressBar):
        def __init__(self, batch_size, epochs, bare, rates):
            super().__init__(batch_size, epochs)
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
            self._count("trainer.fit", self.ended)
            super().on_epoch_end(epoch, logs)

        def _count(self, who, ended):
            self.rates[who].append(FIT_STEPS * self.batch_size / (ended - self.started))

    return TimedBar
