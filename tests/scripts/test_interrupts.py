"""Interrupts at any moment of a command: none is lost, none leaves a traceback, and every run can continue.

A signal is sent after a random time. The moments of a seed are the same in every run of the test, but not the place in
the program that they meet.
"""

import itertools
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

SCRIPTS = Path(__file__).parents[2] / "scripts"
INTERRUPTS = 100
TOY = [
    "--architecture",
    "figure_1",
    "--size",
    "16",
    "--side",
    "18",
    "--batch-size",
    "4",
    "--epochs",
    "40",
    "--learning-rate",
    "0.001",
]
STATUS = {signal.SIGINT: 130, signal.SIGTERM: 143}


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    folder, random = tmp_path_factory.mktemp("interrupts") / "pictures", np.random.default_rng(0)
    for name, number in itertools.product("ab", range(20)):
        path = folder / name / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(random.integers(0, 256, (18, 18, 3), np.uint8)).save(path)
    return folder


def start(*command, backend="tensorflow"):
    environment = os.environ | {"KERAS_BACKEND": backend}
    return subprocess.Popen(
        [sys.executable, *map(str, command)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=environment,
    )


def run_to_the_end(*command, backend="tensorflow"):
    process = start(*command, backend=backend)
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0, output


def seconds_of(*command, backend="tensorflow"):
    started = time.perf_counter()
    run_to_the_end(*command, backend=backend)
    return time.perf_counter() - started


@pytest.mark.slow
@pytest.mark.parametrize("backend", ["tensorflow", "jax"])
def test_no_interrupt_of_a_training_is_lost(pictures, tmp_path, backend):
    """From the first moment of the process to its last."""
    pytest.importorskip(backend)
    fit = [SCRIPTS / "fit.py", "--dataset", pictures, *TOY, "--run"]
    whole = seconds_of(*fit, tmp_path / "whole", backend=backend)
    random, early, resumable = np.random.default_rng(0), 0, 0
    for n in range(INTERRUPTS):
        run, number = tmp_path / f"run-{n}", (signal.SIGINT, signal.SIGTERM)[n % 2]
        process = start(*fit, run, backend=backend)
        time.sleep(random.uniform(0.1, 0.95) * whole)
        process.send_signal(number)
        output, _ = process.communicate(timeout=120)
        if (run / "report.html").exists():  # the work was done, only the interpreter had not ended
            continue
        assert process.returncode in (STATUS[number], -number), output  # by the system before the program listens
        assert "Traceback" not in output
        if "--resume" in output:
            assert (run / "recipe.json").is_file()
            resumable += 1
        else:
            assert not run.exists()
            early += 1
        if resumable % 10 == 1:
            run_to_the_end(SCRIPTS / "fit.py", "--resume", run, backend=backend)
    print(f"{backend}: {early} interrupts before the training, {resumable} in it or after it, none lost")
    assert resumable > INTERRUPTS // 4


@pytest.mark.slow
@pytest.mark.parametrize("name", ["evaluate", "predict"])
def test_other_commands_end_without_a_traceback(small_run, name):
    arguments = [small_run.folder, *([small_run.read_options().dataset] if name == "predict" else [])]
    whole, random = seconds_of(SCRIPTS / f"{name}.py", *arguments), np.random.default_rng(0)
    for n in range(10):
        number = (signal.SIGINT, signal.SIGTERM)[n % 2]
        process = start(SCRIPTS / f"{name}.py", *arguments)
        time.sleep(random.uniform(0.05, 0.8) * whole)
        process.send_signal(number)
        output, _ = process.communicate(timeout=120)
        assert process.returncode in (0, STATUS[number], -number), output
        assert "Traceback" not in output
