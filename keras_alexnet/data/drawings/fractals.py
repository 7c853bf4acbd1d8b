"""Fractals: attractors of iterated function systems, by a few affine maps drawn at random.

Source: Kataoka and others, "Pre-training without Natural Images", ACCV 2020, which draws the maps uniformly. Here their
singular values are drawn, so that few attractors are a point or fill the plane.
"""

from collections.abc import Callable

import numpy as np

PARALLEL, WARM_UP, KEPT = 1200, 8, 14
"""Number of points, steps before they are close to the attractor, and steps to keep."""


def attractor(rng: np.random.Generator) -> Callable[[np.random.Generator], tuple[np.ndarray, np.ndarray]]:
    """Draw a system of two to four affine maps.

    Args:
        rng: Decides the maps.

    Returns:
        A function from a generator to points near the attractor, complex64 `(16800,)` with mean 0 and root mean square
        1, and the number of the map that made each, int `(16800,)`. The generator changes the maps by a few percent.
    """
    count = int(rng.integers(2, 5))
    larger = rng.uniform(0.6, 0.92, count) * (2.6 / (count + 0.6)) ** 0.4
    smaller = larger * rng.uniform(0.25, 1, count)
    turn, lean = (np.exp(2j * np.pi * rng.random(count)) for _ in range(2))
    mirror = rng.random(count) < 0.3
    # z -> a z + b conj(z) + c has the singular values |a| + |b| and ||a| - |b||
    a, b = turn * (larger + smaller) / 2, lean * (larger - smaller) / 2
    a, b = np.where(mirror, b, a), np.where(mirror, a, b)
    c = rng.uniform(-1, 1, count) + 1j * rng.uniform(-1, 1, count)
    shares = np.cumsum(larger * smaller + 0.05)
    shares /= shares[-1]

    def points(rng):
        change = 1 + 0.06 * (rng.uniform(-1, 1, (3, count)) + 1j * rng.uniform(-1, 1, (3, count)))
        maps = (np.stack([a, b, c]) * change).astype(np.complex64)
        choices = np.searchsorted(shares, rng.random((WARM_UP + KEPT, PARALLEL), np.float32)).clip(max=count - 1)
        z, kept = np.zeros(PARALLEL, np.complex64), np.empty((KEPT, PARALLEL), np.complex64)
        for step, choice in enumerate(choices):
            times, times_mirrored, plus = maps[:, choice]
            z = times * z + times_mirrored * z.conj() + plus
            if step >= WARM_UP:
                kept[step - WARM_UP] = z
        kept -= kept.mean()
        kept /= np.sqrt(np.mean(np.abs(kept) ** 2)) + np.float32(1e-6)
        return kept.ravel(), choices[WARM_UP:].ravel()

    return points
