"""Data sets that do not fit into memory: their cost, and the quality of shuffling."""

import io

import numpy as np
import psutil
import pytest
import tensorflow as tf
from PIL import Image

from keras_alexnet.data import pipeline
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.recipes import Recipe

RECIPE = Recipe(crop_size=8, resize_size=8, batch_size=100, augmentation=("mirror",))
STATISTICS = Statistics(np.zeros((8, 8, 3), np.float32), np.ones(3, np.float32), np.eye(3, dtype=np.float32))


def endless(count):
    """A split of so many pictures, each the bytes of a PNG file; the label is the number of the picture."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (10, 12, 3), np.uint8)).save(file, "PNG")
    return tf.data.Dataset.range(count).map(lambda number: (tf.constant(file.getvalue()), number))


@pytest.fixture
def little_memory(monkeypatch):
    """Limit the memory to 600 resized pictures."""
    monkeypatch.setattr(pipeline, "_capacity", lambda side: 600)


def order(count, epoch):
    resized = pipeline.resize_pictures(endless(count), RECIPE.resize_size)
    batches = pipeline.training_batches(resized, STATISTICS, RECIPE, 0, range(epoch, epoch + 1))
    return np.concatenate([labels for _, labels in batches.as_numpy_iterator()])


@pytest.mark.slow
def test_a_buffer_shuffles_well_enough(little_memory):
    """With 6,000 pictures and a buffer of 600, each appears once, and few share a batch again in the next epoch."""
    count, size = 6_000, RECIPE.batch_size
    first, second = order(count, 0), order(count, 1)
    assert sorted(first) == sorted(second) == list(range(count))
    batch_of = {label: place // size for place, label in enumerate(second)}
    again = []
    for batch in first.reshape(-1, size):
        together = np.bincount([batch_of[label] for label in batch])
        again.append((together * (together - 1)).sum() / (size * (size - 1)))
    print(f"share of the pairs of a batch that meet again: {np.mean(again):.4f}")
    assert np.mean(again) < 0.1  # 0.017 for a shuffle of the whole, 1 for none
    spread = np.abs(first - np.arange(count))
    assert np.median(spread) > 150  # places that a picture moves


@pytest.mark.slow
def test_memory_and_cost_stay_the_same_over_a_million_pictures(little_memory):
    process, count, part = psutil.Process(), 1_000_000, 100_000
    resized = pipeline.resize_pictures(endless(count), RECIPE.resize_size)
    batches = pipeline.training_batches(resized, STATISTICS, RECIPE, 0, range(1))
    memory, seconds, seen = [], [], 0
    last = process.cpu_times().user
    for _, labels in batches:
        seen += len(labels)
        if seen % part == 0:
            now = process.cpu_times().user
            memory.append(process.memory_info().rss / 2**20)
            seconds.append(now - last)
            last = now
    print(f"MiB {np.round(memory)}, microseconds of processor an image {np.round(np.array(seconds) / part * 1e6)}")
    assert seen == count
    assert max(memory[1:]) - memory[1] < 50
    # The least of several parts, which other programs on the machine affect little.
    assert min(seconds[-4:]) < 2 * min(seconds[:4])


def test_a_quarter_of_the_memory_is_for_pictures(monkeypatch):
    monkeypatch.setattr(pipeline, "available_memory", lambda: 4000)
    assert pipeline._capacity(10) == 100
