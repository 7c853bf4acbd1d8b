"""Classify a few picture files without TensorFlow, whose import takes longer (paper section 6.1).

The answers are those of `predict`. A function returns None for what only Keras or TensorFlow can do or explain, such as
a network with other layers, or a picture that cannot be read.

Two things differ. Pillow decodes damaged JPEG data as TensorFlow does, but does not report them. And a network in mixed
precision is computed in float32: for 230 photographs, no class changed, and no probability by more than 0.008.
"""

import json
import pathlib
import typing
import zipfile
from collections.abc import Sequence

from keras_alexnet.data import pipeline_in_numpy
from keras_alexnet.evaluation import predictions
from keras_alexnet.evaluation.classifier import Classifier
from keras_alexnet.evaluation.predictions import PANEL_PICTURE_SIZE, PANEL_PICTURES, Prediction
from keras_alexnet.models.network_in_numpy import NumpyNetwork
from keras_alexnet.weights.keras import read_keras

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST_CROPS = 200  # ours: at 500 to 700, the speed of TensorFlow makes up for its import


def load(path: pathlib.Path) -> Classifier | None:
    """Open the network of a run folder or of a `.keras` file.

    Returns:
        A classifier with a `NumpyNetwork`, or None if only Keras can load it, or can say why it cannot be loaded.
    """
    try:
        return Classifier.open(path, _open)
    except Exception:  # Keras says what is wrong with a file
        return None


def _open(path):
    with zipfile.ZipFile(path) as archive:
        config = json.loads(archive.read("config.json"))
    return NumpyNetwork(config, lambda: read_keras(path).arrays)


def predict(classifier: Classifier, files: Sequence[pathlib.Path], views: int = 10) -> list[Prediction] | None:
    """Classify picture files, one after another.

    Args:
        classifier: The result of `load`.
        files: Paths, from `picture_files.picture_files`.
        views: 1, or 10 to average over ten crops.

    Returns:
        One prediction for each file; or None if there are more than `MOST_CROPS` crops, or a picture cannot be decoded.

    Source: section 4.1.
    """
    if len(files) * views > MOST_CROPS:
        return None
    try:
        return [_predict_one(classifier, file, views) for file in files]
    except Exception:  # TensorFlow says what is wrong with a picture, and Keras with the arrays of a network
        return None


def _predict_one(classifier, file, views):
    image = pipeline_in_numpy.load_resized(file, classifier.recipe.resize_size)
    crops = pipeline_in_numpy.views_of(image, classifier.statistics, classifier.recipe, views)
    probabilities = classifier.model(crops).mean(axis=0)  # (views, classes) to (classes,)
    return Prediction(file, predictions.label_of(file, classifier.class_names), probabilities)


def panel(readable: Sequence[Prediction], class_names: Sequence[str]) -> "Figure":
    """Draw the first `PANEL_PICTURES` pictures with their most probable classes, see `predictions.panel`.

    Args:
        readable: Predictions of pictures that can be read.
        class_names: In the order of the network's outputs.
    """
    pictures = [pipeline_in_numpy.load_resized(each.file, PANEL_PICTURE_SIZE) for each in readable[:PANEL_PICTURES]]
    return predictions.panel(pictures, readable, class_names)
