"""Create typical small data sets: few, gray, tiny, huge, unbalanced or similar pictures.

All but the digits are drawn. A data set is a folder of class folders; the same seed gives the same files.
"""

import colorsys
import math
import pathlib
import shutil
from collections.abc import Callable

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SHAPES = ("disc", "square", "triangle", "star", "ring", "cross", "diamond", "hexagon", "bars", "crescent")
HUES = 10
ROUGHNESS = 24  # std of the pixel noise on a drawn background, of 0 to 255
LARGER = 2  # shapes are drawn this many times as large and reduced, which smooths their edges


def draw(
    shape: str, hue: float | None, size: int, random: np.random.Generator, plain: bool = False, scale: float = 0.7
) -> Image.Image:
    """Draw one shape with random size, position, brightness and background.

    Args:
        shape: One of `SHAPES`.
        hue: Hue of the shape from 0 to 1; None for any.
        size: Height and width of the picture in pixels.
        random: Decides the rest.
        plain: Whether the background is white; otherwise it is of any color, with noise.
        scale: Mean diameter of the shape, as a share of the picture.
    """
    side = size * LARGER
    if plain:
        picture = Image.new("RGB", (side, side), "white")
    else:
        low = random.integers(40, 216, 3)
        noise = low + random.normal(0, ROUGHNESS, (size, size, 3))
        picture = Image.fromarray(noise.clip(0, 255).astype(np.uint8)).resize((side, side), Image.Resampling.BILINEAR)
    hue = random.random() if hue is None else hue + random.normal(0, 0.015)
    color = tuple(
        int(255 * part) for part in colorsys.hsv_to_rgb(hue % 1, random.uniform(0.7, 1), random.uniform(0.5, 1))
    )
    radius = side / 2 * scale * random.uniform(0.7, 1.3)
    margin = max(1.0, side / 2 - radius)
    x, y = side / 2 + random.uniform(-margin, margin, 2)
    mask = Image.new("L", (side, side))
    _fill(ImageDraw.Draw(mask), shape, x, y, radius, random.uniform(-0.3, 0.3))
    picture.paste(color, mask=mask)
    return picture.resize((size, size), Image.Resampling.BOX)


def _fill(pen, shape, x, y, radius, turn):
    """Fill a shape with white."""

    def points(radii, phase=0.0):
        angles = phase + turn + 2 * math.pi * np.arange(len(radii)) / len(radii)
        return [(x + r * math.sin(a), y - r * math.cos(a)) for r, a in zip(radii, angles, strict=True)]

    def circle(r, fill, dx=0.0):
        pen.ellipse((x + dx - r, y - r, x + dx + r, y + r), fill=fill)

    match shape:
        case "disc":
            circle(radius, 255)
        case "ring":
            circle(radius, 255)
            circle(radius * 0.6, 0)
        case "crescent":
            circle(radius, 255)
            circle(radius * 0.85, 0, radius * 0.5)
        case "square":
            pen.polygon(points([radius] * 4, math.pi / 4), fill=255)
        case "diamond":
            pen.polygon(points([radius, radius * 0.5] * 2), fill=255)
        case "triangle":
            pen.polygon(points([radius] * 3), fill=255)
        case "hexagon":
            pen.polygon(points([radius] * 6), fill=255)
        case "star":
            pen.polygon(points([radius, radius * 0.4] * 5), fill=255)
        case "cross":
            for long, short in ((radius, radius * 0.3), (radius * 0.3, radius)):
                pen.rectangle((x - long, y - short, x + long, y + short), fill=255)
        case "bars":
            for row in (-0.8, -0.1, 0.6):
                pen.rectangle((x - radius, y + row * radius, x + radius, y + (row + 0.3) * radius), fill=255)
        case _:
            raise ValueError(f"Expected one of {', '.join(SHAPES)}. Received: {shape}")


def _save(folder, classes, count, draw_one, random, ending="png"):
    """Save `count` pictures of each class; `draw_one(label, number)` draws one."""
    for label, name in enumerate(classes):
        (folder / name).mkdir(parents=True)
        for number in range(count(label) if callable(count) else count):
            draw_one(label, random).save(folder / name / f"{number:04}.{ending}")


def two_by_twenty(folder: pathlib.Path, random: np.random.Generator) -> None:
    """Draw discs and stars of any color, 20 of each, 160 pixels."""
    _save(folder, ("disc", "star"), 20, lambda label, rng: draw(("disc", "star")[label], None, 160, rng), random)


def hundred_by_five(folder: pathlib.Path, random: np.random.Generator) -> None:
    """Draw ten shapes in ten colors: 100 classes of 5 pictures of 64 pixels."""
    names = [f"{shape}-{hue}" for shape in SHAPES for hue in range(HUES)]
    _save(folder, names, 5, lambda label, rng: draw(SHAPES[label // HUES], label % HUES / HUES, 64, rng), random)


def digits(folder: pathlib.Path, random: np.random.Generator) -> None:
    """Save the 1,797 handwritten digits of scikit-learn as gray pictures of 28 pixels."""
    from sklearn.datasets import load_digits

    found = load_digits()
    for number, (pixels, label) in enumerate(zip(found.images, found.target, strict=True)):
        path = folder / str(label) / f"{number:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.uint8(pixels / 16 * 255)).resize((28, 28), Image.Resampling.BICUBIC).save(path)


def one_to_fifty(folder: pathlib.Path, random: np.random.Generator) -> None:
    """Draw 500 stars and 10 discs for training, equally unbalanced for validation, 100 of each for testing. 64
    pixels."""
    counts = {"train": (500, 10), "validation": (150, 3), "test": (100, 100)}
    for split, numbers in counts.items():
        _save(
            folder / split,
            ("star", "disc"),
            numbers.__getitem__,
            lambda label, rng: draw(("star", "disc")[label], None, 64, rng, scale=0.5),
            random,
        )


def plain_background(folder: pathlib.Path, random: np.random.Generator) -> None:
    """Draw four small shapes on pure white, as in a catalogue: 40 pictures of each, 200 pixels."""
    names = ("triangle", "cross", "ring", "hexagon")
    _save(folder, names, 40, lambda label, rng: draw(names[label], None, 200, rng, plain=True, scale=0.3), random)


def forty_pixels(folder: pathlib.Path, random: np.random.Generator) -> None:
    """Draw five shapes of any color, 60 of each, in pictures of 40 pixels."""
    _save(folder, SHAPES[:5], 60, lambda label, rng: draw(SHAPES[label], None, 40, rng), random)


def four_thousand_pixels(folder: pathlib.Path, random: np.random.Generator) -> None:
    """Draw two shapes, 10 of each, as JPEG pictures of 4,000 pixels, as from a phone."""

    def photograph(label, rng):
        small = draw(("square", "ring")[label], None, 500, rng)
        return small.resize((4000, 4000), Image.Resampling.BICUBIC)

    _save(folder, ("square", "ring"), 10, photograph, random, "jpg")


def near_duplicates(folder: pathlib.Path, random: np.random.Generator) -> None:
    """Draw five pictures of each of four shapes and save eight of each, slightly moved and blurred. 128 pixels."""
    for label, shape in enumerate(SHAPES[:4]):
        (folder / shape).mkdir(parents=True)
        for number in range(5):
            original = draw(SHAPES[label], None, 140, random)
            for copy in range(8):
                x, y = random.integers(0, 13, 2)
                moved = original.crop((x, y, x + 128, y + 128)).filter(ImageFilter.GaussianBlur(random.uniform(0, 1)))
                moved.save(folder / shape / f"{number}-{copy}.jpg", quality=int(random.integers(60, 96)))


def thousand_classes(folder: pathlib.Path, random: np.random.Generator) -> None:
    """Draw ten shapes in ten colors and ten sizes: 1,000 classes of 12 pictures of 48 pixels."""
    names = [f"{shape}-{hue}-{size}" for shape in SHAPES for hue in range(HUES) for size in range(10)]

    def one(label, rng):
        shape, hue, step = SHAPES[label // 100], label // 10 % 10 / HUES, label % 10
        return draw(shape, hue, 48, rng, scale=0.25 + 0.06 * step)

    _save(folder, names, 12, one, random)


SETS: dict[str, Callable[[pathlib.Path, np.random.Generator], None]] = {
    made.__name__: made
    for made in (
        two_by_twenty,
        hundred_by_five,
        digits,
        one_to_fifty,
        plain_background,
        forty_pixels,
        four_thousand_pixels,
        near_duplicates,
        thousand_classes,
    )
}


def make(name: str, parent: pathlib.Path, seed: int = 0) -> pathlib.Path:
    """Create a data set once, and return its folder.

    Args:
        name: A name in `SETS`.
        parent: Where its folder goes.
        seed: Draws other pictures of the same kinds.
    """
    folder, unfinished = parent / name, parent / f".{name}"
    if not folder.exists():
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        SETS[name](unfinished, np.random.default_rng([seed, list(SETS).index(name)]))
        unfinished.rename(folder)
    return folder
