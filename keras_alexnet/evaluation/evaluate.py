"""Evaluate networks on pictures, one by one and as ensembles (paper sections 4.1 and 6)."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Iterable, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
import tqdm
from scipy import special

from keras_alexnet.data import errors, pipeline
from keras_alexnet.data.datasets import Dataset
from keras_alexnet.data.identity import identity_of, may_share_training_pictures
from keras_alexnet.evaluation import metrics
from keras_alexnet.evaluation.classifier import Classifier, network_file, outputs_logits
from keras_alexnet.runs import Run

CENTRAL = 4  # position of the central crop among the ten
SPLITS = ("train", "validation", "test", "all")


def probabilities(model: keras.Model, batches: Iterable) -> tuple[dict[int, np.ndarray], np.ndarray]:
    """Return a network's probabilities for every picture, from one view and averaged over ten.

    The ten views contain the central one, so both results come from one pass.

    Args:
        model: A network that returns probabilities or logits.
        batches: Pairs `(crops, labels)` as `pipeline.evaluation_batches` returns them: crops float32
            `(batch, size, size, 3)`, or `(batch, 10, size, size, 3)` for ten views of each picture.

    Returns:
        Float32 `(pictures, classes)` by the number of views: `{1: ...}`, or `{1: ..., 10: ...}` for ten views; and the
        integer labels `(pictures,)`.

    Source: section 4.1, "averaging the predictions made by the network's softmax layer on the ten patches".
    """
    no_rows = np.empty((0, model.output_shape[-1]), np.float32)  # for data without a single picture
    central, averaged, labels = [no_rows], [], [np.empty(0, np.int64)]
    gives_logits = outputs_logits(model)
    for crops, label in batches:
        crops = np.asarray(crops)
        outputs = np.asarray(model.predict_on_batch(crops.reshape(-1, *crops.shape[-3:])))  # (batch * views, classes)
        if gives_logits:
            outputs = special.softmax(outputs, axis=-1)
        if crops.ndim == 5:
            outputs = outputs.reshape(*crops.shape[:2], -1)  # (batch, 10, classes)
            averaged.append(outputs.mean(axis=1))
            outputs = outputs[:, CENTRAL]
        central.append(outputs)  # (batch, classes)
        labels.append(np.asarray(label))
    by_views = {1: np.concatenate(central)} | ({10: np.concatenate(averaged)} if averaged else {})
    return by_views, np.concatenate(labels)


def views_key(views: int) -> str:
    """Return the key of a number of views in the files of results.

    Example:
        >>> views_key(1), views_key(10)
        ('1_view', '10_views')
    """
    return f"{views}_view{'s' * (views > 1)}"


def pictures_of(data: Dataset, split: str) -> tf.data.Dataset:
    """Return the pictures of a split, or of all splits together.

    Args:
        data: The data set.
        split: One of `SPLITS`; "all" joins the splits, for data on which nothing was trained.

    Raises:
        ValueError: If the data set has no such split, or the split is empty.
    """
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
    """Return where the classes of a data set are among a network's outputs; two folders may sort the names differently.

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
            f"Expected data of the classes that the network was trained on, {len(class_names)}. Received: "
            f"{len(wanted)} classes; not in both: {', '.join(unknown[:5])}{', ...' if len(unknown) > 5 else ''}"
        )
    position = {name: n for n, name in enumerate(class_names)}
    return [position[name] for name in wanted]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """The predictions of a run, or of an ensemble of runs, for the pictures of a split.

    Attributes:
        runs: Names of the runs.
        data: The data set.
        split: Which of its pictures.
        pictures: These pictures in order, `(uint8 (resize_size, resize_size, 3), label)`.
        by_views: Probabilities `(pictures, classes)` by the number of views, classes in the order of the data set.
        labels: Integers `(pictures,)`.
    """

    runs: tuple[str, ...]
    data: Dataset
    split: str
    pictures: tf.data.Dataset
    by_views: dict[int, np.ndarray]
    labels: np.ndarray

    @property
    def best(self) -> np.ndarray:
        """The probabilities from the most views."""
        return self.by_views[max(self.by_views)]

    def mistakes(self) -> list[dict[str, str | float]]:
        """Return the pictures for which the most probable class is wrong, the most probable first.

        Each has `picture`, its path relative to the folder of the data; `class`; `predicted`, with its `probability`;
        and `path`. The list is empty where the pictures are not files of the user's.
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
                "picture": os.path.relpath(paths[n], self.data.root),
                "class": names[self.labels[n]],
                "predicted": names[predicted[n]],
                "probability": float(probability[n]),
                "path": paths[n],
            }
            for n in wrong[np.argsort(-probability[wrong], kind="stable")]
        ]

    def numbers(self) -> dict[str, Any]:
        """Return all measures, as they are saved in a run's folder; errors by class are those of the most views."""
        return {
            "runs": self.runs,
            "data": self.data.describe(),
            "split": self.split,
            "pictures": len(self.labels),
            **{views_key(views): metrics.measure(shares, self.labels) for views, shares in self.by_views.items()},
            "classes": metrics.class_errors(self.best, self.labels, self.data.class_names),
        }


def evaluate_runs(runs: Sequence[Run], data: Dataset, split: str, views: int = 10) -> list[Evaluation]:
    """Evaluate runs one by one, and several of them also as an ensemble that averages their probabilities.

    Each result is saved in its run's folder as `evaluation-<split>.json`, with the name of the data set where that is
    not the run's own. An ensemble's result is saved as `ensemble-<split>.json` in the folder of the first run.

    Args:
        runs: The runs to evaluate.
        data: Pictures of the classes that the runs were trained on; the classes may be in another order.
        split: One of `SPLITS`.
        views: 1, or 10 for the results of one view and of ten.

    Returns:
        One evaluation for each run, and one more for the ensemble if there are several runs.

    Raises:
        ValueError: If a run has no network yet, the classes differ, the split is missing or empty, or a run may have
            been trained on some of these pictures.
        OSError: If pictures cannot be read.

    Source: section 6, table 2: "averaging the predictions of five similar CNNs".
    """
    pictures = pictures_of(data, split)
    for run in runs:  # check all of them before the first evaluation
        network_file(run)
        class_positions(run.read_classes(), data.class_names)
        trained_on = identity_of(run.read_data())
        if may_share_training_pictures(trained_on, data.identity, split):
            raise ValueError(
                f"The {split} split may hold pictures that {run.folder} was trained on. Expected the same files and "
                f"splits: {trained_on.name} ({trained_on.splits_in_words}). Received: {data.describe()}"
            )
    resized, evaluations = {}, []
    for run in runs:
        size = run.read_recipe().resize_size
        if size not in resized:
            resized[size] = pipeline.resize_pictures(pictures, size)
        evaluations.append(evaluate_run(run, data, split, resized[size], views))
    if len(runs) > 1:
        evaluations.append(_ensemble(evaluations))
        runs[0].write_json(f"ensemble-{stem(runs[0], data, split)}.json", evaluations[-1].numbers())
    return evaluations


def evaluate_run(
    run: Run,
    data: Dataset,
    split: str,
    pictures: tf.data.Dataset,
    views: int = 10,
    classifier: Classifier | None = None,
) -> Evaluation:
    """Evaluate one run, as `evaluate_runs` does, on pictures that are already resized.

    Args:
        run: The run to evaluate.
        data: A data set of the run's classes.
        split: The name of the split that the pictures come from.
        pictures: What `pipeline.resize_pictures` returns for the resize size of the run's recipe.
        views: 1, or 10 for the results of one view and of ten.
        classifier: The run's network, if it is loaded already; by default it is loaded here.

    Raises:
        ValueError: If the run has no network yet, or its classes differ from those of the data.
        OSError: If pictures cannot be read.
    """
    classifier = classifier or Classifier.of_run(run)
    order = class_positions(classifier.class_names, data.class_names)
    batches = tqdm.tqdm(
        classifier.batches(pictures, views), desc=f"evaluating {run.folder.name}", leave=False, disable=None
    )
    with errors.reading(data.name):
        by_views, labels = probabilities(classifier.model, batches)
    in_order = {number: shares[:, order] for number, shares in by_views.items()}
    evaluation = Evaluation((run.folder.name,), data, split, pictures, in_order, labels)
    name = stem(run, data, split)
    run.write_json(f"evaluation-{name}.json", evaluation.numbers())
    if data.paths:
        run.write_mistakes(name, evaluation.mistakes())
    return evaluation


def _ensemble(evaluations: Sequence[Evaluation]) -> Evaluation:
    names = tuple(name for evaluation in evaluations for name in evaluation.runs)
    averaged = {
        views: np.mean([each.by_views[views] for each in evaluations], axis=0) for views in evaluations[0].by_views
    }
    return dataclasses.replace(evaluations[0], runs=names, by_views=averaged)


def stem(run: Run, data: Dataset, split: str) -> str:
    """Return the part of a file's name that says which pictures it is about.

    This is the split, such as "test". Where the data set is not the run's own, its name comes first:
    "my_flowers-test".
    """
    own = run.read_options().dataset
    return split if data.name == own or data.name.startswith(f"{own} ") else f"{slug(data.name)}-{split}"


def slug(name: str) -> str:
    """Return a name in characters that are safe in a file's name.

    Example:
        >>> slug("/home/me/My flowers:2"), slug("cifar10 3.0.2")
        ('My-flowers-2', 'cifar10-3.0.2')
    """
    return re.sub(r"[^\w.-]+", "-", pathlib.PurePath(name).name)
