"""Train an AlexNet and write a run folder: recipe, log, network, evaluation, figures and a report.

python scripts/fit.py                                              drawn flowers, a few minutes on two cores
python scripts/fit.py --dataset oxford_flowers102                  photographs of flowers
python scripts/fit.py --dataset my_pictures                        a folder with one folder per class
python scripts/fit.py --dataset my_pictures --weights imagenet     the same, fine-tuned from ImageNet weights
python scripts/fit.py --resume runs/petals-1                       continue after an interruption
"""

import argparse
import contextlib
import dataclasses
import pathlib
import time
import typing
from collections.abc import Iterator

from keras_alexnet.command_line import Parser, add_flags, exit_on_signals, given_fields, one_line_errors, quoted, say
from keras_alexnet.data import sources
from keras_alexnet.evaluation.top_k import has_top5
from keras_alexnet.files import LockedError, absolute_if_exists
from keras_alexnet.invocation import call_of
from keras_alexnet.models.architectures import ARCHITECTURES, lookup
from keras_alexnet.recipes import DEFAULT_RECIPES, PURPOSES, RECIPES, Options, Recipe, too_few_pictures
from keras_alexnet.runs import Run
from keras_alexnet.weights import names

if typing.TYPE_CHECKING:
    from keras_alexnet.data.datasets import Dataset
    from keras_alexnet.data.labeled_files import LabeledFiles
    from keras_alexnet.evaluation.classifier import Classifier
    from keras_alexnet.evaluation.evaluate import Evaluation
    from keras_alexnet.training.defaults import DataFacts
    from keras_alexnet.training.strategies import Strategy
    from keras_alexnet.weights.origin import Origin

QUICK_MINUTES = 2.0
MAY_CHANGE = (  # when a run is resumed
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


def build_parser() -> Parser:
    """Build the parser of the command line. Its flags are the fields of `Options` and `Recipe`."""
    width = max(map(len, PURPOSES)) + 2
    recipes = "\n".join(f"  {name:{width}}{purpose}" for name, purpose in PURPOSES.items())
    parser = Parser(
        prog="fit.py",
        usage="%(prog)s [--dataset DATA] [--weights WEIGHTS] [--run FOLDER] [other flags, see below]",
        description=__doc__,
        epilog=f"recipes:\n{recipes}",
    )
    parser.add_argument("--run", metavar="FOLDER", help="the run folder (default: runs/<dataset>-<n>)")
    parser.add_argument(
        "--resume", metavar="FOLDER", help="continue an interrupted run, or train a finished one longer with --epochs"
    )
    parser.add_argument(
        "--find-learning-rate",
        action="store_true",
        help="try increasing learning rates for up to 100 steps and propose one; write nothing",
    )
    parser.add_argument("--recipe", metavar="NAME", help="named settings, see below (default: chosen for the data)")
    add_flags(parser, Options)
    add_flags(parser, Recipe, show_defaults=False)  # each recipe has its own
    return parser


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
    lookup(ARCHITECTURES, given_fields(arguments, Recipe).get("architecture", "paper"), "architecture")
    return recipe, options


def _with_absolute_paths(options: Options) -> Options:
    """Return the options with absolute paths, since the run may be resumed from another directory."""
    paths = {"dataset": sources.stored_name(options.dataset)}
    for field in ("checkpoint_path", "data_dir"):  # may not exist yet
        if path := getattr(options, field):
            paths[field] = str(pathlib.Path(path).expanduser().absolute())
    if options.class_names:
        paths["class_names"] = absolute_if_exists(options.class_names)
    if options.weights and options.weights != names.DRAWN and not names.is_name(options.weights):
        paths["weights"] = absolute_if_exists(options.weights)
    return dataclasses.replace(options, **paths)


def _check_batch_size(files: "LabeledFiles", batch_size: int | None) -> None:
    """Raise if the given batch size is larger than the training set, before any picture is read."""
    count = len(next(iter(files.splits.values())))
    if batch_size and batch_size > count:
        raise ValueError(
            f"The batch is larger than the training set: use --batch-size {count} or less, or leave out both "
            f"--batch-size and --recipe. Received: batch size {batch_size}, {count} pictures"
        )


def _given_options(arguments: argparse.Namespace) -> dict:
    """Return the given options. `--weights none` becomes None, random weights."""
    given = given_fields(arguments, Options)
    return given | {"weights": None} if given.get("weights") == "none" else given


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

    known = origin.trace(options.weights, recipe.architecture if recipe else given.get("architecture"))
    size = recipe.crop_size if recipe else given.get("crop_size", known.crop_size)
    name = recipe.architecture if recipe else known.architecture
    loading.check(sketch(name, input_shape=(size, size, 3)), known.path, replace_head=True)
    return known


def choose_settings(
    data: "Dataset",
    arguments: argparse.Namespace,
    options: Options,
    origin: "Origin | None" = None,
    replicas: int = 1,
) -> tuple[Recipe, Options]:
    """Return the recipe and the options for the pictures and the weights, with the given flags applied. Print them."""
    from keras_alexnet.training import defaults

    facts = defaults.measure_facts(data)
    suited = choose_recipe(facts, arguments, options, origin)
    recipe, options, speed = plan_epochs(suited, facts, arguments, options, replicas)
    if "weights" not in _given_options(arguments) and defaults.starts_from_drawn(facts, recipe):
        options = dataclasses.replace(options, weights=names.DRAWN)
    say(defaults.announce(facts, recipe, options.steps_per_epoch, speed, origin and origin.path.name))
    announce_settings(recipe, options, suited.epochs)
    return recipe, options


def choose_recipe(
    facts: "DataFacts", arguments: argparse.Namespace, options: Options, origin: "Origin | None" = None
) -> Recipe:
    """Return the recipe for the pictures and the weights, with the given flags applied."""
    from keras_alexnet.training import defaults

    given = given_fields(arguments, Recipe)
    if options.quick and not origin:  # pretrained weights have their own size
        given = {"crop_size": defaults.QUICK_CROP_SIZE} | given
    return defaults.fine_tuning_recipe(facts, origin, **given) if origin else defaults.recipe_for(facts, **given)


def plan_epochs(
    recipe: Recipe, facts: "DataFacts", arguments: argparse.Namespace, options: Options, replicas: int = 1
) -> tuple[Recipe, Options, float | None]:
    """Return the recipe with a number of epochs for this machine, the options, and the speed in images per second.

    With a time limit, the epochs are planned for it. This may also shorten an epoch, which is an option. Without one,
    there are fewer epochs if they would take long on this machine. Given numbers are kept, and the speed is then None.
    Several replicas are taken to be that many times as fast as one, but virtual devices share the cores of one.
    """
    from keras_alexnet.training import defaults, trainer

    if {"epochs", "divide_after"} & given_fields(arguments, Recipe).keys() or options.steps_per_epoch:
        return recipe, options, None
    times = 1 if options.virtual_devices else replicas
    if options.max_minutes:
        trainer.prepare(options)  # the speed depends on the precision
        speed = times * defaults.measure_speed(recipe, facts.classes)
        recipe, steps = defaults.plan(recipe, facts.pictures, 60 * options.max_minutes, speed)
        return recipe, dataclasses.replace(options, steps_per_epoch=steps), speed
    if options.strategy == "multiworker":  # whose processes must agree on the number
        return recipe, options, None
    speed = times * defaults.images_per_second(recipe, facts.classes)
    return defaults.shorten(recipe, facts.pictures, speed), options, speed


def announce_settings(recipe: Recipe, options: Options, suited_epochs: int) -> None:
    """Print where training starts, and what was reduced to save time.

    Args:
        recipe: The recipe.
        options: The options.
        suited_epochs: The number of epochs that suits the pictures.
    """
    if options.weights == names.DRAWN:
        say("The convolutions start from kernels trained on drawn pictures; --weights none starts from random weights.")
    if recipe.epochs < suited_epochs and not options.max_minutes:
        say(
            f"The number of epochs was reduced from {suited_epochs} to limit the time on this machine. To train for "
            f"all of them: --epochs {suited_epochs}."
        )
    if options.quick:
        say(
            f"Quick try: crops of {recipe.crop_size} pixels and about {options.max_minutes:g} minutes of training. "
            "Leave out --quick for the best result."
        )


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
                    f"A resumed run keeps the settings that it was made with: {field.name}={before}. Received: {now}"
                )
    return asked if longer else recipe, new_options


def main(argv: list[str] | None = None) -> int:
    """Train. Return 0 when done, 1 if the network is no better than chance; exit with 2 for wrong input and for a loss
    of NaN, and with 130 or 143 for signals."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    started, run = time.perf_counter(), None

    def last_words() -> str:
        if run and run.has_recipe():
            return _how_to_continue(run)
        if run:
            run.discard()
        return "Stopped before training began. Nothing was written."

    with one_line_errors(parser), exit_on_signals(last_words):
        run = Run.open(arguments.resume) if arguments.resume is not None else None
        recipe, options, data, strategy = _prepare(arguments, run)
        if arguments.find_learning_rate:
            from keras_alexnet.training import rate_finder

            rate_finder.find(recipe, data, options, say)
            return 0
        from keras_alexnet.training import checkpoints, trainer

        if run:
            _say_how_it_continues(run, recipe)
        else:
            folder = pathlib.Path(arguments.run or Run.next_free("runs", options.dataset))
            _check_checkpoint_folder(checkpoints.folder_of(Run(folder), options), options)
            run = Run.create(folder) if strategy.is_chief else Run(folder)
        saved_in = checkpoints.folder_of(run, options)
        with _cleaning_up(run, saved_in, may_discard=strategy.is_chief and not arguments.resume):
            trained = trainer.fit(recipe, data, run, options, strategy)
        if trained is None:  # a worker that is not the chief
            return 0
        _say_why_it_ended(run, recipe, options)
        return _report(run, data, trained, time.perf_counter() - started)


def _how_to_continue(run: Run) -> str:
    return f"Stopped. To continue: {call_of('fit')} --resume {quoted(run.folder)}"


def _prepare(arguments: argparse.Namespace, run: Run | None) -> tuple[Recipe, Options, "Dataset", "Strategy"]:
    """Return the settings, the data and the devices of a training; of an interrupted one, if `run` is given.

    What can be known to be wrong is refused before TensorFlow is loaded, which takes seconds.
    """
    recipe, options = resumed_settings(arguments, run) if run else new_run_settings(arguments)
    if not run and not arguments.find_learning_rate:
        _check_run_folder(pathlib.Path(arguments.run or "runs"), options)
    files = sources.of_options(options)
    if files:
        _check_batch_size(files, recipe.batch_size if recipe else given_fields(arguments, Recipe).get("batch_size"))
    origin = None if run else trace_weights(recipe, options, arguments)
    from keras_alexnet.data import datasets
    from keras_alexnet.training import strategies

    strategy = strategies.create_strategy(options.devices, options.virtual_devices, options.strategy)
    if run:
        _compare_backends(run, options)
    data = datasets.of_options(options, files)
    if run:
        _check_same_pictures(run, data)
    say(data.describe())
    return *_fill_in_settings(recipe, options, data, arguments, origin, strategy.replicas), data, strategy


def _fill_in_settings(
    recipe: Recipe | None,
    options: Options,
    data: "Dataset",
    arguments: argparse.Namespace,
    origin: "Origin | None",
    replicas: int = 1,
) -> tuple[Recipe, Options]:
    """Return the recipe and the options, chosen from the data where they are not given. Warn about too few pictures."""
    if arguments.recipe and not arguments.resume:
        warning = too_few_pictures(arguments.recipe, len(data.splits["train"]))
        if warning:
            say(warning)
    elif not arguments.resume and options.recover is None:
        options = dataclasses.replace(options, recover="learning_rate" not in given_fields(arguments, Recipe))
    return (recipe, options) if recipe else choose_settings(data, arguments, options, origin, replicas)


def _check_same_pictures(run: Run, data: "Dataset") -> None:
    """Raise if the pictures of an interrupted run have changed: pictures for testing may have been trained on."""
    from keras_alexnet.data.identity import has_same_pictures, identity_of

    began = identity_of(run.read_data())
    same_classes = not run.classes.exists() or run.read_classes() == tuple(data.class_names)
    if not same_classes or not has_same_pictures(began, data.identity):
        sizes = ", ".join(f"{split} {size}" for split, size in began.sizes.items())
        raise ValueError(
            f"A resumed run needs the pictures that it began with ({sizes}): restore them, or start a new run, with "
            f"--weights {run.folder} to start from this network. Received: changed pictures, {data.describe()}"
        )


def _compare_backends(run: Run, options: Options) -> None:
    """Say what changes if a run continues on another backend of Keras. A deterministic run must keep its backend."""
    import keras

    began, now = run.read_json("recipe.json").get("backend"), keras.backend.backend()
    if began in (None, now):
        return
    if options.deterministic:
        raise ValueError(
            f"A run with --deterministic must keep its backend, because others round differently: set "
            f"KERAS_BACKEND={began}. Received: KERAS_BACKEND={now}"
        )
    say(f"The run began on {began} and continues on {now}: rounding and the dropout masks differ.")


def _say_how_it_continues(run: Run, recipe: Recipe) -> None:
    """Say what more epochs change, or that there is nothing left to train."""
    if recipe.epochs > run.read_recipe().epochs:
        if recipe.schedule != "divided":
            say(
                f"The {recipe.schedule} schedule now ends after epoch {recipe.epochs}, so the learning rate first "
                f"rises again. The result differs from that of a new run with --epochs {recipe.epochs}."
            )
    elif run.is_finished():
        say(f"This run is finished. To train it for more than {len(run.read_log())} epochs, add --epochs N.")


def _check_run_folder(folder: pathlib.Path, options: Options) -> None:
    """Raise if the run folder would be inside the folder of pictures, where it would look like a class."""
    pictures = pathlib.Path(options.dataset)
    if pictures.is_absolute() and pictures.is_dir() and folder.resolve().is_relative_to(pictures.resolve()):
        raise ValueError(
            "The run folder must not be inside the folder of pictures: choose another with --run, or start the program "
            f"elsewhere. Received: {folder}"
        )


def _check_checkpoint_folder(folder: pathlib.Path, options: Options) -> None:
    if options.checkpoint_path and folder.exists():
        raise ValueError(f"The checkpoint folder must not exist: choose another --checkpoint-path. Received: {folder}")


@contextlib.contextmanager
def _cleaning_up(run: Run, checkpoints: pathlib.Path, may_discard: bool) -> Iterator[None]:
    """Print how to continue when training is stopped, and clean up if it fails before the first checkpoint."""
    try:
        yield
    except SystemExit:
        say(f"\n{_how_to_continue(run)}")
        raise
    except LockedError:  # the files belong to another process
        with contextlib.suppress(OSError):
            for made in reversed(run.created):
                made.rmdir()
        raise
    except (ValueError, OSError):
        if may_discard and not any(checkpoints.glob("*.json")):
            run.discard()
        raise


def _say_why_it_ended(run: Run, recipe: Recipe, options: Options) -> None:
    """Print why training ended before its last epoch."""
    rows = run.read_log()
    if len(rows) >= recipe.epochs:
        return
    done = f"Training ended after {len(rows)} of {recipe.epochs} epochs"
    if recipe.is_over(rows):
        say(f"{done}: no lower validation error since epoch {len(rows) - recipe.stop_after} (--stop-after).")
    else:
        say(
            f"{done}: another would take longer than {options.max_minutes:g} minutes in total (--max-minutes). "
            f"To continue: {call_of('fit')} --resume {quoted(run.folder)} --max-minutes N"
        )


def _report(run: Run, data: "Dataset", results: dict, seconds: float) -> int:
    """Evaluate the kept network, write results, figures and the report, and return the exit status."""
    from keras_alexnet.evaluation.classifier import Classifier
    from keras_alexnet.reporting import report, run_figures

    classifier = Classifier.of_run(run)
    evaluation = _evaluate(run, data, classifier)
    if data.copies and data.copies.count:
        run.write_json("duplicates.json", data.copies.as_json())
    run_figures.draw(run, evaluation, classifier)
    run.write_json("results.json", results | _write_kernels(run, classifier))
    report.write(run)
    minutes, rest = divmod(round(seconds), 60)
    say(f"Took {minutes} min {rest} s. Report: {run.report}")
    return _say_what_is_next(run, "test" in data.splits)


def _evaluate(run: Run, data: "Dataset", classifier: "Classifier") -> "Evaluation | None":
    """Evaluate the kept network on the validation split and print its errors. Return None without such a split."""
    from keras_alexnet.data import pipeline
    from keras_alexnet.evaluation import evaluate

    if "validation" not in data.splits:
        say("There is no validation split. The command evaluate tests the network of the last epoch.")
        return None
    pictures = pipeline.resize_pictures(data.splits["validation"], classifier.recipe.resize_size)
    evaluation = evaluate.evaluate_run(run, data, "validation", pictures, classifier=classifier)
    say(_summary(evaluation.numbers(), classifier.recipe))
    return evaluation


def _write_kernels(run: Run, classifier: "Classifier") -> dict:
    """Write the kernels of the first layer. Return their specialization for the results if their number is even."""
    from keras_alexnet.evaluation import features

    kernels = features.first_kernels(classifier.model)
    run.write_kernels(kernels)
    if kernels.shape[-1] % 2:
        return {}
    return {"specialization": features.specialization(kernels)}  # archived runs keep it, but have no weights


def _say_what_is_next(run: Run, has_test: bool) -> int:
    """Print what to do next, and return the exit status: 1 if training diverged or learned nothing."""
    from keras_alexnet.evaluation.chance import training_warning
    from keras_alexnet.reporting import report

    failed = training_warning(run.read_log(), report.class_counts(run))
    if failed:
        say(failed)
        return 1
    if has_test:
        say(f"Next: {call_of('evaluate')} {quoted(run.folder)} --split test")
        say(f"      {call_of('predict')} {quoted(run.folder)} PICTURES")
    else:
        say(f"Next: {call_of('predict')} {quoted(run.folder)} PICTURES")
    return 0


def _summary(numbers: dict, recipe: Recipe) -> str:
    """Return the errors of an evaluation as one line. With five classes or fewer, top-5 errors are always zero."""
    tops = (1, 5) if has_top5(len(numbers["classes"])) else (1,)
    errors = (
        f"{views}: " + ", ".join(f"top-{k} error {numbers[key][f'top{k}_error']:.1%}" for k in tops)
        for key, views in (("1_view", "center crop"), ("10_views", f"{recipe.averaged_views} crops"))
        if key in numbers
    )
    return f"{numbers['split']}, {numbers['pictures']} pictures, {'; '.join(errors)}"
