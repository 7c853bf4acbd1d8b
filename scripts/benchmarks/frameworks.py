"""The comparisons of benchmark.py between frameworks: this library on each backend of Keras, its exports, and PyTorch.

Each contender is a process of its own, see `worker.py`; they take turns as all others do. On a machine with NVIDIA GPUs
the report says how busy those are in each contender's turns.
"""

import argparse
import contextlib
import importlib.util
import itertools
import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
from typing import Any

from benchmarks import baselines, gpus, network_speed, worker
from benchmarks.measuring import Report, take_turns
from keras_alexnet.machine import available_cores
from keras_alexnet.recipes.options import STRATEGIES

SCRIPTS = pathlib.Path(__file__).parents[1]
NAMES = {
    "tensorflow": "keras_alexnet on TensorFlow",
    "jax": "keras_alexnet on JAX",
    "torch": "keras_alexnet on PyTorch",
    worker.PYTORCH: "PyTorch",
}
EXPORTS = {
    "SavedModel": worker.SAVED_MODEL,
    "SavedModel, compiled": worker.COMPILED_SAVED_MODEL,
    "ONNX Runtime": worker.ONNX,
}
DEVICES = 2  # that are compared with one


def jax(arguments: argparse.Namespace, report: Report) -> None:
    """Compare training steps of this library on TensorFlow with those on JAX."""
    contenders = {NAMES[who]: {"contender": who} for who in ("tensorflow", "jax")}
    batch, precision = arguments.batch_sizes[0], arguments.precisions[0]
    _race("jax", contenders, {"task": "training", "batch": batch, "precision": precision}, arguments, report)


def training(arguments: argparse.Namespace, report: Report) -> None:
    """Compare training steps of all frameworks, on a batch in the memory of one device."""
    _compare("training", arguments.batch_sizes, arguments, report)


def prediction(arguments: argparse.Namespace, report: Report) -> None:
    """Compare predictions of all frameworks, of one picture and of a batch, in the memory of one device."""
    _compare("prediction", dict.fromkeys([1, *arguments.batch_sizes]), arguments, report)


def _compare(task, batch_sizes, arguments, report):
    contenders = {name: {"contender": who} for who, name in NAMES.items()}
    for precision, batch in itertools.product(_precisions(arguments, report), batch_sizes):
        _race(task, contenders, {"task": task, "batch": batch, "precision": precision}, arguments, report)


def exports(arguments: argparse.Namespace, report: Report) -> None:
    """Compare predictions of this library on TensorFlow with those of its exported files.

    The files take bytes from host memory and subtract the mean themselves. LiteRT only uses the CPU.
    """
    contenders = {NAMES["tensorflow"]: {"contender": "tensorflow"}}
    contenders |= {name: {"contender": who} for name, who in EXPORTS.items()}
    for batch in arguments.batch_sizes:
        _race("exports", contenders, {"task": "prediction", "batch": batch, "precision": "float32"}, arguments, report)


def peak(arguments: argparse.Namespace, report: Report) -> None:
    """Compare the arithmetic of a training step per second with that of a large matrix product, for each framework."""
    from keras_alexnet.models.summary import layer_costs, sketch, training_flops

    shape = (arguments.size, arguments.size, 3)
    operations = sum(training_flops(layer_costs(sketch(input_shape=shape, classes=baselines.CLASSES))).values())
    batch, side = arguments.batch_sizes[0], network_speed.PRODUCT_SIDE
    for precision, (who, name) in itertools.product(_precisions(arguments, report), NAMES.items()):
        contenders = {
            name: {"contender": who, "task": "training", "work": batch * operations / 1e9},
            f"matrix product in {name.removeprefix('keras_alexnet on ')}": {
                "contender": who, "task": "product", "side": side, "work": 2 * side**3 / 1e9
            },
        }  # fmt: skip
        _race("peak", contenders, {"batch": batch, "precision": precision}, arguments, report, "GFLOP/s")


def devices(arguments: argparse.Namespace, report: Report) -> None:
    """Compare steps of `fit` on two devices with those on one, for each way in which they can share the work.

    Without a GPU, the two devices are two halves of the CPU.
    """
    found = gpus.find_gpus()
    if len(found) == 1:
        report.leave_out("several devices: this machine has one GPU")
        return
    several = {"devices": DEVICES, "virtual_devices": None if found else DEVICES}
    for backend in ("tensorflow", "jax"):
        one = {"contender": backend, "devices": 1, "virtual_devices": None, "strategy": "mirrored"}
        contenders = {f"{NAMES[backend]}, 1 device": one}
        for kind, backends in STRATEGIES.items():
            if backend in backends and kind != "multiworker":
                contenders[f"{DEVICES} devices, {kind}"] = one | several | {"strategy": kind}
        for precision in _precisions(arguments, report):
            settings = {"task": "fit", "batch": arguments.batch_sizes[0], "precision": precision}
            _race("devices", contenders, settings, arguments, report)


def _precisions(arguments, report):
    from keras_alexnet.training.hardware import fastest_precision

    if gpus.find_gpus() or fastest_precision() != "float32":
        return arguments.precisions
    if "bfloat16" in arguments.precisions:
        report.leave_out("frameworks in bfloat16, which this processor only emulates")
    return [name for name in arguments.precisions if name != "bfloat16"]


def _race(topic, contenders, settings, arguments, report, unit="images/s"):
    """Start the contenders, let them take turns, and add the measurement. Leave out those that do not start.

    The work of a step is the batch, unless a contender has its own "work".
    """
    settings = {"work": settings["batch"], "size": arguments.size, "threads": available_cores()} | settings
    workers = {}
    with contextlib.ExitStack() as stack:
        for name, own in contenders.items():
            if not is_installed(own["contender"], name, report):
                continue
            try:
                workers[name] = stack.enter_context(Worker(settings | own, arguments.seconds))
            except ChildProcessError as error:
                report.leave_out(f"{name}, {topic}: {error}")
        if not workers:
            return
        with gpus.Watch() as watch:
            turns = {name: (each, each.steps * each.settings["work"]) for name, each in workers.items()}
            try:
                rates = take_turns(turns, arguments.repeats, 0)  # a turn is one call
            except ChildProcessError as error:
                report.leave_out(f"{topic}, {', '.join(workers)}: {error}")
                return
        busy = {name: watch.means(each.turns) for name, each in workers.items()}
    report.add(topic, f"batch {settings['batch']}, {settings['precision']}", unit, rates, busy)


def backend_of(contender: str) -> str:
    """Return the Keras backend of the process of a contender."""
    if contender == worker.PYTORCH:
        return "torch"
    return contender if contender in NAMES else "tensorflow"


def is_installed(contender: str, name: str, report: Report) -> bool:
    """Return whether the package that a contender needs is installed, and report it if not."""
    package = "onnxruntime" if contender == worker.ONNX else backend_of(contender)
    if importlib.util.find_spec(package) is None:
        report.leave_out(f"{name}, which needs {package}: pip install {package}")
        return False
    return True


def environment(backend: str) -> dict[str, str]:
    """Return the environment of a process that runs a module of `benchmarks` on a Keras backend."""
    return os.environ | {
        "KERAS_BACKEND": backend,
        "PYTHONPATH": os.pathsep.join([str(SCRIPTS), str(SCRIPTS.parent), os.environ.get("PYTHONPATH", "")]),
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",  # the memory of the GPU is for all contenders
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
    }


class Worker:
    """A contender in a process of its own, which lives within a `with` block. A call is one turn.

    Args:
        settings: What `worker.py` needs to know.
        seconds: Shortest length of a turn.

    Attributes:
        steps: Steps in a turn.
        turns: When each turn began and ended, as `time.perf_counter` tells.
    """

    def __init__(self, settings: dict[str, Any], seconds: float):
        self.settings, self.seconds = settings, seconds
        self.turns, self.steps = [], 1

    def __enter__(self) -> "Worker":
        with contextlib.ExitStack() as stack:
            self._errors = stack.enter_context(tempfile.TemporaryFile("w+"))
            self._process = stack.enter_context(self._start())
            stack.callback(self._process.kill)
            self._hear()
            self()
            began, ended = self.turns.pop()
            self.steps = max(1, round(self.seconds / (ended - began)))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start(self):
        command = [sys.executable, "-P", "-m", "benchmarks.worker", json.dumps(self.settings)]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": self._errors}
        return subprocess.Popen(command, env=environment(backend_of(self.settings["contender"])), text=True, **pipes)

    def __call__(self) -> None:
        """Take the steps of one turn.

        Raises:
            ChildProcessError: If the process has ended.
        """
        began = time.perf_counter()
        with contextlib.suppress(BrokenPipeError):  # then there is no answer to hear
            print(self.steps, file=self._process.stdin, flush=True)
        self._hear()
        self.turns.append((began, time.perf_counter()))

    def _hear(self):
        if not self._process.stdout.readline():
            self._process.wait()
            self._errors.seek(0)
            lines = [line.strip() for line in self._errors if line.strip()]
            reason = lines[-1] if lines else "it did not say why"
            raise ChildProcessError(f"its process ended with status {self._process.returncode}: {reason}")
