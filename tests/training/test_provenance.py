"""How a run was made."""

import os
import re
import shutil
import subprocess

import pytest

from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.training import hardware, provenance


@pytest.fixture
def git(tmp_path, monkeypatch):
    """Run git in a new repository, which contains the module, without the user's settings, such as signatures."""
    for settings in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(settings, os.devnull)
    module = tmp_path / "library" / "training" / "provenance.py"
    module.parent.mkdir(parents=True)
    module.write_text("")
    monkeypatch.setattr(provenance, "__file__", str(module))

    def run(*words):
        command = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c", *words]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()

    run("init", "-q")
    run("commit", "-q", "--allow-empty", "-m", "mine")
    return run


def test_the_commit_is_not_that_of_another_repository(git):
    assert provenance._commit() is None
    git("add", "library")
    git("commit", "-q", "-m", "the library")
    assert provenance._commit() == git("rev-parse", "HEAD")


def test_changed_files_of_the_library_are_told(git, tmp_path):
    (tmp_path / "notes.txt").write_text("")
    git("add", ".")
    git("commit", "-q", "-m", "the library")
    (tmp_path / "notes.txt").write_text("not of the library")
    assert provenance._commit() == git("rev-parse", "HEAD")
    (tmp_path / "library" / "training" / "provenance.py").write_text("changed = True")
    assert provenance._commit() == git("rev-parse", "HEAD") + "-dirty"


def test_the_gpus_are_named(monkeypatch):
    monkeypatch.setattr("tensorflow.config.get_visible_devices", lambda kind: [])
    assert hardware.gpu_names() == []
    monkeypatch.setattr("tensorflow.config.get_visible_devices", lambda kind: ["one", "other"])
    details = {"one": {"device_name": "NVIDIA H200"}, "other": {}}
    monkeypatch.setattr("tensorflow.config.experimental.get_device_details", details.get)
    assert hardware.gpu_names() == ["NVIDIA H200", "GPU"]


def test_the_processor_and_the_cores_are_those_of_the_system():
    lscpu = shutil.which("lscpu") or pytest.skip("needs lscpu")
    printed = subprocess.run([lscpu], capture_output=True, text=True, check=True, env={"LC_ALL": "C"}).stdout
    name = re.search(r"^Model name:\s*(.+)$", printed, re.MULTILINE)[1].strip()
    found = provenance.describe(Recipe(), Options(), "", "float32", 1)
    assert found["processor"] == name
    assert found["cores"] == len(os.sched_getaffinity(0))
