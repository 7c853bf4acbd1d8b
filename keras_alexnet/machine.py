"""The processor of the machine, and what this process may use of its cores and its memory."""

import os
import pathlib
import platform
from collections.abc import Iterator


def processor() -> tuple[str, list[str]]:
    """Return the name of the processor and, on Linux, its features, such as `avx512f`."""
    path = pathlib.Path("/proc/cpuinfo")
    if not path.exists():
        return platform.processor() or platform.machine(), []
    lines = (line.partition(":") for line in path.read_text().splitlines())
    entries = {key.strip(): value.strip() for key, _, value in lines}
    return entries.get("model name", platform.machine()), entries.get("flags", entries.get("Features", "")).split()


def available_cores() -> int:
    """Return the number of cores that this process may use.

    `os.cpu_count` also counts cores that `taskset`, Slurm or a container with `--cpuset-cpus` reserve for others.
    """
    if hasattr(os, "sched_getaffinity"):  # Linux
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def available_memory() -> int:
    """Return the bytes of memory that this process may use: those of the machine, or the limit of its container."""
    import psutil  # here, since only training needs it

    return min([psutil.virtual_memory().total, *memory_limits()])


def memory_limits(root: str | os.PathLike[str] = "/") -> Iterator[int]:
    """Yield the limits of memory, in bytes, of the control groups of this process (Linux).

    A container has one, and so has a job of Slurm or systemd. A group is also subject to the limits of the groups that
    contain it. In a container, the file system may not have the group of the process, but begin with it.

    Args:
        root: The folder that has `proc` and `sys`.
    """
    root = pathlib.Path(root)
    groups = root / "proc/self/cgroup"
    for line in groups.read_text().splitlines() if groups.exists() else ():
        _, controllers, path = line.split(":", 2)
        if controllers and "memory" not in controllers.split(","):
            continue
        top, name = root / "sys/fs/cgroup", "memory.max"
        if controllers:  # version 1 of the control groups has a tree for each resource
            top, name = top / "memory", "memory.limit_in_bytes"
        group = top / path.lstrip("/")
        for folder in (group, *group.parents):
            if folder.is_relative_to(top) and (folder / name).is_file():
                limit = (folder / name).read_text().strip()
                if limit.isdecimal():  # otherwise "max"
                    yield int(limit)
