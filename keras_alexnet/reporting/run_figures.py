"""The figures of a run: learning curves, kernels, predictions, neighbors and confusion (paper section 6)."""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure

from keras_alexnet.data.datasets import Dataset
from keras_alexnet.evaluation import evaluate, features, neighbors, switched_off
from keras_alexnet.evaluation.classifier import Classifier
from keras_alexnet.evaluation.evaluate import Evaluation
from keras_alexnet.plotting import charts, figures, panels
from keras_alexnet.reporting.report import EVALUATION_FIGURES
from keras_alexnet.runs import Run

PANEL_PICTURES = 8  # ours: pictures in a panel
QUERIES, NEIGHBORS = 5, 6  # the rows and columns of figure 4


def draw(run: Run, evaluation: Evaluation | None, classifier: Classifier | None = None) -> None:
    """Draw all figures of a run into its folder.

    The figures are `curves.png`, `kernels.png`, and for the evaluated split `<split>-confusion.png`,
    `<split>-right.jpg` and `<split>-wrong.jpg` (the most confident mistakes). For the data that the run was trained on,
    there is also `<split>-neighbors.jpg` (the training pictures with the nearest features).

    Args:
        run: The run.
        evaluation: The run's evaluation, or None for the first two figures only.
        classifier: The run's network if it is already loaded; None to load it.

    Raises:
        ValueError: If the run has no network yet.

    Source: section 6.1, figures 3 and 4.
    """
    classifier = classifier or Classifier.from_run(run)
    drawn = _of_training(run, classifier.model)
    if evaluation:
        stem = evaluate.stem(run, evaluation.data, evaluation.split)
        has_training_pictures = stem == evaluation.split and "train" in evaluation.data.splits
        found = _of_evaluation(classifier, evaluation, has_training_pictures)
        drawn |= {f"{stem}-{name}": figure for name, figure in found.items()}
        for name in set(EVALUATION_FIGURES) - found.keys():  # of an earlier evaluation with other results
            (run.figures / f"{stem}-{name}").unlink(missing_ok=True)
    run.figures.mkdir(exist_ok=True)
    for name, figure in drawn.items():
        figures.save(figure, run.figures / name)


def _of_training(run: Run, model: keras.Model) -> dict[str, Figure]:
    kernels = features.first_kernels(model)
    drawn = {"kernels.png": figures.kernels(kernels, switched_off.towers(model))}
    rows = run.read_log()
    return drawn | ({"curves.png": charts.learning_curves(rows)} if rows else {})


def _of_evaluation(classifier: Classifier, evaluation: Evaluation, has_training_pictures: bool) -> dict[str, Figure]:
    names, labels = evaluation.data.class_names, evaluation.labels
    drawn = {"confusion.png": panels.confusion(confusions(evaluation), names)}
    right, wrong, queries = right_indices(evaluation), wrong_indices(evaluation), query_indices(evaluation)
    pictures = pictures_at(evaluation.pictures, np.concatenate([right, wrong, queries]))
    for kind, indices in (("right", right), ("wrong", wrong)):
        if len(indices):
            shown = [pictures[index] for index in indices]
            drawn[f"{kind}.jpg"] = panels.predictions(shown, evaluation.best[indices], names, labels[indices])
    if has_training_pictures:
        asked = [pictures[index] for index in queries]
        drawn["neighbors.jpg"] = _neighbors(classifier, evaluation.data, asked, labels[queries])
    return drawn


def confusions(evaluation: Evaluation) -> np.ndarray:
    """Count the pictures by correct class (row) and predicted class (column): integers `(classes, classes)`."""
    classes = evaluation.best.shape[1]
    pairs = evaluation.labels * classes + evaluation.best.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def right_indices(evaluation: Evaluation) -> np.ndarray:
    """Return the indices of the first pictures that are classified correctly, one per class."""
    right = np.flatnonzero(evaluation.best.argmax(axis=1) == evaluation.labels)
    return _of_different_classes(right, evaluation.labels, PANEL_PICTURES)


def wrong_indices(evaluation: Evaluation) -> np.ndarray:
    """Return the indices of the most confident mistakes."""
    wrong = np.flatnonzero(evaluation.best.argmax(axis=1) != evaluation.labels)
    return wrong[np.argsort(-evaluation.best[wrong].max(axis=1), kind="stable")[:PANEL_PICTURES]]


def query_indices(evaluation: Evaluation) -> np.ndarray:
    """Return the indices of the first pictures, one per class."""
    return _of_different_classes(np.arange(len(evaluation.labels)), evaluation.labels, QUERIES)


def _of_different_classes(indices: np.ndarray, labels: np.ndarray, count: int) -> np.ndarray:
    _, first = np.unique(labels[indices], return_index=True)
    return indices[np.sort(first)[:count]]


def pictures_at(pictures: tf.data.Dataset, indices: Sequence[int] | np.ndarray) -> dict[int, np.ndarray]:
    """Return the pictures at some indices of a data set, by index, in one pass.

    Args:
        pictures: A data set of `(uint8 (resize_size, resize_size, 3), label)`.
        indices: Integers of any shape.
    """
    wanted = set(np.ravel(indices).tolist())
    return {n: picture for n, (picture, _) in enumerate(pictures.as_numpy_iterator()) if n in wanted}


def _neighbors(classifier: Classifier, data: Dataset, queries: Sequence[np.ndarray], labels: np.ndarray) -> Figure:
    """Draw pictures with their nearest training pictures, without the query itself."""
    corpus = neighbors.TrainingPictures.read(data.splits["train"], classifier)
    asked = tf.data.Dataset.from_tensor_slices((np.stack(queries), labels))
    rows, row_labels = [], []
    for query, descriptor in zip(queries, features.descriptors(classifier, asked), strict=True):
        pictures, their_labels = corpus.nearest(descriptor, NEIGHBORS + 1)
        others = slice(1, None) if (pictures[0] == query).all() else slice(-1)
        rows.append(pictures[others])
        row_labels.append(their_labels[others])
    return panels.neighbors(queries, rows, labels, np.stack(row_labels), data.class_names)
