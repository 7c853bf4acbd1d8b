"""The memory that training needs, in the computer or on a GPU, for benchmark.py. Each contender has its own process."""

import argparse
import functools
import json
import pathlib
import re
import resource
import subprocess
import sys
from typing import Any

from benchmarks import baselines, frameworks, gpus, network_speed, worker
from benchmarks.measuring import Report
from keras_alexnet.machine import available_cores

CONTENDERS = {
    network_speed.OURS: "tensorflow",
    "Keras baseline, jit_compile=False": "jit_compile=False",
    "Keras baseline, jit_compile='auto'": "jit_compile='auto'",
    "PyTorch": worker.PYTORCH,
}
STEPS = 3  # the second and third run beside the velocities that the first has created
UNIT = 1 << (0 if sys.platform == "darwin" else 10)  # bytes; of `ru_maxrss`


def memory(arguments: argparse.Namespace, report: Report) -> None:
    """Compare the peak memory of training steps, beyond what the process needs before it has a network.

    It contains the weights, the velocities, the gradients, the batch and what is kept for the backward pass.
    """
    _compare(CONTENDERS, False, arguments, report)


def of_frameworks(arguments: argparse.Namespace, report: Report) -> None:
    """Compare the peak memory of training steps of all frameworks: on the GPU, or else as `memory` does."""
    contenders = {name: who for who, name in frameworks.NAMES.items()}
    _compare(contenders, bool(gpus.find_gpus()), arguments, report)


def _compare(contenders, on_gpu, arguments, report):
    batch = arguments.batch_sizes[-1]
    settings = {"batch": batch, "size": arguments.size, "precision": "float32", "threads": available_cores()}
    peaks = {}
    for name, contender in contenders.items():
        if not frameworks.is_installed(contender, name, report):
            continue
        try:
            peaks[name] = [_peak_in_a_process(settings | {"contender": contender, "on_gpu": on_gpu})]
        except subprocess.CalledProcessError as error:  # such as too little memory
            report.leave_out(f"{name}, memory: its process ended with status {error.returncode}")
    if peaks:
        report.add("memory", f"batch {batch}, float32", "MB", peaks)


def _peak_in_a_process(settings):
    command = [sys.executable, "-P", "-m", "benchmarks.memory", json.dumps(settings)]
    environment = frameworks.environment(frameworks.backend_of(settings["contender"]))
    return float(subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True).stdout)


def peak_of_gpu(contender: str) -> float:
    """Return the largest amount of memory of the first GPU that this process has used so far, in MB."""
    backend = frameworks.backend_of(contender)
    if backend == "torch":
        import torch

        return torch.cuda.max_memory_allocated() / 1e6
    if backend == "jax":
        import jax

        return jax.local_devices()[0].memory_stats()["peak_bytes_in_use"] / 1e6
    import tensorflow as tf

    return tf.config.experimental.get_memory_info("GPU:0")["peak"] / 1e6


def peak_of_process() -> float:
    """Return the largest amount of memory that this process has used so far, in MB."""
    status = pathlib.Path("/proc/self/status")
    if status.exists():  # Linux: there `ru_maxrss` is at least that of the process that has started this one
        return int(re.search(r"VmHWM:\s+(\d+) kB", status.read_text())[1]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * UNIT / 1e6


def main() -> None:
    """Print by how many MB the peak grows while the contender of the command line is built and trained."""
    settings = argparse.Namespace(**json.loads(sys.argv[1]))
    peak = functools.partial(peak_of_gpu, settings.contender) if settings.on_gpu else peak_of_process
    _load_frameworks(settings.contender)
    before = peak()
    network = _network(settings)
    images, labels = network_speed.random_batch(network, settings.batch, settings.size)
    for _ in range(STEPS):
        network.train_on_batch(images, labels)
    print(peak() - before)


def _load_frameworks(contender):
    """Import and start what every program needs, so that it does not count."""
    import tensorflow as tf

    from keras_alexnet.training import trainer  # noqa: F401

    tf.matmul(*[tf.ones((8, 8))] * 2)
    if frameworks.backend_of(contender) == "jax":
        import jax

        jax.numpy.ones((8, 8)) @ jax.numpy.ones((8, 8))
    if frameworks.backend_of(contender) == "torch":
        import torch

        torch.ones(8, 8) @ torch.ones(8, 8)


def _network(settings: argparse.Namespace) -> Any:
    if settings.contender.startswith("jit_compile"):
        return baselines.keras_networks(worker.plain_network(settings))[settings.contender]()
    return worker.network_of(settings)


if __name__ == "__main__":
    main()
