"""The default recipe: settings chosen from the pictures (ours; the paper has 1.2 million pictures).

With the paper's settings, training on a small data set diverges or stays at chance. The differences, and why:

- Biases start at 0. With biases of 1, as in the paper, the last layer sees 4096 inputs near 1, and the loss is so steep
  in its weights that momentum 0.9 overshoots.
- The learning rate warms up, and gradients are clipped by their global norm, so that the first steps do not change the
  weights too much. The rate then decays to zero along a cosine and does not depend on a few validation pictures.
- The number of epochs decreases with the square root of the number of pictures. Otherwise training on a small data set
  would end before the network gets better than chance.
- If these epochs would take more than 20 minutes, the number is reduced, to a third at least, so that a first result
  does not take an hour.
- The network of the last epoch is kept, when the learning rate has decayed to zero. With few validation pictures, the
  lowest of many errors is mostly luck.
- Crops have a random size and are resized. With the paper's crops, a network overfits a small data set after about 40
  epochs. Pictures of up to 64 pixels have too few pixels to enlarge a part of them.
- A long training on few pictures has a smaller learning rate, more weight decay, and rotation, scaling and translation
  instead of crops of random size, as in the recipe for Flowers-102. A short training learns too little with these.
- Crops are as large as the pictures and the time allow: 131 pixels cost a third of 227.
"""

import dataclasses
import math
from typing import Any

import numpy as np
import tensorflow as tf

from keras_alexnet.data import balancing, decoding
from keras_alexnet.data.datasets import Dataset
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.models.initializers import INITIAL_WEIGHTS
from keras_alexnet.recipes import Recipe
from keras_alexnet.text import duration, plural
from keras_alexnet.weights import drawn
from keras_alexnet.weights.origin import Origin

SAMPLE = 100  # pictures that are decoded to measure their size
SMALL, LARGE = 64, 200  # shorter side in pixels: small crops up to SMALL, the paper's crops from LARGE
FEW_PICTURES = 20_000  # up to this many, a long training has the settings below
MANY_PICTURES = 100_000  # above this, use the paper's crops and batches and random weights
FEWEST_WARMUP_STEPS, WARMUP_STEPS = 5, 50  # the first steps of a new layer need warm-up in a short training too
WARMUP_SHARE = 0.2  # largest fraction of the steps that may be warm-up, if there are enough for the fewest
LONG = 1_000  # from this many steps, the settings below suit few pictures better
LONG_TRAINING = {
    "augmentation": ("crop", "mirror", "lighting", "rotation", "scaling", "translation"),
    "lighting_std": 0.2,
    "learning_rate": 0.0025,
    "weight_decay": 0.005,
}
UNEVEN = 3  # report imbalance above this ratio of the largest class to the smallest
SHOWN = 3  # classes to list at either end


@dataclasses.dataclass(frozen=True)
class DataFacts:
    """Properties of the training pictures, from which the settings are chosen.

    Attributes:
        pictures: Number of training pictures.
        classes: Number of classes.
        shorter_side: Median of the pictures' shorter sides, pixels.
        is_gray: Whether all sampled pictures are gray.
        smallest_class: Training pictures of the smallest class.
        largest_class: Training pictures of the largest class.
        fewest: Names and training pictures of the smallest classes, smallest first.
        most: Names and training pictures of the largest classes, largest first.
    """

    pictures: int
    classes: int
    shorter_side: int
    is_gray: bool
    smallest_class: int
    largest_class: int
    fewest: tuple[tuple[str, int], ...] = ()
    most: tuple[tuple[str, int], ...] = ()

    def describe(self) -> str:
        """Return the facts as one line."""
        span = f"{self.smallest_class:,}"
        if self.largest_class != self.smallest_class:
            span += f" to {self.largest_class:,}"
        kind = "gray" if self.is_gray else "color"
        return (
            f"{self.pictures:,} training pictures of {self.classes:,} classes, {span} per class, {kind}, shorter side "
            f"about {self.shorter_side} pixels"
        )

    def describe_imbalance(self, recipe: Recipe) -> str | None:
        """Return a line about unbalanced classes, None if they are balanced."""
        if self.largest_class <= UNEVEN * self.smallest_class:
            return None
        few, many = (", ".join(f"{name} {count:,}" for name, count in names) for names in (self.fewest, self.most))
        sampling = {
            "none": "--balance repeat samples rare classes more often",
            "repeat": "rare classes are sampled more often; --balance none turns this off",
        }
        return f"Unbalanced classes, fewest training pictures: {few}; most: {many} ({sampling[recipe.balance]})."


def measure_facts(data: Dataset) -> DataFacts:
    """Measure the training pictures of a data set."""
    train = data.splits["train"]
    sides, is_gray = [], True
    for picture, _ in train.take(SAMPLE):
        pixels = (decoding.decode(picture) if picture.dtype == tf.string else picture).numpy()  # (height, width, 3)
        sides.append(min(pixels.shape[:2]))
        is_gray = is_gray and bool((pixels == pixels[..., :1]).all())
    counted = balancing.count_labels(train.take(balancing.COUNTED), len(data.class_names))
    counts = np.rint(counted * len(train) / counted.sum()).astype(int)
    order, shown = np.argsort(counts, kind="stable"), min(SHOWN, len(counts) // 2)
    named = [(data.class_names[label], int(counts[label])) for label in order]
    return DataFacts(
        pictures=len(train),
        classes=len(data.class_names),
        shorter_side=int(np.median(sides)),
        is_gray=is_gray,
        smallest_class=int(counts.min()),
        largest_class=int(counts.max()),
        fewest=tuple(named[:shown]),
        most=tuple(named[::-1][:shown]),
    )


def recipe_for(facts: DataFacts, steps_per_epoch: int | None = None, **given: Any) -> Recipe:
    """Return the default recipe for a data set.

    Args:
        facts: Properties of the training pictures.
        steps_per_epoch: Steps of an epoch, if it uses only some of the pictures.
        **given: Settings that the user has given; they take precedence.

    Example:
        >>> recipe = recipe_for(DataFacts(1_020, 102, 256, False, 10, 10), batch_size=16)
        >>> recipe.crop_size, recipe.batch_size, recipe.epochs
        (131, 16, 240)
    """
    recipe = _recipe(facts, **given)
    steps = _all_steps(recipe, facts, steps_per_epoch)
    if steps >= LONG and facts.pictures <= FEW_PICTURES and facts.shorter_side > SMALL:
        changed = dict(LONG_TRAINING)
        if {"cut_from", "smallest_area"} & given.keys():  # settings of the crops of random size
            del changed["augmentation"]
        recipe = dataclasses.replace(recipe, **changed | given)
    return _with_warmup(recipe, steps, given)


def fine_tuning_recipe(facts: DataFacts, origin: Origin, steps_per_epoch: int | None = None, **given: Any) -> Recipe:
    """Return the default recipe for fine-tuning a pretrained network.

    - Architecture, sizes and mean are those of the weights, which expect this input.
    - The last layer is new and learns ten times faster than the others, with learning rates of 0.01 and 0.001 as in
      Caffe's fine-tuning example. The warm-up protects the other layers from the first gradients of the new layer.
    - A quarter of the epochs that random weights need.
    - Crops and horizontal flips, as in the original training.

    Args:
        facts: Properties of the training pictures.
        origin: The network that the weights come from.
        steps_per_epoch: Steps of an epoch, if it uses only some of the pictures.
        **given: Settings that the user has given; they take precedence.

    Example:
        >>> import pathlib
        >>> published = Origin(pathlib.Path("bvlcalexnet-12.onnx"), "caffe", 227, 256)
        >>> recipe = fine_tuning_recipe(DataFacts(1_020, 102, 256, False, 10, 10), published)
        >>> recipe.architecture, recipe.crop_size, recipe.epochs, recipe.head_learning_rate_factor
        ('caffe', 227, 60, 10.0)
    """
    settings = {
        "augmentation": ("crop",) if facts.is_gray and facts.shorter_side <= SMALL else ("crop", "mirror"),
        "epochs": max(10, round(_epochs(facts) / 4)),
        "initial_weights": None,
        "learning_rate": 0.001,
        "head_learning_rate_factor": 10.0,
    }
    known = origin.settings()
    if "crop_size" in given:  # as 256 to 227
        resized = round(given["crop_size"] * known["resize_size"] / known["crop_size"])
        known["resize_size"] = max(given["crop_size"], resized)
    recipe = _recipe(facts, **known | settings | given)
    return _with_warmup(recipe, _all_steps(recipe, facts, steps_per_epoch), given)


def _recipe(facts, **given):
    """Return the settings that do not depend on the number of steps."""
    crop_size, resize_size = _sizes(facts)
    settings = {
        "initial_weights": "zero_biases",
        "crop_size": crop_size,
        "resize_size": resize_size,
        "augmentation": _augmentation(facts),
        "smallest_area": 0.25,
        "lighting": "source",
        "batch_size": 128 if facts.pictures > MANY_PICTURES else min(32, facts.pictures),
        "epochs": _epochs(facts),
        "learning_rate": 0.01,
        "clip_norm": 5.0,
        "schedule": "cosine",
    }
    own = ARCHITECTURES[given.get("architecture", "paper")].initial_weights
    if not INITIAL_WEIGHTS[own].keys() <= INITIAL_WEIGHTS[settings["initial_weights"]].keys():
        del settings["initial_weights"]  # the network has other layers
    if "crop_size" in given:  # as 148 to 131
        settings["resize_size"] = max(given["crop_size"], round(given["crop_size"] * resize_size / crop_size))
    if {"divide_after", "patience", "divisions"} & given.keys():
        settings["schedule"] = "divided"
    if (settings | given)["schedule"] == "cosine" and "stop_after" not in given:
        settings["keep"] = "last"
    return Recipe(**settings | given)


def _all_steps(recipe, facts, steps_per_epoch):
    return recipe.epochs * (steps_per_epoch or max(1, facts.pictures // recipe.batch_size))


def _with_warmup(recipe, steps, given):
    if "warmup_steps" in given:
        return recipe
    warmup_steps = max(FEWEST_WARMUP_STEPS, min(WARMUP_STEPS, round(WARMUP_SHARE * steps)))
    return dataclasses.replace(recipe, warmup_steps=warmup_steps)


def _augmentation(facts: DataFacts) -> tuple[str, ...]:
    if facts.shorter_side > SMALL:
        return ("resized_crop", "mirror", "lighting")
    # A mirrored digit or letter is a different symbol, and small gray pictures usually show such symbols.
    return ("crop",) if facts.is_gray else ("crop", "mirror", "lighting")


def _epochs(facts: DataFacts) -> int:
    return round(min(300, max(40, 7680 / math.sqrt(facts.pictures))))


def starts_from_drawn(pictures: int, recipe: Recipe) -> bool:
    """Return whether training starts from the kernels pretrained on drawn pictures: with up to `MANY_PICTURES`.

    Args:
        pictures: Number of training pictures.
        recipe: The settings.
    """
    return pictures <= MANY_PICTURES and drawn.fits(ARCHITECTURES[recipe.architecture])


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
    speed: float,
    steps_per_epoch: int | None = None,
    weights: str | None = None,
) -> str:
    """Return three lines about the data, the chosen settings, and the estimated time.

    If the classes are unbalanced, there is one more line.

    Args:
        facts: Properties of the training pictures.
        recipe: The settings.
        speed: Images per second.
        steps_per_epoch: Steps of an epoch, if it uses only some of the pictures.
        weights: Name of the weight file that training starts from.
    """
    steps = _all_steps(recipe, facts, steps_per_epoch)
    seconds = steps * recipe.batch_size / speed
    all_of_them = " (all pictures)" if recipe.batch_size == facts.pictures else ""
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
            f"Chosen settings: {start}crops of {recipe.crop_size} pixels, "
            f"batches of {recipe.batch_size}{all_of_them}, {plural(recipe.epochs, 'epoch')} "
            f"({plural(steps, 'step')}){rates}.",
            f"The training steps will take about {duration(max(10, seconds))} here, plus start-up and evaluation. "
            "To change a setting, use its flag (see --help).",
        )
    )
