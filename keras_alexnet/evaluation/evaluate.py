"""Evaluate networks, individually and as ensembles (paper sections 4.1 and 6)."""

import dataclasses
import itertools
import re
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tqdm
from scipy import special

from keras_alexnet.arguments import check_type
from keras_alexnet.data import errors, pipeline
from keras_alexnet.data.datasets import Dataset
from keras_alexnet.data.identity import identity_of, may_share_training_pictures
from keras_alexnet.evaluation import metrics
from keras_alexnet.evaluation.classifier import Classifier, check_classifier, outputs_logits
from keras_alexnet.files import last_part, relative_path
from keras_alexnet.runs import Run
from keras_alexnet.text import enumerated, printable

CENTRAL = 4  # position of the central crop among those of `inputs.averaged_crops`


def probabilities(model: keras.Model, batches: Iterable) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Return a network's probabilities for every picture, for one crop and averaged over ten.

    The ten crops include the central one, so both results come from one pass.

    Args:
        model: A network that returns probabilities or logits.
        batches: Pairs `(crops, labels)` from `pipeline.evaluation_batches`: crops float32 `(batch, size, size, 3)`, or
            `(batch, crops, size, size, 3)` for ten crops of each picture.

    Returns:
        Float32 `(pictures, classes)` by the number of views: `{1: ...}`, or `{1: ..., 10: ...}` for ten crops; and the
        integer labels `(pictures,)`.

    Raises:
        TypeError: If `model` is no Keras model.
        ValueError: If the network does not have one row of classes as its output, or the batches are not as described.

    Source: section 4.1, "averaging the predictions made by the network's softmax layer on the ten patches".
    """
    check_type("model", model, keras.Model, 'a keras.Model, such as Classifier.open("runs/mine").model')
    shape = getattr(model, "output_shape", None)  # a subclass of `keras.Model` has none
    if not isinstance(shape, tuple) or len(shape) != 2:
        raise ValueError(f"`model` must return one row of classes per image. Received: outputs {shape}")
    no_rows = np.empty((0, shape[-1]), np.float32)  # for data without a single picture
    central, averaged, labels = [no_rows], [], [np.empty(0, np.int64)]
    for batch in batches:
        crops, label = _crops_and_labels(batch, model.input_shape[1:])
        outputs = crop_probabilities(model, crops.reshape(-1, *crops.shape[-3:]))  # (batch * crops, classes)
        if crops.ndim == 5:
            outputs = outputs.reshape(*crops.shape[:2], -1)  # (batch, crops, classes)
            averaged.append(outputs.mean(axis=1))
            outputs = outputs[:, CENTRAL]
        central.append(outputs)  # (batch, classes)
        labels.append(label)
    by_views = {1: np.concatenate(central)} | ({10: np.concatenate(averaged)} if averaged else {})
    return by_views, np.concatenate(labels)


def crop_probabilities(model: keras.Model, crops: np.ndarray) -> np.ndarray:
    """Return a network's probabilities for a batch of crops.

    Args:
        model: A network that returns probabilities or logits.
        crops: Float32 `(batch, size, size, 3)`.

    Returns:
        Float32 `(batch, classes)`.
    """
    outputs = np.asarray(model.predict_on_batch(crops), np.float32)  # the last layer may be in half precision
    return special.softmax(outputs, axis=-1) if outputs_logits(model) else outputs


def _crops_and_labels(batch, image_shape):
    """Return the arrays of a batch, after checking their shapes."""
    arrays = [np.asarray(each) for each in batch] if isinstance(batch, (tuple, list)) else [np.asarray(batch)]
    shapes = [array.shape for array in arrays]
    is_pair = len(arrays) == 2 and arrays[0].ndim in (4, 5) and shapes[1] == shapes[0][:1]
    if not is_pair or any(size not in (None, own) for size, own in zip(image_shape, shapes[0][-3:], strict=True)):
        raise ValueError(
            "`batches` must be those of pipeline.evaluation_batches, pairs of crops (batch, height, width, 3) or "
            f"(batch, crops, height, width, 3) and labels (batch,), for images {image_shape}. Received: {shapes}"
        )
    return arrays


def views_key(views: int) -> str:
    """Return the key of a number of views in the result files.

    Example:
        >>> views_key(1), views_key(10)
        ('1_view', '10_views')
    """
    return f"{views}_view{'s' * (views > 1)}"


def pictures_of(data: Dataset, split: str) -> tf.data.Dataset:
    """Return the pictures of a split, or of all splits together.

    Args:
        data: The data set.
        split: "train", "validation" or "test"; "all" joins them, for data that were not used for training.

    Raises:
        TypeError: If an argument is another kind of object.
        ValueError: If the data set has no such split, or the split is empty.
    """
    check_type("data", data, Dataset, 'a Dataset, such as datasets.load("oxford_flowers102")')
    check_type("split", split, str, 'the name of a split, such as "test"')
    if split == "all":
        first, *others = data.splits.values()
        pictures = first
        for other in others:
            pictures = pictures.concatenate(other)
    elif split in data.splits:
        pictures = data.splits[split]
    else:
        raise ValueError(f"Expected a split of {data.name}: {', '.join(data.splits)}, all. Received: {split}")
    if not len(pictures):
        raise ValueError(f"Expected pictures in the {split} split of {data.name}. Received: none")
    return pictures


def class_positions(class_names: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Return the indices of a data set's classes among a network's outputs, which may be in another order.

    Args:
        class_names: Names of the network's outputs.
        wanted: Names of the data set's classes.

    Raises:
        ValueError: If the names are not the same.

    Example:
        >>> class_positions(("rose", "daisy"), wanted=("daisy", "rose"))
        [1, 0]
    """
    if tuple(class_names) == tuple(wanted):
        return list(range(len(wanted)))
    if sorted(class_names) != sorted(wanted):
        unknown = sorted({*wanted} ^ {*class_names})
        raise ValueError(
            f"Expected data of the {len(class_names)} classes that the network was trained on. Received: "
            f"{len(wanted)} classes; not in both: {enumerated(unknown, 5)}"
        )
    position = {name: n for n, name in enumerate(class_names)}
    return [position[name] for name in wanted]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The predictions of a run, or of an ensemble of runs, for the pictures of a split.

    Attributes:
        runs: Names of the runs.
        data: The data set.
        split: The evaluated split.
        pictures: Its pictures in order, `(uint8 (resize_size, resize_size, 3), label)`.
        by_views: Probabilities `(pictures, classes)` by the number of views, classes in the order of the data set.
        labels: Integers `(pictures,)`.
        averaged_views: What "ten crops" are in words, see `Recipe.averaged_views`.
    """

    runs: tuple[str, ...]
    data: Dataset
    split: str
    pictures: tf.data.Dataset
    by_views: dict[int, np.ndarray]
    labels: np.ndarray
    averaged_views: str = "ten"

    @property
    def best(self) -> np.ndarray:
        """The probabilities for the largest number of views."""
        return self.by_views[max(self.by_views)]

    def mistakes(self) -> list[dict[str, str | float]]:
        """Return the misclassified pictures, most confident first.

        Each has `picture`, its path relative to the folder of the data; `class`; `predicted`, with its `probability`;
        and `path`. The list is empty if the pictures are not the user's files.
        """
        if not self.data.paths:
            return []
        splits = self.data.splits if self.split == "all" else (self.split,)
        paths = [path for split in splits for path in self.data.paths[split]]
        predicted = self.best.argmax(axis=1)
        probability, names = self.best.max(axis=1), self.data.class_names
        wrong = np.flatnonzero(predicted != self.labels)
        return [
            {
                "picture": relative_path(paths[n], self.data.root),
                "class": names[self.labels[n]],
                "predicted": names[predicted[n]],
                "probability": float(probability[n]),
                "path": paths[n],
            }
            for n in wrong[np.argsort(-probability[wrong], kind="stable")]
        ]

    def numbers(self) -> dict[str, Any]:
        """Return all metrics, as saved in the run folder. Per-class errors are for the largest number of views."""
        return {
            "runs": self.runs,
            "data": self.data.describe(),
            "data_name": self.data.identity.name,
            "split": self.split,
            "pictures": len(self.labels),
            "averaged_views": self.averaged_views,
            **{views_key(views): metrics.measure(shares, self.labels) for views, shares in self.by_views.items()},
            "classes": metrics.class_errors(self.best, self.labels, self.data.class_names),
        }


def evaluate_runs(
    runs: Sequence[Run],
    data: Dataset,
    split: str,
    views: int = 10,
    after: Callable[[Run, Evaluation, Classifier], None] | None = None,
) -> list[Evaluation]:
    """Evaluate runs, and if there are several also the ensemble that averages their probabilities.

    Each result is saved in the run's folder as `evaluation-<split>.json`, with the name of the data set if that is not
    the run's own. The result of an ensemble is saved as `ensemble-<split>.json` in the folder of the first run.

    Args:
        runs: The runs to evaluate.
        data: A data set with the classes that the runs were trained on, possibly in another order.
        split: "train", "validation", "test" or "all".
        views: 1, or 10 for the results of one crop and of ten.
        after: Called after the evaluation of each run, while its network is loaded.

    Returns:
        One evaluation for each run, and one for the ensemble if there are several runs.

    Raises:
        TypeError: If an argument is another kind of object.
        ValueError: If there is no run, a run has no network yet or is listed twice, the classes differ, the split is
            missing or empty, or a run may have been trained on some of these pictures.
        OSError: If pictures cannot be read.

    Source: section 6, table 2: "averaging the predictions of five similar CNNs".
    """
    pictures = pictures_of(data, split)
    _check_runs(runs, data, split)
    resized, evaluations, networks = {}, [], {}
    for run in runs:
        size = run.read_recipe().resize_size
        if size not in resized:
            resized[size] = pipeline.resize_pictures(pictures, size)
        networks[run], classifier = run.checksum(), Classifier.from_run(run)
        evaluations.append(evaluate_run(run, data, split, resized[size], views, classifier, networks[run]))
        if after:
            after(run, evaluations[-1], classifier)
        del classifier  # before the next is loaded
    if len(runs) > 1:
        evaluations.append(_ensemble(evaluations))
        runs[0].write_evaluation(f"ensemble-{stem(runs[0], data, split)}", evaluations[-1].numbers(), networks)
    return evaluations


def _check_runs(runs, data, split):
    """Check all runs before the first evaluation."""
    check_type("runs", runs, (list, tuple), 'a list of runs, such as [Run.open("runs/mine")]')
    for run in runs:
        _check_run(run)
    if not runs:
        raise ValueError("`runs` must have at least one run. Received: none")
    folders = [run.folder.resolve() for run in runs]
    if twice := [run.folder for run, folder in zip(runs, folders, strict=True) if folders.count(folder) > 1]:
        raise ValueError(f"Expected different runs. Received: {' and '.join(map(str, twice))}")
    for run in runs:
        run.find_best()
        run.read_log()  # it and the mistakes are needed after the evaluation
        run.read_mistakes()
        class_positions(run.read_classes(), data.class_names)
        trained_on = identity_of(run.read_data())
        is_same = trained_on.digest is not None and trained_on.digest == data.identity.digest
        if is_same and run.read_options().class_names and run.read_classes() != data.class_names:
            raise ValueError(
                "The same pictures have their class names in another order now, as if the run had given the names of "
                f"its file of class names to other folders: train again. Received: {run.folder}"
            )
        if may_share_training_pictures(trained_on, data.identity, split):
            raise ValueError(
                f"The {split} split may contain pictures that {run.folder} was trained on. Expected the same files and "
                f"splits: {trained_on.name} ({trained_on.splits_in_words}). Received: {data.describe()}"
            )


def evaluate_run(
    run: Run,
    data: Dataset,
    split: str,
    pictures: tf.data.Dataset,
    views: int = 10,
    classifier: Classifier | None = None,
    checksum: int | None = None,
) -> Evaluation:
    """Evaluate one run on pictures that are already resized, see `evaluate_runs`.

    Args:
        run: The run to evaluate.
        data: A data set of the run's classes.
        split: The name of the split that the pictures come from.
        pictures: The result of `pipeline.resize_pictures` with the resize size of the run's recipe.
        views: 1, or 10 for the results of one crop and of ten.
        classifier: The run's network if it is already loaded; None to load it.
        checksum: The run's `checksum` from before it was loaded; None for that of now.

    Raises:
        TypeError: If an argument is another kind of object.
        ValueError: If the run has no network yet, or its classes differ from those of the data.
        OSError: If pictures cannot be read.
    """
    _check_run(run)
    check_type("data", data, Dataset, 'a Dataset, such as datasets.load("oxford_flowers102")')
    if classifier is not None:
        check_classifier(classifier)
    networks = {run: run.checksum() if checksum is None else checksum}
    classifier = classifier or Classifier.from_run(run)
    order = class_positions(classifier.class_names, data.class_names)
    batches = tqdm.tqdm(
        classifier.batches(pictures, views), desc=f"evaluating {printable(run.name)}", leave=False, disable=None
    )
    with errors.reading(data.name):
        by_views, labels = probabilities(classifier.model, batches)
    in_order = {number: shares[:, order] for number, shares in by_views.items()}
    averaged = classifier.recipe.averaged_views
    evaluation = Evaluation((run.name,), data, split, pictures, in_order, labels, averaged)
    name = stem(run, data, split)
    run.write_evaluation(f"evaluation-{name}", evaluation.numbers(), networks)
    if data.paths:
        run.write_mistakes(name, evaluation.mistakes())
    return evaluation


def _check_run(run):
    check_type("run", run, Run, 'a Run, such as Run.open("runs/mine")')


def _ensemble(evaluations: Sequence[Evaluation]) -> Evaluation:
    names = tuple(name for evaluation in evaluations for name in evaluation.runs)
    averaged = {
        views: np.mean([each.by_views[views] for each in evaluations], axis=0) for views in evaluations[0].by_views
    }
    words = " or ".join(dict.fromkeys(each.averaged_views for each in evaluations))
    return dataclasses.replace(evaluations[0], runs=names, by_views=averaged, averaged_views=words)


def stem(run: Run, data: Dataset, split: str) -> str:
    """Return the part of a file name that identifies the evaluated pictures.

    This is the split, such as "test". If the data set is not the run's own, its name comes first: "my_flowers-test".
    Another folder of the same name gets a number: "my_flowers-2-test".
    """
    own = run.read_options().dataset
    if data.name in (own, f"{own} {data.identity.version}"):
        return split
    for number in itertools.count(1):
        name = f"{slug(data.name)}{f'-{number}' * (number > 1)}-{split}"
        file = run.folder / f"evaluation-{name}.json"
        before = run.read_json(file.name).get("data_name") if file.exists() else None
        if before in (None, data.identity.name):  # version 0.1.0 has no name
            return name


def slug(name: str) -> str:
    """Return a name with only those characters that are safe in a file name.

    Example:
        >>> slug("/home/me/My flowers:2"), slug("imagenet_resized/64x64 0.1.0")
        ('My-flowers-2', 'imagenet_resized-64x64-0.1.0')
    """
    return re.sub(r"[^\w.-]+", "-", last_part(name))
