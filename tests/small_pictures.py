"""Small picture files of noise, each different."""

import numpy as np
from PIL import Image


def save_picture(path, seed=0, size=(8, 10)):
    """Write a picture of this height and width that depends only on the seed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return path


def save_classes(folder, size=(8, 10), **counts):
    """Write a folder of class folders with the given number of different pictures each."""
    for first, (name, count) in enumerate(counts.items()):
        for number in range(count):
            save_picture(folder / name / f"{number}.png", 1000 * first + number, size)
    return folder


def save_splits(folder, size=18, **counts):
    """Write splits of the classes a, b and c, each of one color. `counts` has the number of pictures of each class."""
    random = np.random.default_rng(0)
    for split, of_each in counts.items():
        for channel, (name, count) in enumerate(zip("abc", of_each, strict=False)):
            (folder / split / name).mkdir(parents=True)
            for number in range(count):
                pixels = random.integers(0, 120, (size, size, 3), np.uint8)
                pixels[..., channel] += 120
                Image.fromarray(pixels).save(folder / split / name / f"{number}.png")
    return folder
