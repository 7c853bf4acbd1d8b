"""Trained networks with all that is needed to show them a picture."""

import dataclasses
import pathlib

import keras
import numpy as np

from keras_alexnet.data import pipeline
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.models.alexnet import build
from keras_alexnet.models.architectures import ARCHITECTURES, lookup
from keras_alexnet.models.preprocessing import decode_predictions
from keras_alexnet.recipes import Recipe
from keras_alexnet.runs import Run

BATCH_SIZE = 120  # ours: views the network sees at once, so that ten views take no more memory than one


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A trained network with all that is needed to show it a picture.

    Attributes:
        model: The `keras.Model`.
        class_names: In the order of its outputs.
        recipe: The `Recipe` it was trained with.
        statistics: The `Statistics` of its training set, None where they are not known nor needed.
    """

    model: keras.Model
    class_names: tuple[str, ...]
    recipe: Recipe
    statistics: Statistics | None = None

    @classmethod
    def of_run(cls, run):
        """The best network of a run.

        Raises:
            ValueError: If the run has none yet, or its files do not belong together.
        """
        return cls._in_run(run, network_file(run))

    @classmethod
    def _in_run(cls, run, file):
        model, names = load_model(file), run.read_classes()
        if model.output_shape[-1] != len(names):
            raise ValueError(
                f"Expected as many outputs as classes.txt has names, {len(names)}. Received: {file} with "
                f"{model.output_shape[-1]}"
            )
        return cls(model, names, run.read_recipe(), Statistics.load(run.statistics))

    @classmethod
    def of_file(cls, path):
        """The network of a `.keras` file: of a run, where it lies in the folder of one.

        What is not known of a file by itself is taken to be the usual: the mean color and scale of the architecture
        that the network is named after, views cut from squares as much larger as the paper's, and numbers for names.

        Raises:
            ValueError: If the file holds no image classifier, or code, or does not belong to the run.
        """
        path = pathlib.Path(path)
        for folder in path.absolute().parents[:2]:  # best.keras lies in the run, what can be resumed one deeper
            if (folder / "recipe.json").is_file():
                return cls._in_run(Run.open(folder), path)
        model = load_model(path)
        size = _input_size(model, path)
        row = ARCHITECTURES.get(model.name.removeprefix("alexnet_"), ARCHITECTURES["paper"])
        side, names = round(size * 256 / 227), tuple(f"class {n}" for n in range(model.output_shape[-1]))
        return cls(model, names, Recipe(architecture=row.name, crop_size=size, resize_size=side, mean="architecture"))

    @classmethod
    def of_imagenet(cls, architecture="one_weird_trick"):
        """A network with the weights that its publisher trained on ImageNet.

        Raises:
            ValueError: If nobody published weights of this network, or they cannot be fetched.
        """
        row = lookup(ARCHITECTURES, architecture, "architecture")
        model = build(architecture, weights="imagenet")
        names = tuple(name for ((_, name, _),) in decode_predictions(np.eye(model.output_shape[-1]), top=1))
        return cls(model, names, Recipe(architecture=architecture, crop_size=row.size, mean="architecture"))

    def batches(self, squares, views=1):
        """What the network sees of square pictures: `pipeline.evaluation_batches`, about `BATCH_SIZE` views each."""
        size = max(1, BATCH_SIZE // views)
        return pipeline.evaluation_batches(squares, self.statistics, self.recipe, size, views)


def outputs_logits(model):
    """Whether a network ends before its softmax.

    Args:
        model: A `keras.Model`.
    """
    last = model.layers[-1]
    while isinstance(last, keras.Model):
        last = last.layers[-1]
    return getattr(last, "activation", None) is keras.activations.linear


def _input_size(model, path):
    """The side of the square images that a model classifies."""
    shapes = model.input_shape, model.output_shape
    if not all(isinstance(shape, tuple) for shape in shapes) or len(shapes[0]) != 4 or len(shapes[1]) != 2:
        raise ValueError(f"Expected a network of one image to one row of classes. Received: {path} with {shapes}")
    _, height, width, channels = shapes[0]
    if height is None or height != width or channels != 3:
        raise ValueError(f"Expected a network for square RGB images. Received: {path} with {shapes[0]}")
    return height


def network_file(run):
    """The file of a run's best network.

    Raises:
        ValueError: If there is none yet.
    """
    if not run.best.is_file():
        raise ValueError(f"Expected a run that has finished an epoch, with a best.keras. Received: {run.folder}")
    return run.best


def load_model(path):
    """A saved network, without its optimizer. Nothing that the file holds is run.

    Raises:
        ValueError: If the file cannot be read, is no network, or holds code that it wants to be run.
    """
    if not pathlib.Path(path).is_file():
        raise ValueError(f"Expected a .keras file. Received: {path}, which is not there")
    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # a stranger's file fails in any way: archive, configuration, weights, unknown layers
        reason = (str(error).strip() or type(error).__name__).split("\n")[0][:300]
        raise ValueError(
            f"Expected a .keras file of a network without code of its own. Received: {path}: {reason}"
        ) from error
