"""Compare the defaults of fit.py with two baselines: errors and training times.

  python scripts/compare_accuracy.py --work /tmp/compared --sets cats_dogs --epochs 20

The baselines are torchvision's network in PyTorch and that of Keras tutorials, both with Adam and random weights.
They keep the epoch with the lowest validation error, and fit.py the last one. fit.py trains twice: with its default,
and from random weights, like the baselines (keras_alexnet_random). All train on the same pictures for the same number
of epochs, with the default crop size and batch size. The baselines try three learning rates with the first seed and
use the one with the lowest validation error for all seeds. Each network is evaluated once on the test pictures, with
central crops.

The table is written after each run. Run the same command again to continue.
"""

import _command  # noqa: F401  first, so that Ctrl-C leaves no traceback from here on

# isort: split
import itertools
import multiprocessing
import os
import pathlib
import statistics
import sys
import time
from collections.abc import Iterator

from comparisons import row_table
from comparisons.baselines import BASELINES, Training
from keras_alexnet.command_line import Parser, one_line_errors, quiet_terminal, say
from keras_alexnet.commands import __main__ as commands
from keras_alexnet.files import temporary_folder
from keras_alexnet.interrupts import exit_on_signals
from keras_alexnet.reporting.tables import spread

OURS = {"keras_alexnet": (), "keras_alexnet_random": ("--weights", "none")}  # the flags of fit.py
RESULT = "result.csv"  # from the process of a training
CONTENDERS = (*OURS, *BASELINES)
RATES = ("3e-05", "0.0001", "0.0003")  # of Adam: a common one, a third of it, and three times as much
COLUMNS = ("set", "epochs", "contender", "rate", "seed", "validation_error", "test_error", "ten_crops", "seconds")
TITLES = (
    "set", "epochs", "code", "learning rate", "seeds", "test error, %", "with ten crops, %", "minutes per training",
)  # fmt: skip


def build_parser() -> Parser:
    """Build the parser of the command line."""
    parser = Parser(prog="compare_accuracy.py", description=__doc__)
    row_table.add_flags(parser)
    parser.add_argument(
        "--sets", nargs="+", metavar="SET", required=True, help="folders, or data set names as for fit.py"
    )
    parser.add_argument("--epochs", type=int, required=True, metavar="N", help="number of epochs")
    parser.add_argument(
        "--contenders", nargs="+", choices=CONTENDERS, default=CONTENDERS, help="the code to compare (default: all)"
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Train and write the table. The exit status is 2 for wrong input."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    with one_line_errors(parser), exit_on_signals(row_table.stop_trainings):
        row_table.check_names(pathlib.Path(name).name for name in arguments.sets)
        table = row_table.Table(arguments, COLUMNS, TITLES, summary)
        for name, contender in itertools.product(arguments.sets, arguments.contenders):
            folder = arguments.work / pathlib.Path(name).name
            if not folder.exists():
                with temporary_folder(arguments.work) as temporary:
                    _in_a_process(_save_pictures, name, temporary / "pictures")
                    (temporary / "pictures").rename(folder)
            key = {"set": folder.name, "epochs": str(arguments.epochs), "contender": contender}
            for rate, seed in _still_to_train(table.rows, key, arguments.seeds):
                if table.is_late():
                    return
                say(f"{folder.name}: {contender}{rate and f', learning rate {rate}'}, seed {seed}")
                result = _train(arguments, folder, contender, rate, int(seed))
                table.add(key | {"rate": rate, "seed": seed} | result)
        table.show()


def _still_to_train(rows: list[dict[str, str]], key: dict[str, str], seeds: int) -> Iterator[tuple[str, str]]:
    """Yield learning rates and seeds. `rows` must have the result of one before the next is requested."""
    rates = RATES if key["contender"] in BASELINES else ("",)
    for rate in rates:
        if not row_table.has(rows, key | {"rate": rate, "seed": "0"}):
            yield rate, "0"
    rate = best_rate([row for row in rows if key.items() <= row.items()])
    for seed in map(str, range(1, seeds)):
        if not row_table.has(rows, key | {"rate": rate, "seed": seed}):
            yield rate, seed


def best_rate(rows: list[dict[str, str]]) -> str:
    """Return the learning rate with the lowest validation error of seed 0, or the smaller one of a tie."""
    first = [row for row in rows if row["seed"] == "0"]
    return min(first, key=lambda row: (float(row["validation_error"]), float(row["rate"] or 0)))["rate"]


def _train(arguments, folder, contender, rate, seed):
    with temporary_folder(arguments.work) as temporary:
        _in_a_process(_train_and_test, folder, contender, rate, seed, arguments.epochs, temporary)
        (row,) = row_table.read(temporary / RESULT)
    return row


def _in_a_process(function, *arguments):
    """Call a function in a new process, so that each run starts with a new backend and empty memory."""
    process = multiprocessing.get_context("spawn").Process(target=function, args=arguments)
    process.start()
    process.join()
    if process.exitcode:
        raise SystemExit(process.exitcode)


def _save_pictures(name: str, folder: pathlib.Path) -> None:
    """Save the pictures of a data set as files, with the splits of fit.py."""
    quiet_terminal()
    import tensorflow as tf

    from keras_alexnet.data import datasets

    data = datasets.load(name)
    for split, pictures in data.splits.items():
        for class_name in data.class_names:
            (folder / split / class_name).mkdir(parents=True)
        for number, (picture, label) in enumerate(pictures.as_numpy_iterator()):
            content = picture if isinstance(picture, bytes) else tf.io.encode_png(picture).numpy()
            suffix = ".jpg" if content.startswith(b"\xff\xd8") else ".png"
            (folder / split / data.class_names[label] / f"{number:05}{suffix}").write_bytes(content)


def _train_and_test(folder, contender, rate, seed, epochs, temporary):
    started = time.perf_counter()
    quiet_terminal()
    if contender in OURS:
        row = _train_ours(folder, OURS[contender], seed, epochs, temporary / "run", started)
    else:
        from keras_alexnet.data import datasets
        from keras_alexnet.training import defaults

        recipe = defaults.recipe_for(defaults.measure_facts(datasets.load(os.fspath(folder))))
        sizes = recipe.batch_size, recipe.crop_size, recipe.resize_size
        started = time.perf_counter()  # choosing the sizes does not count
        baseline = BASELINES[contender](Training(folder, epochs, float(rate), seed, *sizes))
        validation_error, seconds = baseline.fit(), time.perf_counter() - started
        row = {"validation_error": validation_error, "test_error": baseline.error("test"), "seconds": seconds}
    row_table.write(temporary / RESULT, row, [row])


def _train_ours(folder, flags, seed, epochs, run, started):
    from keras_alexnet.commands import evaluate, fit
    from keras_alexnet.runs import Run

    settings = ["--run", os.fspath(run), "--seed", str(seed), "--epochs", str(epochs), *flags]
    if status := fit.main(["--dataset", os.fspath(folder), *settings]):
        sys.exit(status)
    seconds = time.perf_counter() - started
    evaluate.main([os.fspath(run)])
    test = Run(run).read_json("evaluation-test.json")
    return {
        "validation_error": Run(run).read_log()[-1]["val_top1_error"],
        "test_error": test["1_view"]["top1_error"],
        "ten_crops": test["10_views"]["top1_error"],
        "seconds": seconds,
    }


def summary(rows: list[dict[str, str]]) -> list[list[str]]:
    """Return one line for each data set and code: the mean over the seeds at the best learning rate.

    Args:
        rows: Rows with the columns `COLUMNS`.
    """
    lines = []
    groups = dict.fromkeys((row["set"], row["epochs"], row["contender"]) for row in rows)
    for group in groups:
        members = [row for row in rows if (row["set"], row["epochs"], row["contender"]) == group]
        rate = best_rate(members)
        members = [row for row in members if row["rate"] == rate]
        minutes = statistics.fmean(float(row["seconds"]) / 60 for row in members)
        errors = [spread([float(row[key]) for row in members if row.get(key)]) for key in ("test_error", "ten_crops")]
        lines.append([*group, rate or "default", str(len(members)), *errors, f"{minutes:.1f}"])
    return lines


if __name__ == "__main__":
    commands.run(main)
