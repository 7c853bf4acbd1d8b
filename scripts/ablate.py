"""Train and test the networks of the ablations that are missing from the archive. For maintainers.

  python scripts/ablate.py --seeds 12                                    all ablations, seeds 0 to 11
  python scripts/ablate.py ablation half --seeds 6 --jobs 2              the whole network and half of the kernels
  python scripts/ablate.py conv_local conv_local_norm --seeds 5 --jobs 2 normalization on CIFAR-10 (section 3.3)

Each run has its own folder, such as runs/ablation_half-3, and a file runs/ablation_half-3.txt with what the commands
print. Runs that are finished or archived are skipped, so the script can be stopped and restarted at any time; stopped
runs continue. Archive the finished ones with scripts/archive.py.
"""

import _command  # noqa: F401  first, so that Ctrl-C leaves no traceback from here on

# isort: split
import argparse
import concurrent.futures
import dataclasses
import os
import pathlib
import shlex
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from typing import Any

from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.commands import __main__ as commands
from keras_alexnet.experiments import ablations, archive, tables
from keras_alexnet.interrupts import exit_on_signals
from keras_alexnet.machine import available_cores
from keras_alexnet.runs import Run

SCRIPTS = pathlib.Path(__file__).resolve().parent
SHORT = "--validation-share 0.2 --epochs 25 --divide-after 21 23 --keep last"  # of the authors' 470 epochs


@dataclasses.dataclass(frozen=True)
class Experiment:
    """Runs that differ only in the seed.

    Attributes:
        name: The name of its runs, before the seed.
        flags: The flags of `fit.py`, but for the seed and the run.
        views: The number of views on the test pictures.
    """

    name: str
    flags: str
    views: int = 1


def experiments() -> dict[str, Experiment]:
    """Return the experiments by the names that the command line has for them."""
    whole = f"--dataset {ablations.DATASET} --recipe {ablations.RECIPE}"
    found = {"ablation": Experiment("ablation", whole)}
    for each in ablations.ABLATIONS:
        ((setting, value),) = each.change.items()
        flags = f"{whole} --{setting.replace('_', '-')} {_words(value)}"
        found[each.name] = Experiment(f"ablation_{each.name}", flags)
    for name in tables.FOUR_LAYERS:
        found[name] = Experiment(name, f"--dataset cifar10 --recipe {name} {SHORT}", views=10)
    return found


def _words(value: Any) -> str:
    return shlex.join(value) if isinstance(value, tuple) else str(value)


def build_parser() -> Parser:
    """Build the parser of the command line."""
    parser = Parser(prog="ablate.py", description=__doc__)
    known = experiments()
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"what to train (default: all): {', '.join(known)}")
    parser.add_argument("--seeds", type=int, default=3, metavar="N", help="number of seeds (default: 3)")
    parser.add_argument(
        "--jobs",
        type=int,
        default=1,
        metavar="N",
        help="trainings at the same time, each with its part of the cores: on two cores, two trainings with one thread "
        "each were 1.3 times as fast as one after the other (default: 1)",
    )
    parser.add_argument("--runs", default="runs", metavar="FOLDER", help="the folder of the runs (default: runs)")
    parser.add_argument("--folder", default="results", help="the folder of the archive (default: results)")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Train and test. The exit status is 0 on success, 1 if a training failed, 2 for wrong input."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    with one_line_errors(parser):
        todo = list(_missing(arguments))
    trainings = Trainings(arguments.jobs)
    with exit_on_signals(trainings.stop), concurrent.futures.ThreadPoolExecutor(arguments.jobs) as pool:
        succeeded = list(pool.map(trainings.run, todo))
    say(f"{sum(succeeded)} of {len(todo)} runs are finished.")
    return 0 if all(succeeded) else 1


def _missing(arguments: argparse.Namespace) -> Iterator[tuple[Experiment, int, pathlib.Path]]:
    """Return the runs to train: one seed of every experiment after the other."""
    known = experiments()
    unknown = sorted(set(arguments.names) - set(known))
    if unknown:
        raise ValueError(f"Expected any of {', '.join(known)}. Received: {', '.join(unknown)}")
    if arguments.seeds < 1 or arguments.jobs < 1:
        raise ValueError(
            f"--seeds and --jobs must be at least 1. Received: --seeds {arguments.seeds} --jobs {arguments.jobs}"
        )
    has_archive = (pathlib.Path(arguments.folder) / archive.FILE).exists()
    archived = {record["run"] for record in archive.read(arguments.folder)} if has_archive else ()
    for seed in range(arguments.seeds):
        for name in dict.fromkeys(arguments.names or known):  # each once
            folder = pathlib.Path(arguments.runs) / f"{known[name].name}-{seed}"
            if folder.name not in archived and not (folder / "evaluation-test.json").exists():
                yield known[name], seed, folder


class Trainings:
    """Trainings in processes of their own, several at a time.

    Args:
        jobs: How many at a time.
    """

    def __init__(self, jobs: int):
        threads = str(max(1, available_cores() // jobs))
        self._environment = os.environ | {"TF_NUM_INTRAOP_THREADS": threads, "OMP_NUM_THREADS": threads}
        self._running, self._lock, self._stopped = set(), threading.Lock(), False

    def run(self, job: tuple[Experiment, int, pathlib.Path]) -> bool:
        """Train and test one run, or continue it, and return whether it is finished."""
        if self._stopped:
            return False
        experiment, seed, folder = job
        fit = ["--resume", str(folder)]
        if not Run(folder).has_recipe():
            fit = [*shlex.split(experiment.flags), "--seed", str(seed), "--run", str(folder)]
        test = [str(folder), "--split", "test", "--views", str(experiment.views)]
        folder.parent.mkdir(parents=True, exist_ok=True)
        started, printed = time.perf_counter(), folder.with_name(f"{folder.name}.txt")
        with printed.open("a", encoding="utf-8") as file:
            self._call("fit.py", fit, file)
            # not by its exit status, which is also 1 if the network learned nothing: that is a result, too
            is_trained = Run(folder).has_results()
            succeeded = is_trained and self._call("evaluate.py", test, file)
        if not self._stopped:
            how = f"{(time.perf_counter() - started) / 60:.1f} minutes" if succeeded else f"failed, see {printed}"
            say(f"{folder}: {how}")
        return succeeded

    def _call(self, script, words, file):
        """Run a script, and return whether it succeeded."""
        with self._lock:
            if self._stopped:
                return False
            # relative, since the run stores the command
            command = [sys.executable, os.path.relpath(SCRIPTS / script), *words]
            # in a session of its own, since Ctrl-C and `stop` would be two signals, and the second ends it at once
            process = subprocess.Popen(command, stdout=file, stderr=file, env=self._environment, start_new_session=True)
            self._running.add(process)
        status = process.wait()
        with self._lock:
            self._running.discard(process)
        return status == 0

    def stop(self) -> str:
        """Stop the processes, which save a checkpoint first, and return what to print."""
        with self._lock:
            self._stopped = True
            for process in self._running:
                process.terminate()
        for process in tuple(self._running):
            process.wait()
        return "Stopped. Run the same command again to continue."


if __name__ == "__main__":
    commands.run(main)
