"""Closed outlines by formula: symmetric, irregular, or with corners."""

from collections.abc import Callable

import numpy as np

POINTS = 72
_ANGLES = np.linspace(0, 2 * np.pi, POINTS, endpoint=False)
_AROUND = np.exp(1j * _ANGLES)

Outline = Callable[[np.random.Generator], np.ndarray]
"""A function from a random generator, which varies the outline by a few percent, to complex points `(72,)` around 0."""


def symmetric(rng: np.random.Generator) -> Outline:
    """Return an outline with rotational symmetry of order 2 to 9, such as a star."""
    order = rng.integers(2, 10)
    return _harmonics(order * np.arange(1, 4), rng.uniform(0.08, 0.55, 3) / (1, 2, 3), rng.uniform(0, 2 * np.pi, 3))


def irregular(rng: np.random.Generator) -> Outline:
    """Return an outline without symmetry, from harmonics with decreasing amplitude."""
    numbers = np.arange(1, 9)
    return _harmonics(numbers, rng.normal(0, 0.5, 8) / (numbers + 0.5), rng.uniform(0, 2 * np.pi, 8))


def _harmonics(numbers, amplitudes, phases):
    def outline(rng):
        varied = amplitudes * (1 + 0.1 * rng.uniform(-1, 1, len(numbers)))
        shifted = phases + 0.1 * rng.uniform(-1, 1, len(numbers))
        radius = 1 + varied @ np.cos(numbers[:, None] * _ANGLES + shifted[:, None])
        return np.maximum(radius, 0.15) * _AROUND

    return outline


def corners(rng: np.random.Generator) -> Outline:
    """Return a polygon of three to nine corners at random distances from the center."""
    count = rng.integers(3, 10)
    angles = 2 * np.pi * (np.arange(count) + rng.uniform(-0.3, 0.3, count)) / count
    vertices = rng.uniform(0.4, 1.3, count) * np.exp(1j * angles)

    def outline(rng):
        varied = vertices * (1 + 0.06 * (rng.uniform(-1, 1, count) + 1j * rng.uniform(-1, 1, count)))
        return np.interp(np.arange(POINTS) * count / POINTS, np.arange(count + 1), np.append(varied, varied[0]))

    return outline


KINDS = (symmetric, irregular, corners)
