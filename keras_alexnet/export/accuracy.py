"""The accuracy that an export loses when it stores its weights in fewer bytes."""

import dataclasses
from collections.abc import Callable, Iterable

import numpy as np

from keras_alexnet.data import pipeline
from keras_alexnet.data.datasets import Dataset
from keras_alexnet.evaluation.classifier import BATCH_SIZE, Classifier
from keras_alexnet.evaluation.evaluate import class_positions, pictures_of
from keras_alexnet.text import percent

LARGEST_INCREASE = 0.01  # ours: of the top-1 error; an export that loses more is refused
MOST_PICTURES = 1000  # ours: takes half a minute at 227 pixels on two cores

Function = Callable[[np.ndarray], np.ndarray]
Batches = Iterable[tuple[np.ndarray, np.ndarray]]


@dataclasses.dataclass(frozen=True)
class Accuracy:
    """The top-1 errors of a network and of its export, for one crop of each picture.

    Attributes:
        pictures: Number of pictures.
        network: The error of the network in float32, from 0 to 1.
        export: The error of the export.
    """

    pictures: int
    network: float
    export: float

    def check(self, precision: str) -> None:
        """Check that the error of the export is not much higher.

        Raises:
            ValueError: If it is higher by more than `LARGEST_INCREASE`, and by more than one picture.
        """
        more_errors = round((self.export - self.network) * self.pictures)
        if more_errors > max(1, LARGEST_INCREASE * self.pictures):  # one picture may change in a small data set
            raise ValueError(
                f"Expected a top-1 error at most {100 * LARGEST_INCREASE:g} point higher than the network's. "
                f"Received: {precision} weights with {percent(self.export)} instead of {percent(self.network)}, on "
                f"{self.pictures} pictures; nothing was written"
            )


def labeled_crops(classifier: Classifier, data: Dataset) -> Batches:
    """Return batches of the first validation pictures, cropped for an exported network.

    Args:
        classifier: The network, which determines the size of the crops and the order of the classes.
        data: The data set.

    Returns:
        Batches of central crops, uint8 `(batch, size, size, 3)`, and positions of the classes among the outputs, of
        `MOST_PICTURES` pictures at most.

    Raises:
        ValueError: If the classes differ, or there are no validation pictures.
    """
    outputs = np.array(class_positions(classifier.class_names, data.class_names))  # by label
    recipe = classifier.recipe
    pictures = pipeline.resize_pictures(pictures_of(data, "validation").take(MOST_PICTURES), recipe.resize_size)
    start = (recipe.resize_size - recipe.crop_size) // 2
    center = slice(start, start + recipe.crop_size)
    batches = pictures.batch(BATCH_SIZE).as_numpy_iterator()
    return ((images[:, center, center], outputs[labels]) for images, labels in batches)


def measure(network: Function, exported: Function, batches: Batches) -> Accuracy:
    """Classify the same pictures with a network and with its export.

    Args:
        network: Returns probabilities `(batch, classes)` for uint8 crops `(batch, size, size, 3)`.
        exported: The same from the exported file.
        batches: Crops and labels from `labeled_crops`.
    """
    wrong, count = np.zeros(2), 0
    for images, labels in batches:
        wrong += [(function(images).argmax(1) != labels).sum() for function in (network, exported)]
        count += len(labels)
    return Accuracy(count, *(wrong / count).tolist())
