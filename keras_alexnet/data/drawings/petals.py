"""Petals: drawn flowers of ten species, without a download.

All species use the same color palette, so they differ only in shape.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from keras_alexnet.data.drawings.canvas import SIDE, Canvas, arc, around, backdrop, blade, expose

BLOOMS = ((240, 236, 228), (250, 206, 60), (245, 140, 50), (226, 62, 58), (240, 128, 160), (196, 70, 150))
BLOOMS += ((146, 92, 200), (92, 112, 222), (150, 196, 240), (128, 30, 60))
GOLDEN_ANGLE = np.pi * (3 - np.sqrt(5))
UP = -1j
BELL_STEM = 0.75 + 0.6j


def draw(count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Draw labeled flowers in shuffled order, with the same number of each species if possible.

    A picture depends only on the seed and its index, so a longer draw begins with the pictures of a shorter one.

    Args:
        count: Number of pictures.
        seed: Seed of the pictures.

    Returns:
        Images, uint8 of shape `(count, 256, 256, 3)`, RGB pixel values 0 to 255; and labels, int64 of shape
        `(count,)`, indices of `CLASS_NAMES`.

    Raises:
        ValueError: If the count or the seed is negative.

    Example:
        >>> images, labels = draw(20, seed=1)
        >>> images.shape, np.bincount(labels).tolist()
        ((20, 256, 256, 3), [2, 2, 2, 2, 2, 2, 2, 2, 2, 2])
    """
    if count < 0:
        raise ValueError(f"`count` must be 0 or more. Received: {count}")
    _check_seed(seed)
    images = np.empty((count, SIDE, SIDE, 3), np.uint8)
    labels = np.array([_label(seed, index) for index in range(count)], np.int64)
    for index, label in enumerate(labels):
        images[index] = _picture(label, np.random.default_rng([seed, 1, index]))
    return images, labels


def draw_one(label: int, seed: int = 0) -> np.ndarray:
    """Draw one flower of a given species.

    Args:
        label: Index of the species in `CLASS_NAMES`.
        seed: Seed of the picture.

    Returns:
        The image, uint8 of shape `(256, 256, 3)`, RGB pixel values 0 to 255.

    Raises:
        ValueError: If there is no such species, or if the seed is negative.

    Example:
        >>> draw_one(CLASS_NAMES.index("tulip"), seed=3).shape
        (256, 256, 3)
    """
    if not 0 <= label < len(CLASS_NAMES):
        raise ValueError(f"`label` must be 0 to {len(CLASS_NAMES) - 1}, a position in CLASS_NAMES. Received: {label}")
    _check_seed(seed)
    return _picture(label, np.random.default_rng([seed, 2, label]))


def _check_seed(seed: int) -> None:
    if seed < 0:
        raise ValueError(f"`seed` must be 0 or more. Received: {seed}")


def _label(seed: int, index: int) -> int:
    """Return the species of a picture. Each block of ten pictures has every species once."""
    block, position = divmod(index, len(CLASS_NAMES))
    return np.random.default_rng([seed, 0, block]).permutation(len(CLASS_NAMES))[position]


def _picture(label: int, rng: np.random.Generator) -> np.ndarray:
    species = SPECIES[CLASS_NAMES[label]]
    bloom, heart = (BLOOMS[i] for i in rng.permutation(len(BLOOMS))[:2])
    canvas = Canvas(backdrop(rng, bloom), rng, bloom, heart)
    angle = np.radians(rng.uniform(-species.turn, species.turn))
    _stem(canvas, np.exp(1j * angle) if species.turn < 90 else 1, species.stem)
    canvas.turn(angle)
    species.paint(canvas)
    return expose(canvas.image, rng)


def _stem(canvas: Canvas, lean: complex, start: complex) -> None:
    """Draw a stem from the flower to the lower edge of the picture, with a leaf or two."""
    rng = canvas.rng
    path = arc(start * lean, (start - 1.3 * UP) * lean, complex(rng.uniform(-0.8, 0.8), 2.7))
    canvas.stalk(path)
    sides = rng.permutation([-1, 1])[: rng.integers(1, 3)]
    spins = rng.uniform(0.7, 1.1) * _up(sides * rng.uniform(0.6, 1.3))
    canvas.petals(blade(rng.integers(2, 5) / 10, tip=0.6), spins, path[rng.integers(7, 10)], canvas.green)


def _up(angles: float | np.ndarray) -> np.ndarray:
    """Return directions at angles from upright, clockwise, in radians."""
    return UP * np.exp(1j * np.asarray(angles))


def _bellflower(canvas: Canvas) -> None:
    """A hanging bell with a flared, lobed rim, in profile."""
    canvas.stalk(arc(0.95 * UP, 0.5 + 1.1 * UP, BELL_STEM))
    down = np.linspace(0, 1, 14)
    wall = 0.12 + 0.16 * np.minimum(1, 14 * down) + 0.2 * down + 0.35 * down**6
    side = wall + 1j * (1.35 * down - 0.85)
    rim = np.linspace(side[-1], -side[-1].conj(), 41) + 0.16j * np.abs(np.sin(np.linspace(0, 5 * np.pi, 41)))
    bell = np.concatenate([side, rim, -side.conj()[::-1]])
    for x in (-0.12, 0, 0.12):
        canvas.lines([0.3j, x + 0.85j], 0.05, canvas.heart)
        canvas.ball(x + 0.87j, 0.07, canvas.heart)
    for x, y, amount in ((1, 1, -0.35), (0.9, 0.96, -0.06), (0.45, 0.9, 0.14)):
        canvas.fill(x * bell.real + 1j * y * bell.imag, canvas.bloom, amount)
    canvas.lines(np.array([[-0.62], [-0.22], [0.22], [0.62]]) * wall + 1j * side.imag, 0.02, canvas.bloom, -0.3)
    canvas.petals(blade(0.3, tip=0.5), -0.35 * _up(np.array([-0.7, 0, 0.7])), 0.95 * UP, canvas.green)


def _daisy(canvas: Canvas) -> None:
    """Many thin petals around a small heart."""
    count = canvas.rng.integers(15, 23)
    canvas.petals(blade(0.24, base=0.4), around(count) * canvas.rng.uniform(0.92, 1.05, count))
    canvas.ball(0, 0.24, canvas.heart)


def _dandelion(canvas: Canvas) -> None:
    """A ball of seeds, each under a parasol of hairs."""
    k = canvas.rng.permutation(56)[:, None]
    directions = np.exp(1j * GOLDEN_ANGLE * k)
    seeds = 0.11 * np.sqrt(k + 5) * directions
    hairs = np.insert(0.2 * np.exp(1j * np.linspace(-1.1, 1.1, 5)), range(6), 0)
    canvas.lines(seeds * np.array([0, 1]), 0.012, canvas.bloom, -0.15)
    canvas.lines(seeds + hairs * directions, 0.016, canvas.bloom, 0.2)
    canvas.ball(0, 0.1, canvas.heart, -0.1)


def _lily(canvas: Canvas) -> None:
    """Six long pointed petals, three above three, and long stamens."""
    for phase, amount in ((0, -0.06), (np.pi / 3, 0.05)):
        spins = around(3, phase)
        canvas.petals(blade(0.48, base=0.25, tip=0.55), 1.08 * spins, amounts=amount)
        canvas.lines(spins[:, None] * np.array([0.1, 0.85]), 0.025, canvas.bloom, -0.3)
    stamens = around(6, np.pi / 6)[:, None]
    canvas.lines(stamens * np.array([0, 0.4]), 0.03, canvas.heart, 0.3)
    canvas.fill(stamens * (0.42 - 0.08j + 0.16j * blade(0.4)[0]), canvas.heart, -0.25)


def _lupin(canvas: Canvas) -> None:
    """A spike of small flowers in whorls, narrower towards the top."""
    canvas.lines([0, UP], 0.07, canvas.green, -0.1)
    for height in np.linspace(0.75, -1.05, 8):
        spins = _up(np.array([-1.35, 1.35, -0.75, 0.75, 0])) * canvas.rng.uniform(0.9, 1.15, 5)
        spins *= 0.34 + 0.13 * height
        canvas.petals(blade(0.62), spins, 1j * height, amounts=canvas.rng.uniform(-0.1, 0.1, 5))
        canvas.fill(1j * height + 0.9 * spins[:, None] + 0.035 * around(6), canvas.heart)


def _pansy(canvas: Canvas) -> None:
    """Five unequal round petals: two above, two beside, and a broad lip below with a face."""
    above_and_beside = _up(np.array([-0.45, 0.45, -1.6, 1.6])) * np.array([1, 1, 0.88, 0.88])
    canvas.petals(blade(0.95, base=0.3), above_and_beside, amounts=np.array([-0.16, -0.2, 0, 0]))
    canvas.petals(blade(1.3, base=0.2), -0.95 * UP, -0.05j, amounts=0.05)
    fan = np.linspace(-0.4, 0.4, 5)[:, None]
    for angle, length in ((-1.6, 0.5), (1.6, 0.5), (np.pi, 0.6)):
        canvas.fill(length * _up(angle + fan) * blade(0.14)[0], canvas.heart, -0.4)
    canvas.ball(0.02j, 0.12, canvas.heart, 0.45)


def _rose(canvas: Canvas) -> None:
    """Rings of broad petals, one inside the other, wound to a bud."""
    for ring, (length, count) in enumerate(((1.0, 5), (0.78, 5), (0.58, 5), (0.42, 3), (0.28, 3))):
        spins = length * around(count, GOLDEN_ANGLE * ring + canvas.rng.uniform(0, 0.4))
        canvas.petals(blade(1.25, base=0.1), spins, amounts=-0.05 * ring)
    turns = np.linspace(0.5, 4.4 * np.pi, 60)
    canvas.lines(0.021 * turns * np.exp(1j * turns), 0.04, canvas.bloom, -0.55)


def _sunflower(canvas: Canvas) -> None:
    """Short pointed petals in two rows around a large head of seeds."""
    for phase, amount in ((0, -0.1), (np.pi / 18, 0)):
        spins = around(18, phase) * canvas.rng.uniform(0.95, 1.05, 18)
        canvas.petals(blade(0.24, base=0.8, tip=0.5), spins, amounts=amount)
    canvas.ball(0, 0.58, canvas.heart, -0.45)
    k = np.arange(70)
    seeds = 0.062 * np.sqrt(k + 0.5) * np.exp(1j * GOLDEN_ANGLE * k)
    canvas.fill(seeds[:, None] + 0.032 * around(6), canvas.heart, np.where(k < 24, -0.25, 0.25))


def _thistle(canvas: Canvas) -> None:
    """A tuft of needles above a scaly bulb, in profile."""
    angles = canvas.rng.permutation(np.linspace(-0.85, 0.85, 40))
    needles = canvas.rng.uniform(0.95, 1.2, 40) * _up(angles)
    canvas.fill(0.15j + needles[:, None] * blade(0.055, tip=0.3)[0], canvas.bloom, canvas.rng.uniform(-0.35, 0.3, 40))
    canvas.ball(0.5j, 0.49, canvas.green)
    for row in range(5):
        columns = np.linspace(-1, 1, 5 + row % 2)
        at = 0.36 * columns * np.cos(0.5 * (row - 2)) + 1j * (0.85 - 0.17 * row)
        canvas.petals(blade(0.6, tip=0.5), 0.24 * UP + 0.08 * columns, at, canvas.green, 0.1)


def _tulip(canvas: Canvas) -> None:
    """A cup of upright petals, in profile."""
    petals = _up(np.array([-0.2, 0.2, -0.36, 0.36, 0])) * np.array([1.55, 1.55, 1.45, 1.45, 1.45])
    canvas.petals(blade(0.66, tip=0.35), petals, 0.65j, amounts=np.array([-0.3, -0.3, -0.05, -0.05, 0.06]))


class Species(NamedTuple):
    """The function that draws a flower, its largest rotation in degrees, and the start of its stem."""

    paint: Callable[[Canvas], None]
    turn: float = 180
    stem: complex = 0


SPECIES = {
    "bellflower": Species(_bellflower, 20, BELL_STEM),
    "daisy": Species(_daisy),
    "dandelion": Species(_dandelion),
    "lily": Species(_lily),
    "lupin": Species(_lupin, 20),
    "pansy": Species(_pansy, 30),
    "rose": Species(_rose),
    "sunflower": Species(_sunflower),
    "thistle": Species(_thistle, 20),
    "tulip": Species(_tulip, 20),
}

CLASS_NAMES: tuple[str, ...] = tuple(SPECIES)
"""The species, in the order of the labels."""
