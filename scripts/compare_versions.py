"""Compare the speed of an earlier version of this library with that of this checkout, on this machine.

  python scripts/compare_versions.py HEAD~20                             everything, about half an hour on two cores
  python scripts/compare_versions.py 1a2b3c4 --only predict training     only these measurements

Each version runs its own commands, in processes of their own, and exports its own files. The two take turns. Do not run
other programs at the same time.
"""

import _command  # noqa: F401  first, so that Ctrl-C leaves no traceback from here on

# isort: split
import io
import os
import pathlib
import subprocess
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from typing import NamedTuple

from benchmarks.measuring import Report
from keras_alexnet.arguments import positive_integer
from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.commands.__main__ import run
from keras_alexnet.files import temporary_folder

ROOT = pathlib.Path(__file__).resolve().parents[1]
WORKER = ROOT / "scripts" / "benchmarks" / "version_worker.py"
OLD, NEW = "earlier", "this version"
FORMATS = ("savedmodel", "onnx", "tflite")


class Version(NamedTuple):
    """A version of the library.

    Attributes:
        root: Its checkout.
        work: Folder for what it writes.
    """

    root: pathlib.Path
    work: pathlib.Path

    def run(self, *command: str | os.PathLike[str]) -> str:
        """Run Python with this version of the library and return what it prints.

        Raises:
            ValueError: If the program fails. The message has the end of its output.
        """
        environment = os.environ | {"PYTHONPATH": str(self.root)}
        done = subprocess.run(
            [sys.executable, *map(str, command)], env=environment, cwd=self.work, capture_output=True, text=True
        )
        if done.returncode:
            words = " ".join(map(str, command))
            raise ValueError(f"A program failed. Received: {words}: {(done.stderr or done.stdout).strip()[-500:]}")
        return done.stdout

    def script(self, name: str, *arguments: str) -> float:
        """Run one of its scripts and return the seconds that it took."""
        started = time.perf_counter()
        self.run(self.root / "scripts" / f"{name}.py", *arguments)
        return time.perf_counter() - started

    def worker(self, *arguments: str) -> float:
        """Return the number that `benchmarks/version_worker.py` prints for these arguments."""
        return float(self.run(WORKER, *arguments).split()[-1])


class Comparison(NamedTuple):
    """A measurement of both versions.

    Attributes:
        topic: Its name for `--only`.
        subject: What is measured.
        unit: The unit of the result.
        measure: Returns the result for a version.
    """

    topic: str
    subject: str
    unit: str
    measure: Callable[[Version], float]


COMPARISONS = (
    Comparison("help", "fit.py --help", "s", lambda v: v.script("fit", "--help")),
    Comparison("predict", "predict.py with one picture", "s", lambda v: v.script("predict", "run", "1.png")),
    Comparison(
        "fit",
        "fit.py --recipe petals --epochs 3",
        "s",
        lambda v: v.script("fit", "--recipe", "petals", "--epochs", "3", "--run", f"run-{time.time_ns()}"),
    ),
    *(
        Comparison(
            "training",
            f"training step, batch {batch}, {precision}",
            "images/s",
            lambda v, batch=batch, precision=precision: v.worker("training", str(batch), precision),
        )
        for batch, precision in ((64, "float32"), (128, "float32"), (64, "mixed_bfloat16"))
    ),
    Comparison("memory", "training step, batch 128, float32", "MB", lambda v: v.worker("memory", "128", "float32")),
    *(
        Comparison(
            "exports",
            f"{form}, batch {batch}, float32",
            "images/s",
            lambda v, form=form, batch=batch: v.worker("file", f"network.{form}", str(batch)),
        )
        for form in FORMATS
        for batch in (8, 64)
    ),
)


def build_parser() -> Parser:
    """Build the parser of the command line."""
    parser = Parser(prog="compare_versions.py", description=__doc__)
    parser.add_argument("commit", metavar="COMMIT", help="commit, tag or branch of the earlier version")
    topics = list(dict.fromkeys(each.topic for each in COMPARISONS))
    parser.add_argument("--only", nargs="+", choices=topics, default=topics, help="what to measure (default: all)")
    parser.add_argument("--repeats", type=int, default=5, help="number of rounds (default: 5)")
    parser.add_argument("--json", metavar="FILE", help="save all results to this file as they arrive")
    return parser


def check_out(commit: str, folder: pathlib.Path) -> pathlib.Path:
    """Write the files of a commit into a folder and return it.

    Raises:
        ValueError: If there is no such commit.
    """
    archive = subprocess.run(["git", "-C", ROOT, "archive", commit], capture_output=True)
    if archive.returncode:
        raise ValueError(f"Expected a commit of this repository. Received: {commit}")
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as tar:
        tar.extractall(folder, filter="data")
    return folder


def prepare(version: Version, topics: list[str]) -> None:
    """Make what is measured: a run with a picture to classify, and the exported files of a network."""
    version.work.mkdir()
    if "predict" in topics:
        version.script("fit", "--recipe", "petals", "--epochs", "1", "--run", "run")
        version.worker("picture", "1.png")
    if "exports" in topics:
        version.worker("network", "network.keras")
        for form in FORMATS:
            version.script("export", "network.keras", "--to", form, "--out", f"network.{form}")


def main(argv: list[str] | None = None) -> None:
    """Measure and print a Markdown table. The exit status is 0 on success, 2 for wrong input."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    with one_line_errors(parser), temporary_folder(tempfile.gettempdir()) as folder:
        positive_integer(arguments.repeats, "repeats")
        versions = {
            OLD: Version(check_out(arguments.commit, folder / "old"), folder / "of-old"),
            NEW: Version(ROOT, folder / "of-new"),
        }
        report = Report(arguments.json)
        for version in versions.values():
            prepare(version, arguments.only)
        for each in COMPARISONS:
            if each.topic not in arguments.only:
                continue
            say(f"{each.topic}: {each.subject}", file=sys.stderr)
            rounds = [
                {name: each.measure(version) for name, version in versions.items()} for _ in range(arguments.repeats)
            ]
            results = {name: [measured[name] for measured in rounds] for name in (NEW, OLD)}
            report.add(each.topic, each.subject, each.unit, results)
        say(report.markdown())


if __name__ == "__main__":
    run(main)
