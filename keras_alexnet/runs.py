"""A run's folder, and what the run was made with."""

import contextlib
import csv
import dataclasses
import datetime
import importlib.metadata
import json
import pathlib
import platform
import shlex
import subprocess
import sys

from keras_alexnet.files import atomic_write
from keras_alexnet.recipes import Options, Recipe

SPLITS = ("validation", "test")  # that runs are judged on


@dataclasses.dataclass(frozen=True)
class Run:
    """The files of one run; reading and writing them is here and nowhere else.

    Example:
        >>> Run(pathlib.Path("runs/petals-1")).best.as_posix()
        'runs/petals-1/best.keras'
    """

    folder: pathlib.Path

    @property
    def best(self):
        """The network of the epoch with the least validation error, else of the last epoch, without its optimizer."""
        return self.folder / "best.keras"

    @property
    def last(self):
        """Folder of the checkpoints, see `checkpoints`."""
        return self.folder / "last"

    @property
    def statistics(self):
        """Mean image and color axes of the training images."""
        return self.folder / "statistics.npz"

    @property
    def figures(self):
        """Folder of the figures."""
        return self.folder / "figures"

    @property
    def tensorboard(self):
        """Folder of the event files."""
        return self.folder / "tensorboard"

    @classmethod
    def create(cls, folder):
        """Make the folder of a new run, or take one that is empty, as a run that was killed at its beginning leaves it.

        Raises:
            ValueError: If something is there already.
        """
        folder = pathlib.Path(folder)
        begun = {path.name for path in folder.glob("[!.]*")} <= {"classes.txt"}  # before recipe.json, to resume by
        if folder.exists() and not (folder.is_dir() and begun):
            raise ValueError(
                f"Expected a new run folder: name another with --run, or go on with --resume {folder}. "
                f"Received: {folder}, which exists"
            )
        folder.mkdir(parents=True, exist_ok=True)
        return cls(folder)

    @classmethod
    def open(cls, folder):
        """The run that lies in `folder`.

        Raises:
            ValueError: If no run lies there, or a link in it leads out: what is written must stay in the folder.
        """
        folder = pathlib.Path(folder)
        if not (folder / "recipe.json").is_file():
            raise ValueError(f"Expected a run folder with a recipe.json in it. Received: {folder}")
        for path in folder.rglob("*"):
            if path.is_symlink() and not path.resolve().is_relative_to(folder.resolve()):
                raise ValueError(f"Expected a run folder without links that lead out of it. Received: {path}")
        return cls(folder)

    @classmethod
    def next_free(cls, parent, dataset):
        """`parent/dataset-n`, with the least n that is free."""
        stem = pathlib.PurePath(dataset).name.replace(":", "-")
        number = 1
        while (folder := pathlib.Path(parent) / f"{stem}-{number}").exists():
            number += 1
        return folder

    def write_json(self, name, value):
        """Write `value` as the file `name`."""
        with atomic_write(self.folder / name) as temporary:
            temporary.write_text(json.dumps(value, indent=2) + "\n")

    def read_json(self, name):
        """What the file `name` holds."""
        path = self.folder / name
        try:
            return json.loads(path.read_text())
        except ValueError as error:
            raise ValueError(f"Expected a JSON file. Received: {path}: {error}") from error

    def read_recipe(self):
        """The recipe that the run was made with."""
        with self._as_written():
            return Recipe.of(self.read_json("recipe.json")["recipe"])

    def read_options(self):
        """The options that the run was made with."""
        with self._as_written():
            return Options(**self.read_json("recipe.json")["options"])

    def read_data(self):
        """The data that the run was made with, in the words of `datasets.Dataset.describe`."""
        with self._as_written():
            return self.read_json("recipe.json")["data"]

    @contextlib.contextmanager
    def _as_written(self):
        """Within, a recipe.json of another form is one line."""
        try:
            yield
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(f"Expected a recipe.json as fit.py writes it. Received: {self.folder}: {error}") from error

    def write_classes(self, names):
        """Write the names of the classes, one a line, in the order of the network's outputs."""
        with atomic_write(self.folder / "classes.txt") as temporary:
            temporary.write_text("".join(f"{name}\n" for name in names))

    def read_classes(self):
        """The names of the classes, in the order of the network's outputs.

        Raises:
            ValueError: If one has characters that cannot be printed.
        """
        names = tuple((self.folder / "classes.txt").read_text().split("\n")[:-1])
        for name in names:
            if not name.isprintable():  # it would steer the terminal that it is printed to
                raise ValueError(f"Expected printable names of classes. Received: {name!r} in {self.folder}")
        return names

    def write_log(self, rows):
        """Write the record: one dictionary an epoch, all with the same keys."""
        with atomic_write(self.folder / "log.csv") as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)

    def read_log(self):
        """The record so far: one dictionary of numbers an epoch, oldest first."""
        path = self.folder / "log.csv"
        if not path.exists():
            return []
        with path.open(newline="") as file:
            rows = csv.DictReader(file)
            return [{key: (int if key == "epoch" else float)(text) for key, text in row.items()} for row in rows]


def find(folder):
    """The runs that lie in a folder, newest first.

    Raises:
        ValueError: If there are none.
    """
    files = list(pathlib.Path(folder).glob("*/recipe.json"))
    if not files:
        raise ValueError(f"Expected a folder with run folders in it. Received: {folder}")
    newest_first = sorted(files, key=lambda file: file.stat().st_mtime, reverse=True)
    return [Run(file.parent) for file in newest_first]


def summary(run):
    """What there is to compare of a run: a mapping.

    Its `results` have the numbers of the splits that were judged, by split and number of views, as
    `measures.measure` gives them; its `ensembles`, those of this run together with others.

    Raises:
        ValueError: If its files are not as they were written.
    """
    account, log = run.read_json("recipe.json"), run.read_log()
    recipe, options = run.read_recipe(), run.read_options()
    return {
        "run": run.folder.name,
        "date": account.get("date"),
        "command": account.get("command"),
        "dataset": options.dataset,
        "seed": options.seed,
        "weights": options.weights,
        "epochs": f"{len(log)} of {recipe.epochs}",
        "recipe": dataclasses.asdict(recipe),
        "training_errors": [row.get("top1_error") for row in log],
        "specialization": _written(run).get("specialization"),
        "results": {split: _results(run, split) for split in SPLITS},
        "ensembles": {
            split: run.read_json(file.name) for split in SPLITS for file in run.folder.glob(f"ensemble-{split}.json")
        },
    }


def _written(run):
    """What `results.json` says, nothing where there is none yet."""
    return run.read_json("results.json") if (run.folder / "results.json").exists() else {}


def _results(run, split):
    """From the file of an evaluation; `results.json` may lie where that does not, in a record without the network."""
    if (run.folder / f"evaluation-{split}.json").exists():
        return run.read_json(f"evaluation-{split}.json")
    prefix = f"{split}_"
    return {key.removeprefix(prefix): numbers for key, numbers in _written(run).items() if key.startswith(prefix)}


def provenance(recipe, options, data, precision, devices):
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
    import keras  # here, so that listing runs does not load it

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
