"""The drawn pictures that a visitor can choose, on the page of `demo.py` and in the browser."""

import pathlib

import numpy as np
import sklearn.datasets
from PIL import Image

from keras_alexnet.data.drawings import petals

NAMES = ("tulip", "daisy", "rose", "sunflower")


def drawn() -> dict[str, np.ndarray]:
    """Return drawn flowers by their species, each uint8 `(256, 256, 3)`."""
    return {name: petals.draw_one(petals.CLASS_NAMES.index(name), seed=1) for name in NAMES}


def write(folder: pathlib.Path) -> list[str]:
    """Write the example pictures into a folder: four drawn flowers and the two photographs of scikit-learn."""
    pictures = drawn()
    photographs = sklearn.datasets.load_sample_images()
    names = [pathlib.Path(name).stem for name in photographs.filenames]
    pictures |= dict(zip(names, photographs.images, strict=True))
    files = []
    for name, pixels in pictures.items():
        files.append(str(folder / f"{name}.png"))
        Image.fromarray(pixels).save(files[-1])
    return files
