"""Find and download weight files by name, for `build`, `fit.py` and `predict.py`."""

import contextlib
import dataclasses
import importlib.util
import os
import pathlib

from keras_alexnet.arguments import check_path
from keras_alexnet.files import atomic_write, digest

DRAWN = "drawn"  # the kernels in this package
FOLDER = "KERAS_ALEXNET_WEIGHTS"  # environment variable: a folder with weight files


@dataclasses.dataclass(frozen=True)
class Published:
    """A published weight file.

    Attributes:
        architecture: Its network, a name in `ARCHITECTURES`.
        address: Its URL.
        digest: Its SHA-256 digest or the beginning of it, as published.
        package: The package that is needed to read it.
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
        """Return the path of the file on this machine, None if it is missing."""
        return find_file(self.name)

    def fetch(self) -> pathlib.Path:
        """Return the file, and download it to Keras's cache if it is not on this machine.

        Raises:
            ValueError: If it cannot be downloaded, or its digest is wrong.
        """
        path = self.find()
        if path is None:
            return self._download()
        self._check(path, f"delete {path}")
        return path

    def _download(self):
        """Download to a temporary file first, so that an interrupted download leaves nothing."""
        import keras  # only when needed: importing it takes seconds

        path = cache() / self.name
        with contextlib.suppress(OSError):
            path.parent.mkdir(parents=True, exist_ok=True)
        if not all(os.access(folder, os.W_OK) for folder in path.parents[:2]):  # get_file would use /tmp
            raise ValueError(
                f"Could not download {self.address}: set KERAS_HOME to a folder that can be written. Received: "
                f"{path.parent}"
            )
        with atomic_write(path) as temporary:
            try:
                keras.utils.get_file(
                    temporary.name, self.address, cache_dir=path.parent.parent, cache_subdir=path.parent.name
                )
            except Exception as error:  # get_file raises a plain Exception without a network
                raise ValueError(
                    f"Could not download {self.address}: save the file as {path}, or in a folder that the "
                    f"environment variable {FOLDER} names. Received: {error}"
                ) from error
            self._check(temporary, f"try again, or save the file from {self.address} as {path}")
        return path

    def _check(self, path, advice):
        # not with get_file's file_hash, because PyTorch publishes only the beginning of the digest
        received = digest(path)
        if not received.startswith(self.digest):
            raise ValueError(
                f"The file is damaged, or not the published one: {advice}. Its SHA-256 must begin with {self.digest}. "
                f"Received: {received}"
            )


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

# The files of each name. The first one on this machine is used, else the first. Caffe's network is the paper's, and
# its file needs only a small package.
NAMES: dict[str, tuple[Published, ...]] = {
    "imagenet": (CAFFE, TORCHVISION),
    "caffe": (CAFFE,),
    "torchvision": (TORCHVISION,),
    "one_weird_trick": (TORCHVISION,),
}


def choose(name: str, architecture: str | None = None) -> Published:
    """Return the file for a name.

    Args:
        name: A name in `NAMES`.
        architecture: The network of the weights; None for any.

    Raises:
        ValueError: If there are no such weights for this network.

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
    """Return the weight file for a name or a path. The file of a name is downloaded if necessary.

    If a local file has the same name, pass a path with a folder, such as `./caffe`.

    Args:
        weights: "drawn", a name in `NAMES`, or a path.
        architecture: The network of named weights; None for any.

    Raises:
        TypeError: If `weights` is neither a name nor a path.
        ValueError: If there are no such weights for this network, or they cannot be downloaded.
    """
    check_path("weights", weights)
    if weights == DRAWN:
        from keras_alexnet.weights import drawn

        return drawn.locate(architecture)
    return choose(weights, architecture).fetch() if is_name(weights) else pathlib.Path(weights)


def is_name(weights: str | os.PathLike | None) -> bool:
    """Return whether `weights` is the name of published weights and not a path."""
    return isinstance(weights, str) and weights in NAMES


def find_file(name: str) -> pathlib.Path | None:
    """Return the path of a published file on this machine, None if it is missing.

    The folders are that of `KERAS_ALEXNET_WEIGHTS`, Keras's cache, and PyTorch's cache.
    """
    folders = [pathlib.Path(os.environ[FOLDER]).expanduser()] if os.environ.get(FOLDER) else []
    torch = pathlib.Path(os.environ.get("TORCH_HOME") or "~/.cache/torch").expanduser()
    candidates = (folder / name for folder in (*folders, cache(), torch / "hub" / "checkpoints"))
    return next((path for path in candidates if path.is_file()), None)


def cache() -> pathlib.Path:
    """Return Keras's folder of downloaded weights."""
    return pathlib.Path(os.environ.get("KERAS_HOME", "~/.keras")).expanduser() / "models"
