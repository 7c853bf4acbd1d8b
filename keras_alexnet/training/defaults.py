"""The default recipe: settings that follow from what the pictures are (ours; the paper has 1.2 million pictures).

With the paper's settings a small set diverges or stays at chance. What differs here, and why:

- Biases start at 0. With the paper's ones the last layer sees 4096 inputs near 1: the loss is then so steep in its
  weights that momentum 0.9 overshoots.
- The learning rate warms up, and gradients are clipped by their global norm: the first steps cannot throw the weights
  far. It then falls to zero along a cosine, so that the end does not depend on the errors of a few validation pictures.
- The number of epochs falls with the root of the number of pictures: otherwise the few steps of a small set
  are over before the network has left chance.
- Crops are as large as the pictures and the time allow: 131 pixels cost a third of 227.
"""

import dataclasses
import math
import time
from typing import Any

import numpy as np
import tensorflow as tf

from keras_alexnet.data import decoding, pipeline
from keras_alexnet.data.datasets import Dataset
from keras_alexnet.models.alexnet import build
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.models.summary import layer_costs
from keras_alexnet.recipes import Recipe
from keras_alexnet.weights import drawn
from keras_alexnet.weights.origin import Origin

SAMPLE = 100  # pictures that are decoded to learn how large they are
COUNTED = 20_000  # training pictures at most whose labels are counted
SMALL, LARGE = 64, 200  # shorter sides in pixels: up to the first small crops, from the second the paper's
FEW_PICTURES = 20_000  # up to here the start from drawn pictures
MANY_PICTURES = 100_000  # from here on the paper's crops and batches
UNEVEN = 3  # times as many pictures in the largest class as in the smallest are worth a line
SHOWN = 3  # classes at either end
STEADY_SHARE = 0.7  # of the peak of a matrix product that a training step reaches, for the estimate of the time


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """What settings follow from.

    Attributes:
        pictures: Number of training pictures.
        classes: Number of classes.
        shorter_side: Median of the pictures' shorter sides, pixels.
        is_grey: Whether all pictures looked at are grey.
        smallest_class: Training pictures of the smallest class.
        largest_class: Training pictures of the largest class.
        fewest: Names and training pictures of the smallest classes, smallest first.
        most: Names and training pictures of the largest classes, largest first.
    """

    pictures: int
    classes: int
    shorter_side: int
    is_grey: bool
    smallest_class: int
    largest_class: int
    fewest: tuple[tuple[str, int], ...] = ()
    most: tuple[tuple[str, int], ...] = ()

    def describe(self) -> str:
        """Return the facts as one line."""
        span = f"{self.smallest_class:,}"
        if self.largest_class != self.smallest_class:
            span += f" to {self.largest_class:,}"
        kind = "grey" if self.is_grey else "color"
        return (
            f"{self.pictures:,} training pictures of {self.classes:,} classes, {span} per class, {kind}, shorter side "
            f"about {self.shorter_side} pixels"
        )

    def describe_imbalance(self, recipe: Recipe) -> str | None:
        """Return a line on classes of very different sizes, None where they are more alike."""
        if self.largest_class <= UNEVEN * self.smallest_class:
            return None
        few, many = (", ".join(f"{name} {count:,}" for name, count in names) for names in (self.fewest, self.most))
        drawn = {
            "none": "drawn as they are; --balance repeat draws rare classes more often",
            "repeat": "pictures of rare classes are drawn more often; --balance none draws them as they are",
        }
        return f"Uneven classes, fewest training pictures: {few}; most: {many} ({drawn[recipe.balance]})."


def measure_facts(data: Dataset) -> DataFacts:
    """Look at the training pictures of a data set."""
    train = data.splits["train"]
    sides, is_grey = [], True
    for picture, _ in train.take(SAMPLE):
        pixels = (decoding.decode(picture) if picture.dtype == tf.string else picture).numpy()  # (height, width, 3)
        sides.append(min(pixels.shape[:2]))
        is_grey = is_grey and bool((pixels == pixels[..., :1]).all())
    counted = pipeline.count_labels(train.take(COUNTED), len(data.class_names))
    counts = np.rint(counted * len(train) / counted.sum()).astype(int)
    order, shown = np.argsort(counts, kind="stable"), min(SHOWN, len(counts) // 2)
    named = [(data.class_names[label], int(counts[label])) for label in order]
    return DataFacts(
        pictures=len(train),
        classes=len(data.class_names),
        shorter_side=int(np.median(sides)),
        is_grey=is_grey,
        smallest_class=int(counts.min()),
        largest_class=int(counts.max()),
        fewest=tuple(named[:shown]),
        most=tuple(named[::-1][:shown]),
    )


def recipe_for(facts: DataFacts, **given: Any) -> Recipe:
    """Return the default recipe for such data.

    Args:
        facts: What the data are.
        **given: Settings that the user has chosen, which win.

    Example:
        >>> recipe = recipe_for(DataFacts(1_020, 102, 256, False, 10, 10), batch_size=16)
        >>> recipe.crop_size, recipe.batch_size, recipe.epochs
        (131, 16, 240)
    """
    crop_size, resize_size = _sizes(facts)
    settings = {
        "initial_weights": "zero_biases",
        "crop_size": crop_size,
        "resize_size": resize_size,
        # A mirrored digit is another sign. So are letters and forms, which are what small grey pictures show.
        "augmentation": ("crop",) if facts.is_grey and facts.shorter_side <= SMALL else ("crop", "mirror", "lighting"),
        "lighting": "source",
        "batch_size": 128 if facts.pictures > MANY_PICTURES else min(32, facts.pictures),
        "epochs": _epochs(facts),
        "learning_rate": 0.01,
        "warmup_steps": 50,
        "clip_norm": 5.0,
        "schedule": "cosine",
    }
    if (
        ARCHITECTURES[given.get("architecture", "paper")].convolutions.keys()
        != ARCHITECTURES["paper"].convolutions.keys()
    ):
        del settings["initial_weights"]  # of other layers
    if "crop_size" in given:  # as 148 to 131
        settings["resize_size"] = max(given["crop_size"], round(given["crop_size"] * resize_size / crop_size))
    if "divide_after" in given or "patience" in given:
        settings["schedule"] = "divided"
    return Recipe(**settings | given)


def fine_tuning_recipe(facts: DataFacts, origin: Origin, **given: Any) -> Recipe:
    """Return the default recipe for a network that has learned from other pictures.

    - Architecture, sizes and mean are those that the weights were trained with: they expect such inputs.
    - The last layer is new and learns ten times faster than the others, which have only little to learn: 0.01 and
      0.001, as in Caffe's example of fine-tuning. While the rate warms up, its first gradients cannot damage them.
    - A fourth of the passes that random weights need.
    - Crops and mirror images, with which the publishers trained.

    Args:
        facts: What the data are.
        origin: The network that the weights come from.
        **given: Settings that the user has chosen, which win.

    Example:
        >>> import pathlib
        >>> published = Origin(pathlib.Path("bvlcalexnet-12.onnx"), "caffe", 227, 256)
        >>> recipe = fine_tuning_recipe(DataFacts(1_020, 102, 256, False, 10, 10), published)
        >>> recipe.architecture, recipe.crop_size, recipe.epochs, recipe.head_learning_rate_factor
        ('caffe', 227, 60, 10.0)
    """
    settings = {
        "augmentation": ("crop",) if facts.is_grey and facts.shorter_side <= SMALL else ("crop", "mirror"),
        "epochs": max(10, round(_epochs(facts) / 4)),
        "initial_weights": None,
        "learning_rate": 0.001,
        "head_learning_rate_factor": 10.0,
    }
    known = origin.settings()
    if "crop_size" in given:  # as 256 to 227
        resized = round(given["crop_size"] * known["resize_size"] / known["crop_size"])
        known["resize_size"] = max(given["crop_size"], resized)
    return recipe_for(facts, **known | settings | given)


def _epochs(facts: DataFacts) -> int:
    return round(min(300, max(40, 7680 / math.sqrt(facts.pictures))))


def starts_from_drawn(facts: DataFacts, recipe: Recipe) -> bool:
    """Return whether a training starts from the kernels that learned from drawn pictures, as small sets do.

    Args:
        facts: What the data are.
        recipe: The settings.
    """
    return facts.pictures <= FEW_PICTURES and drawn.fits(ARCHITECTURES[recipe.architecture])


def _sizes(facts: DataFacts) -> tuple[int, int]:
    """Crop size and resize size."""
    if facts.shorter_side <= SMALL:
        return 67, 76
    if facts.pictures > MANY_PICTURES and facts.shorter_side >= LARGE:
        return 227, 256
    return 131, 148


def announce(
    facts: DataFacts,
    recipe: Recipe,
    steps_per_epoch: int | None = None,
    speed: float | None = None,
    weights: str | None = None,
) -> str:
    """Return three lines on the data, the settings that follow, and the time that they take here.

    There is one more line where the classes have very different sizes.

    Args:
        facts: What the data are.
        recipe: The settings.
        steps_per_epoch: Steps of an epoch that takes a part of the pictures.
        speed: Images per second, if that has been measured; by default it is estimated.
        weights: Name of the file of weights that the training starts from.
    """
    steps = recipe.epochs * (steps_per_epoch or max(1, facts.pictures // recipe.batch_size))
    images = steps * recipe.batch_size
    seconds = images / (speed or images_per_second(recipe, facts.classes))
    all_of_them = " (all there are)" if recipe.batch_size == facts.pictures else ""
    imbalance = facts.describe_imbalance(recipe)
    start = f"{recipe.architecture} with the weights of {weights}, " if weights else ""
    factor = recipe.head_learning_rate_factor
    rates = f", learning rate {recipe.learning_rate:g}" if weights or factor != 1 else ""
    if factor != 1:
        rates += f" and {factor:g} times that for the last layer"
    return "\n".join(
        (
            f"{facts.describe()}.",
            *([imbalance] if imbalance else []),
            f"Settings that follow: {start}crops of {recipe.crop_size} pixels, "
            f"batches of {recipe.batch_size}{all_of_them}, {recipe.epochs} epochs ({steps:,} steps){rates}.",
            f"{_duration(seconds)} here. Every setting has a flag; --recipe text has the paper's.",
        )
    )


QUICK = {"crop_size": 67, "resize_size": 76}  # a step costs a quarter of that with 131 pixels
PLANNED_SHARE = 0.8  # of the time; validation, checkpoints and the start take the rest
FEWEST_EPOCHS = 4  # of a plan: where fewer fit into the time, an epoch takes a part of the pictures
WARMUP_SHARE = 0.2  # of the planned steps, at most


def plan(recipe: Recipe, pictures: int, seconds: float, images_per_second: float) -> tuple[Recipe, int | None]:
    """Let a training fit into a time.

    Args:
        recipe: Settings that follow from the data.
        pictures: Number of training pictures.
        seconds: The time.
        images_per_second: How fast this machine trains.

    Returns:
        The recipe, with fewer epochs where there is no time for all; and the steps of an epoch where that takes only
        a part of the pictures, else None.

    Example:
        >>> recipe, steps = plan(Recipe(batch_size=32, epochs=100), 1000, seconds=600, images_per_second=50)
        >>> recipe.epochs, steps
        (24, None)
        >>> recipe, steps = plan(Recipe(batch_size=32, epochs=100), 50_000, seconds=600, images_per_second=50)
        >>> recipe.epochs, steps
        (4, 187)
    """
    images = PLANNED_SHARE * seconds * images_per_second
    epochs, steps = int(images / pictures), None
    if epochs >= recipe.epochs:
        return recipe, None
    if epochs < FEWEST_EPOCHS:
        epochs, steps = FEWEST_EPOCHS, max(1, int(images / FEWEST_EPOCHS / recipe.batch_size))
        steps = min(steps, max(1, pictures // recipe.batch_size))
    all_steps = epochs * (steps or max(1, pictures // recipe.batch_size))
    warmup_steps = min(recipe.warmup_steps, round(WARMUP_SHARE * all_steps))
    return dataclasses.replace(recipe, epochs=epochs, warmup_steps=warmup_steps), steps


def measure_speed(recipe: Recipe, classes: int) -> float:
    """Return how many images per second this machine trains on, measured with a few steps of the real network."""
    from keras_alexnet.training.trainer import compiled_model

    model = compiled_model(dataclasses.replace(recipe, learning_rate=1e-9), classes)
    images = np.zeros((recipe.batch_size, recipe.crop_size, recipe.crop_size, 3), np.float32)
    labels = np.zeros(recipe.batch_size, np.int64)
    model.train_on_batch(images, labels)  # builds the function
    steps, started = 0, time.perf_counter()
    while steps < 2 or time.perf_counter() - started < 1:
        model.train_on_batch(images, labels)
        steps += 1
    return steps * recipe.batch_size / (time.perf_counter() - started)


def _duration(seconds: float) -> str:
    """A rough time in words."""
    if seconds < 90:
        return f"About {max(10, round(seconds, -1)):.0f} seconds"
    if seconds < 5400:
        return f"About {seconds / 60:.0f} minutes"
    return f"About {seconds / 3600:.1f} hours"


def images_per_second(recipe: Recipe, classes: int) -> float:
    """Estimate how fast this machine trains, from the speed of one matrix product.

    Args:
        recipe: The recipe.
        classes: Number of classes.
    """
    shape = (recipe.crop_size, recipe.crop_size, 3)
    network = build(recipe.architecture, input_shape=shape, classes=classes)
    multiply_adds = sum(cost.multiply_adds for cost in layer_costs(network))
    operations = 3 * 2 * multiply_adds  # forward, and twice as many backward; a multiplication and an addition each
    matrix = tf.random.normal((1024, 1024))
    tf.matmul(matrix, matrix)
    started = time.perf_counter()
    for _ in range(5):
        product = tf.matmul(matrix, matrix)
    product.numpy()  # wait for a GPU
    peak = 5 * 2 * 1024**3 / (time.perf_counter() - started)
    return STEADY_SHARE * peak / operations
