"""Choose the settings of a run from its pictures, its weights, and the speed of this machine (ours)."""

import dataclasses
from collections.abc import Mapping
from typing import Any, NamedTuple

from keras_alexnet.arguments import check_type, lookup, positive_integer
from keras_alexnet.data.datasets import Dataset
from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.recipes.options import QUICK_MINUTES
from keras_alexnet.recipes.recipe import check_augmentations, check_batch_size
from keras_alexnet.training import defaults, hardware, time_planning, trainer
from keras_alexnet.training.defaults import DataFacts
from keras_alexnet.weights import names
from keras_alexnet.weights.origin import Origin, trace

QUICK_CROP_SIZE = 67  # a step costs a quarter of one at 131 pixels
START = "The convolutions start from kernels trained on drawn pictures; --weights none starts from random weights."


class Choice(NamedTuple):
    """Chosen settings.

    Attributes:
        recipe: The recipe.
        options: The options.
        announcement: What was chosen, and how long training will take, in lines of text.
    """

    recipe: Recipe
    options: Options
    announcement: str


@hardware.precision_as_before()
def choose(
    data: Dataset,
    options: Options,
    given: Mapping[str, Any] | None = None,
    origin: Origin | None = None,
    replicas: int = 1,
    keep_start: bool = False,
) -> Choice:
    """Choose the recipe and the options for a data set.

    This is the default of `fit.py`. It runs a matrix product, or with a time limit a few training steps, to estimate
    the speed of this machine, and sets the seeds.

    Args:
        data: The data set, with a "train" split.
        options: The options. Of these, `quick`, `max_minutes` and `steps_per_epoch` affect the choice.
        given: Settings of the recipe that are already decided, by name.
        origin: The network that the weights of `options` come from, if it is already known.
        replicas: Number of replicas that share a batch.
        keep_start: Whether to keep random weights where drawn pictures are the default start.

    Raises:
        TypeError: If an argument is another kind of object.
        ValueError: If a given setting is invalid or does not fit the others or the data.
    """
    given = given or {}
    _check(data, options, given, replicas)
    facts = defaults.measure_facts(data)
    if origin is None and options.weights not in (None, names.DRAWN):
        origin = trace(options.weights, given.get("architecture"))
    if options.quick and options.max_minutes is None:
        options = dataclasses.replace(options, max_minutes=QUICK_MINUTES)
    options = with_recovery(options, given)
    suited = _recipe(facts, options, given, origin, replicas)
    epochs, options, speed = _plan_epochs(suited, facts, options, given, replicas)
    # again, since some settings depend on the number of steps
    recipe = _recipe(facts, options, {**given, "epochs": epochs}, origin, replicas)
    check_augmentations(recipe, given)
    if not keep_start:
        options = with_default_start(recipe, options, data, given)
    lines = [defaults.announce(facts, recipe, speed, options.steps_per_epoch, origin and origin.path.name)]
    lines += [START] if options.weights == names.DRAWN else []
    return Choice(recipe, options, "\n".join([*lines, *_reductions(recipe, options, suited.epochs)]))


def _check(data, options, given, replicas):
    check_type("data", data, Dataset, 'a Dataset, such as data.load("my_pictures")')
    check_type("options", options, Options, 'Options, such as Options(dataset="my_pictures")')
    check_type("given", given, Mapping, 'a mapping of settings, such as {"epochs": 20}')
    positive_integer(replicas, "replicas")
    settings = {field.name: field for field in dataclasses.fields(Recipe)}
    for name in given:
        lookup(settings, name, "setting of a recipe")
    check_batch_size(given.get("batch_size"), len(data.splits["train"]))


def with_recovery(options: Options, given: Mapping[str, Any]) -> Options:
    """Return options that say whether to recover: yes, unless a learning rate is given or they already say it."""
    if options.recover is not None:
        return options
    return dataclasses.replace(options, recover="learning_rate" not in given)


def with_even_batches(recipe: Recipe, given: Mapping[str, Any], replicas: int) -> Recipe:
    """Return the recipe with a batch that can be divided among the replicas, unless its size is given."""
    if "batch_size" in given:
        return recipe
    return dataclasses.replace(recipe, batch_size=max(replicas, recipe.batch_size - recipe.batch_size % replicas))


def with_default_start(recipe: Recipe, options: Options, data: Dataset, given: Mapping[str, Any]) -> Options:
    """Return the options with the kernels from drawn pictures, if they suit the data and no other start is given."""
    is_given = options.weights is not None or "initial_weights" in given
    if is_given or not defaults.starts_from_drawn(len(data.splits["train"]), recipe):
        return options
    return dataclasses.replace(options, weights=names.DRAWN)


def _recipe(
    facts: DataFacts, options: Options, given: Mapping[str, Any], origin: Origin | None, replicas: int
) -> Recipe:
    """Return the recipe for the pictures and the weights, with the given settings."""
    if origin:
        recipe = defaults.fine_tuning_recipe(facts, origin, options.steps_per_epoch, **given)
    else:
        size = {"crop_size": QUICK_CROP_SIZE} if options.quick else {}  # pretrained weights have their own
        recipe = defaults.recipe_for(facts, options.steps_per_epoch, **size | given)
    return with_even_batches(recipe, given, replicas)


def _plan_epochs(
    recipe: Recipe, facts: DataFacts, options: Options, given: Mapping[str, Any], replicas: int
) -> tuple[int, Options, float]:
    """Return a number of epochs for this machine, the options, and the speed in images per second.

    With a time limit, the epochs are planned for it. This may also shorten an epoch, which is an option. Without one,
    there are fewer epochs if they would take long on this machine. Given numbers are kept.
    Several replicas are taken to be that many times as fast as one, but virtual devices share the cores of one.
    """
    trainer.set_seed_and_precision(options)  # the speed depends on the precision
    is_given = bool({"epochs", "divide_after"} & given.keys())
    times = 1 if options.virtual_devices else replicas
    if options.max_minutes and not is_given:
        speed = times * time_planning.measure_speed(recipe, facts.classes)
        given_steps, seconds = options.steps_per_epoch, 60 * options.max_minutes
        epochs, steps = time_planning.plan(recipe, facts.pictures, seconds, speed, given_steps)
        return epochs, dataclasses.replace(options, steps_per_epoch=steps), speed
    speed = times * time_planning.images_per_second(recipe, facts.classes)
    # several workers must agree on the number
    if is_given or options.steps_per_epoch or options.strategy == "multiworker":
        return recipe.epochs, options, speed
    return time_planning.shorten(recipe, facts.pictures, speed), options, speed


def _reductions(recipe: Recipe, options: Options, suited_epochs: int) -> list[str]:
    """Return lines that say what was reduced to save time.

    Args:
        recipe: The recipe.
        options: The options.
        suited_epochs: The number of epochs that suits the pictures.
    """
    lines = []
    if recipe.epochs < suited_epochs and not options.max_minutes:
        lines.append(
            f"The number of epochs was reduced from {suited_epochs} to limit the time on this machine. To train for "
            f"all of them: --epochs {suited_epochs}."
        )
    if options.quick:
        lines.append(
            f"Quick try: crops of {recipe.crop_size} pixels and about {options.max_minutes:g} minutes of training. "
            "Leave out --quick for the best result."
        )
    return lines
