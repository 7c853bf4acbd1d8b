"""Train an AlexNet and write a run folder: recipe, log, network, evaluation, figures and a report.

python scripts/fit.py                                              drawn flowers, a few minutes on two cores
python scripts/fit.py --dataset oxford_flowers102                  photographs of flowers
python scripts/fit.py --dataset my_pictures                        a folder with one subfolder per class
python scripts/fit.py --dataset my_pictures --weights imagenet     the same, fine-tuned from ImageNet weights
python scripts/fit.py --resume runs/petals-1                       continue after an interruption

Numbers in parentheses are sections of the paper; (ours) marks settings that the paper does not have.
"""

import argparse
import contextlib
import pathlib
import time
import typing
from collections.abc import Iterator

from keras_alexnet.command_line import Parser, add_flags, given_fields, one_line_errors, quoted, say
from keras_alexnet.commands._fit_settings import (
    fill_in_settings,
    new_run_settings,
    resumed_settings,
    trace_weights,
)
from keras_alexnet.data import sources
from keras_alexnet.evaluation.top_k import has_top5
from keras_alexnet.files import LockedError
from keras_alexnet.interrupts import exit_on_signals
from keras_alexnet.invocation import call_of
from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.recipes.named import NAMED
from keras_alexnet.recipes.recipe import check_batch_size
from keras_alexnet.runs import Run
from keras_alexnet.text import percent, plural

if typing.TYPE_CHECKING:
    from keras_alexnet.data.datasets import Dataset
    from keras_alexnet.evaluation.classifier import Classifier
    from keras_alexnet.evaluation.evaluate import Evaluation
    from keras_alexnet.training.strategies import Strategy


def build_parser() -> Parser:
    """Build the parser of the command line. Its flags are the fields of `Options` and `Recipe`."""
    width = max(map(len, NAMED)) + 2
    recipes = "\n".join(f"  {name:{width}}{named.purpose}" for name, named in NAMED.items())
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
        if arguments.run and (arguments.resume or arguments.find_learning_rate):
            other = "--resume" if arguments.resume else "--find-learning-rate"
            raise ValueError(f"{other} makes no new run: leave out --run. Received: --run {arguments.run}")
        run = Run.open(arguments.resume) if arguments.resume is not None else None
        recipe, options, data, strategy = _prepare(arguments, run)
        if arguments.find_learning_rate:
            from keras_alexnet.training import rate_finder

            rate_finder.find(recipe, data, options, say)
            return 0
        from keras_alexnet.training import checkpoints, trainer

        if run:
            _say_how_it_continues(run, recipe, checkpoints.finished_epochs(checkpoints.folder_of(run, options)))
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
    """Return the settings, the data and the devices of a run; of an interrupted one, if `run` is given.

    What can be known to be wrong is refused before TensorFlow is loaded, which takes seconds.
    """
    return _prepare_resumed(arguments, run) if run else _prepare_new(arguments)


def _prepare_new(arguments):
    recipe, options = new_run_settings(arguments)
    if not arguments.find_learning_rate:
        _check_not_among_pictures("--run", pathlib.Path(arguments.run or "runs"), options)
        if options.checkpoint_path:
            _check_not_among_pictures("--checkpoint-path", pathlib.Path(options.checkpoint_path), options)
        if arguments.run and options.strategy != "multiworker":  # another worker may have created it
            Run.check_new(arguments.run)
    files = sources.files_for(options)
    if files:  # before any picture is read
        batch_size = recipe.batch_size if recipe else given_fields(arguments, Recipe).get("batch_size")
        check_batch_size(batch_size, len(next(iter(files.splits.values()))))
    origin = trace_weights(recipe, options, arguments)
    from keras_alexnet.data import datasets
    from keras_alexnet.training import strategies

    strategy = strategies.create_strategy(options.devices, options.virtual_devices, options.strategy)
    data = datasets.from_options(options, files)
    say(data.describe())
    return *fill_in_settings(recipe, options, data, arguments, origin, strategy.replicas), data, strategy


def _prepare_resumed(arguments, run):
    recipe, options = resumed_settings(arguments, run)
    sources.check_in_place(options)
    files = sources.files_for(options)
    from keras_alexnet.data import datasets
    from keras_alexnet.training import strategies

    strategy = strategies.create_strategy(options.devices, options.virtual_devices, options.strategy)
    _compare_backends(run, options)
    data = datasets.from_options(options, files)
    _check_same_pictures(run, data)
    say(data.describe())
    return recipe, options, data, strategy


def _check_same_pictures(run: Run, data: "Dataset") -> None:
    """Raise if the pictures of an interrupted run have changed: pictures for testing may have been trained on."""
    from keras_alexnet.data.identity import has_same_pictures, identity_of

    began = identity_of(run.read_data())
    instead = f"start a new run, with --weights {run.folder} to start from this network"
    names = run.read_classes() if run.classes.exists() else data.class_names
    if differing := set(names) ^ set(data.class_names):
        raise ValueError(
            f"A resumed run needs the classes in {run.classes}: restore the pictures or this file, or {instead}. "
            f"Received: other classes, as {min(differing)!r} is in only one of them"
        )
    if tuple(names) != tuple(data.class_names) or not has_same_pictures(began, data.identity):
        sizes = ", ".join(f"{split} {size}" for split, size in began.sizes.items())
        raise ValueError(
            f"A resumed run needs the pictures that it began with ({sizes}): restore them, or {instead}. "
            f"Received: changed pictures, {data.describe()}"
        )


def _compare_backends(run: Run, options: Options) -> None:
    """Say what changes if a run continues on another backend of Keras. A deterministic run must keep its backend."""
    import keras

    began, now = run.read_provenance().get("backend"), keras.backend.backend()
    if began in (None, now):
        return
    if options.deterministic:
        raise ValueError(
            f"A run with --deterministic must keep its backend, because others round differently: set "
            f"KERAS_BACKEND={began}. Received: KERAS_BACKEND={now}"
        )
    say(f"The run began on {began} and continues on {now}: rounding and the dropout masks differ.")


def _say_how_it_continues(run: Run, recipe: Recipe, epochs: int) -> None:
    """Say what more epochs change, or that there is nothing left to train.

    Args:
        run: The run.
        recipe: The recipe of the run, maybe with more epochs.
        epochs: The number of finished epochs in the newest checkpoint; the log may have more.

    Raises:
        ValueError: If more epochs are requested, but --stop-after has ended the run.
    """
    rows, longer = run.read_log()[:epochs], recipe.epochs > run.read_recipe().epochs
    if recipe.is_over(rows) and len(rows) < recipe.epochs:
        if longer:
            raise ValueError(
                f"This run was ended by --stop-after {recipe.stop_after}, which it keeps: start a new run, with "
                f"--weights {quoted(run.folder)} to start from its network. Received: --epochs {recipe.epochs}"
            )
        say(f"This run is finished: --stop-after {recipe.stop_after} ended it after {plural(len(rows), 'epoch')}.")
    elif longer:
        if recipe.schedule != "divided":
            say(
                f"The {recipe.schedule} schedule now ends after epoch {recipe.epochs}, so the learning rate first "
                f"rises again. The result differs from that of a new run with --epochs {recipe.epochs}."
            )
    elif run.is_finished():
        say(f"This run is finished. To train it for more than {plural(len(rows), 'epoch')}, add --epochs N.")


def _check_not_among_pictures(flag: str, folder: pathlib.Path, options: Options) -> None:
    """Raise if a folder to write to is inside the folder of pictures, where it would look like a class."""
    pictures = pathlib.Path(options.dataset)
    if pictures.is_absolute() and pictures.is_dir() and folder.resolve().is_relative_to(pictures.resolve()):
        raise ValueError(
            f"The folder of {flag} must not be inside the folder of pictures: choose another with {flag}. "
            f"Received: {folder}"
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
            with contextlib.suppress(OSError):  # that of --checkpoint-path, which is new
                checkpoints.rmdir()
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

    classifier = Classifier.from_run(run)
    evaluation = _evaluate(run, data, classifier)
    if data.copies and data.copies.count:
        run.write_duplicates(data.copies.as_json())
    run_figures.draw(run, evaluation, classifier)
    run.write_results(results | _write_kernels(run, classifier))
    report.write(run)
    minutes, rest = divmod(round(seconds), 60)
    say(f"Took {minutes} min {rest} s. Report: {run.report}")
    return _say_what_is_next(run, "test" in data.splits)


def _evaluate(run: Run, data: "Dataset", classifier: "Classifier") -> "Evaluation | None":
    """Evaluate the kept network on the validation split and print its errors. Return None without such a split."""
    from keras_alexnet.data import pipeline
    from keras_alexnet.evaluation import evaluate

    if "validation" not in data.splits:
        say("There is no validation split, so no errors were measured. The network of the last epoch was kept.")
        return None
    pictures = pipeline.resize_pictures(data.splits["validation"], classifier.recipe.resize_size)
    evaluation = evaluate.evaluate_run(run, data, "validation", pictures, classifier=classifier)
    numbers = evaluation.numbers()
    say(_summary(numbers, classifier.recipe))
    if warning := _no_better_than_one_answer(numbers["classes"], numbers[evaluate.views_key(10)]):
        say(warning)
    return evaluation


def _no_better_than_one_answer(classes: list[dict], errors: dict) -> str | None:
    """Return a sentence if a network that gives the largest class as every answer has as few errors, else None."""
    from keras_alexnet.evaluation.chance import chance_error

    largest, error = max(classes, key=lambda row: row["pictures"]), chance_error([row["pictures"] for row in classes])
    if not 0 < error <= errors["top1_error"]:  # it is 0 if all pictures are of one class
        return None
    return (
        f"This is no better than {largest['class']} as the answer for every picture, with an error of "
        f"{percent(error)}. The mean per-class error is {percent(errors['mean_class_error'])}."
    )


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

    failed = training_warning(run.read_log(), report.class_counts(run), run.read_recipe().label_smoothing)
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
        f"{views}: " + ", ".join(f"top-{k} error {percent(numbers[key][f'top{k}_error'])}" for k in tops)
        for key, views in (("1_view", "center crop"), ("10_views", f"{recipe.averaged_views} crops"))
        if key in numbers
    )
    return f"{numbers['split']}, {numbers['pictures']} pictures, {'; '.join(errors)}"
