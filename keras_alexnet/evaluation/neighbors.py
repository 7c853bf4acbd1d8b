"""The training pictures that are nearest to another picture in the features of a network (paper section 6.1)."""

import dataclasses
from typing import Self

import numpy as np
import tensorflow as tf

from keras_alexnet.data import datasets, pipeline, sources
from keras_alexnet.evaluation import features
from keras_alexnet.evaluation.classifier import Classifier
from keras_alexnet.runs import Run

MAX_COMPARED = 2000  # ours: pictures that are compared; half a minute on two cores at 131 pixels, 130 MB


def training_split(run: Run, data_dir: str | None = None) -> tf.data.Dataset:
    """Return the training pictures of a run as `(picture, label)`. Nothing is downloaded.

    Args:
        run: The run.
        data_dir: Folder of TFDS; the default is that of the training.

    Raises:
        ValueError: If the run's data are not on this machine.
        OSError: If they cannot be read.
    """
    options = run.read_options()
    options = dataclasses.replace(options, data_dir=data_dir or options.data_dir)
    files = sources.files_for(options)
    if not datasets.is_available(options, files):
        raise ValueError(f"Expected data that were prepared on this machine. Received: {options.dataset}")
    return datasets.from_options(options, files).splits["train"]


@dataclasses.dataclass(frozen=True)
class TrainingPictures:
    """Training pictures with their descriptors, among which neighbors are found.

    Attributes:
        pictures: Resized, uint8 `(pictures, resize_size, resize_size, 3)`.
        labels: Their classes, `(pictures,)`.
        descriptors: Activations of the last hidden layer, float32 `(pictures, features)`.
    """

    pictures: np.ndarray
    labels: np.ndarray
    descriptors: np.ndarray

    @classmethod
    def read(cls, split: tf.data.Dataset, classifier: Classifier, most: int = MAX_COMPARED) -> Self:
        """Read the first pictures of a split and compute their descriptors.

        Args:
            split: Gives `(picture, label)`, as `training_split` returns it.
            classifier: The network that describes them.
            most: How many pictures to read.
        """
        resized = pipeline.resize_pictures(split.take(most), classifier.recipe.resize_size)
        pictures, labels = zip(*resized.as_numpy_iterator(), strict=True)
        return cls(np.stack(pictures), np.stack(labels), features.descriptors(classifier, resized))

    def nearest(self, descriptor: np.ndarray, count: int = 6) -> tuple[np.ndarray, np.ndarray]:
        """Return the pictures nearest to a descriptor, nearest first, and their classes.

        Args:
            descriptor: Shape `(features,)`.
            count: How many; all pictures if there are fewer.

        Returns:
            Uint8 `(count, resize_size, resize_size, 3)`, and integers `(count,)`.

        Source: section 6.1, figure 4.
        """
        (rows,) = features.nearest(descriptor[None], self.descriptors, min(count, len(self.labels)))
        return self.pictures[rows], self.labels[rows]
