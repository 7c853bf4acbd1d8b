"""Kernels pretrained on drawn pictures, which come with the package (ours).

The file has the convolutions of the paper's network as float16. `scripts/extract_kernels.py` writes it from a run.
"""

import os
import pathlib

import numpy as np

from keras_alexnet.files import atomic_write
from keras_alexnet.models.architectures import ARCHITECTURES, Architecture
from keras_alexnet.weights import formats, loading
from keras_alexnet.weights.keras import KERAS

FILE = pathlib.Path(__file__).with_name("drawn.npz")


def fits(architecture: Architecture) -> bool:
    """Return whether the convolutions of a network have the same shapes as the paper's.

    Example:
        >>> fits(ARCHITECTURES["caffenet"]), fits(ARCHITECTURES["half"])
        (True, False)
    """
    return _shapes(architecture) == _shapes(ARCHITECTURES["paper"])


def _shapes(architecture):
    return {n: (row.filters, row.kernel, row.groups) for n, row in architecture.convolutions.items()}


def check(architecture: Architecture) -> None:
    """Check that the kernels fit a network.

    Args:
        architecture: The network.

    Raises:
        ValueError: If its convolutions have other shapes. The message lists the networks that the kernels fit.
    """
    if not fits(architecture):
        names = ", ".join(name for name, other in ARCHITECTURES.items() if fits(other))
        raise ValueError(
            f"The weights 'drawn' fit the architectures {names}: use one of these, or other weights. "
            f"Received: architecture={architecture.name!r}"
        )


def locate(architecture: str | None = None) -> pathlib.Path:
    """Return the file of the kernels.

    Args:
        architecture: Name of the network to load them into. A network that is not in `ARCHITECTURES` is checked when
            the file is loaded.

    Raises:
        ValueError: If they do not fit this network.
    """
    if architecture in ARCHITECTURES:
        check(ARCHITECTURES[architecture])
    return FILE


def extract(source: str | os.PathLike, path: str | os.PathLike) -> int:
    """Write the convolutions of a trained network to an `.npz` file, as float16.

    Args:
        source: A run folder, whose best network is used, or a file written by Keras or NumPy.
        path: The file to write. Its bytes depend only on the weights.

    Returns:
        The number of weights.

    Raises:
        ValueError: If the source cannot be read, has no convolutions, or has weights that do not fit into float16.
        OSError: If a file cannot be read or written.
    """
    file = formats.read(loading.network_file(source))
    with np.errstate(over="ignore"):  # becomes infinite and is rejected below
        arrays = {name: array.astype(np.float16) for name, array in file.arrays.items() if name.startswith("conv")}
    if file.convention != KERAS or not arrays or not all(np.isfinite(array).all() for array in arrays.values()):
        raise ValueError(
            f"Expected a trained Keras network whose convolutions fit into float16. Received: {os.fspath(source)}"
        )
    with atomic_write(path) as temporary, open(temporary, "wb") as stream:
        np.savez(stream, **dict(sorted(arrays.items())))
    return sum(array.size for array in arrays.values())
