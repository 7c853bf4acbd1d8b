"""The processor of this machine."""

import os


def available_cores() -> int:
    """Return the number of cores that this process may use.

    `os.cpu_count` also counts cores that `taskset`, Slurm or a container with `--cpuset-cpus` reserve for others.
    """
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
