"""A trained network with everything that is needed to classify a picture."""

import dataclasses
import functools
import pathlib
import sys
import typing
import zipfile
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Self

from keras_alexnet.arguments import check_path, check_type
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.models.architectures import ARCHITECTURES, usual_resize_size
from keras_alexnet.models.network_in_numpy import NumpyNetwork
from keras_alexnet.models.recognition import recognize
from keras_alexnet.recipes import Recipe
from keras_alexnet.runs import Run
from keras_alexnet.text import printable, reason

if typing.TYPE_CHECKING:  # a `NumpyNetwork` needs neither, and importing them takes seconds
    import keras
    import tensorflow as tf

Load = Callable[[pathlib.Path], "keras.Model | NumpyNetwork"]
NETWORK_SUFFIXES = (".keras", ".h5", ".hdf5")  # that Keras loads
BATCH_SIZE = 120  # ours: crops per forward pass, so that ten crops need no more memory than one


def load_model(path: str | pathlib.Path) -> "keras.Model":
    """Load a saved network without its optimizer. Code in the file is not executed.

    Raises:
        ValueError: If the file cannot be read, does not contain a network, or contains code.
    """
    if not pathlib.Path(path).is_file():
        what = "a folder" if pathlib.Path(path).is_dir() else "which does not exist"
        raise ValueError(f"Expected a .keras file. Received: {path}, {what}")
    if pathlib.Path(path).suffix not in NETWORK_SUFFIXES:
        raise ValueError(f"Expected a .keras file. Received: {path}")
    with open(path, "rb") as file:
        is_damaged = pathlib.Path(path).suffix == ".keras" and not zipfile.is_zipfile(file)
    if is_damaged:
        raise ValueError(f"Expected a .keras file: this one is damaged or incomplete, copy it again. Received: {path}")
    import keras

    try:
        return keras.models.load_model(path, compile=False, safe_mode=True)
    except Exception as error:  # an unknown file can fail anywhere: archive, configuration, weights, layers
        raise ValueError(
            f"Expected a .keras file of a network without custom code. Received: {path}: {reason(error)}"
        ) from error


@dataclasses.dataclass(frozen=True)
class Classifier:
    """A trained network with everything that is needed to classify a picture.

    Attributes:
        model: The network. A `NumpyNetwork` is for `evaluation.predict_in_numpy` only.
        class_names: One name for each output, in order.
        recipe: The recipe that it was trained with: crop size, resize size and mean.
        statistics: Statistics of its training set; None if they are unknown and not needed.

    Raises:
        TypeError: If an argument is another kind of object, or the network has never been built.
        ValueError: If there is not one name for each output of the network.
    """

    model: "keras.Model | NumpyNetwork"
    class_names: tuple[str, ...]
    recipe: Recipe
    statistics: Statistics | None = None

    def __post_init__(self):
        check_type("recipe", self.recipe, Recipe, 'a Recipe, such as RECIPES["flowers"]')
        check_type("class_names", self.class_names, (tuple, list), "a tuple of names")
        shape = getattr(self.model, "output_shape", None)  # a `Sequential` without an input has none
        if not isinstance(shape, tuple):
            raise TypeError(
                f"`model` must be a network with known inputs and one output. Received: model={self.model!r}"
            )
        if shape[-1] != len(self.class_names):
            raise ValueError(
                f"`class_names` must have one name per output of the network, {shape[-1]}. "
                f"Received: {len(self.class_names)} names"
            )

    @classmethod
    def from_run(cls, run: Run) -> Self:
        """Load the network that a run keeps.

        Args:
            run: The run.

        Raises:
            TypeError: If it is no run.
            ValueError: If the run has no network yet, or its files do not match.
        """
        check_type("run", run, Run, 'a Run, such as Run.open("runs/mine"), or use Classifier.open for a path')
        return cls._in_run(run, run.folder, load_model)

    @classmethod
    def _in_run(cls, run: Run, path: pathlib.Path, load: Load) -> Self:
        file = run.find_best() if path.is_dir() else path
        model, names = load(file), run.read_classes()
        if model.output_shape[-1] != len(names):
            raise ValueError(
                f"Expected as many outputs as classes.txt has names, {len(names)}. Received: {file} with "
                f"{model.output_shape[-1]}"
            )
        return cls(model, names, run.read_recipe(), Statistics.load(run.statistics))

    @classmethod
    def open(cls, path: str | pathlib.Path, load: Load = load_model) -> Self:
        """Load the network of a run folder or of a `.keras` file.

        A file that a run wrote uses the run's recipe, statistics and class names, and a copy of `best.keras` those that
        are stored in it. Any other file uses defaults: the mean and std of the architecture that the network is named
        after or whose convolutions it has, unless the network preprocesses its input itself; the usual size before
        cropping, see `usual_resize_size`; and numbers as class names.

        Args:
            path: The folder or file.
            load: Returns the network of a file.

        Raises:
            TypeError: If `path` is no path.
            ValueError: If there is no image classifier, it contains code, or it does not match the run.
        """
        check_path("path", path)
        path = pathlib.Path(path)
        with Run.from_network(path) as run:
            if run:
                return cls._in_run(run, path, load)
        model = load(path)
        crop_size = _input_size(model, path)
        architecture = ARCHITECTURES.get(model.name.removeprefix("alexnet_")) or recognize(_settings_of_layers(model))
        if architecture is None:
            architecture = ARCHITECTURES["paper"]
            if preprocessing_layer(model) is None:
                _say_that_preprocessing_is_unknown(path, model.name)
        recipe = Recipe(
            architecture=architecture.name,
            crop_size=crop_size,
            resize_size=usual_resize_size(crop_size),
            mean="architecture" if preprocessing_layer(model) is None else "network",
        )
        return cls(model, tuple(f"class {n}" for n in range(model.output_shape[-1])), recipe)

    @classmethod
    def from_weights(cls, weights: str | pathlib.Path = "imagenet", architecture: str | None = None) -> Self:
        """Load a network with weights that were trained on the 1000 classes of ImageNet. A run keeps its own classes.

        Args:
            weights: A name in `weights.names.NAMES`, or a file of weights.
            architecture: Name of the network; None for the network of the weights.

        Raises:
            TypeError: If `weights` is neither a name nor a path.
            ValueError: If this network has no such weights, they cannot be downloaded, or they are for another number
                of classes.
        """
        check_path("weights", weights)
        from keras_alexnet.models.alexnet import build
        from keras_alexnet.weights import loading, names, origin
        from keras_alexnet.weights.imagenet_classes import imagenet_classes

        if not names.is_name(weights):
            with Run.from_network(weights) as run:
                if run and architecture not in (None, run.read_recipe().architecture):
                    raise ValueError(
                        f"A run keeps its network, {run.read_recipe().architecture}. Received: {architecture}"
                    )
                if run:
                    return cls._in_run(run, pathlib.Path(weights), load_model)
        known = origin.trace(weights, architecture)
        recipe = Recipe(**known.settings())
        model = build(
            recipe.architecture,
            input_shape=(recipe.crop_size, recipe.crop_size, 3),
            include_preprocessing=recipe.mean == "network",
        )
        loading.load(model, known.path)
        return cls(model, tuple(name for _, name in imagenet_classes()), recipe)

    def batches(self, pictures: "tf.data.Dataset", views: int = 1) -> "tf.data.Dataset":
        """Return batches of network inputs from resized pictures, with about `BATCH_SIZE` crops each.

        See `pipeline.evaluation_batches`.
        """
        from keras_alexnet.data import pipeline

        size = max(1, BATCH_SIZE // views)
        return pipeline.evaluation_batches(pictures, self.statistics, self.recipe, size, views)


def check_classifier(classifier: Any) -> None:
    """Check that an argument is a `Classifier`, not a network alone.

    Raises:
        TypeError: If it is another kind of object.
    """
    words = 'a Classifier, such as Classifier.open("runs/mine") or Classifier(model, class_names, recipe)'
    check_type("classifier", classifier, Classifier, words)


@functools.cache  # once, also if a file is opened in NumPy and then in Keras
def _say_that_preprocessing_is_unknown(path: pathlib.Path, name: str) -> None:
    print(
        "Neither the name nor the layers of the network tell how to preprocess pictures, so they are preprocessed as "
        f"for `paper`. To be sure, build it with include_preprocessing=True. Received: {printable(str(path))}, a "
        f"network called {printable(name)}",
        file=sys.stderr,
    )


def _settings_of_layers(model: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield the class name and the configuration of each layer, also of networks inside the network."""
    for layer in model.layers:
        if hasattr(layer, "layers"):
            yield from _settings_of_layers(layer)
        elif hasattr(layer, "kind"):  # of a `NumpyNetwork`
            yield layer.kind, layer.settings
        else:
            yield type(layer).__name__, layer.get_config()


def preprocessing_layer(model: Any) -> Any:
    """Return the first `Rescaling` layer, as of `build(include_preprocessing=True)`, also in a nested network.

    Returns:
        A Keras layer, or a layer of a `NumpyNetwork`; None if there is none.
    """
    for layer in getattr(model, "layers", ()):
        found = layer if is_rescaling(layer) else preprocessing_layer(layer)
        if found is not None:
            return found
    return None


def is_rescaling(layer: Any) -> bool:
    """Return whether a layer of a Keras model or of a `NumpyNetwork` is a `Rescaling`."""
    return getattr(layer, "kind", type(layer).__name__) == "Rescaling"


def outputs_logits(model: "keras.Model") -> bool:
    """Return whether a network ends before its softmax."""
    import keras

    for operation in _operations_from_the_end(model):
        if type(operation).__name__ in ("Softmax", "Sigmoid"):  # a layer, or an operation as of `keras.ops.softmax`
            return False
        activation = getattr(operation, "activation", None)
        if activation not in (None, keras.activations.linear):
            return False
        # an `Activation` may only cast a softmax, and layers without an activation, such as `Flatten`, may follow it
        if activation is not None and not isinstance(operation, keras.layers.Activation):
            return True
    return False


def _operations_from_the_end(model):
    """Yield layers and other operations from the output back to the input, also inside networks that are layers.

    Of several inputs, the first is followed.
    """
    tensor = model.outputs[0]
    while True:
        operation, node, _ = tensor._keras_history
        if hasattr(operation, "layers"):
            yield from _operations_from_the_end(operation)
        else:
            yield operation
        inputs = operation._inbound_nodes[node].input_tensors
        if not inputs:
            return
        tensor = inputs[0]


def _input_size(model, path) -> int:
    """Return the height and width of a model's input images."""
    if not hasattr(model, "input_shape"):  # as of a `Sequential` that was never called
        raise ValueError(f"Expected a network with an input. Received: {path}, which was saved before it was built")
    shapes = model.input_shape, model.output_shape
    if (
        isinstance(getattr(model, "output", None), (dict, list))
        or not all(isinstance(shape, tuple) for shape in shapes)
        or len(shapes[0]) != 4
        or len(shapes[1]) != 2
    ):
        raise ValueError(
            f"Expected a network that maps one image to one row of classes. Received: {path} with {shapes}"
        )
    _, height, width, channels = shapes[0]
    if height is None or height != width or channels != 3:
        raise ValueError(f"Expected a network for square RGB images. Received: {path} with {shapes[0]}")
    return height
