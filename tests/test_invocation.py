"""The commands in messages, help texts and stored runs are those that the user can paste."""

import subprocess
import sys

import pytest

from keras_alexnet import invocation

CALLS = {  # argv of the process, and how fit and evaluate are called then
    "script": (["scripts/fit.py", "--seed", "1"], "python scripts/fit.py", "python scripts/evaluate.py"),
    "from elsewhere": (["/a b/scripts/fit.py"], "python '/a b/scripts/fit.py'", "python '/a b/scripts/evaluate.py'"),
    "console": (["/x/bin/keras-alexnet", "fit", "--seed", "1"], "keras-alexnet fit", "keras-alexnet evaluate"),
    "windows": (["keras-alexnet.exe", "fit"], "keras-alexnet fit", "keras-alexnet evaluate"),
    "module": (
        ["/x/keras_alexnet/commands/__main__.py", "fit", "--run", "my run"],
        "python -m keras_alexnet.commands fit",
        "python -m keras_alexnet.commands evaluate",
    ),
    "notebook": (["/x/ipykernel_launcher.py"], "python scripts/fit.py", "python scripts/evaluate.py"),
}


@pytest.mark.parametrize(("argv", "fit", "evaluate"), CALLS.values(), ids=CALLS)
def test_calls(argv, fit, evaluate, monkeypatch):
    monkeypatch.setattr(sys, "argv", argv)
    assert invocation.call_of("fit") == fit
    assert invocation.with_calls("python scripts/evaluate.py RUN") == f"{evaluate} RUN"


def test_the_stored_command_starts_the_same_training(monkeypatch):
    stored = {}
    for name, (argv, *_) in CALLS.items():
        monkeypatch.setattr(sys, "argv", argv)
        stored[name] = invocation.own_call()
    assert stored["script"] == "python scripts/fit.py --seed 1"
    assert stored["console"] == "keras-alexnet fit --seed 1"
    assert stored["module"] == "python -m keras_alexnet.commands fit --run 'my run'"


def test_help_and_errors_of_the_installed_program_name_it():
    program = [sys.executable, "-m", "keras_alexnet.commands", "fit"]
    printed = subprocess.run([*program, "--help"], capture_output=True, text=True, check=True).stdout
    assert printed.startswith("usage: keras-alexnet fit [--dataset DATA]")
    assert "python -m keras_alexnet.commands fit --dataset my_pictures" in printed
    assert "fit.py" not in printed
    failed = subprocess.run([*program, "--no-such-flag"], capture_output=True, text=True)
    assert failed.returncode == 2
    assert failed.stderr.startswith("keras-alexnet fit: unrecognized arguments")
