"""Textures by formula: waves, tiles, noise, cells and spirals, in two to four colors.

A kind of texture is a function that draws the numbers of one texture at random and returns it as a `Texture`: a
function from the coordinates of the pixels and a generator to gray levels. The numbers are the class; the coordinates
and the generator make the picture.
"""

from collections.abc import Callable

import numpy as np
from PIL import Image
from scipy import fft

SIDE = 148
"""Height and width of a picture in pixels: the resize size for crops of 131."""

Texture = Callable[[np.ndarray, np.random.Generator], np.ndarray]
"""A function from coordinates, complex `(148, 148)`, and a random generator to gray levels 0 to 1, float32 `(148,
148)`."""

_AXIS = (np.arange(SIDE, dtype=np.float32) + 0.5) / SIDE - 0.5
_PIXELS = (_AXIS + 1j * _AXIS[:, None]).astype(np.complex64)
_FREQUENCIES = (np.arange(SIDE // 2 + 1) + 1j * (fft.fftfreq(SIDE, 1 / SIDE)[:, None])).astype(np.complex64)


def plane(rng: np.random.Generator, shift: float = 2.0, zoom: float = 1.5) -> np.ndarray:
    """Return pixel coordinates with a random rotation, translation and scale.

    Args:
        rng: Decides how.
        shift: Largest distance of the center from 0, in widths of the picture.
        zoom: Largest factor by which the picture's width of 1 is multiplied or divided.

    Returns:
        Complex64 of shape `(148, 148)`: x + iy, with y downwards.
    """
    scale = zoom ** rng.uniform(-1, 1)
    return _PIXELS * np.complex64(scale * np.exp(2j * np.pi * rng.random())) + np.complex64(
        shift * complex(*rng.uniform(-1, 1, 2))
    )


def paint(levels: np.ndarray, colors: np.ndarray) -> Image.Image:
    """Return a picture with the first color where the level is 0, the last where it is 1, and the others between.

    Args:
        levels: Float `(148, 148)`, 0 to 1.
        colors: `(number of colors, 3)`, pixel values 0 to 255.
    """
    stops = np.linspace(0, 255, len(colors))
    table = np.stack([np.interp(np.arange(256), stops, channel) for channel in np.transpose(colors)], axis=-1)
    image = Image.fromarray((levels * 255).astype(np.uint8))
    image.putpalette(table.astype(np.uint8).tobytes())  # ten times faster than indexing the table
    return image.convert("RGB")


def smooth_noise(rng: np.random.Generator, cells: int) -> np.ndarray:
    """Return a smooth random function of about -1 to 1 with `cells` independent values across, float32 `(148, 148)`."""
    coarse = rng.uniform(-1, 1, (cells, cells)).astype(np.float32)
    return np.asarray(Image.fromarray(coarse).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


def waves(rng: np.random.Generator) -> Texture:
    """Return a texture of one to three gratings, sines or stripes, combined by sum, product or maximum."""
    count = rng.integers(1, 4)
    angles = rng.uniform(0, np.pi) + np.cumsum(rng.uniform(0.5, 1.5, count))
    vectors = (np.exp(1j * angles) * 2 * np.pi * rng.uniform(4, 20, count)).astype(np.complex64)
    sharpness = np.float32(rng.choice([0.2, 1.5, 6]))
    join = (np.add, np.multiply, np.maximum)[rng.integers(3)]

    def texture(z, rng):
        levels = None
        for vector in vectors:
            wave = np.sin(z.real * vector.real + z.imag * vector.imag + np.float32(rng.uniform(0, 6.3)))
            levels = wave if levels is None else join(levels, wave)
        return 0.5 + 0.5 * np.tanh(sharpness * levels) / np.tanh(sharpness * count)

    return _warped(texture, rng)


def tiles(rng: np.random.Generator) -> Texture:
    """Return a texture of parallelograms or triangles, in rows that may be shifted, whose gray levels repeat."""
    levels = rng.permutation(np.linspace(0, 1, 4))[rng.integers(0, rng.integers(2, 5), rng.integers(2, 5, 2))]
    levels.flat[:2] = 0, 1
    density, aspect, lean = rng.uniform(5, 13), rng.uniform(1, 2.5), rng.uniform(0, 0.8)
    row_shift, triangles, joint = rng.choice([0, 0.5]), rng.random() < 0.4, rng.choice([0, 0, 0.12])

    def texture(z, rng):
        y = z.imag * np.float32(density)
        row = np.floor(y)
        x = z.real * np.float32(density / aspect) + y * np.float32(lean / aspect) + row * np.float32(row_shift)
        column = np.floor(x)
        across, down = x - column, y - row
        if triangles:
            column = 2 * column + (across > down)
        gray = levels[row.astype(int) % levels.shape[0], column.astype(int) % levels.shape[1]].astype(np.float32)
        return np.where((across < joint / aspect) | (down < joint), 0.5, gray) if joint else gray

    return _warped(texture, rng)


def noise(rng: np.random.Generator) -> Texture:
    """Return a texture of noise with a given spectrum: a slope or a band, and a direction.

    The noise may be Gaussian, or made of few copies of one small wave.
    """
    slope, stretch = rng.uniform(0.8, 2.6), rng.choice([1, 1, 2.5, 5])
    band, width = rng.choice([0, rng.uniform(6, 22)]), rng.uniform(0.12, 0.4)
    impulses = rng.choice([0, 60, 200])
    form = rng.choice(["linear", "ridges", "steps", "contours"])

    def texture(z, rng):
        turn = np.complex64((z[0, 1] - z[0, 0]) * SIDE)
        f = _FREQUENCIES / turn.conj()
        squared = f.real**2 + (f.imag * np.float32(stretch)) ** 2 + np.float32(0.5)
        if band:
            amplitude = np.exp(-(((np.sqrt(squared) - band) / np.float32(band * width)) ** 2))
        else:
            amplitude = squared ** np.float32(-slope / 2)
        if impulses:
            places = np.zeros((SIDE, SIDE), np.float32)
            places.flat[rng.integers(0, SIDE * SIDE, impulses)] = rng.choice([-1, 1], impulses)
            spectrum = fft.rfft2(places)
        else:
            spectrum = rng.standard_normal((SIDE, SIDE // 2 + 1, 2), np.float32).view(np.complex64)[..., 0]
        amplitude[0, 0] = 0
        levels = fft.irfft2(spectrum * amplitude, (SIDE, SIDE))
        return _formed(levels / (levels.std() + 1e-9), form)

    return texture


def _formed(levels, form):
    """Return standardized noise as gray levels."""
    if form == "ridges":
        return np.minimum(np.abs(levels) * 0.5, 1)
    if form == "steps":
        return np.where(levels > 0.8, 1, np.where(levels > -0.2, np.float32(0.5), 0))
    if form == "contours":
        return 0.5 + 0.5 * np.sin(levels * np.float32(5))
    return (0.5 + levels * np.float32(0.22)).clip(0, 1)


def cells(rng: np.random.Generator) -> Texture:
    """Return a texture of cells around scattered points (Voronoi), flat, shaded, outlined, or of spots."""
    density, stretch = rng.uniform(4, 12), rng.choice([1, 1, 2])
    jitter, metric = rng.uniform(0, 1), rng.choice(["round", "square", "diamond"])
    style, size = rng.choice(["flat", "shaded", "outlined", "spots"]), rng.uniform(0.2, 0.42)

    def texture(z, rng):
        x, y = z.real * np.float32(density * stretch), z.imag * np.float32(density)
        left, top = np.floor(x), np.floor(y)
        x, y, first = x - left, y - top, (top * 64 + left).astype(np.int32)
        points = (0.5 + jitter * (rng.random((2, 4096), np.float32) - 0.5)).astype(np.float32)
        nearest, second = np.full(z.shape, 9, np.float32), np.full(z.shape, 9, np.float32)
        owner = np.zeros(z.shape, np.int32)
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                number = (first + (64 * down + across)) & 4095
                right, below = points[0].take(number) + (across - x), points[1].take(number) + (down - y)
                distance = _distance(right, below, metric)
                if style == "flat":
                    owner = np.where(distance < nearest, number, owner)
                second = np.minimum(second, np.maximum(nearest, distance))
                nearest = np.minimum(nearest, distance)
        if style == "flat":
            return rng.random(4096, np.float32)[owner]
        if style == "shaded":
            return np.minimum(nearest, 1)
        if style == "outlined":
            return np.minimum((second - nearest) * np.float32(2.5), 1)
        return (0.5 + (nearest - np.float32(size)) * 8).clip(0, 1)

    return texture


def _distance(x, y, metric):
    if metric == "round":
        return np.sqrt(x * x + y * y)
    x, y = np.abs(x), np.abs(y)
    return np.maximum(x, y) if metric == "square" else (x + y) * np.float32(0.8)


def spirals(rng: np.random.Generator) -> Texture:
    """Return a texture of rings, rays, or spirals between them, around a point in the picture."""
    arms, pitch = rng.integers(0, 10), rng.uniform(2, 9) * rng.choice([-1, 1])
    is_logarithmic, sharpness = rng.random() < 0.5, np.float32(rng.choice([0.3, 2, 8]))
    if arms > 2 and rng.random() < 0.3:
        pitch = 0.0

    def texture(z, rng):
        z = z - z[tuple(rng.integers(SIDE // 4, 3 * SIDE // 4, 2))]
        radius = np.abs(z) + np.float32(1e-3)
        along = np.log(radius) if is_logarithmic else radius * np.float32(2.5)
        wave = np.sin(arms * np.angle(z) + np.float32(2 * pitch) * along + np.float32(rng.uniform(0, 6.3)))
        return 0.5 + 0.5 * np.tanh(sharpness * wave) / np.tanh(sharpness)

    return _warped(texture, rng)


KINDS = (waves, tiles, noise, cells, spirals)


def _warped(texture, rng):
    """Return the texture with or without a random distortion."""
    strength, scale = rng.choice([0, 0, 0.04, 0.12]), int(rng.integers(4, 10))
    if not strength:
        return texture

    def warped(z, rng):
        bend = np.empty(z.shape, np.complex64)
        bend.real, bend.imag = smooth_noise(rng, scale), smooth_noise(rng, scale)
        return texture(z + np.float32(strength) * bend, rng)

    return warped
