"""Estimate the training speed of this machine, and choose a number of epochs for the time (ours)."""

import dataclasses
import math
import time

import keras
import numpy as np

from keras_alexnet.models.summary import layer_costs, sketch, training_flops
from keras_alexnet.recipes import Recipe
from keras_alexnet.training.trainer import compiled_model

STEADY_SHARE = 0.7  # fraction of the peak speed of a matrix product that a training step reaches, to estimate the time
MIXED_GAIN = 1.4  # in mixed precision; measured with bfloat16, 131 and 67 pixels, on an AMD EPYC with AVX-512
USUAL_MINUTES = 20  # of training steps if no time limit is given, unless `LEAST_SHARE` of the epochs takes longer
LEAST_SHARE = 1 / 3
PLANNED_SHARE = 0.8  # fraction of the time for epochs; the start, validation and checkpoints need the rest
EPOCH_SECONDS = 0.3  # of an epoch besides its steps; 0.2 to 0.3 with 32 pictures on two cores
FEWEST_EPOCHS = 4  # of a plan; if fewer fit into the time, an epoch uses only some of the pictures


def plan(
    recipe: Recipe, pictures: int, seconds: float, images_per_second: float, steps: int | None = None
) -> tuple[int, int | None]:
    """Plan training for a time limit.

    Args:
        recipe: The settings chosen from the data.
        pictures: Number of training pictures.
        seconds: The time limit.
        images_per_second: Training speed of this machine.
        steps: Number of steps of an epoch, if it is given.

    Returns:
        The number of epochs, at most that of the recipe, and the number of steps of an epoch, or None if every epoch
        uses all pictures.

    Example:
        >>> plan(Recipe(batch_size=32, epochs=100), 1000, seconds=600, images_per_second=50)
        (23, None)
        >>> plan(Recipe(batch_size=32, epochs=100), 50_000, seconds=600, images_per_second=50)
        (4, 187)
    """
    of_an_epoch = steps * recipe.batch_size if steps else pictures
    epochs = int(PLANNED_SHARE * seconds / (of_an_epoch / images_per_second + EPOCH_SECONDS))
    if steps or epochs >= FEWEST_EPOCHS:
        return max(1, min(epochs, recipe.epochs)), steps
    images = PLANNED_SHARE * seconds * images_per_second
    steps = max(1, int(images / FEWEST_EPOCHS / recipe.batch_size))
    return FEWEST_EPOCHS, min(steps, max(1, pictures // recipe.batch_size))


def shorten(recipe: Recipe, pictures: int, images_per_second: float) -> int:
    """Return the number of epochs that take `USUAL_MINUTES` here, at least `LEAST_SHARE` of the recipe's and at most
    all of them.

    Args:
        recipe: The settings chosen from the data.
        pictures: Number of training pictures.
        images_per_second: Training speed of this machine.

    Example:
        >>> shorten(Recipe(epochs=300), 1000, images_per_second=100)
        120
        >>> shorten(Recipe(epochs=300), 1000, images_per_second=20)
        100
    """
    epochs = math.floor(60 * USUAL_MINUTES * images_per_second / pictures)
    return min(recipe.epochs, max(epochs, math.ceil(LEAST_SHARE * recipe.epochs)))


def measure_speed(recipe: Recipe, classes: int) -> float:
    """Return the training speed of one device in images per second, measured with a few steps of the real network."""
    model = compiled_model(dataclasses.replace(recipe, learning_rate=1e-9), classes)
    images = np.zeros((recipe.batch_size, recipe.crop_size, recipe.crop_size, 3), np.float32)
    labels = np.zeros(recipe.batch_size, np.int64)
    model.train_on_batch(images, labels)  # builds the function
    steps, started = 0, time.perf_counter()
    while steps < 2 or time.perf_counter() - started < 1:
        model.train_on_batch(images, labels)
        steps += 1
    return steps * recipe.batch_size / (time.perf_counter() - started)


def images_per_second(recipe: Recipe, classes: int) -> float:
    """Estimate the training speed of one device in images per second, from the speed of one matrix product in float32.

    The estimate is for the current precision, see `trainer.set_seed_and_precision`.

    Args:
        recipe: The recipe.
        classes: Number of classes.
    """
    shape = (recipe.crop_size, recipe.crop_size, 3)
    network = sketch(recipe.architecture, input_shape=shape, classes=classes)
    operations = sum(training_flops(layer_costs(network)).values())
    matrix = keras.ops.ones((1024, 1024))
    keras.ops.convert_to_numpy(keras.ops.matmul(matrix, matrix))
    started = time.perf_counter()
    for _ in range(5):
        product = keras.ops.matmul(matrix, matrix)
    keras.ops.convert_to_numpy(product)  # waits for a GPU
    peak = 5 * 2 * 1024**3 / (time.perf_counter() - started)
    gain = 1 if keras.config.dtype_policy().compute_dtype == "float32" else MIXED_GAIN
    return gain * STEADY_SHARE * peak / operations
