"""Classify picture files (paper section 6.1)."""

import pathlib
import sys
import typing
from collections.abc import Sequence

import tensorflow as tf
import tqdm

from keras_alexnet.arguments import check_path
from keras_alexnet.data import decoding, errors
from keras_alexnet.evaluation import evaluate, predictions
from keras_alexnet.evaluation.classifier import Classifier, check_classifier
from keras_alexnet.evaluation.predictions import PANEL_PICTURE_SIZE, PANEL_PICTURES, Prediction

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure


@tf.autograph.experimental.do_not_convert
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
        ValueError: If it cannot be decoded, or has more than `rewriting.MAX_PIXELS` pixels.
    """
    try:
        decoding.check(file)
    except ValueError as error:
        raise ValueError(f"Expected a picture. Received: {pathlib.Path(file).name}: {error}") from error
    return tf.constant(_contents(str(file).encode()))


def _contents(path: bytes) -> bytes:
    contents = pathlib.Path(path.decode()).read_bytes()
    return decoding.rewrite(contents) if decoding.needs_rewriting(path.decode()) else contents


def _problem(file: pathlib.Path) -> str:
    """Return why a picture was skipped."""
    try:
        with errors.libjpeg_warnings():
            decoding.check(file)
    except ValueError as error:
        return str(error)
    return "reading it failed once, but works now: run the command again"


def predict(classifier: Classifier, files: Sequence[str | pathlib.Path], views: int = 10) -> list[Prediction]:
    """Classify picture files, many at a time.

    Args:
        classifier: The network.
        files: Paths of pictures; `picture_files.picture_files` finds those in folders.
        views: 1, or 10 to average over ten crops.

    Returns:
        One prediction for each file.

    Raises:
        TypeError: If `classifier` is no `Classifier`, or `files` is no list of paths.

    Source: section 4.1.
    """
    if isinstance(files, (str, pathlib.Path)):
        raise TypeError(f"`files` must be a list of paths. Received: {files!r}")
    check_classifier(classifier)
    for n, file in enumerate(files):
        check_path(f"files[{n}]", file)
    files = [*map(pathlib.Path, files)]
    resize_size = classifier.recipe.resize_size
    batches = tqdm.tqdm(
        classifier.batches(resized_pictures(files, resize_size), views), desc="predicting", leave=False, disable=None
    )
    with errors.libjpeg_warnings() as lines:
        by_views, indices = evaluate.probabilities(classifier.model, batches)
    if lines:  # several may be about one picture
        print(f"Some pictures were decoded as far as possible. libjpeg's first warning: {lines[0]}", file=sys.stderr)
    probabilities = dict(zip(indices.tolist(), by_views[max(by_views)], strict=True))
    return [
        Prediction(
            file,
            predictions.label_of(file, classifier.class_names),
            probabilities.get(index),
            None if index in probabilities else _problem(file),
        )
        for index, file in enumerate(files)
    ]


def panel(readable: Sequence[Prediction], class_names: Sequence[str]) -> "Figure":
    """Draw the first `PANEL_PICTURES` pictures with their most probable classes, see `predictions.panel`.

    Args:
        readable: Predictions of pictures that can be read.
        class_names: In the order of the network's outputs.
    """
    resized = resized_pictures([each.file for each in readable[:PANEL_PICTURES]], PANEL_PICTURE_SIZE)
    return predictions.panel([picture for picture, _ in resized.as_numpy_iterator()], readable, class_names)
