"""The run folder."""

import contextlib
import csv
import dataclasses
import functools
import json
import os
import pathlib
import re
import tempfile
import typing
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence

from keras_alexnet.arguments import check_path
from keras_alexnet.files import (
    PARTIAL,
    atomic_write,
    last_part,
    locked,
    relative_path,
    remove_partial_files,
    temporary_folder,
    write_text,
)
from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.text import is_plain, reason

if typing.TYPE_CHECKING:
    import keras
    import numpy as np

EVALUATED_SPLITS = ("validation", "test")  # the splits that runs are evaluated on

BEST = "best.keras"
RECIPE = "recipe.json"
RESULTS = "results.json"
DUPLICATES = "duplicates.json"
RECOVERIES = "recoveries.json"
KERNELS = "kernels.npz"
INSIDE = "run/"  # folder in `best.keras` with what a copy of this file needs: recipe, class names and statistics
MISTAKE_COLUMNS = ("split", "picture", "class", "predicted", "probability", "path")

CHECKPOINT = r"epoch-\d{5,}(-step-\d{8,})?\.(json|keras)"
# Files that a run writes before its first checkpoint. If a run ends before that, only these are removed.
EARLY_FILE = re.compile(
    r"recipe\.json|classes\.txt|statistics\.npz|log\.csv|best\.keras|recoveries\.json"
    rf"|last/{CHECKPOINT}|tensorboard/(train|validation|histograms)/events\.out\.tfevents\.\S+"
)
EARLY_FOLDERS = ("tensorboard/train", "tensorboard/validation", "tensorboard/histograms", "tensorboard", "last")


@dataclasses.dataclass(frozen=True)
class Run:
    """The files of one run. All code that reads or writes them is here.

    Attributes:
        folder: The run's folder.
        created: The folders that `create` created, outermost first.

    Example:
        >>> Run(pathlib.Path("runs/petals-1")).best.as_posix()
        'runs/petals-1/best.keras'
    """

    folder: pathlib.Path
    created: tuple[pathlib.Path, ...] = ()

    @property
    def name(self) -> str:
        """The name of the folder, also if the path is `.`."""
        return self.folder.absolute().name

    @property
    def first_name(self) -> str:
        """The name that the folder had when training began, by which other folders know the run."""
        return self.read_json(RECIPE).get("first_name", self.name) if self.has_recipe() else self.name

    @property
    def best(self) -> pathlib.Path:
        """The network that the recipe keeps, of the best or of the last epoch, without its optimizer."""
        return self.folder / BEST

    def find_best(self) -> pathlib.Path:
        """Return `best`.

        Raises:
            ValueError: If there is none yet.
        """
        if not self.best.is_file():
            raise ValueError(
                "Expected a run with best.keras, which is written after the first epoch, or after the last without "
                f"validation pictures. Received: {self.folder}"
            )
        return self.best

    @property
    def last(self) -> pathlib.Path:
        """Folder of the checkpoints; see `training.checkpoints`."""
        return self.folder / "last"

    @property
    def classes(self) -> pathlib.Path:
        """File of class names, one per line."""
        return self.folder / "classes.txt"

    @property
    def statistics(self) -> pathlib.Path:
        """File with the mean image and color axes of the training images."""
        return self.folder / "statistics.npz"

    @property
    def figures(self) -> pathlib.Path:
        """Folder of the figures."""
        return self.folder / "figures"

    @property
    def tensorboard(self) -> pathlib.Path:
        """Folder of TensorBoard's event files."""
        return self.folder / "tensorboard"

    @property
    def report(self) -> pathlib.Path:
        """The report page."""
        return self.folder / "report.html"

    @classmethod
    def create(cls, folder: str | os.PathLike[str]) -> "Run":
        """Create the folder of a new run. An empty one, as of a run that was killed at its start, is reused.

        Raises:
            TypeError: If `folder` is no path.
            ValueError: If the folder is not empty.
            OSError: If it cannot be created.
        """
        check_path("folder", folder)
        folder = pathlib.Path(folder)
        cls.check_new(folder)
        if folder.exists():
            return cls(folder)
        missing = [parent for parent in folder.parents if not parent.exists()]
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OSError(
                f"The run folder cannot be created: choose another `run`. Received: {folder}: {reason(error)}"
            ) from error
        return cls(folder, (*reversed(missing), folder))

    @staticmethod
    def check_new(folder: str | os.PathLike[str]) -> None:
        """Check that a folder does not exist or is empty, except for partial files of a killed run.

        Raises:
            ValueError: If it is not.
        """
        folder = pathlib.Path(folder)
        names = [path.name for path in folder.iterdir()] if folder.is_dir() else [folder.name] * folder.exists()
        if not all(name.startswith(PARTIAL) for name in names):
            raise ValueError(
                f"The run folder already exists: choose another `run`, or continue with --resume {folder}. "
                f"Received: {folder}"
            )

    @classmethod
    def open(cls, folder: str | os.PathLike[str]) -> "Run":
        """Return the run in `folder`.

        Raises:
            TypeError: If `folder` is no path.
            ValueError: If there is none, or a link in the folder leads out of it. Writes must stay inside.
        """
        check_path("folder", folder)
        folder = pathlib.Path(folder)
        if not (folder / RECIPE).is_file():
            raise ValueError(f"A run folder must contain recipe.json. Received: {folder}")
        for path in folder.rglob("*"):
            # `Path.resolve` fails for links in a circle
            if path.is_symlink() and not pathlib.Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder)):
                raise ValueError(f"A run folder must not contain links that lead out of it. Received: {path}")
        return cls(folder)

    @classmethod
    def containing(cls, path: str | os.PathLike[str]) -> "Run | None":
        """Return the run of a run folder, or of `best.keras` or a checkpoint in one; None for other files.

        Raises:
            ValueError: As for `open`, also for a folder that is no run.
        """
        path = pathlib.Path(os.path.abspath(path))  # without "..", which `absolute` keeps
        if path.is_dir():
            return cls.open(path)
        if path.name != BEST and not re.fullmatch(CHECKPOINT, path.name):
            return None
        folder = path.parent if path.name == BEST else path.parent.parent
        if (folder / RECIPE).is_file() and (folder / "classes.txt").is_file():
            return cls.open(folder)
        return None

    @classmethod
    @contextlib.contextmanager
    def from_network(cls, path: str | os.PathLike[str]) -> Iterator["Run | None"]:
        """Yield the run that a network belongs to, or None.

        Args:
            path: As for `containing`; or a copy of `best.keras`, for which a temporary folder has the recipe, the class
                names and the statistics.

        Raises:
            ValueError: As for `containing`.
            OSError: If the file cannot be read.
        """
        if run := cls.containing(path):
            yield run
            return
        with temporary_folder(tempfile.gettempdir()) as folder:
            run = cls(folder)
            yield run if run._extract(path) else None

    def _extract(self, file: str | os.PathLike[str]) -> bool:
        """Write the files that `write_network` put into a network's file. Return whether it has them."""
        try:
            with zipfile.ZipFile(file) as archive:
                for path in (self.folder / RECIPE, self.classes, self.statistics):
                    path.write_bytes(archive.read(INSIDE + path.name))
        except (FileNotFoundError, KeyError, zipfile.BadZipFile, zlib.error, RuntimeError):  # missing or damaged
            return False
        return True

    @classmethod
    def next_free(cls, parent: str | os.PathLike[str], dataset: str) -> pathlib.Path:
        """Return `parent/dataset-n` with the smallest n that is free."""
        path, name = pathlib.Path(dataset), last_part(dataset)
        if path.is_file():  # an archive or a CSV file
            name = path.stem.removesuffix(".tar")
        stem = re.sub("[/:]", "-", name)  # of a configuration of a TFDS data set, and of its version
        number = 1
        while (folder := pathlib.Path(parent) / f"{stem}-{number}").exists():
            number += 1
        return folder

    def has_recipe(self) -> bool:
        """Return whether training has begun and the run can be resumed."""
        return (self.folder / RECIPE).exists()

    def is_finished(self) -> bool:
        """Return whether the run is complete: all epochs are done, or it stopped early."""
        return self.read_recipe().is_over(self.read_log()) and self.best.exists()

    def discard(self) -> None:
        """Remove the files that this run wrote before its first checkpoint, and the folders that `create` created.

        Other files, and folders that contain any, are kept.
        """
        remove_partial_files(self.folder)
        for path in sorted(self.folder.rglob("*")):
            if EARLY_FILE.fullmatch(path.relative_to(self.folder).as_posix()):
                path.unlink()
        for folder in (*(self.folder / name for name in EARLY_FOLDERS), *reversed(self.created)):
            with contextlib.suppress(OSError):  # missing or not empty: another run may use it
                folder.rmdir()

    def write_json(self, name: str, value: object) -> None:
        """Write `value` as the file `name`."""
        write_text(self.folder / name, json.dumps(value, indent=2) + "\n")

    def read_json(self, name: str) -> typing.Any:
        """Return the content of the file `name`."""
        path = self.folder / name
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except ValueError as error:
            raise ValueError(f"Expected a JSON file. Received: {path}: {error}") from error

    def write_provenance(self, provenance: Mapping[str, typing.Any]) -> None:
        """Write `recipe.json`: the recipe, the options, the data, and how and where the run was made."""
        self.write_json(RECIPE, provenance)

    def read_provenance(self) -> dict[str, typing.Any]:
        """Return the content of `recipe.json`."""
        return self.read_json(RECIPE)

    def read_recipe(self) -> Recipe:
        """Return the recipe that the run was made with."""
        with self._recipe_errors():
            return Recipe.from_dict(self.read_json(RECIPE)["recipe"])

    def read_options(self) -> Options:
        """Return the options that the run was made with. If its file of class names is gone, `classes.txt` has them."""
        with self._recipe_errors():
            options = Options(**self.read_json(RECIPE)["options"])
        if options.class_names and not pathlib.Path(options.class_names).exists():
            return dataclasses.replace(options, class_names=str(self.classes.absolute()))  # read name by name
        return options

    def read_data(self) -> dict | str:
        """Return the identity of the run's data: fields, or a sentence in version 0.1.0."""
        with self._recipe_errors():
            return self.read_json(RECIPE)["data"]

    @contextlib.contextmanager
    def _recipe_errors(self) -> Iterator[None]:
        """Turn errors about an invalid recipe.json into one line."""
        try:
            yield
        except (KeyError, TypeError, AttributeError) as error:
            raise ValueError(
                f"Expected a recipe.json and results written by fit.py. Received: {self.folder}: {error}"
            ) from error

    def update(self, epochs: int, options: Options) -> None:
        """Store the number of epochs and the place of the pictures, which may change when a run is resumed.

        Args:
            epochs: The number of epochs; a lower one than before is ignored.
            options: The options of the resumed run.
        """
        before = self.read_json(RECIPE)
        place = {"dataset": options.dataset, "data_dir": options.data_dir}
        longer = {"epochs": max(epochs, before["recipe"]["epochs"])}
        now = before | {"recipe": before["recipe"] | longer, "options": before["options"] | place}
        if now != before:
            self.write_json(RECIPE, now)

    def write_network(self, network: "keras.Model") -> None:
        """Write `best`. The file also contains the recipe, the class names and the statistics, so that a copy of it can
        be used without the run folder. Paths and the command stay out, since such files are passed on.

        Args:
            network: The network, without an optimizer.
        """
        recipe = {"recipe": self.read_json(RECIPE)["recipe"]}
        with atomic_write(self.best) as temporary:
            network.save(temporary)
            with zipfile.ZipFile(temporary, "a") as archive:
                archive.writestr(f"{INSIDE}recipe.json", json.dumps(recipe))
                for file in (self.classes, self.statistics):
                    archive.write(file, INSIDE + file.name)

    def write_kernels(self, kernels: "np.ndarray") -> None:
        """Write the kernels of the first layer as float16, so that they can be shown without the network.

        Args:
            kernels: Shape `(height, width, 3, kernels)`.
        """
        import numpy as np  # on use: most readers of a run need no arrays

        with atomic_write(self.folder / KERNELS) as temporary, temporary.open("wb") as stream:
            np.savez(stream, conv1=kernels.astype(np.float16))

    def write_classes(self, names: Sequence[str]) -> None:
        """Write the names of the classes, one per line, in the order of the network's outputs."""
        write_text(self.classes, "".join(f"{name}\n" for name in names))

    def read_classes(self) -> tuple[str, ...]:
        """Return the names of the classes, in the order of the network's outputs.

        Raises:
            ValueError: If a name has characters that are not printable.
        """
        text = self.classes.read_text(encoding="utf-8").removesuffix("\n")  # editors may leave it out
        names = tuple(text.split("\n")) if text else ()
        for name in names:
            if not is_plain(name):  # it could control the terminal
                raise ValueError(f"Class names must be text. Received: {name!r} in {self.folder}")
        return names

    def write_log(self, rows: Sequence[dict[str, float]]) -> None:
        """Write the log: one row per epoch, all with the same columns."""
        with atomic_write(self.folder / "log.csv") as temporary, temporary.open("w", newline="") as file:
            writer = csv.DictWriter(file, rows[0])
            writer.writeheader()
            writer.writerows(rows)

    def read_log(self) -> list[dict[str, float]]:
        """Return the log so far: one row of numbers per epoch, oldest first.

        Raises:
            ValueError: If the file is not a log.
        """
        path = self.folder / "log.csv"
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets add a byte order mark
            rows = csv.DictReader(file)
            try:
                log = [{key: (int if key == "epoch" else float)(text) for key, text in row.items()} for row in rows]
            except (ValueError, TypeError) as error:
                raise ValueError(f"Expected a log.csv written by fit.py. Received: {path}: {error}") from error
        if log and "epoch" not in log[0]:
            raise ValueError(f"Expected a log.csv written by fit.py. Received: {path} with columns {', '.join(log[0])}")
        return log

    def write_results(self, results: Mapping[str, typing.Any]) -> None:
        """Write the results of training, such as its time and the number of pictures of each class."""
        self.write_json(RESULTS, results)

    def has_results(self) -> bool:
        """Return whether training has ended."""
        return (self.folder / RESULTS).exists()

    def read_results(self) -> dict[str, typing.Any]:
        """Return the results of training; empty before its end."""
        return self.read_json(RESULTS) if self.has_results() else {}

    def write_duplicates(self, duplicates: Mapping[str, typing.Any]) -> None:
        """Write the pairs of identical pictures of the data set, for the report."""
        self.write_json(DUPLICATES, duplicates)

    def read_duplicates(self) -> dict[str, typing.Any] | None:
        """Return the pairs of identical pictures; None if none were found."""
        return self.read_json(DUPLICATES) if (self.folder / DUPLICATES).exists() else None

    def write_recoveries(self, recoveries: Sequence[Mapping[str, typing.Any]]) -> None:
        """Write the recoveries, oldest first."""
        self.write_json(RECOVERIES, recoveries)

    def read_recoveries(self) -> list[dict[str, typing.Any]]:
        """Return the recoveries, in which training went back to earlier weights, oldest first; see
        `training.recovery`."""
        return self.read_json(RECOVERIES) if (self.folder / RECOVERIES).exists() else []

    def write_evaluation(
        self, name: str, numbers: Mapping[str, typing.Any], networks: Mapping["Run", int | None]
    ) -> None:
        """Write the result of an evaluation.

        Args:
            name: Such as "evaluation-test" or "ensemble-test".
            numbers: The result of `Evaluation.numbers`.
            networks: The evaluated runs, with their `checksum` from before the evaluation, since training may replace a
                network meanwhile.
        """
        others = {relative_path(run.folder, self.folder): networks[run] for run in networks if run != self}
        checksums = {"network": networks[self]} | ({"other_networks": others} if others else {})
        self.write_json(f"{name}.json", dict(numbers) | checksums)

    def read_evaluations(self, kind: str) -> dict[str, dict[str, typing.Any]]:
        """Return the results of all evaluations of the network in the folder, by what was evaluated, such as "test".

        Results of earlier networks are left out: training may have continued since, also that of another member of an
        ensemble.

        Args:
            kind: "evaluation" or "ensemble".

        Raises:
            ValueError: If a file is not the result of an evaluation.
        """
        found, checksum = {}, functools.cache(lambda other: Run(self.folder / other).checksum())
        for path in sorted(self.folder.glob(f"{kind}-*.json")):
            numbers = self.read_json(path.name)
            if not isinstance(numbers, dict):
                raise ValueError(f"Expected the result of an evaluation. Received: {path}")
            evaluated = {".": numbers.pop("network", None)} | numbers.pop("other_networks", {})
            if all(checksum(other) in (before, None) for other, before in evaluated.items() if before):
                found[path.stem.removeprefix(f"{kind}-")] = numbers
        return found

    def checksum(self) -> int | None:
        """Return the CRC-32 of the weights in `best.keras`, from the directory of this zip file; None without one."""
        try:
            with zipfile.ZipFile(self.best) as archive:
                return archive.getinfo("model.weights.h5").CRC
        except (OSError, KeyError, zipfile.BadZipFile):
            return None

    def write_mistakes(self, stem: str, rows: Sequence[dict[str, str | float]]) -> None:
        """Write the misclassified pictures of an evaluation to `mistakes.csv`, replacing those of the same stem.

        Args:
            stem: The evaluated pictures, such as "validation".
            rows: The result of `Evaluation.mistakes`.
        """
        with (
            locked(self.classes, wait=True),  # training holds the lock of the folder, and replaces recipe.json
            atomic_write(self.folder / "mistakes.csv") as temporary,
            temporary.open("w", newline="", encoding="utf-8") as file,
        ):
            others = [row for row in self.read_mistakes() if row["split"] != stem]
            writer = csv.DictWriter(file, MISTAKE_COLUMNS)
            writer.writeheader()
            writer.writerows([*others, *({"split": stem} | row for row in rows)])

    def read_mistakes(self) -> list[dict[str, str]]:
        """Return the misclassified pictures of all evaluations, sorted by probability within each.

        Raises:
            ValueError: If the file is a different table.
        """
        path = self.folder / "mistakes.csv"
        if not path.exists():
            return []
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            if reader.fieldnames and "split" not in reader.fieldnames:
                raise ValueError(
                    f"Expected a mistakes.csv written by evaluate.py: remove the file, and it is written again. "
                    f"Received: {path} with columns {', '.join(reader.fieldnames)}"
                )
            return [*reader]

    def to_dict(self) -> dict[str, typing.Any]:
        """Return all that the files of the run say about it: how it was made, its log and its results.

        Returns:
            A mapping for JSON: `run`, its name; the content of `recipe.json`; `results`, the content of `results.json`;
            `evaluations` and `ensembles`, the results of `scripts/evaluate.py` by what was evaluated, such as "test";
            `recoveries`; and `log`, one row per epoch.

        Raises:
            ValueError: If its files are invalid.
        """
        results = self.read_results()
        # In version 0.1.0 the errors on the validation split were in results.json, as "validation_1_view".
        prefix = "validation_"
        older = {key.removeprefix(prefix): results.pop(key) for key in [*results] if key.startswith(prefix)}
        return {
            "run": self.name,
            **{key: value for key, value in self.read_json(RECIPE).items() if key != "first_name"},
            "results": results,
            "recoveries": self.read_recoveries(),
            "evaluations": ({"validation": older} if older else {}) | self.read_evaluations("evaluation"),
            "ensembles": self.read_evaluations("ensemble"),
            "log": self.read_log(),
        }

    def summary(self) -> dict[str, typing.Any]:
        """Return a summary of the run for tables; see `summarize`.

        Raises:
            ValueError: If its files are invalid.
        """
        with self._recipe_errors():
            return summarize(self.to_dict())


def find(folder: str | os.PathLike[str]) -> list[Run]:
    """Return the runs in a folder, newest first.

    Raises:
        ValueError: If there are none.
    """
    files = list(pathlib.Path(folder).glob("*/recipe.json"))
    if not files:
        raise ValueError(f"Expected a folder that contains run folders. Received: {folder}")
    newest_first = sorted(files, key=lambda file: file.stat().st_mtime, reverse=True)
    return [Run(file.parent) for file in newest_first]


def summarize(fields: Mapping[str, typing.Any]) -> dict[str, typing.Any]:
    """Return a summary of a run for tables.

    `results` has the numbers of each evaluated split by number of crops, as returned by `evaluation.metrics.measure`.
    `ensembles` has those of ensembles with this run. `note` says what has changed since, for some archived runs.

    Args:
        fields: The result of `Run.to_dict`.
    """
    recipe, options, log = Recipe.from_dict(fields["recipe"]), Options(**fields["options"]), fields["log"]
    return {
        "run": fields["run"],
        "date": fields.get("date"),
        "command": fields.get("command"),
        "note": fields.get("note"),
        "dataset": options.dataset,
        "seed": options.seed,
        "weights": options.weights,
        "epochs": f"{len(log)} of {recipe.epochs}",
        "recipe": dataclasses.asdict(recipe),
        "log": log,
        "training_errors": [row.get("top1_error") for row in log],
        "seconds": fields["results"].get("seconds"),
        "specialization": fields["results"].get("specialization"),
        "results": {split: fields["evaluations"].get(split, {}) for split in EVALUATED_SPLITS},
        "ensembles": {split: fields["ensembles"][split] for split in EVALUATED_SPLITS if split in fields["ensembles"]},
    }


def describe_recovery(recovery: Mapping[str, typing.Any]) -> str:
    """Return one entry of `Run.read_recoveries` as a sentence."""
    place = f"epoch {recovery['epoch']}" + (f", step {recovery['step']}" if recovery["step"] else "")
    if not recovery["back_to_epochs"] and not recovery["back_to_steps"]:
        target = "the initial weights"
    elif recovery["back_to_steps"]:
        target = f"step {recovery['back_to_steps']} of epoch {recovery['back_to_epochs'] + 1}"
    else:
        target = f"the end of epoch {recovery['back_to_epochs']}"
    return (
        f"In {place} {recovery['reason']}: went back to {target}, with a learning rate of "
        f"{recovery['learning_rate']:.3g}."
    )
