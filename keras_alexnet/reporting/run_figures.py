"""The figures of a run: its curves and kernels, and what its network says of pictures (paper section 6)."""

import numpy as np
import tensorflow as tf

from keras_alexnet.data import pipeline
from keras_alexnet.evaluation import evaluate, features
from keras_alexnet.evaluation.classifier import Classifier
from keras_alexnet.plotting import charts, figures, panels

SHOWN = 8  # ours: pictures in a panel
QUERIES, NEIGHBORS = 5, 6  # the rows and columns of figure 4
CORPUS = 2000  # ours: training pictures at most among which neighbours are looked for


def draw(run, evaluation):
    """Draws all figures of a run into its folder.

    They are `curves.png`, `kernels.png`, and of the split that was judged `<split>-confusion.png`, `<split>-right.jpg`,
    `<split>-wrong.jpg` (what the network is most confidently wrong about) and `<split>-neighbors.jpg` (the training
    pictures whose descriptors lie nearest).

    Args:
        run: A `runs.Run`.
        evaluation: Its `evaluate.Evaluation`, or None where nothing was judged: then the first two alone.

    Source: section 6.1, figures 3 and 4.
    """
    classifier = Classifier.of_run(run)
    drawn = _of_training(run, classifier.model)
    if evaluation:
        stem = evaluate.stem(run, evaluation.data, evaluation.split)
        drawn |= {f"{stem}-{name}": figure for name, figure in _of_judgement(classifier, evaluation).items()}
    run.figures.mkdir(exist_ok=True)
    for name, figure in drawn.items():
        figures.save(figure, run.figures / name)


def _of_training(run, model):
    kernels = features.first_kernels(model)
    drawn = {"kernels.png": figures.kernels(kernels, towers=2 - kernels.shape[-1] % 2)}
    rows = run.read_log()
    return drawn | ({"curves.png": charts.learning_curves(rows)} if rows else {})


def _of_judgement(classifier, evaluation):
    names, labels = evaluation.data.class_names, evaluation.labels
    drawn = {"confusion.png": panels.confusion(confusions(evaluation), names)}
    right, wrong, queries = right_places(evaluation), wrong_places(evaluation), query_places(evaluation)
    pictures = pictures_at(evaluation.pictures, np.concatenate([right, wrong, queries]))
    for kind, places in (("right", right), ("wrong", wrong)):
        if len(places):
            shown = [pictures[place] for place in places]
            drawn[f"{kind}.jpg"] = panels.predictions(shown, evaluation.best[places], names, labels[places])
    if "train" in evaluation.data.splits:
        asked = [pictures[place] for place in queries]
        drawn["neighbors.jpg"] = _neighbors(classifier, evaluation.data, asked, labels[queries])
    return drawn


def confusions(evaluation):
    """How many pictures of each class (row) are taken for each class (column), integers `(classes, classes)`."""
    classes = evaluation.best.shape[1]
    pairs = evaluation.labels * classes + evaluation.best.argmax(axis=1)
    return np.bincount(pairs, minlength=classes**2).reshape(classes, classes)


def right_places(evaluation):
    """Places of the first pictures that the network is right about, one a class."""
    right = np.flatnonzero(evaluation.best.argmax(axis=1) == evaluation.labels)
    return _of_different_classes(right, evaluation.labels, SHOWN)


def wrong_places(evaluation):
    """Places of the pictures that the network is wrong about with most confidence."""
    wrong = np.flatnonzero(evaluation.best.argmax(axis=1) != evaluation.labels)
    return wrong[np.argsort(-evaluation.best[wrong].max(axis=1), kind="stable")[:SHOWN]]


def query_places(evaluation):
    """Places of the first pictures, one a class."""
    return _of_different_classes(np.arange(len(evaluation.labels)), evaluation.labels, QUERIES)


def _of_different_classes(places, labels, count):
    _, first = np.unique(labels[places], return_index=True)
    return places[np.sort(first)[:count]]


def pictures_at(squares, places):
    """The pictures at some places of a data set, by place, in one pass.

    Args:
        squares: `tf.data.Dataset` of `(uint8 (resize_size, resize_size, 3), label)`.
        places: Integers.

    Returns:
        A mapping to arrays `(side, side, 3)`.
    """
    wanted = set(np.ravel(places).tolist())
    return {n: square for n, (square, _) in enumerate(squares.as_numpy_iterator()) if n in wanted}


def _neighbors(classifier, data, queries, labels):
    """Pictures, each with the training pictures nearest to it; one that is a training picture itself is left out."""
    corpus = pipeline.resize_pictures(data.splits["train"].take(CORPUS), classifier.recipe.resize_size)
    corpus_labels = np.array([label for _, label in corpus.as_numpy_iterator()])
    asked = tf.data.Dataset.from_tensor_slices((np.stack(queries), labels))
    descriptors = np.split(features.descriptors(classifier, asked.concatenate(corpus)), [len(queries)])  # in one pass
    found = features.nearest(*descriptors, min(NEIGHBORS + 1, len(corpus_labels)))
    pictures = pictures_at(corpus, found)
    others = [
        row[1:] if (pictures[row[0]] == query).all() else row[:-1] for row, query in zip(found, queries, strict=True)
    ]
    rows = [[pictures[place] for place in row] for row in others]
    return panels.neighbors(queries, rows, labels, corpus_labels[np.array(others)], data.class_names)
