"""Differences between two groups of runs that are paired by seed, with intervals, p-values and verdicts."""

import dataclasses
from collections.abc import Mapping

import numpy as np
from scipy import stats

FEWEST = 3  # ours: with fewer seeds on either side there is no interval
LEVEL = 0.05  # of the corrected p-value, below which there is a difference
NEGLIGIBLE = 1.0  # points; ours: if the whole interval is within them, there is no difference that matters


@dataclasses.dataclass(frozen=True)
class Difference:
    """The effect of a change on an error, in points.

    Attributes:
        points: The error with the change minus the error without it, one number for each seed.
    """

    points: tuple[float, ...]

    @classmethod
    def paired(cls, errors: Mapping[int, float], whole: Mapping[int, float]) -> "Difference | None":
        """Pair the errors of two recipes by seed; return None if they share fewer than `FEWEST` seeds.

        Args:
            errors: Errors with the change by seed, fractions from 0 to 1.
            whole: Errors without it.

        Example:
            >>> Difference.paired({0: 0.75, 1: 0.5, 2: 0.5}, {0: 0.5, 1: 0.5, 2: 0.25, 3: 0.5})
            Difference(points=(25.0, 0.0, 25.0))
        """
        seeds = sorted(whole.keys() & errors.keys())
        return cls(tuple(100 * (errors[seed] - whole[seed]) for seed in seeds)) if len(seeds) >= FEWEST else None

    @property
    def mean(self) -> float:
        """The mean over the seeds."""
        return float(np.mean(self.points))

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the mean over all possible seeds, from Student's t.

        Example:
            >>> [round(end, 2) for end in Difference((1.0, 2.0, 3.0)).interval]
            [-0.48, 4.48]
        """
        half = float(stats.t.ppf(0.975, len(self.points) - 1) * stats.sem(self.points))
        return self.mean - half, self.mean + half

    @property
    def p_value(self) -> float:
        """The two-sided p-value of no difference, from Student's t.

        Example:
            >>> round(Difference((1.0, 2.0, 3.0)).p_value, 3)
            0.074
        """
        if np.ptp(self.points) == 0:
            return 1.0 if self.mean == 0 else 0.0
        return float(stats.ttest_1samp(self.points, 0).pvalue)

    def __str__(self) -> str:
        return "{:+.1f} ({:+.1f} to {:+.1f})".format(self.mean, *self.interval)

    def verdict(self, paper: float | None, p_value: float) -> str:
        """Return whether the paper's claim holds up here, whether there is no difference, or "cannot tell".

        Args:
            paper: The paper's points, None without a number.
            p_value: The p-value, corrected for the number of changes; see `corrected`.

        Example:
            >>> difference = Difference((1.0, 1.1, 1.2))
            >>> difference.verdict(paper=1.4, p_value=0.01), difference.verdict(paper=1.4, p_value=0.1)
            ('held up', 'cannot tell')
        """
        low, high = self.interval
        if p_value < LEVEL:
            words = ("costs", "helps") if paper is None else ("held up", "the opposite")
            return words[self.mean < 0]
        if low > -NEGLIGIBLE and high < NEGLIGIBLE:
            return f"less than {NEGLIGIBLE:g} point"
        return "cannot tell"


def corrected(found: Mapping[str, Difference]) -> dict[str, float]:
    """Return the p-values of several differences, corrected by Holm's method.

    If none of the changes made a difference, the probability that any of these p-values is below 0.05 is at most 5 %.

    Args:
        found: Differences by name.

    Example:
        >>> p_values = corrected({"a": Difference((1, 2, 3)), "b": Difference((5, 6, 7))})
        >>> {name: round(p_value, 3) for name, p_value in p_values.items()}
        {'a': 0.074, 'b': 0.018}
    """
    result, largest = {}, 0.0
    for rank, name in enumerate(sorted(found, key=lambda name: found[name].p_value)):
        largest = max(largest, (len(found) - rank) * found[name].p_value)
        result[name] = min(1.0, largest)
    return {name: result[name] for name in found}
