"""What a network says of pictures, how often it is wrong, and ensembles of networks (paper sections 4.1 and 6)."""

import dataclasses
import pathlib
import re

import numpy as np
import tensorflow as tf
import tqdm
from scipy import special

from keras_alexnet.data import errors, pipeline
from keras_alexnet.data.datasets import Dataset
from keras_alexnet.data.identity import identity_of, may_share_training_pictures
from keras_alexnet.evaluation import metrics
from keras_alexnet.evaluation.classifier import Classifier, network_file, outputs_logits

CENTRAL = 4  # the place of the central crop among `augment.ten_crops`
SPLITS = ("train", "validation", "test", "all")


def probabilities(model, batches):
    """The network's probabilities for every picture, of one view and averaged over ten.

    Ten views hold the central one, so both results come from one pass.

    Args:
        model: A `keras.Model` that gives probabilities, or logits.
        batches: Iterable of `(views, label)` as `pipeline.evaluation_batches` gives it: views float32
            `(batch, size, size, 3)`, or `(batch, 10, size, size, 3)` for ten views a picture.

    Returns:
        Float32 `(pictures, classes)` by the number of views: `{1: ...}`, or `{1: ..., 10: ...}` for ten views; and the
        integer labels `(pictures,)`.

    Source: section 4.1, "averaging the predictions made by the network's softmax layer on the ten patches".
    """
    none = np.empty((0, model.output_shape[-1]), np.float32)
    central, averaged, labels = [none], [], [np.empty(0, np.int64)]
    finish = (lambda logits: special.softmax(logits, axis=-1)) if outputs_logits(model) else np.asarray
    for views, label in batches:
        views = np.asarray(views)
        outputs = finish(np.asarray(model.predict_on_batch(views.reshape(-1, *views.shape[-3:]))))
        if views.ndim == 5:
            outputs = outputs.reshape(*views.shape[:2], -1)
            averaged.append(outputs.mean(axis=1))
            outputs = outputs[:, CENTRAL]
        central.append(outputs)
        labels.append(np.asarray(label))
    by_views = {1: np.concatenate(central)} | ({10: np.concatenate(averaged)} if averaged else {})
    return by_views, np.concatenate(labels)


def views_key(views):
    """The key of a number of views in the files of results.

    Example:
        >>> views_key(1), views_key(10)
        ('1_view', '10_views')
    """
    return f"{views}_view{'s' * (views > 1)}"


def pictures_of(data, split):
    """The pictures of a split, or of all of them together.

    Args:
        data: A `datasets.Dataset`.
        split: Of `SPLITS`; "all" joins what splits there are, for data of which nothing was trained on.

    Raises:
        ValueError: If the data set has no such split, or there is nothing in it.
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


def columns(class_names, wanted):
    """Where the classes of a data set stand among a network's outputs: two folders may sort the same names otherwise.

    Args:
        class_names: Names of the network's outputs.
        wanted: Names of the data set's classes.

    Returns:
        A list of integers, one for each of `wanted`.

    Raises:
        ValueError: If these are not the same names.

    Example:
        >>> columns(("rose", "daisy"), wanted=("daisy", "rose"))
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
    place = {name: n for n, name in enumerate(class_names)}
    return [place[name] for name in wanted]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """What a run, or an ensemble of runs, said of the pictures of a split.

    Attributes:
        runs: Names of the runs.
        data: The `datasets.Dataset`.
        split: Which of its pictures.
        squares: These pictures, `(uint8 (side, side, 3), label)` in their order.
        by_views: Probabilities `(pictures, classes)` by the number of views, classes in the order of the data set.
        labels: Integers `(pictures,)`.
    """

    runs: tuple[str, ...]
    data: Dataset
    split: str
    squares: tf.data.Dataset
    by_views: dict[int, np.ndarray]
    labels: np.ndarray

    @property
    def best(self):
        """The probabilities of the most views."""
        return self.by_views[max(self.by_views)]

    def numbers(self):
        """All that is measured, as it is kept in a run's folder; the errors by class are those of the most views."""
        return {
            "runs": self.runs,
            "data": self.data.describe(),
            "split": self.split,
            "pictures": len(self.labels),
            **{views_key(views): metrics.measure(shares, self.labels) for views, shares in self.by_views.items()},
            "classes": metrics.class_errors(self.best, self.labels, self.data.class_names),
        }


def evaluate_runs(runs, data, split, views=10):
    """Judges runs one by one, and several of them together as an ensemble, whose probabilities are averaged.

    Each run's result is kept in its folder as `evaluation-<split>.json` (with the name of the data set where that is
    not the run's own), an ensemble's as `ensemble-<split>.json` in the folder of the first run.

    Args:
        runs: List of `runs.Run`.
        data: A `datasets.Dataset` of the classes that the runs were trained on, in any order.
        split: Of `SPLITS`.
        views: 1, or 10 for both numbers of views.

    Returns:
        A `Evaluation` of each run, and one more of the ensemble where there are several runs.

    Raises:
        ValueError: If a run has no network yet, the classes differ, there are no such pictures, or a run was trained
            on the same data in other splits, and so on some of the pictures.
        OSError: If pictures cannot be read.

    Source: section 6, table 2: "averaging the predictions of five similar CNNs".
    """
    pictures = pictures_of(data, split)
    for run in runs:  # before the first is shown a picture
        network_file(run)
        columns(run.read_classes(), data.class_names)
        trained_on = identity_of(run.read_data())
        if may_share_training_pictures(trained_on, data.identity, split):
            raise ValueError(
                f"The {split} split may hold pictures that {run.folder} was trained on. Expected the same files and "
                f"splits: {trained_on.name} ({trained_on.splits_in_words}). Received: {data.describe()}"
            )
    squares, evaluations = {}, []
    for run in runs:
        side = run.read_recipe().resize_size
        if side not in squares:
            squares[side] = pipeline.resize_pictures(pictures, side)
        evaluations.append(evaluate_run(run, data, split, squares[side], views))
    if len(runs) > 1:
        evaluations.append(_ensemble(evaluations))
        runs[0].write_json(f"ensemble-{stem(runs[0], data, split)}.json", evaluations[-1].numbers())
    return evaluations


def evaluate_run(run, data, split, squares, views=10):
    """Judges one run, like `evaluate_runs`, by pictures that are square already.

    Args:
        run: A `runs.Run`.
        data: A `datasets.Dataset` of the run's classes.
        split: The name of the split that the squares are of.
        squares: `tf.data.Dataset` as `pipeline.resize_pictures` gives it, of the side that the run's recipe has.
        views: 1, or 10 for both numbers of views.

    Returns:
        A `Evaluation`.

    Raises:
        OSError: If pictures cannot be read.
    """
    classifier = Classifier.of_run(run)
    batches = tqdm.tqdm(classifier.batches(squares, views), desc=f"judging {run.folder.name}", leave=False)
    with errors.reading(data.name):
        by_views, labels = probabilities(classifier.model, batches)
    order = columns(classifier.class_names, data.class_names)
    in_order = {number: shares[:, order] for number, shares in by_views.items()}
    evaluation = Evaluation((run.folder.name,), data, split, squares, in_order, labels)
    run.write_json(f"evaluation-{stem(run, data, split)}.json", evaluation.numbers())
    return evaluation


def _ensemble(evaluations):
    names = tuple(name for evaluation in evaluations for name in evaluation.runs)
    together = {
        views: np.mean([each.by_views[views] for each in evaluations], axis=0) for views in evaluations[0].by_views
    }
    return dataclasses.replace(evaluations[0], runs=names, by_views=together)


def stem(run, data, split):
    """What the files about a split are called: by the split, and by the data set where that is not the run's own.

    Args:
        run: A `runs.Run`.
        data: A `datasets.Dataset`.
        split: Of `SPLITS`.

    Returns:
        A part of a file's name: "test", "my_flowers-test".
    """
    own = run.read_options().dataset
    return split if data.name == own or data.name.startswith(f"{own} ") else f"{slug(data.name)}-{split}"


def slug(name):
    """A name as part of a file's name.

    Example:
        >>> slug("/home/me/My flowers:2"), slug("cifar10 3.0.2")
        ('My-flowers-2', 'cifar10-3.0.2')
    """
    return re.sub(r"[^\w.-]+", "-", pathlib.PurePath(name).name)
