"""Train an AlexNet and leave a run folder: recipe, record, network, figures and results.

python scripts/fit.py                                 drawn flowers, some minutes on two cores
python scripts/fit.py --dataset oxford_flowers102     real ones
python scripts/fit.py --resume runs/petals-1          go on after an interruption
"""

import argparse
import contextlib
import dataclasses
import os
import pathlib
import shutil
import signal
import sys

from keras_alexnet.command_line import Parser, add_flags, given, one_line_errors, say
from keras_alexnet.models.architectures import ARCHITECTURES, lookup
from keras_alexnet.recipes import DEFAULT_RECIPES, RECIPES, Options, Recipe
from keras_alexnet.runs import Run

STOPPED = "\nStopped. To go on: python scripts/fit.py --resume {}"
MAY_CHANGE = ("data_dir", "devices", "virtual_devices", "strategy", "checkpoint_steps")  # when a run is resumed


def parser():
    """The command line; its flags are the fields of Options and Recipe."""
    line = Parser(prog="fit.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("--run", metavar="FOLDER", help="the run folder (default: runs/<dataset>-<n>)")
    line.add_argument("--resume", metavar="FOLDER", help="go on with an interrupted run")
    line.add_argument("--recipe", metavar="NAME", help=f"of {', '.join(RECIPES)} (default: the one for the data)")
    add_flags(line.add_argument_group("the run"), Options)
    add_flags(line.add_argument_group("the recipe (each in place of what the named recipe has)"), Recipe)
    return line


def chosen(arguments):
    """The recipe and the options of a new run."""
    options = Options(**given(arguments, Options))
    name = arguments.recipe or DEFAULT_RECIPES.get(options.dataset.partition(":")[0], "text")  # less split or version
    recipe = dataclasses.replace(lookup(RECIPES, name, "recipe"), **given(arguments, Recipe))
    lookup(ARCHITECTURES, recipe.architecture, "architecture")  # before the data are read
    return recipe, options


def resumed(arguments):
    """The recipe and the options of an interrupted run, which no flag may change."""
    run = Run.open(arguments.resume)
    recipe, options = run.read_recipe(), run.read_options()
    asked = lookup(RECIPES, arguments.recipe, "recipe") if arguments.recipe else recipe
    for old, new, kind in ((recipe, asked, Recipe), (options, options, Options)):
        new = dataclasses.replace(new, **given(arguments, kind))
        for field in dataclasses.fields(kind):
            was, now = getattr(old, field.name), getattr(new, field.name)
            if was != now and field.name not in MAY_CHANGE:
                raise ValueError(f"Expected the recipe that the run was made with: {field.name}={was}. Received: {now}")
        options = new
    return recipe, options


def leave(run):
    """What SIGTERM does before and after the steps, when there is nothing to save.

    An exception could come in the midst of one of TensorFlow's own, and be lost.
    """
    say(STOPPED.format(run.folder))
    os._exit(143)


def withdraw(run, parents):
    """Take away the folder of a run that wrong input ended, and those above it that were made for it."""
    shutil.rmtree(run.folder)
    with contextlib.suppress(OSError):  # another run may have come into one of them since
        for parent in parents:
            parent.rmdir()


def main(argv=None):
    """Train; the exit status is 0 when done, 2 for wrong input, 130 or 143 when interrupted."""
    line = parser()
    arguments = line.parse_args(argv)
    with one_line_errors(line):
        recipe, options = resumed(arguments) if arguments.resume else chosen(arguments)
        from keras_alexnet.data import datasets  # after the flags: TensorFlow takes seconds
        from keras_alexnet.training import strategies, trainer

        strategy = strategies.strategy(options.devices, options.virtual_devices, options.strategy)
        data = datasets.load(options.dataset, options.data_dir, options.seed)
        say(data.describe())
        folder = arguments.resume or arguments.run or Run.next_free("runs", options.dataset)
        chief = strategies.is_chief(strategy)
        new = [parent for parent in pathlib.Path(folder).parents if not parent.exists()]
        run = Run.open(folder) if arguments.resume else Run.create(folder) if chief else Run(pathlib.Path(folder))
        signal.signal(signal.SIGTERM, lambda *_: leave(run))
        try:
            results = trainer.fit(recipe, data, run, options, strategy)
        except (KeyboardInterrupt, SystemExit) as stop:
            say(STOPPED.format(run.folder))
            sys.exit(getattr(stop, "code", 130))
        except (ValueError, OSError):
            if chief and not arguments.resume and not run.last.exists():
                withdraw(run, new)
            raise
    if results:  # the chief of several workers has them
        say(trainer.summary(results), f"-> {run.folder}")


if __name__ == "__main__":
    main()
