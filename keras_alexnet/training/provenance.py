"""How a run was made: what is needed to reproduce it."""

import dataclasses
import datetime
import importlib.metadata
import pathlib
import platform
import subprocess
from typing import Any

import keras

from keras_alexnet import invocation
from keras_alexnet.machine import available_cores, processor
from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.training import hardware


def describe(recipe: Recipe, options: Options, data: dict | str, precision: str, devices: int) -> dict[str, Any]:
    """Return the content of `recipe.json`: everything that is needed to reproduce a run.

    Args:
        recipe: The recipe.
        options: The options.
        data: The identity of the data.
        precision: The precision policy in use; the options may say "auto".
        devices: Number of devices.

    Returns:
        A mapping for JSON: the arguments, the command, the date, the machine, its processor and GPUs, the commit
        and the versions.
    """
    packages = ("keras_alexnet", "keras", keras.backend.backend(), "tensorflow", "tensorflow-datasets", "numpy")
    return {
        "recipe": dataclasses.asdict(recipe),
        "options": dataclasses.asdict(options),
        "data": data,
        "precision": precision,
        "backend": keras.backend.backend(),
        "devices": devices,
        "machine": platform.platform(),
        "processor": processor()[0],
        "cores": available_cores(),
        "gpus": hardware.gpu_names(),
        "command": invocation.own_call(),
        "commit": _commit(),
        "date": datetime.date.today().isoformat(),
        "versions": {name: importlib.metadata.version(name) for name in dict.fromkeys(packages)},
    }


def _commit() -> str | None:
    """Return the commit of the checkout that contains the library, None outside a checkout.

    It ends in "-dirty" if files of the library differ from it.
    """
    here = pathlib.Path(__file__)
    try:
        _git("ls-files", "--error-unmatch", str(here))  # an installed copy may be ignored by another repository
        changed = _git("status", "--porcelain", "--untracked-files=no", "--", str(here.parents[1]))
        return _git("rev-parse", "HEAD") + ("-dirty" if changed else "")
    except (OSError, subprocess.CalledProcessError):
        return None


def _git(*words: str) -> str:
    """Return what a command of git prints."""
    command = ["git", "-C", str(pathlib.Path(__file__).parent), *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
