"""Train the defaults of fit.py on many kinds of small data sets, with several seeds, and write a table.

  python scripts/try_default.py --work /tmp/sets                        drawn data sets, three seeds each
  python scripts/try_default.py --work /tmp/sets --folders my_pictures  also your own folder
  python scripts/try_default.py --work /tmp/sets -- --crop-size 67      flags of fit.py after the two dashes

Drawn sets with fewer than 100 test pictures are tested on as many new pictures as they have, drawn in the same way. The
table is written after each run, as CSV and Markdown. Runs that are already in it are skipped, so the script can be
stopped and restarted at any time.
"""

import _command  # noqa: F401  first, so that Ctrl-C leaves no traceback from here on

# isort: split
import argparse
import contextlib
import math
import multiprocessing
import pathlib
import shlex
import sys
import time
from collections.abc import Iterable
from typing import Any

from comparisons import everyday_sets, row_table
from keras_alexnet.command_line import Parser, one_line_errors, quiet_terminal, say
from keras_alexnet.commands import __main__ as commands
from keras_alexnet.files import temporary_folder
from keras_alexnet.interrupts import exit_on_signals

COLUMNS = {
    "set": "set",
    "flags": "flags",
    "seed": "seed",
    "pictures": "training pictures",
    "classes": "classes",
    "status": "exit status",
    "epochs": "epochs",
    "seconds": "seconds",
    "megabytes": "peak MB",
    "highest_loss": "highest loss",
    "last_loss": "last loss",
    "chance": "ln(classes)",
    "recoveries": "recoveries",
    "tested": "test pictures",
    "test_error": "test error",
    "class_error": "mean per-class error",
    "guessing": "chance error",
}
ENOUGH = 100  # test pictures
SHARES = ("test_error", "class_error", "guessing")


def build_parser() -> Parser:
    """Build the parser of the command line."""
    parser = Parser(prog="try_default.py", description=__doc__)
    row_table.add_flags(parser)
    parser.add_argument("--sets", nargs="*", choices=everyday_sets.SETS, default=list(everyday_sets.SETS))
    parser.add_argument("--folders", nargs="*", default=[], metavar="FOLDER", help="additional folders of pictures")
    parser.add_argument("flags", nargs="*", metavar="-- FLAGS", help="flags of fit.py")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Train and write the table. The exit status is 0 on success, 2 for wrong input."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    with one_line_errors(parser), exit_on_signals(row_table.stop_trainings):
        row_table.check_names([*everyday_sets.SETS, *(pathlib.Path(folder).name for folder in arguments.folders)])
        table = row_table.Table(arguments, list(COLUMNS), list(COLUMNS.values()), _lines)
        for seed in range(arguments.seeds):
            for name, folder in _folders(arguments):
                key = {"set": name, "flags": shlex.join(arguments.flags), "seed": str(seed)}
                if row_table.has(table.rows, key):
                    continue
                if table.is_late():
                    return
                new = arguments.work / "new" if name in everyday_sets.SETS else None
                with temporary_folder(arguments.work) as temporary:
                    table.add(key | _train(folder, temporary / "run", seed, arguments.flags, new))
        table.show()


def _folders(arguments: argparse.Namespace) -> Iterable[tuple[str, pathlib.Path]]:
    for name in arguments.sets:
        yield name, everyday_sets.make(name, arguments.work)
    for folder in arguments.folders:
        yield pathlib.Path(folder).name, pathlib.Path(folder)


def _train(
    folder: pathlib.Path, run: pathlib.Path, seed: int, flags: list[str], new: pathlib.Path | None
) -> dict[str, str]:
    """Train in a separate process, and return its row of the table."""
    say(f"\n{folder.name}, seed {seed}")
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_fit_and_evaluate, args=(folder, run, seed, flags, new, sender))
    started = time.perf_counter()
    process.start()
    sender.close()
    process.join()
    row = {"status": process.exitcode, "seconds": round(time.perf_counter() - started)}
    with contextlib.suppress(EOFError):  # it was killed
        row["megabytes"] = round(receiver.recv())
    return {key: str(value) for key, value in (row | _numbers(run)).items()}


def _fit_and_evaluate(
    folder: pathlib.Path,
    run: pathlib.Path,
    seed: int,
    flags: list[str],
    new: pathlib.Path | None,
    sender: "multiprocessing.connection.Connection",
) -> None:
    """Train and evaluate, and send the largest amount of memory that this process used, in MB."""
    quiet_terminal()
    from benchmarks.memory import peak_of_process
    from keras_alexnet.commands import evaluate, fit
    from keras_alexnet.runs import Run

    status = fit.main(["--dataset", str(folder), "--run", str(run), "--seed", str(seed), *flags])
    if status == 0:
        other_pictures = []
        if new and Run(run).read_data()["sizes"]["test"] < ENOUGH:
            new.mkdir(exist_ok=True)
            other_pictures = ["--dataset", str(everyday_sets.make(folder.name, new, seed=1)), "--split", "all"]
        evaluate.main([str(run), *other_pictures])
    sender.send(peak_of_process())
    sys.exit(status)


def _numbers(run: pathlib.Path) -> dict[str, Any]:
    """Return the numbers of a run from its files."""
    from keras_alexnet.runs import Run

    opened = Run(run)
    if not opened.has_recipe():
        return {}
    rows, classes = opened.read_log(), len(opened.read_classes())
    sizes = opened.read_data()["sizes"]
    numbers = {"pictures": sizes["train"], "classes": classes, "chance": f"{math.log(classes):.3f}"}
    numbers |= {"epochs": len(rows), "recoveries": len(opened.read_recoveries())}
    if rows:
        numbers |= {"highest_loss": f"{max(row['loss'] for row in rows):.3f}", "last_loss": f"{rows[-1]['loss']:.3f}"}
    tested = set(run.glob("evaluation-*.json")) - {run / "evaluation-validation.json"}  # none if training failed
    if tested:
        evaluation = opened.read_json(tested.pop().name)
        results = evaluation["10_views"]
        numbers |= {"test_error": f"{results['top1_error']:.3f}", "class_error": f"{results['mean_class_error']:.3f}"}
        numbers |= {"tested": evaluation["pictures"], "guessing": f"{1 - 1 / classes:.3f}"}
    return numbers


def _lines(rows: Iterable[dict[str, str]]) -> list[list[str]]:
    return [[_cell(key, row.get(key, "")) for key in COLUMNS] for row in rows]


def _cell(key: str, text: str) -> str:
    """Format a cell: fractions in percent."""
    return f"{float(text):.1%}" if key in SHARES and text else text


if __name__ == "__main__":
    commands.run(main)
