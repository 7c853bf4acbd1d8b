"""Drawn pictures of 256 classes by formula, to learn from before the first photograph is seen.

A class is drawn from a seed, too: a fractal, an outline, a texture, an arrangement, a set of colors, or scattered
leaves of one form. What does not tell the class varies from picture to picture: position, size, rotation, background,
light, and the colors, except where they belong to the class.

Source: Kataoka and others, "Pre-training without Natural Images", ACCV 2020, for the idea and for fractals.
"""

import functools
from collections.abc import Callable, Iterator

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from keras_alexnet.data.drawings import fractals, outlines, textures
from keras_alexnet.data.drawings.textures import SIDE, paint, plane, smooth_noise

Scene = Callable[[np.random.Generator], Image.Image]
"""A class: a function from a random generator to a picture, before lighting."""

_CLASSES_SEED = 2012  # seed of the parameters of all classes; another one makes another data set
_DARK, _BRIGHT = (0.05, 0.5), (0.6, 1.0)


def pictures(count: int, seed: int = 0) -> Iterator[tuple[np.ndarray, int]]:
    """Draw labeled pictures one after another, each class once in every 256, in shuffled order.

    A picture depends on the seed, its class and its position only: the first pictures of a longer draw are the shorter
    draw.

    Args:
        count: Number of pictures.
        seed: Decides which pictures; another seed draws different ones of the same classes.

    Yields:
        An image, uint8 of shape `(148, 148, 3)`, RGB pixel values 0 to 255, and its label, an index of `CLASS_NAMES`.

    Raises:
        ValueError: If the count or the seed is negative.

    Example:
        >>> image, label = next(pictures(1))
        >>> image.shape, CLASS_NAMES[label]
        ((148, 148, 3), 'outline_25')
    """
    if count < 0:
        raise ValueError(f"`count` must be 0 or more. Received: {count}")
    if seed < 0:
        raise ValueError(f"`seed` must be 0 or more. Received: {seed}")
    return ((draw_one(label, seed, index), label) for index, label in enumerate(_labels(count, seed)))


def draw_one(label: int, seed: int = 0, index: int = 0) -> np.ndarray:
    """Draw one picture of a class.

    Args:
        label: Index of the class in `CLASS_NAMES`.
        seed: As of `pictures`.
        index: Number of the picture.

    Returns:
        The image, uint8 of shape `(148, 148, 3)`, RGB pixel values 0 to 255.

    Raises:
        ValueError: If there is no such class, or the seed or the index is negative.
    """
    if not 0 <= label < len(CLASS_NAMES):
        raise ValueError(f"`label` must be 0 to {len(CLASS_NAMES) - 1}, a position in CLASS_NAMES. Received: {label}")
    if seed < 0 or index < 0:
        raise ValueError(f"`seed` and `index` must be 0 or more. Received: seed={seed}, index={index}")
    rng = np.random.default_rng([seed, label, index])
    return _expose(_scene(label)(rng), rng)


def _labels(count, seed):
    """Yield the classes of the pictures. Each block of 256 pictures has every class once."""
    for block in range(-(-count // len(CLASS_NAMES))):
        order = np.random.default_rng([seed, block]).permutation(len(CLASS_NAMES))
        yield from order[: count - block * len(CLASS_NAMES)].tolist()


# Colors, backgrounds and light


def _palette(rng, count, values=(0.15, 1.0), hue=None):
    """Return colors whose brightness is spread over a range of values, float `(count, 3)`, pixel values 0 to 255.

    Args:
        rng: Decides the colors.
        count: Number of colors.
        values: Darkest and brightest of them, 0 to 1.
        hue: Around which they are, 0 to 1; None for any.
    """
    center = rng.random() if hue is None else hue
    spread = rng.choice([0.03, 0.12, 0.5]) if hue is None else 0.04
    hues = center + spread * rng.uniform(-1, 1, count)
    saturation = rng.uniform(0.1, 0.95) * rng.uniform(0.6, 1, count)
    value = np.linspace(*values, count) if count > 1 else rng.uniform(*values, 1)
    value = rng.permutation(value + rng.uniform(-0.08, 0.08, count)).clip(0, 1)
    wheel = np.abs((hues[:, None] + np.array([0, 2 / 3, 1 / 3])) % 1 * 6 - 3) - 1  # red, green and blue at full value
    return 255 * value[:, None] * (1 - saturation[:, None] * (1 - wheel.clip(0, 1)))


def _random_texture(rng):
    return textures.KINDS[rng.integers(len(textures.KINDS))](rng)


def _surface(rng, colors):
    """Return a picture without an object: a texture, a gradient, or clouds of these colors."""
    kind = rng.random()
    if kind < 0.55:
        z = plane(rng)
        return paint(_random_texture(rng)(z, rng), colors)
    if kind < 0.8:
        return paint((0.5 + 0.6 * smooth_noise(rng, int(rng.integers(3, 9)))).clip(0, 1), colors)
    z = plane(rng, shift=0)
    return paint((0.5 + 0.7 * z.real).clip(0, 1), colors)


def _ground_and_colors(rng, hue=None):
    """Return a background, and three colors of an object that stands out from it."""
    dark_ground = rng.random() < 0.5
    ground, colors = (_DARK, _BRIGHT) if dark_ground else (_BRIGHT, _DARK)
    surface = _surface(rng, _palette(rng, int(rng.integers(1, 4)) + 1, ground))
    if rng.random() < 0.5:
        surface = surface.filter(ImageFilter.BoxBlur(rng.uniform(1, 4)))
    return surface, _palette(rng, 3, colors, hue)


def _own_hue(rng):
    """Return a hue if the color is part of the class, else None."""
    return rng.random() if rng.random() < 0.35 else None


def _expose(image, rng):
    """Return the picture with light that fades to one side and a little noise, uint8 `(148, 148, 3)`."""
    if rng.random() < 0.25:
        image = image.filter(ImageFilter.BoxBlur(rng.uniform(0.3, 1.2)))
    z = plane(rng, shift=0, zoom=1)
    light = rng.uniform(180, 270) + np.float32(rng.uniform(0, 180)) * z.real
    light += np.float32(rng.uniform(0, 20)) * (rng.random((SIDE, SIDE), np.float32) - np.float32(0.5))
    shade = Image.fromarray(light.clip(0, 255).astype(np.uint8))
    return np.asarray(ImageChops.multiply(image, Image.merge("RGB", [shade] * 3)))


# Objects


def _place(rng, least=0.22, most=0.36):
    """Return a rotation with a size, a tilt, and a position, in units of the picture's width."""
    turn = rng.uniform(least, most) * np.exp(2j * np.pi * rng.random())
    return turn, 0.25 * rng.random() * np.exp(2j * np.pi * rng.random()), complex(*rng.uniform(0.36, 0.64, 2))


def _flat(points):
    """Return points of a canvas of twice the picture's size as x, y, x, y, ..."""
    return np.ascontiguousarray(2 * SIDE * points).view(float).tolist()


def _ink(color):
    return tuple(np.clip(color, 0, 255).astype(int).tolist())


def _paste(ground, fill, mask, rng):
    """Paste the filled mask onto the background, with or without a shadow."""
    if rng.random() < 0.4:
        dx, dy = rng.integers(-6, 7, 2).tolist()
        shade = Image.new("L", (SIDE, SIDE))
        shade.paste(mask, (dx, dy))
        shade = shade.filter(ImageFilter.BoxBlur(3)).point([level // 2 for level in range(256)])
        ground = Image.composite(Image.new("RGB", (SIDE, SIDE)), ground, shade)
    return Image.composite(fill, ground, mask)


def _draw_outlines(shapes, rng, ground, colors):
    """Draw outlines onto a ground: the first ones are filled with a surface, the others are drawn inside them.

    Args:
        shapes: For each object its outlines from the outermost to the innermost, complex, in widths of the picture.
        rng: Decides the surface.
        ground: The background.
        colors: Three colors of the objects.
    """
    mask = Image.new("L", (2 * SIDE, 2 * SIDE))
    pencil = ImageDraw.Draw(mask)
    for outermost, *_ in shapes:
        pencil.polygon(_flat(outermost), 255)
    fill = _surface(rng, colors[:2]) if rng.random() < 0.5 else Image.new("RGB", (SIDE, SIDE), _ink(colors[0]))
    picture = _paste(ground, fill, mask.reduce(2), rng)
    if len(shapes[0]) == 1:
        return picture
    inside = Image.new("L", (2 * SIDE, 2 * SIDE))
    pencil = ImageDraw.Draw(inside)
    for _, *inner in shapes:
        for number, outline in enumerate(inner):
            pencil.polygon(_flat(outline), 0 if number % 2 else 255)
    return Image.composite(Image.new("RGB", (SIDE, SIDE), _ink(colors[2])), picture, inside.reduce(2))


def _random_outline(rng):
    return outlines.KINDS[rng.integers(len(outlines.KINDS))](rng)


# The families of classes: functions that draw a class


def _fractal(rng):
    points, hue, strength = fractals.attractor(rng), _own_hue(rng), rng.choice([0.5, 1.5])

    def scene(rng):
        ground, colors = _ground_and_colors(rng, hue)
        (turn, tilt, position), (z, maps) = _place(rng, 0.16, 0.25), points(rng)
        z = (z + np.complex64(tilt) * z.conj()) * np.complex64(turn) + np.complex64(position)
        x, y = (z.real * SIDE).astype(int), (z.imag * SIDE).astype(int)
        inside = (x >= 0) & (x < SIDE) & (y >= 0) & (y < SIDE)
        pixel = (y * SIDE + x)[inside]
        hits = np.bincount(pixel, minlength=SIDE * SIDE).reshape(SIDE, SIDE)
        sums = np.bincount(pixel, maps[inside], SIDE * SIDE).reshape(SIDE, SIDE)
        mask = Image.fromarray((255 * (1 - np.exp(np.float32(-strength) * hits))).astype(np.uint8))
        levels = Image.fromarray((sums / np.maximum(hits, 1) * 85).astype(np.uint8))
        if rng.random() < 0.6:  # thicker
            mask, levels = mask.filter(ImageFilter.MaxFilter(3)), levels.filter(ImageFilter.MaxFilter(3))
        return _paste(ground, paint(np.asarray(levels) / 255, colors), mask, rng)

    return scene


def _outline(rng):
    form, hue = _random_outline(rng), _own_hue(rng)
    count, ratio = rng.integers(1, 5), rng.uniform(0.55, 0.8) * np.exp(1j * rng.choice([0, 1]) * rng.uniform(-0.6, 0.6))

    def scene(rng):
        ground, colors = _ground_and_colors(rng, hue)
        turn, tilt, position = _place(rng)
        points = form(rng)[None] * ratio ** np.arange(count)[:, None]
        return _draw_outlines([position + turn * (points + tilt * points.conj())], rng, ground, colors)

    return scene


def _texture(rng):
    texture, hue = _random_texture(rng), _own_hue(rng)

    def scene(rng):
        z, colors = plane(rng, zoom=1.25), _palette(rng, int(rng.integers(2, 4)), hue=hue)
        picture = paint(texture(z, rng), colors)
        if rng.random() < 0.6:
            return picture
        turn, _, position = _place(rng, 0.1, 0.25)  # something in front of it
        return _draw_outlines([[position + turn * _random_outline(rng)(rng)]], rng, picture, _palette(rng, 3))

    return scene


def _arrangement(rng):
    """Objects of equal shape, whose positions and sizes define the class."""
    count = rng.integers(2, 10)
    around = np.exp(2j * np.pi * (np.arange(count) + rng.uniform(-0.3, 0.3, count)) / count)
    positions = around * rng.choice([rng.uniform(0.7, 1, count), np.linspace(0.2, 1, count)])
    if rng.random() < 0.35:
        positions = np.linspace(-1, 1, count) + 1j * rng.uniform(-0.5, 0.5, count)
    sizes = rng.uniform(0.12, 0.3) * rng.choice([1, rng.uniform(0.4, 1.2)]) ** np.arange(count)

    def scene(rng):
        ground, colors = _ground_and_colors(rng)
        turn, tilt, position = _place(rng, 0.3, 0.4)
        form = _random_outline(rng)(rng)
        places = positions + 0.06 * (rng.normal(size=count) + 1j * rng.normal(size=count))
        points = places[:, None] + sizes[:, None].clip(0.1) * form
        return _draw_outlines(
            [[shape] for shape in position + turn * (points + tilt * points.conj())], rng, ground, colors
        )

    return scene


def _colors(rng):
    """Three colors on any texture."""
    colors = rng.uniform(20, 255, (3, 3))

    def scene(rng):
        varied = rng.permutation((colors + rng.normal(0, 10, (3, 3))).clip(0, 255))
        z = plane(rng)
        picture = paint(_random_texture(rng)(z, rng), varied[:2] if rng.random() < 0.3 else varied)
        turn, tilt, position = _place(rng)
        points = _random_outline(rng)(rng)[None]
        return _draw_outlines([position + turn * (points + tilt * points.conj())], rng, picture, varied)

    return scene


def _leaves(rng):
    """Scattered, overlapping objects, whose shape and size distribution define the class."""
    form, hue = _random_outline(rng), _own_hue(rng)
    least, power = rng.uniform(0.03, 0.07), rng.uniform(0.3, 1.2)

    def scene(rng):
        count = int(rng.integers(50, 90))
        inks = [_ink(color) for color in _palette(rng, 12, hue=hue)]
        picture = Image.new("RGB", (2 * SIDE, 2 * SIDE), inks[-1])
        pencil = ImageDraw.Draw(picture)
        sizes = np.sort(least * rng.uniform(0.02, 1, count) ** -power).clip(max=0.5)[::-1]
        turns = sizes * np.exp(2j * np.pi * rng.random(count))
        places = rng.random(count) + 1j * rng.random(count)
        points = _flat(places[:, None] + turns[:, None] * form(rng)[::2])
        for shape, ink in zip(points, rng.integers(0, len(inks), count), strict=True):
            pencil.polygon(shape, inks[ink])
        return picture.reduce(2)

    return scene


FAMILIES = {
    "fractal": (_fractal, 64),
    "outline": (_outline, 72),
    "texture": (_texture, 72),
    "arrangement": (_arrangement, 12),
    "colors": (_colors, 16),
    "leaves": (_leaves, 20),
}
CLASS_NAMES = tuple(f"{name}_{number:02}" for name, (_, count) in FAMILIES.items() for number in range(count))


@functools.cache
def _scene(label: int) -> Scene:
    """Return the class with this label."""
    family, _ = FAMILIES[CLASS_NAMES[label].partition("_")[0]]
    return family(np.random.default_rng([_CLASSES_SEED, label]))
