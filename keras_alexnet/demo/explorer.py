"""One trained network and everything that the page shows of it, prepared once so that an answer takes one call."""

from __future__ import annotations

import concurrent.futures
import pathlib

import keras
import numpy as np
import tensorflow as tf
from matplotlib.figure import Figure
from PIL import Image

from keras_alexnet.data import augmentation, decoding, inputs
from keras_alexnet.data.errors import first_line
from keras_alexnet.evaluation import evaluate, features, neighbors, switched_off
from keras_alexnet.evaluation.classifier import Classifier
from keras_alexnet.plotting import figures, panels
from keras_alexnet.runs import Run

BAR_CLASSES = 5  # classes with bars
CLASS_MAPS = 3  # classes for which the page shows where the network looks
MAPS = 8  # maps of each layer
CROPS_PER_ROW = 5  # the ten are five and their mirror images


class Explorer:
    """One trained network and everything that the page shows of it.

    Pictures are uint8 `(resize_size, resize_size, 3)` as `resize` returns them. A part of the page is a figure, or a
    sentence that says why there is none.

    Args:
        name: What the page calls the network.
        classifier: The network.
        run: The run of the network, whose training pictures are searched for neighbors; None for a network file.
        data_dir: Folder of TFDS with the run's data; the default is that of the training.

    Attributes:
        name: What the page calls the network.
        classifier: The network.
    """

    def __init__(self, name: str, classifier: Classifier, run: Run | None = None, data_dir: str | None = None):
        self.name, self.classifier = name, classifier
        self._run, self._data_dir, self._reading = run, data_dir, None
        self._no_neighbors = "Neighbors need a run folder instead of a network file."
        model = classifier.model
        _check(model, name)
        self._layers = features.activity_layers(model)
        self._descriptor = model.layers[-2].name
        shown = dict.fromkeys([self._first_layer, *self._layers.values(), self._descriptor])
        self._inside = keras.Model(model.input, {name: model.get_layer(name).output for name in shown})
        self._class_map = features.class_mapper(model, [*self._layers.values()][-1])
        self._variants = self._switch_off()

    @classmethod
    def open(cls, path: str | pathlib.Path, data_dir: str | None = None) -> Explorer:
        """Load the network of a run folder or of a `.keras` file.

        Raises:
            ValueError: If there is none, or it cannot be read.
        """
        path = pathlib.Path(path)
        run = Run.open(path) if path.is_dir() else None
        return cls(path.absolute().name, Classifier.open(path), run, data_dir)

    @property
    def crop_size(self) -> int:
        """Height and width of the network's input in pixels."""
        return self.classifier.recipe.crop_size

    @property
    def resize_size(self) -> int:
        """Height and width of a resized picture in pixels."""
        return self.classifier.recipe.resize_size

    @property
    def towers(self) -> int:
        """Number of the network's towers."""
        return switched_off.towers(self.classifier.model)

    @property
    def _first_layer(self):
        return next(iter(self._layers))

    @property
    def _first_towers(self):
        """The number of towers among which the kernels of the first layer can be divided."""
        kernels = self.classifier.model.get_layer(self._first_layer).filters
        return self.towers if kernels % self.towers == 0 else 1

    def _switch_off(self):
        """Return the networks without a part, by the words for what is missing."""
        model, variants = self.classifier.model, {}
        if any(isinstance(layer, switched_off.NORMALIZATION) for layer in model.layers):
            variants["without response normalization"] = switched_off.without_normalization(model)
        if self.towers > 1:
            for tower in range(self.towers):
                variants[f"without tower {tower + 1}"] = switched_off.without_tower(model, tower)
        return variants

    def warm_up(self) -> None:
        """Compute everything once for a black picture, because the first call of a network takes seconds."""
        black = np.zeros((self.resize_size, self.resize_size, 3), np.uint8)
        self.probabilities(self.central_crop(black)[None])
        self.class_maps(black, self.answer(black))
        self.inside(black)
        self.without_parts(black)

    def read_training_pictures(self, pool: concurrent.futures.Executor) -> None:
        """Begin to read the training pictures in the background. Until they are there, `neighbors` says so.

        The data set is opened at once: TFDS must not be imported while another thread imports something.
        """
        if not self._run:
            return
        try:
            split = neighbors.training_split(self._run, self._data_dir)
        except (ValueError, OSError) as error:
            self._no_neighbors = f"The training pictures cannot be searched. {error}"
        else:
            self._reading = pool.submit(neighbors.TrainingPictures.read, split, self.classifier)

    # Pictures

    def resize(self, picture: tf.Tensor) -> np.ndarray:
        """Resize a picture as in evaluation; `picture` is what `decoding.load_resized` takes."""
        return decoding.load_resized(picture, self.resize_size).numpy()

    def averaged_crops(self, picture: np.ndarray) -> np.ndarray:
        """Return the crops of a picture over which the answer is averaged, uint8 `(crops, crop_size, crop_size, 3)`."""
        return inputs.averaged_crops(tf.constant(picture), self.classifier.recipe).numpy()

    def central_crop(self, picture: np.ndarray) -> np.ndarray:
        """Return the central crop of a picture, uint8 `(crop_size, crop_size, 3)`."""
        return augmentation.central_crop(tf.constant(picture), self.crop_size).numpy()

    def cut(self, scene: np.ndarray, share: float, left: float, top: float) -> np.ndarray:
        """Cut a square crop out of a picture of any size and resize it for the network.

        Args:
            scene: Uint8 `(height, width, 3)`.
            share: Height and width of the crop as a share of the shorter side, more than 0 and at most 1.
            left: Position of the crop, from 0, at the left edge, to 1, at the right edge.
            top: The same from top to bottom.

        Returns:
            Uint8 `(crop_size, crop_size, 3)`.
        """
        height, width = scene.shape[:2]
        extent = min(height, width) * share
        x, y = left * (width - extent), top * (height - extent)
        target = (self.crop_size, self.crop_size)
        box = (x, y, x + extent, y + extent)
        return np.asarray(Image.fromarray(scene).resize(target, Image.Resampling.BILINEAR, box))

    # Answers

    def probabilities(self, crops: np.ndarray, network: keras.Model | None = None) -> np.ndarray:
        """Return the probabilities of the classes for crops, float32 `(crops, classes)`, in one call."""
        return evaluate.crop_probabilities(network or self.classifier.model, self._prepare(crops))

    def _prepare(self, crops):
        return inputs.preprocess(tf.constant(crops), self.classifier.statistics, self.classifier.recipe).numpy()

    def answer(self, picture: np.ndarray) -> np.ndarray:
        """Return the mean of the probabilities for the averaged crops of a picture, `(classes,)`."""
        return self.probabilities(self.averaged_crops(picture)).mean(axis=0)

    def best(self, probabilities: np.ndarray) -> dict[str, float]:
        """Return the most probable classes with their probabilities, the first one first."""
        order = np.argsort(-probabilities, kind="stable")[:BAR_CLASSES]
        return {self.classifier.class_names[n]: float(probabilities[n]) for n in order}

    def inside(self, picture: np.ndarray) -> dict[str, np.ndarray]:
        """Return the outputs of the layers that are shown, by name, for the central crop."""
        outputs = self._inside.predict_on_batch(self._prepare(self.central_crop(picture)[None]))
        return {name: np.asarray(output[0], np.float32) for name, output in outputs.items()}

    # Parts of the page

    def crops(self, picture: np.ndarray) -> Figure:
        """Draw the averaged crops, each with its most probable class."""
        crops = self.averaged_crops(picture)
        names = self.classifier.class_names
        return panels.predictions(crops, self.probabilities(crops), names, top=1, per_row=CROPS_PER_ROW)

    def class_maps(self, picture: np.ndarray, answer: np.ndarray) -> Figure:
        """Draw where the network looks for the most probable classes of an `answer` (Grad-CAM), in the central crop."""
        crop = self.central_crop(picture)
        prepared = self._prepare(crop[None])
        labels = np.argsort(-answer, kind="stable")[:CLASS_MAPS]
        maps = [self._class_map(prepared[0], int(label)) for label in labels]
        return panels.class_maps([crop] * len(labels), maps, [self.classifier.class_names[n] for n in labels])

    def kernels(self) -> Figure:
        """Draw the kernels of the first layer."""
        return figures.kernels(features.first_kernels(self.classifier.model), self._first_towers)

    def responses(self, inside: dict[str, np.ndarray]) -> Figure:
        """Draw what the kernels of the first layer answer, from what `inside` returned."""
        return figures.responses(inside[self._first_layer], self._first_towers)

    def strongest_maps(self, inside: dict[str, np.ndarray]) -> Figure:
        """Draw the strongest maps of each convolution, from what `inside` returned."""
        maps = {name: inside[layer] for name, layer in self._layers.items()}
        return panels.strongest_maps(maps, {name: features.strongest(each, MAPS) for name, each in maps.items()})

    def neighbors(self, picture: np.ndarray, inside: dict[str, np.ndarray], answer: np.ndarray) -> Figure | str:
        """Draw the nearest training pictures, whose classes are compared with the most probable one of an `answer`."""
        if self._reading is None:
            return self._no_neighbors
        if not self._reading.done():
            return "The training pictures are still being read. Choose the picture again in a moment."
        try:
            training = self._reading.result()
        except (ValueError, OSError, tf.errors.OpError) as error:
            return f"The training pictures cannot be searched. {first_line(error)}"
        found, labels = training.nearest(inside[self._descriptor].reshape(-1))
        return panels.neighbors([picture], [found], [int(answer.argmax())], [labels], self.classifier.class_names)

    def without_parts(self, picture: np.ndarray) -> list[tuple[str, str, float, float]]:
        """Return what the whole network and each network without a part answer to the central crop.

        Returns:
            For each its description, its most probable class with its probability, and the probability that it gives
            to the answer of the whole network. Only the first, if there is no part to switch off.
        """
        crop, rows = self.central_crop(picture)[None], []
        networks = {"whole network": self.classifier.model, **self._variants}
        answers = {words: self.probabilities(crop, network)[0] for words, network in networks.items()}
        answer = answers["whole network"].argmax()
        for words, probabilities in answers.items():
            best = probabilities.argmax()
            name = self.classifier.class_names[best]
            rows.append((words, name, float(probabilities[best]), float(probabilities[answer])))
        return rows


def _check(model: keras.Model, name: str) -> None:
    """Check that the page can look into a network, unlike into one that contains another."""
    is_plain = not isinstance(model, keras.Sequential) and isinstance(model.layers[-1], keras.layers.Dense)
    if not is_plain or not features.activity_layers(model):
        raise ValueError(
            "The page needs a functional network with convolutions, whose last layer is `Dense`, and no network inside "
            f"it. Received: {name} with {', '.join(type(layer).__name__ for layer in model.layers[:6])}, ..."
        )
