"""Classify picture files (paper section 6.1)."""

import dataclasses
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
import tensorflow as tf
import tqdm
from matplotlib.figure import Figure

from keras_alexnet.data import decoding, errors
from keras_alexnet.evaluation import evaluate, metrics
from keras_alexnet.evaluation.classifier import Classifier
from keras_alexnet.plotting import panels

SHOWN = 16  # ours: pictures in a panel
SHOWN_SIZE = 256  # pixels


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A network's prediction for one picture file.

    Attributes:
        file: Path of the picture.
        label: Index of the correct class if the picture is in a folder of that name, else None.
        probabilities: Float32 `(classes,)`, or None if the picture cannot be read.
        problem: Why the picture cannot be read, or None.
    """

    file: pathlib.Path
    label: int | None
    probabilities: np.ndarray | None = None
    problem: str | None = None

    def best(self, class_names: Sequence[str], top: int = 5) -> list[dict[str, Any]]:
        """Return the most probable classes, each with `class`, `probability` and, if the label is known, `right`.

        Example:
            >>> Prediction(pathlib.Path("a.jpg"), None, np.array([0.25, 0.75])).best(("daisy", "rose"), top=1)
            [{'class': 'rose', 'probability': 0.75}]
        """
        order = np.argsort(-self.probabilities, kind="stable")[:top]
        return [
            {"class": class_names[n], "probability": float(self.probabilities[n])}
            | ({} if self.label is None else {"right": bool(n == self.label)})
            for n in order
        ]


def resized_pictures(files: Sequence[pathlib.Path], resize_size: int) -> tf.data.Dataset:
    """Read and resize picture files; skip those that cannot be read.

    Returns:
        A data set of `(uint8 (resize_size, resize_size, 3), index)`; the index is the position among `files`.
    """

    def load(index, path):
        contents = tf.ensure_shape(tf.numpy_function(_contents, [path], tf.string), ())
        return decoding.load_resized(contents, resize_size), index

    numbered = tf.data.Dataset.from_tensor_slices([str(file) for file in files]).enumerate()
    return numbered.map(load, tf.data.AUTOTUNE).ignore_errors()


def read_picture(file: str | pathlib.Path) -> tf.Tensor:
    """Read a picture file for `decoding.load_resized`.

    Returns:
        Scalar string, the bytes of a picture that has been decoded once.

    Raises:
        ValueError: If it cannot be decoded, or has more than `decoding.MAX_PIXELS` pixels.
    """
    reason = decoding.check(file)
    if isinstance(reason, str):
        raise ValueError(f"Expected a picture. Received: {pathlib.Path(file).name}: {reason}")
    return tf.constant(_contents(str(file).encode()))


def _contents(path: bytes) -> bytes:
    contents = pathlib.Path(path.decode()).read_bytes()
    return decoding.rewrite(contents) if decoding.needs_rewriting(path.decode()) else contents


def _problem(file: pathlib.Path) -> str:
    """Return why a picture was skipped."""
    with errors.libjpeg_warnings():
        reason = decoding.check(file)
    return reason if isinstance(reason, str) else "reading it failed once, but works now: run the command again"


def predict(classifier: Classifier, files: Sequence[pathlib.Path], views: int = 10) -> list[Prediction]:
    """Classify picture files, many at a time.

    Args:
        classifier: The network.
        files: Paths, from `picture_files.picture_files`.
        views: 1, or 10 to average over ten views.

    Returns:
        One prediction for each file.

    Source: section 4.1.
    """
    resize_size = classifier.recipe.resize_size
    batches = tqdm.tqdm(
        classifier.batches(resized_pictures(files, resize_size), views), desc="predicting", leave=False, disable=None
    )
    with errors.libjpeg_warnings() as lines:
        by_views, indices = evaluate.probabilities(classifier.model, batches)
    if lines:
        count = f"{len(lines)} of {len(files)} pictures"
        print(f"Decoded damaged JPEG data as far as possible in {count}", file=sys.stderr)
    probabilities = dict(zip(indices.tolist(), by_views[max(by_views)], strict=True))
    labels = {name: n for n, name in enumerate(classifier.class_names)}
    return [
        Prediction(
            file,
            labels.get(file.absolute().parent.name),
            probabilities.get(index),
            None if index in probabilities else _problem(file),
        )
        for index, file in enumerate(files)
    ]


def summary(predictions: Sequence[Prediction]) -> str:
    """Return the number of pictures, the number of unreadable ones, and the accuracy if labels are known.

    The top-5 accuracy is left out if there are five classes or fewer.

    Example:
        >>> right = Prediction(pathlib.Path("rose/a.jpg"), 1, np.array([0.25, 0.75]))
        >>> summary([right, Prediction(pathlib.Path("rose/b.jpg"), 1, problem="truncated")])
        '2 pictures, 1 of them unreadable; top-1 accuracy 100.0 % (1 of 1)'
    """
    readable = [each for each in predictions if each.probabilities is not None]
    words = f"{len(predictions)} picture{'s' * (len(predictions) != 1)}"
    if len(readable) < len(predictions):
        words += f", {len(predictions) - len(readable)} of them unreadable"
    labeled = [each for each in readable if each.label is not None]
    if not labeled:
        return words
    probabilities = np.stack([each.probabilities for each in labeled])
    wrong = {
        k: metrics.is_beyond(probabilities, np.array([each.label for each in labeled]), k)
        for k in ((1, 5) if probabilities.shape[1] > 5 else (1,))
    }
    right = {k: len(labeled) - int(beyond.sum()) for k, beyond in wrong.items()}
    accuracies = (f"top-{k} accuracy {n / len(labeled):.1%} ({n} of {len(labeled)})" for k, n in right.items())
    return f"{words}; {', '.join(accuracies)}".replace("%", " %")


def panel(predictions: Sequence[Prediction], class_names: Sequence[str]) -> Figure:
    """Draw the first `SHOWN` pictures with their most probable classes.

    Args:
        predictions: Predictions of pictures that can be read.
        class_names: In the order of the network's outputs.

    Source: section 6.1, figure 4.
    """
    shown = predictions[:SHOWN]
    resized = resized_pictures([each.file for each in shown], SHOWN_SIZE)
    pictures = [picture for picture, _ in resized.as_numpy_iterator()]
    labels = [each.label for each in shown]
    return panels.predictions(pictures, np.stack([each.probabilities for each in shown]), class_names, labels)
