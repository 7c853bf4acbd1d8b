"""Interrupts at any moment of a command: none is lost, none leaves a traceback, and every run can continue.

Each interrupt is a test of its own, so that they can be run in pieces, with a line for each in a file:

    INTERRUPTS_LOG=interrupts.txt python -m pytest -m slow tests/scripts/test_interrupts.py -k "training and not 9"

Trainings run on the backend of the tests: put KERAS_BACKEND=jax in front. A seed decides after which line of the output
the signal is sent, and how long after it. The place in the program that it meets is another one each time.
"""

import functools
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
from small_pictures import save_classes

from keras_alexnet.files import PARTIAL
from keras_alexnet.runs import Run
from keras_alexnet.training import checkpoints

SCRIPTS = Path(__file__).parents[2] / "scripts"
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}
EPOCHS = 6
TOY = [
    *("--recipe", "figure_1", "--crop-size", "16", "--resize-size", "18"),
    *("--batch-size", "4", "--epochs", EPOCHS),
]
# What a training prints, and how many seconds after that line a signal is sent at most: while it loads TensorFlow,
# prepares the pictures and compiles the first step, trains, and evaluates and draws.
STAGES = [("", 10), ("2 classes", 8), ("epoch 1/", 5), (f"epoch {EPOCHS}/", 10)]

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return save_classes(tmp_path_factory.mktemp("interrupts") / "pictures", size=(18, 18), a=20, b=20)


def start_script(name, arguments, output):
    """Start a script with its output in a file. Return the process, and a function for its exit status."""
    command = [sys.executable, SCRIPTS / f"{name}.py", *arguments]
    with output.open("w") as file:
        process = subprocess.Popen([str(word) for word in command], stdout=file, stderr=subprocess.STDOUT)
    return process, process.poll


def start_loaded(name, arguments, output):
    """Start a script in a fork of a process that has TensorFlow loaded, which saves half of the time."""
    output.write_text("")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["keras_alexnet.training.trainer", "keras_alexnet.reporting.run_figures"])
    process = context.Process(target=run_script, args=(name, [str(word) for word in arguments], output))
    process.start()
    return process, lambda: process.exitcode


def run_script(name, arguments, output):
    """Run scripts/NAME.py in the fork."""
    import _command  # of scripts

    file = os.open(output, os.O_WRONLY)
    os.dup2(file, 1)
    os.dup2(file, 2)
    sys.stdout, sys.stderr = (os.fdopen(number, "w", buffering=1, closefd=False) for number in (1, 2))
    sys.argv = [f"{name}.py", *arguments]
    _command.run(name)


def finish(status, seconds=300):
    """Wait for the end of a process, and return its exit status."""
    deadline = time.monotonic() + seconds
    while status() is None:
        assert time.monotonic() < deadline, "the process has not ended"
        time.sleep(0.02)
    return status()


def interrupt(begin, output, number, line, delay):
    """Send a signal so many seconds after a line of the output. Return the exit status, and how long it waited."""
    while True:
        process, status = begin(output)
        while line not in output.read_text() and status() is None:
            time.sleep(0.02)
        time.sleep(delay)
        if status() is None:
            break
        assert status() in (0, 1), output.read_text()  # it had ended before
        delay /= 2
    os.kill(process.pid, number)
    return finish(status), delay


def note(*words):
    """Append a line to the file that counts the outcomes, if there is one."""
    with open(os.environ.get("INTERRUPTS_LOG", os.devnull), "a") as file:
        print(*words, file=file)


@pytest.mark.parametrize("seed", range(100))
def test_no_interrupt_of_a_training_is_lost(pictures, tmp_path, seed):
    """From the first moment of the process to its last."""
    backend = keras.backend.backend()
    run, output = Run(tmp_path / "runs" / "run"), tmp_path / "output"
    number = (signal.SIGINT, signal.SIGTERM)[seed // len(STAGES) % 2]
    line, longest = STAGES[seed % len(STAGES)]
    delay = np.random.default_rng(seed).uniform(0 if line else 0.5, longest)

    def begin(output):
        shutil.rmtree(run.folder, ignore_errors=True)  # of a training that had ended before the signal
        start = start_loaded if line else start_script
        return start("fit", ["--dataset", pictures, *TOY, "--run", run.folder], output)

    status, delay = interrupt(begin, output, number, line, delay)
    said = output.read_text()
    outcome = outcome_of(run, status, number, said)
    note(backend, seed, number.name, repr(line), f"{delay:.1f}", outcome)
    assert "Traceback" not in said
    assert not list(tmp_path.rglob(f"{PARTIAL}*"))  # half written
    if outcome == "nothing written":
        assert not (tmp_path / "runs").exists()
    if outcome == "resumable":
        checkpoint = checkpoints.newest(run.last, len(run.read_log()))
        assert checkpoint or not run.read_log()
    if seed % 5 == 0 and outcome == "resumable":
        _, status = start_loaded("fit", ["--resume", run.folder], output)
        assert finish(status) == 0, output.read_text()
        assert [row["epoch"] for row in run.read_log()] == list(range(1, EPOCHS + 1))
        assert run.report.exists()
        note(backend, seed, "resumed to the end")
    assert outcome != "swallowed", said


def outcome_of(run, status, number, said):
    """Classify the outcome of a training run that got a signal."""
    if status == 0 and run.report.exists() and said.rstrip().endswith("PICTURES"):
        return "already done"  # only the interpreter had not ended
    if status not in (STATUS[number], -number):  # the second by the system, before the program listens
        return "swallowed"
    return "resumable" if "--resume" in said else "nothing written"


# Other commands, on a run that is there


def arguments_of(name, run, folder):
    """The arguments of each command; outputs go to a folder."""
    from keras_alexnet.models.alexnet import build

    if name == "archive":
        run.write_json("results.json", {})  # as in a finished run
    if name == "import_weights":
        network = build("figure_1", classes=3)
        network.save_weights(folder / "network.weights.h5")
        options = ("--architecture", "figure_1", "--classes", 3, "--size", 32, "--out", folder / "out.keras")
        return [folder / "network.weights.h5", *options]
    return {
        "evaluate": [run.folder],
        "predict": [run.folder, run.read_options().dataset],
        "export": [run.folder, "--to", "onnx", "--out", folder / "out.onnx"],
        "runs": [run.folder.parent],
        "archive": [run.folder, "--folder", folder / "archive", "--pages"],
        "benchmark": ["--only", "lrn"],
        "build_tutorials": ["--check"],
    }[name]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize(
    "name", ["evaluate", "predict", "export", "import_weights", "runs", "archive", "benchmark", "build_tutorials"]
)
def test_other_commands_end_without_a_traceback(small_run, tmp_path, name, seed):
    if name == "benchmark" and keras.backend.backend() != "tensorflow":
        pytest.skip("it measures TensorFlow")
    folder = tmp_path / "written"
    folder.mkdir()
    begin = functools.partial(start_script, name, arguments_of(name, small_run, folder))
    number = list(STATUS)[seed % 2]
    delay = np.random.default_rng(seed).uniform(0.2, 1 if name in ("runs", "build_tutorials") else 12)
    before = {path: path.read_bytes() for path in small_run.folder.rglob("*") if path.is_file()}
    status, delay = interrupt(begin, tmp_path / "output", number, "", delay)
    said = (tmp_path / "output").read_text()
    note(name, seed, number.name, f"{delay:.1f}", f"status {status}", "traceback" * ("Traceback" in said))
    assert status in (0, STATUS[number], -number), said
    assert "Traceback" not in said
    assert not list(tmp_path.rglob(f"{PARTIAL}*"))
    for path in ("recipe.json", "classes.txt", "log.csv", "best.keras", "statistics.npz"):
        assert (small_run.folder / path).read_bytes() == before[small_run.folder / path]
