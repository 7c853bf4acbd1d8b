"""The cores and the memory that this process may use."""

import os
import subprocess
import sys

import psutil
import pytest

from keras_alexnet import machine
from keras_alexnet.machine import available_cores, available_memory, memory_limits


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="only Linux binds processes to cores")
def test_cores_of_others_do_not_count():
    first = min(os.sched_getaffinity(0))
    code = (
        f"import os; os.sched_setaffinity(0, {{{first}}}); "
        "from keras_alexnet.machine import available_cores; print(available_cores())"
    )
    printed = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout
    assert printed == "1\n"


def test_without_affinity_all_cores_count(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    assert available_cores() == 6


@pytest.mark.parametrize(
    ("groups", "files", "limits"),
    [
        ("0::/", {"sys/fs/cgroup/memory.max": "1000"}, [1000]),
        ("0::/", {"sys/fs/cgroup/memory.max": "max"}, []),
        ("0::/a/b", {"sys/fs/cgroup/a/memory.max": "300", "sys/fs/cgroup/a/b/memory.max": "max"}, [300]),
        ("4:memory:/docker/1\n2:cpu:/", {"sys/fs/cgroup/memory/memory.limit_in_bytes": "500"}, [500]),
        (None, {}, []),
    ],
    ids=["container", "unlimited", "nested", "version 1", "not Linux"],
)
def test_limits_of_memory(groups, files, limits, tmp_path):
    for name, text in files.items() | ({("proc/self/cgroup", groups)} if groups else set()):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(f"{text}\n")
    assert [*memory_limits(tmp_path)] == limits


def test_the_smaller_of_memory_and_limit_counts(monkeypatch):
    monkeypatch.setattr(machine, "memory_limits", lambda: iter([3000, 2000]))
    assert available_memory() == 2000
    monkeypatch.setattr(machine, "memory_limits", lambda: iter([]))
    assert available_memory() == psutil.virtual_memory().total
