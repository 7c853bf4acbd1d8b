"""A canvas for drawn flowers: outlines, petals, balls and stems in front of a blurred background.

Outlines are complex numbers: the flower's center is 0, its radius about 1, and up is -1j. Rotation, tilt and position
are then one line of arithmetic. The canvas is twice as wide and high as the picture; reducing it smooths the edges.
"""

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFilter

SIDE = 256
"""Height and width of a picture, in pixels."""

GREENS = ((58, 108, 48), (84, 136, 60), (44, 90, 70), (112, 142, 74))
BACKDROPS = ((186, 214, 236), (120, 160, 196), (236, 226, 204), (206, 196, 176), (94, 126, 84), (50, 78, 58))
BACKDROPS += ((150, 176, 120), (100, 80, 66), (58, 52, 66), (214, 190, 206), (34, 48, 76), (170, 140, 110))
FOLIAGE = ((0.12, 0, 0.6), (0.3, 0, 0.6), (0.5, 0, 0.3), (0.9, 0, 0))

Color = Sequence[float]
"""Red, green and blue, pixel values 0 to 255."""


@lru_cache(64)
def blade(width: float, base: float = 0.0, tip: float = 0.0) -> np.ndarray:
    """Return the outlines of a petal or leaf from 0 to 1.

    Args:
        width: Its greatest width.
        base: 0 for a round base; larger values are more pointed.
        tip: 0 for a round tip; larger values are more pointed.

    Returns:
        Three nested outlines (edge, body and core), complex of shape `(3, 24)`.

    Example:
        >>> edge, body, core = blade(0.5)
        >>> float(edge.imag.max()), float(body.imag.max())
        (0.25, 0.215)
    """
    half = np.linspace(0, np.pi, 13)
    along = (1 - np.cos(half)) / 2
    across = np.sin(half) * along**base * (1 - along) ** tip
    across *= width / 2 / across.max()
    edge = np.concatenate([along + 1j * across, (along - 1j * across)[-2:0:-1]])
    return np.stack([edge, 0.03 + 0.94 * edge.real + 0.86j * edge.imag, 0.06 + 0.72 * edge.real + 0.45j * edge.imag])


def around(count: int, phase: float = 0.0) -> np.ndarray:
    """Return evenly spaced directions around the center, complex of shape `(count,)`."""
    return np.exp(1j * (phase + 2 * np.pi * np.arange(count) / count))


def arc(start: complex, bend: complex, end: complex) -> np.ndarray:
    """Return the quadratic Bézier curve of three points, complex of shape `(12,)`."""
    t = np.linspace(0, 1, 12)
    return start * (1 - t) ** 2 + 2 * bend * t * (1 - t) + end * t**2


def backdrop(rng: np.random.Generator, bloom: Color) -> Image.Image:
    """Draw a blurred background of two colors that contrast with the flower, with foliage."""
    apart = [color for color in BACKDROPS if sum(abs(a - b) for a, b in zip(color, bloom, strict=True)) > 150]
    near, far = np.array(apart, float)[rng.permutation(len(apart))[:2]]
    mix = rng.uniform(0, 0.6, (*rng.integers(2, 7, 2), 1))
    ground = Image.fromarray((near + (far - near) * mix).astype(np.uint8)).resize((64, 64), Image.Resampling.BICUBIC)
    pencil = ImageDraw.Draw(ground)
    for _ in range(rng.integers(0, 12)):
        leaf = blade(*FOLIAGE[rng.integers(len(FOLIAGE))])[0] * rng.uniform(10, 40) * np.exp(2j * np.pi * rng.random())
        color = far if rng.random() < 0.6 else GREENS[rng.integers(len(GREENS))]
        (ink,) = _tints(color, rng.uniform(-0.3, 0.3, 1))
        pencil.polygon((complex(*rng.uniform(0, 64, 2)) + leaf).view(float).tolist(), ink)
    blurred = ground.filter(ImageFilter.GaussianBlur(rng.uniform(0.8, 3)))
    # In two steps, because the second one only doubles pixels and is three times faster than bilinear.
    return blurred.resize((SIDE, SIDE), Image.Resampling.BILINEAR).resize(
        (2 * SIDE, 2 * SIDE), Image.Resampling.NEAREST
    )


def expose(image: Image.Image, rng: np.random.Generator) -> np.ndarray:
    """Return the picture with light that fades to one side and a little noise, uint8 of shape `(256, 256, 3)`."""
    across = np.linspace(-1, 1, SIDE, dtype=np.float32)
    falloff = complex(rng.uniform(0, 0.2) * np.exp(2j * np.pi * rng.random()))
    light = rng.uniform(0.8, 1.1) + falloff.real * across + falloff.imag * across[:, None]
    light *= 1 - rng.uniform(0.01, 0.1) * rng.random((SIDE, SIDE), np.float32)
    return (np.asarray(image.reduce(2)) * np.minimum(light, 1)[..., None]).astype(np.uint8)


def _tints(color: Color, amounts: np.ndarray) -> list[tuple[int, int, int]]:
    """Return the color mixed with white for amounts up to 1, and with black down to -1."""
    share = np.abs(amounts).clip(0, 1)[:, None]
    target = np.where(amounts > 0, 255, 0)[:, None]
    return [tuple(levels) for levels in (np.array(color) * (1 - share) + target * share).astype(int).tolist()]


class Canvas:
    """A picture in progress: the position and colors of its flower, and the direction of the light."""

    def __init__(self, image: Image.Image, rng: np.random.Generator, bloom: Color, heart: Color):
        self.image, self.rng, self.bloom, self.heart = image, rng, bloom, heart
        self.green = GREENS[rng.integers(len(GREENS))]
        self.place = image.width * complex(*rng.uniform(0.4, 0.6, 2))
        self.scale = image.width * rng.uniform(0.26, 0.4)
        self.light = np.exp(2j * np.pi * rng.random())
        self.squeeze = rng.uniform(0, 0.12) * np.exp(2j * np.pi * rng.random())
        self.rotation = 1 + 0j
        self.pencil = ImageDraw.Draw(image)

    def turn(self, angle: float) -> None:
        """Rotate everything drawn after this by an angle in radians, clockwise."""
        self.rotation = np.exp(1j * angle)

    def fill(self, outlines: np.ndarray, color: Color, amounts: float | np.ndarray = 0) -> None:
        """Fill outlines of shape `(..., points)`, in order.

        Args:
            outlines: Complex, in units of the flower.
            color: Color of all outlines.
            amounts: How much lighter (up to 1) or darker (down to -1) each is, broadcast to `outlines.shape[:-1]`.
        """
        amounts = np.broadcast_to(amounts, outlines.shape[:-1]).ravel()
        for points, ink in zip(self._on_canvas(outlines), _tints(color, amounts), strict=True):
            self.pencil.polygon(points, ink)

    def lines(self, paths: np.ndarray, width: float, color: Color, amount: float = 0) -> None:
        """Draw thin lines along paths of shape `(..., points)`, `width` in units of the flower."""
        (ink,) = _tints(color, np.array([amount]))
        for points in self._on_canvas(np.asarray(paths, complex)):
            self.pencil.line(points, ink, max(1, round(width * self.scale)))

    def petals(
        self,
        shape: np.ndarray,
        spins: complex | np.ndarray,
        at: complex | np.ndarray = 0,
        color: Color | None = None,
        amounts: float | np.ndarray = 0,
    ) -> None:
        """Draw blades on top of each other, lighter where they point to the light.

        Args:
            shape: Outlines from `blade`.
            spins: The direction of each; the modulus is its length.
            at: The start of each.
            color: The color, None for the flower's own.
            amounts: How much lighter or darker each is.
        """
        spins = np.atleast_1d(spins)
        light = amounts + 0.14 * (spins / np.abs(spins) * self.rotation / self.light).real
        outlines = np.atleast_1d(at)[:, None, None] + spins[:, None, None] * shape
        self.fill(outlines, color or self.bloom, light[:, None] + np.array([-0.38, -0.08, 0.1]))

    def stalk(self, path: np.ndarray) -> None:
        """Draw a green stalk along a path of shape `(points,)`."""
        slope = np.gradient(path)
        side = 1j * slope / np.abs(slope)
        for width, amount in ((0.055, -0.3), (0.03, 0.05)):
            self.fill(np.concatenate([path + width * side, (path - width * side)[::-1]]), self.green, amount)

    def ball(self, center: complex, radius: float, color: Color, amount: float = 0) -> None:
        """Draw a ball with a dark rim and a light spot on the side of the light."""
        spot = 0.25 * self.light / self.rotation
        outlines = np.array([[0], [0], [spot]]) + np.array([[1], [0.86], [0.5]]) * around(28)
        self.fill(center + radius * outlines, color, amount + np.array([-0.35, -0.05, 0.12]))

    def _on_canvas(self, outlines: np.ndarray) -> list[list[float]]:
        """Rotate, tilt (by adding a little of the mirror image) and move outlines; return x, y, x, y, ... of each."""
        turned = outlines * self.rotation
        placed = self.place + self.scale * (turned * (1 - abs(self.squeeze)) + self.squeeze * turned.conj())
        return placed.reshape(-1, placed.shape[-1]).view(float).tolist()
