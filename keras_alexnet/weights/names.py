"""Weights by name: which files a name stands for, where they are looked for, and how they are fetched.

`build`, `fit.py` and `predict.py` all find their weights here.
"""

import dataclasses
import importlib.util
import os
import pathlib

from keras_alexnet.files import digest

DRAWN = "drawn"  # the kernels in this package
FOLDER = "KERAS_ALEXNET_WEIGHTS"  # environment variable: a folder with files of weights that were brought by hand


@dataclasses.dataclass(frozen=True)
class Published:
    """A file of weights that is published.

    Attributes:
        architecture: The network that it is of, a name in `ARCHITECTURES`.
        address: Where it can be downloaded.
        digest: Its SHA-256 digest or the beginning of it, as its publisher gives it.
        package: The package that reads it.
    """

    architecture: str
    address: str
    digest: str
    package: str

    @property
    def name(self) -> str:
        """Name of the file."""
        return self.address.rpartition("/")[2]

    def find(self) -> pathlib.Path | None:
        """Return where the file is on this machine, None if it is not."""
        return find_file(self.name)

    def fetch(self) -> pathlib.Path:
        """Return the file, which is downloaded into Keras's cache if it is not on this machine.

        Raises:
            ValueError: If it cannot be downloaded, or the file is another one.
        """
        path = self.find() or self._download()
        received = digest(path)  # and not get_file's file_hash: PyTorch publishes only the beginning of its digest
        if not received.startswith(self.digest):
            raise ValueError(
                f"Expected a file whose SHA-256 begins with {self.digest}: delete {path}. Received: {received}"
            )
        return path

    def _download(self):
        import keras  # on use: importing it takes seconds, and the command line knows the names without

        try:
            return pathlib.Path(
                keras.utils.get_file(self.name, self.address, cache_dir=cache().parent, cache_subdir=cache().name)
            )
        except Exception as error:  # get_file raises a plain Exception if there is no network
            raise ValueError(
                f"{self.address} could not be downloaded: put the file at {cache() / self.name} by hand, or into a "
                f"folder that the environment variable {FOLDER} names. Received: {error}"
            ) from error


CAFFE = Published(
    "caffe",
    "https://huggingface.co/onnxmodelzoo/legacy_models/resolve/main/validated/vision/classification/alexnet/model/"
    "bvlcalexnet-12.onnx",
    "6b0da9510f27f234ee96a85dc3809dd210150fdefad87f6850f9788513216945",
    "onnx",
)
TORCHVISION = Published(
    "one_weird_trick", "https://download.pytorch.org/models/alexnet-owt-7be5be79.pth", "7be5be79", "torch"
)

# What a name stands for: the first of these files that is on this machine, else the first. Caffe's network is the
# paper's, and reading its file needs a small package.
NAMES: dict[str, tuple[Published, ...]] = {
    "imagenet": (CAFFE, TORCHVISION),
    "caffe": (CAFFE,),
    "torchvision": (TORCHVISION,),
    "one_weird_trick": (TORCHVISION,),
}


def choose(name: str, architecture: str | None = None) -> Published:
    """Return the file that a name stands for.

    Args:
        name: A name in `NAMES`.
        architecture: The network that the weights must be of; None for any.

    Raises:
        ValueError: If there are no such weights of this network.

    Example:
        >>> choose("imagenet", "one_weird_trick").name
        'alexnet-owt-7be5be79.pth'
    """
    files = [file for file in NAMES[name] if architecture in (None, file.architecture)]
    if not files:
        networks = " and ".join(dict.fromkeys(file.architecture for file in NAMES[name]))
        raise ValueError(
            f"The weights {name!r} are published only for {networks}: use one of these networks, other weights, or "
            f"the path of a file. Received: weights={name!r}, architecture={architecture!r}"
        )
    here = [file for file in files if file.find()]
    readable = [file for file in here if importlib.util.find_spec(file.package)]
    return (readable or here or files)[0]


def locate(weights: str | os.PathLike, architecture: str | None = None) -> pathlib.Path:
    """Return the file of weights that a name or a path stands for, which is downloaded if it is a name's.

    A file that is called like a name is reached by a path with a folder in it, such as `./caffe`.

    Args:
        weights: "drawn", a name in `NAMES`, or a path.
        architecture: The network that weights with a name must be of; None for any.

    Raises:
        ValueError: If there are no such weights of this network, or they cannot be downloaded.
    """
    if weights == DRAWN:
        from keras_alexnet.weights import drawn

        return drawn.locate(architecture)
    return choose(weights, architecture).fetch() if is_name(weights) else pathlib.Path(weights)


def is_name(weights: str | os.PathLike | None) -> bool:
    """Return whether weights are given by the name of published ones and not by a path."""
    return isinstance(weights, str) and weights in NAMES


def find_file(name: str) -> pathlib.Path | None:
    """Return where a file that others publish is on this machine, None if it is not.

    It is looked for in the folder that `KERAS_ALEXNET_WEIGHTS` names, in Keras's cache, and in PyTorch's.
    """
    folders = [pathlib.Path(os.environ[FOLDER]).expanduser()] if os.environ.get(FOLDER) else []
    torch = pathlib.Path(os.environ.get("TORCH_HOME") or "~/.cache/torch").expanduser()
    candidates = (folder / name for folder in (*folders, cache(), torch / "hub" / "checkpoints"))
    return next((path for path in candidates if path.is_file()), None)


def cache() -> pathlib.Path:
    """Return the folder in which Keras keeps downloaded weights."""
    return pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
