"""A run's folder: where a training leaves its recipe, its record, its network and its results."""

import contextlib
import csv
import dataclasses
import json
import pathlib
import shutil

from keras_alexnet.files import written_aside
from keras_alexnet.recipes import Options, Recipe

RECORDED_FIGURES = ("curves.png", "kernels.png")
SPLITS = ("validation", "test")  # that runs are judged on
RECORD_LIMIT = 300 * 1024  # ours: bytes, for records lie in the repository


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
        with written_aside(self.folder / name) as aside:
            aside.write_text(json.dumps(value, indent=2) + "\n")

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
        with written_aside(self.folder / "classes.txt") as aside:
            aside.write_text("".join(f"{name}\n" for name in names))

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
        with written_aside(self.folder / "log.csv") as aside, aside.open("w", newline="") as file:
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


def keep(run, folder):
    """Copy what is worth keeping of a finished run: its account, record, results and two figures, but no network.

    Args:
        run: A `Run`.
        folder: Where the record is to lie, under the run's own name; one that is there is replaced.

    Returns:
        The record, a `Run`.

    Raises:
        ValueError: If the run is not finished, so much that it is no record, or the record itself.
    """
    if not (run.folder / "results.json").exists():
        raise ValueError(f"Expected a finished run: go on with --resume {run.folder}. Received: {run.folder}")
    files = [run.folder / name for name in ("recipe.json", "log.csv", "results.json")]
    files += sorted(run.folder.glob("e*-*.json"))  # evaluations, and ensembles
    files += sorted(path for path in run.figures.glob("*.png") if path.name in RECORDED_FIGURES)
    size = sum(path.stat().st_size for path in files)
    if size > RECORD_LIMIT:
        raise ValueError(f"Expected a record of at most {RECORD_LIMIT} bytes. Received: {size} in {run.folder}")
    record = Run(pathlib.Path(folder) / run.folder.name)
    if record.folder.exists():
        if record.folder.samefile(run.folder):
            raise ValueError(f"Expected a run that is not on record yet. Received: {run.folder}")
        shutil.rmtree(record.folder)
    for path in files:
        kept = record.folder / path.relative_to(run.folder)
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, kept)
    return record


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
