"""The network that weights come from and its preprocessing, for fine-tuning and prediction."""

import dataclasses
import os
import pathlib

from keras_alexnet.models import architectures
from keras_alexnet.models.architectures import ARCHITECTURES, usual_resize_size
from keras_alexnet.models.summary import sketch
from keras_alexnet.runs import Run
from keras_alexnet.weights import formats, loading, names
from keras_alexnet.weights.conventions import WeightFile


@dataclasses.dataclass(frozen=True)
class Origin:
    """The network that weights come from. Its settings have the names of `Recipe`.

    Attributes:
        path: The weight file.
        architecture: Name of the network in `ARCHITECTURES`.
        crop_size: Height and width of its input in pixels.
        resize_size: Shorter side of a picture before cropping, in pixels.
        mean: What to subtract from its input.
        class_names: The names of its outputs; None if they are unknown.
    """

    path: pathlib.Path
    architecture: str
    crop_size: int
    resize_size: int
    mean: str = "architecture"
    class_names: tuple[str, ...] | None = None

    def settings(self) -> dict[str, str | int]:
        """Return the recipe settings for the network."""
        return {name: value for name, value in vars(self).items() if name not in ("path", "class_names")}


def trace(weights: str | os.PathLike, architecture: str | None = None) -> Origin:
    """Return the network that weights come from.

    It is known for named weights, for runs, and for copies of their networks. Any other file is compared with all
    networks by the sizes of its convolutions; a Keras file also has a name and an input size.

    Args:
        weights: A name in `names.NAMES`, whose file is downloaded if necessary, a run folder, or a file that
            `formats.read` can read.
        architecture: Name of the network, if the user has given it.

    Raises:
        ValueError: If there is no such file for this network, or its network is unknown.
        OSError: If the file cannot be opened.
    """
    if architecture:
        architectures.get(architecture)
    if names.is_name(weights):
        published = names.choose(weights, architecture)
        return _of_publisher(published.fetch(), published.architecture)
    path = pathlib.Path(weights)
    with Run.from_network(path) as run:
        if run:
            recipe, path = run.read_recipe(), loading.network_file(path)
            name = architecture or recipe.architecture
            return Origin(path, name, recipe.crop_size, recipe.resize_size, recipe.mean, run.read_classes())
    file = formats.read(path)
    return _of_publisher(path, architecture or _recognize(file, path), file.size)


def _of_publisher(path, architecture, size=None):
    """Return the origin of a network with the mean and the sizes of its authors."""
    size = size or ARCHITECTURES[architecture].size
    return Origin(path, architecture, size, usual_resize_size(size))


def _recognize(file: WeightFile, path: pathlib.Path) -> str:
    fitting = [
        name
        for name, net in ARCHITECTURES.items()
        if loading.has_convolutions_of(sketch(net, include_top=False, input_shape=(net.size, net.size, 3)), file)
    ]
    own = (file.network or "").removeprefix("alexnet_")
    if own in fitting:
        return own
    if len(fitting) != 1:
        raise ValueError(
            "The network of these weights is unknown: pass `architecture`. "
            f"Received: {path}, which has the layers of {' and of '.join(fitting) or 'no known network'}"
        )
    return fitting[0]
