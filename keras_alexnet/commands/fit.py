"""Train an AlexNet and leave a run folder: recipe, log, network, evaluation, figures and a report.

python scripts/fit.py                                 drawn flowers, a few minutes on two cores
python scripts/fit.py --dataset oxford_flowers102     real ones
python scripts/fit.py --dataset my_pictures           a folder with one folder per class
python scripts/fit.py --resume runs/petals-1          continue after an interruption
"""

import argparse
import contextlib
import dataclasses
import pathlib
import time
import typing
from collections.abc import Iterator

from keras_alexnet.command_line import Parser, add_flags, exit_on_signals, given_fields, one_line_errors, say
from keras_alexnet.files import LockedError
from keras_alexnet.models.architectures import ARCHITECTURES, lookup
from keras_alexnet.recipes import DEFAULT_RECIPES, PURPOSES, RECIPES, Options, Recipe
from keras_alexnet.runs import Run

if typing.TYPE_CHECKING:
    from keras_alexnet.data.datasets import Dataset

CONTINUE = "Stopped. To continue: python scripts/fit.py --resume {}"
MAY_CHANGE = ("data_dir", "devices", "virtual_devices", "strategy", "checkpoint_steps")  # when a run is resumed


def parser() -> Parser:
    """Return the command line. Its flags are the fields of `Options` and `Recipe`."""
    recipes = "\n".join(f"  {name:15}{purpose}" for name, purpose in PURPOSES.items())
    line = Parser(
        prog="fit.py",
        description=__doc__,
        epilog=f"recipes:\n{recipes}",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    line.add_argument("--run", metavar="FOLDER", help="the run folder (default: runs/<dataset>-<n>)")
    line.add_argument("--resume", metavar="FOLDER", help="continue an interrupted run; with --epochs, train it longer")
    line.add_argument("--recipe", metavar="NAME", help="settings by name, see below (default: the one for the data)")
    add_flags(line, Options)
    add_flags(line, Recipe, show_defaults=False)  # each recipe has its own
    return line


def chosen(arguments: argparse.Namespace) -> tuple[Recipe | None, Options]:
    """Return the recipe and the options of a new run. None stands for the recipe that follows from the data."""
    options = Options(**given_fields(arguments, Options))
    folder = pathlib.Path(options.dataset).expanduser()
    if folder.is_dir() and options.dataset != "petals":  # the run may be resumed from another directory
        options = dataclasses.replace(options, dataset=str(folder.resolve()))
    name = arguments.recipe or DEFAULT_RECIPES.get(options.dataset.partition(":")[0])  # less split or version
    recipe = dataclasses.replace(lookup(RECIPES, name, "recipe"), **given_fields(arguments, Recipe)) if name else None
    lookup(ARCHITECTURES, given_fields(arguments, Recipe).get("architecture", "paper"), "architecture")
    return recipe, options


def following_from(data: "Dataset", arguments: argparse.Namespace) -> Recipe:
    """Return the recipe that follows from the pictures, with the flags that were given, and say what it is."""
    from keras_alexnet.training import defaults

    facts, given = defaults.measure_facts(data), given_fields(arguments, Recipe)
    recipe = defaults.recipe_for(facts, **given)
    say(defaults.announce(facts, recipe))
    return recipe


def resumed(arguments: argparse.Namespace, run: Run) -> tuple[Recipe, Options]:
    """Return the recipe and the options of an interrupted run. Flags may change few of them, and add epochs."""
    recipe, options = run.read_recipe(), run.read_options()
    asked = lookup(RECIPES, arguments.recipe, "recipe") if arguments.recipe else recipe
    asked = dataclasses.replace(asked, **given_fields(arguments, Recipe))
    longer = asked.epochs > recipe.epochs and not arguments.recipe
    new_options = dataclasses.replace(options, **given_fields(arguments, Options))
    for old, new in ((recipe, asked), (options, new_options)):
        for field in dataclasses.fields(new):
            before, now = getattr(old, field.name), getattr(new, field.name)
            if before != now and field.name not in MAY_CHANGE and not (field.name == "epochs" and longer):
                raise ValueError(
                    f"A resumed run keeps the settings that it was made with: {field.name}={before}. Received: {now}"
                )
    return asked if longer else recipe, new_options


def main(argv: list[str] | None = None) -> int:
    """Train. Return 0 when done, 1 if the training has failed; exit with 2 for wrong input, 130 or 143 for signals."""
    line = parser()
    arguments = line.parse_args(argv)
    started, run = time.perf_counter(), None

    def last_words() -> str:
        if run and run.has_recipe():
            return CONTINUE.format(run.folder)
        if run:
            run.discard()
        return "Stopped before the training began: nothing was written."

    with one_line_errors(line), exit_on_signals(last_words):
        run = Run.open(arguments.resume) if arguments.resume else None
        recipe, options = resumed(arguments, run) if run else chosen(arguments)
        from keras_alexnet.data import datasets  # after the flags: TensorFlow takes seconds
        from keras_alexnet.training import strategies, trainer

        strategy = strategies.create_strategy(options.devices, options.virtual_devices, options.strategy)
        data = datasets.load(options.dataset, options.data_dir, options.seed)
        say(data.describe())
        recipe = recipe or following_from(data, arguments)
        if run:
            if recipe.epochs > run.read_recipe().epochs:
                run.extend(recipe.epochs)
            elif run.is_finished():
                say(f"This run has finished its {recipe.epochs} epochs. To train longer: --epochs.")
        else:
            folder = arguments.run or Run.next_free("runs", options.dataset)
            run = Run.create(folder) if strategy.is_chief else Run(pathlib.Path(folder))
        with _cleaning_up(run, may_discard=strategy.is_chief and not arguments.resume):
            trained = trainer.fit(recipe, data, run, options, strategy)
        if trained is None:  # a worker that is not the chief
            return 0
        return _report(run, data, trained, time.perf_counter() - started)


@contextlib.contextmanager
def _cleaning_up(run: Run, may_discard: bool) -> Iterator[None]:
    """Within, a stop says how to continue, and a training that fails before its first checkpoint leaves nothing."""
    try:
        yield
    except SystemExit:
        say(f"\n{CONTINUE.format(run.folder)}")
        raise
    except LockedError:  # the files are another process's
        with contextlib.suppress(OSError):
            for made in reversed(run.created):
                made.rmdir()
        raise
    except (ValueError, OSError):
        if may_discard and not any(run.last.glob("*.json")):
            run.discard()
        raise


def _report(run: Run, data: "Dataset", results: dict, seconds: float) -> int:
    """Evaluate the best network on the validation split, draw the figures, write the report, and say what is next."""
    from keras_alexnet.data import pipeline
    from keras_alexnet.evaluation import evaluate, features
    from keras_alexnet.evaluation.classifier import Classifier
    from keras_alexnet.reporting import report, run_figures

    classifier, evaluation = Classifier.of_run(run), None
    if "validation" in data.splits:
        pictures = pipeline.resize_pictures(data.splits["validation"], classifier.recipe.resize_size)
        evaluation = evaluate.evaluate_run(run, data, "validation", pictures, classifier=classifier)
        say(_summary(evaluation.numbers()))
    else:
        say("There was no validation: scripts/evaluate.py evaluates the network of the last epoch.")
    run_figures.draw(run, evaluation, classifier)
    kernels = features.first_kernels(classifier.model)
    if kernels.shape[-1] % 2 == 0:  # for archived runs, which have no weights
        results |= {"specialization": features.specialization(kernels)}
    run.write_json("results.json", results)
    report.write(run)
    minutes, rest = divmod(round(seconds), 60)
    say(f"Took {minutes} min {rest} s. Report: {run.report}")
    failed = report.training_warning(run.read_log(), len(data.class_names))
    if failed:
        say(failed)
        return 1
    say(f"Next: python scripts/evaluate.py {run.folder} --split test")
    say(f"      python scripts/predict.py {run.folder} PICTURES")
    return 0


def _summary(numbers: dict) -> str:
    """The errors of an evaluation in one line. With five classes or fewer every top-5 error is zero."""
    tops = (1, 5) if len(numbers["classes"]) > 5 else (1,)
    errors = (
        f"{views}: " + ", ".join(f"top-{k} error {numbers[key][f'top{k}_error']:.1%}" for k in tops)
        for key, views in (("1_view", "center crop"), ("10_views", "ten crops"))
        if key in numbers
    )
    return f"{numbers['split']}, {numbers['pictures']} pictures, {'; '.join(errors)}"
