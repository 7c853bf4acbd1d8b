"""What a run was made with, so that it can be made again."""

import dataclasses
import datetime
import importlib.metadata
import pathlib
import platform
import shlex
import subprocess
import sys

import keras


def account(recipe, options, data, precision, devices):
    """What a run's `recipe.json` says.

    Args:
        recipe: A `Recipe`.
        options: `recipes.Options`.
        data: The data set in words.
        precision: The policy that the network is trained in, which the options may have left open.
        devices: How many train.

    Returns:
        A mapping for JSON: these, and the command, the date, the machine, the commit and the versions.
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
        "command": shlex.join(["python", *sys.argv]),
        "commit": _commit(),
        "date": datetime.date.today().isoformat(),
        "versions": {name: importlib.metadata.version(name) for name in dict.fromkeys(packages)},
    }


def _commit():
    """The commit of the checkout that the library lies in, None outside one."""
    command = ["git", "-C", str(pathlib.Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
