"""The drawn pictures that a visitor can choose, on the page of `demo.py` and in the browser."""

import numpy as np

from keras_alexnet.data.drawings import petals

NAMES = ("tulip", "daisy", "rose", "sunflower")


def drawn() -> dict[str, np.ndarray]:
    """Return drawn flowers by their species, each uint8 `(256, 256, 3)`."""
    return {name: petals.draw_one(petals.CLASS_NAMES.index(name), seed=1) for name in NAMES}
