"""The settings of a run of `fit.py`: from its flags, a named recipe, the weights, and the pictures."""

import argparse
import dataclasses
import os
import pathlib
import typing

from keras_alexnet.arguments import lookup
from keras_alexnet.command_line import given_fields, say
from keras_alexnet.data import sources
from keras_alexnet.data.identity import DRAWN_SOURCES
from keras_alexnet.files import absolute_if_exists
from keras_alexnet.models import architectures
from keras_alexnet.recipes import RECIPES, Options, Recipe
from keras_alexnet.recipes.fields import check_fields
from keras_alexnet.recipes.named import DEFAULT_RECIPES, too_few_pictures
from keras_alexnet.recipes.options import QUICK_MINUTES
from keras_alexnet.recipes.recipe import check_augmentations
from keras_alexnet.runs import Run
from keras_alexnet.text import enumerated
from keras_alexnet.weights import names

if typing.TYPE_CHECKING:
    from keras_alexnet.data.datasets import Dataset
    from keras_alexnet.weights.origin import Origin

MAY_CHANGE = (  # when a run is resumed; its pictures may have moved, but must be the same
    "dataset",
    "data_dir",
    "devices",
    "virtual_devices",
    "strategy",
    "checkpoint_steps",
    "checkpoint_epochs",
    "max_checkpoints",
    "tensorboard_verbose",
    "max_minutes",
)


def new_run_settings(arguments: argparse.Namespace) -> tuple[Recipe | None, Options]:
    """Return the recipe and the options of a new run. The recipe is None if it is to be chosen from the data."""
    options = _with_absolute_paths(Options(**_given_options(arguments)))
    if options.quick and options.max_minutes is None:
        options = dataclasses.replace(options, max_minutes=QUICK_MINUTES)
    name = arguments.recipe
    # weights and a time limit determine the settings
    if options.weights in (None, names.DRAWN) and options.max_minutes is None:
        name = name or DEFAULT_RECIPES.get(options.dataset.partition(":")[0])  # without split or version
    recipe = dataclasses.replace(lookup(RECIPES, name, "recipe"), **given_fields(arguments, Recipe)) if name else None
    architectures.get(given_fields(arguments, Recipe).get("architecture", "paper"))
    check_fields(Recipe, given_fields(arguments, Recipe))  # if the data are to choose the others, which takes time
    _check_no_flag_is_ignored(arguments, recipe, options)
    return recipe, options


def _check_no_flag_is_ignored(arguments: argparse.Namespace, recipe: Recipe | None, options: Options) -> None:
    """Raise if a given flag would have no effect."""
    if options.quick and arguments.recipe:
        raise ValueError(
            "--quick chooses its own settings: leave out --recipe, or use --max-minutes instead. "
            f"Received: --quick --recipe {arguments.recipe}"
        )
    given = given_fields(arguments, Recipe)
    if recipe:
        check_augmentations(recipe, given)
    mixes = vars(recipe) if recipe else given
    if "mixed_share" in given and not (mixes.get("mixup") or mixes.get("cutmix")):
        raise ValueError(f"--mixed-share needs --mixup or --cutmix. Received: --mixed-share {given['mixed_share']}")
    schedule = recipe.schedule if recipe else given.get("schedule", "divided")  # which these flags imply
    for name in ("divide_after", "patience", "divisions"):
        if name in given and schedule != "divided":
            flag = f"--{name.replace('_', '-')}"
            raise ValueError(f"{flag} needs --schedule divided. Received: {flag} with the schedule {schedule}")


def resumed_settings(arguments: argparse.Namespace, run: Run) -> tuple[Recipe, Options]:
    """Return the recipe and the options of an interrupted run. Flags may change a few options and add epochs."""
    recipe, options = run.read_recipe(), run.read_options()
    asked = lookup(RECIPES, arguments.recipe, "recipe") if arguments.recipe else recipe
    asked = dataclasses.replace(asked, **given_fields(arguments, Recipe))
    longer = asked.epochs > recipe.epochs and not arguments.recipe
    given = _given_options(arguments)
    absolute = _with_absolute_paths(Options(**given))
    new_options = dataclasses.replace(options, **{name: getattr(absolute, name) for name in given})
    for old, new in ((recipe, asked), (options, new_options)):
        for field in dataclasses.fields(new):
            before, now = getattr(old, field.name), getattr(new, field.name)
            if before != now and field.name not in MAY_CHANGE and not (field.name == "epochs" and longer):
                raise ValueError(
                    f"A resumed run keeps its settings: leave this one out, or start a new run. The run has "
                    f"{field.name}={before}. Received: {now}"
                )
    return asked if longer else recipe, new_options


def fill_in_settings(
    recipe: Recipe | None,
    options: Options,
    data: "Dataset",
    arguments: argparse.Namespace,
    origin: "Origin | None",
    replicas: int = 1,
) -> tuple[Recipe, Options]:
    """Return the recipe and the options of a new run, chosen from the data where they are not given, and print them."""
    options = _with_head_for_classes(options, data, origin)
    if arguments.recipe:
        if warning := too_few_pictures(arguments.recipe, len(data.splits["train"])):
            say(warning)
        return recipe, options
    from keras_alexnet.training import choosing

    given, keep_start = given_fields(arguments, Recipe), "weights" in _given_options(arguments)
    if recipe is None:
        recipe, options, announcement = choosing.choose(data, options, given, origin, replicas, keep_start)
        say(announcement)
    else:
        options = choosing.with_recovery(options, given)
        recipe = choosing.with_even_batches(recipe, given, replicas)
        if data.identity.source not in DRAWN_SOURCES and not keep_start:  # their recipes are for random weights
            options = choosing.with_default_start(recipe, options, data, given)
        if options.weights == names.DRAWN:
            say(choosing.START)
    return recipe, options


def _with_head_for_classes(options: Options, data: "Dataset", origin: "Origin | None") -> Options:
    """Return the options with a new last layer, if the weights are for other classes, or for the same in another order.

    Another number of classes shows in the weights themselves, see `weights.loading.load`.
    """
    known = origin and origin.class_names
    if options.head != "auto" or not known or known == data.class_names or len(known) != len(data.class_names):
        return options
    others = [name for name in known if name not in data.class_names]
    was = f"for other classes ({enumerated(others)})" if others else "for these classes in another order"
    say(f"The last layer starts from random weights, because it was {was}; --head kept keeps it.")
    return dataclasses.replace(options, head="new")


def trace_weights(recipe: Recipe | None, options: Options, arguments: argparse.Namespace) -> "Origin | None":
    """Return the network of `--weights`, None without them. Raise if the weights do not fit.

    The kernels from drawn pictures do not determine any setting, so None is returned for them too.
    """
    given = given_fields(arguments, Recipe)
    if options.weights == names.DRAWN:
        names.locate(names.DRAWN, recipe.architecture if recipe else given.get("architecture", "paper"))
    if options.weights in (None, names.DRAWN):
        return None
    from keras_alexnet.models.summary import sketch
    from keras_alexnet.weights import loading, origin

    architecture = recipe.architecture if recipe else given.get("architecture")
    if names.is_name(options.weights):  # before they are downloaded
        published = names.choose(options.weights, architecture).architecture
        loading.check_size(published, recipe.crop_size if recipe else given.get("crop_size"))
    known = origin.trace(options.weights, architecture)
    size = recipe.crop_size if recipe else given.get("crop_size", known.crop_size)
    name = recipe.architecture if recipe else known.architecture
    loading.check(sketch(name, input_shape=(size, size, 3)), known.path, head="auto")
    return known


def _given_options(arguments: argparse.Namespace) -> dict:
    """Return the given options. `--weights none` becomes None, random weights."""
    given = given_fields(arguments, Options)
    return given | {"weights": None} if given.get("weights") == "none" else given


def _with_absolute_paths(options: Options) -> Options:
    """Return the options with absolute paths, since the run may be resumed from another directory."""
    paths = {"dataset": sources.stored_name(options.dataset)}
    for field in ("checkpoint_path", "data_dir"):  # may not exist yet
        if path := getattr(options, field):
            paths[field] = str(pathlib.Path(os.path.expanduser(path)).absolute())
    if options.class_names:
        paths["class_names"] = absolute_if_exists(options.class_names)
    if options.weights and options.weights != names.DRAWN and not names.is_name(options.weights):
        paths["weights"] = absolute_if_exists(options.weights)
    return dataclasses.replace(options, **paths)
