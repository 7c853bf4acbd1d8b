"""Small picture files of noise, each different."""

import numpy as np
from PIL import Image


def save_picture(path, seed=0):
    """Write a picture that depends only on the seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 10, 3), dtype=np.uint8)).save(path)
    return path


def save_classes(folder, **counts):
    """Write a folder of class folders with the given number of different pictures each."""
    for first, (name, count) in enumerate(counts.items()):
        for number in range(count):
            save_picture(folder / name / f"{number}.png", 1000 * first + number)
    return folder
