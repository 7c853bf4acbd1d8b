"""Ablations: the effect of each part of the network (paper sections 3, 4, 5 and 7).

An ablation is the recipe `ablation` with one change. Its runs are paired by seed with runs of the unchanged recipe, so
that everything that depends on the seed, such as the order of the pictures, is the same on both sides.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

from keras_alexnet.recipes import RECIPES, Recipe
from keras_alexnet.reporting.tables import markdown

RECIPE, DATASET = "ablation", "oxford_flowers102"
FEWEST = 3  # ours: with fewer seeds on either side there is no interval

Row = Mapping[str, Any]  # what `runs.summary` returns for one run


@dataclasses.dataclass(frozen=True)
class Ablation:
    """One change to the recipe.

    Attributes:
        name: The name of its runs, after `ablation_` and before the seed.
        what: Description of the change.
        change: The changed setting of the recipe and its value.
        paper: Points of top-1 and top-5 error that the change costs in the paper, None without a number.
    """

    name: str
    what: str
    change: Mapping[str, Any]
    paper: tuple[float | None, float | None] = (None, None)

    @property
    def recipe(self) -> Recipe:
        """The recipe with the change."""
        return dataclasses.replace(RECIPES[RECIPE], **self.change)


ABLATIONS = (
    Ablation("no_normalization", "no response normalization (3.3)", {"architecture": "no_normalization"}, (1.4, 1.2)),
    Ablation("no_overlap", "pooling without overlap (3.4)", {"architecture": "no_overlap"}, (0.4, 0.3)),
    Ablation("half", "half of the kernels (3.2)", {"architecture": "half"}, (1.7, 1.2)),
    Ablation("single_tower", "no groups (3.2)", {"architecture": "single_tower"}),
    Ablation("no_conv4", "one middle layer removed (7)", {"architecture": "no_conv4"}, (2.0, None)),
    Ablation("no_lighting", "no PCA lighting (4.1)", {"augmentation": ("crop", "mirror")}, (1.0, None)),
    Ablation("text_lighting", "PCA lighting as in the text (4.1)", {"lighting": "text"}),
    Ablation("no_crop_no_mirror", "no crops and mirrors (4.1)", {"augmentation": ("lighting",)}),
    Ablation("no_dropout", "no dropout (4.2)", {"dropout": 0.0}),
    Ablation("text_initial_weights", "initial weights of the text (5)", {"initial_weights": "text"}),
    Ablation("decay_into_weights", "weight decay outside the velocity (5)", {"decay_into": "weights"}),
)


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

    def __str__(self) -> str:
        return "{:+.1f} ({:+.1f} to {:+.1f})".format(self.mean, *self.interval)

    def verdict(self, paper: float | None) -> str:
        """Return whether the paper's claim holds up here, or "cannot tell" if the interval contains zero.

        Args:
            paper: The paper's points, None without a number.

        Example:
            >>> Difference((1.0, 2.0, 3.0)).verdict(paper=1.4)
            'cannot tell'
            >>> Difference((1.0, 1.1, 1.2)).verdict(paper=1.4)
            'held up'
        """
        low, high = self.interval
        if low <= 0 <= high:
            return "cannot tell"
        if paper is None:
            return "costs" if low > 0 else "helps"
        return "held up" if low > 0 else "the opposite"


def differences(rows: Sequence[Row], key: str = "top1_error") -> dict[str, Difference]:
    """Return the effect of each ablation on the error on the test pictures with one view, paired by seed.

    Args:
        rows: Results of `runs.summary`.
        key: "top1_error" or "top5_error".

    Returns:
        The differences by the names in `ABLATIONS`, for those with enough seeds.

    Raises:
        ValueError: If two runs have the same recipe and seed.
    """
    whole = errors_by_seed(rows, RECIPES[RECIPE], key)
    pairs = {each.name: Difference.paired(errors_by_seed(rows, each.recipe, key), whole) for each in ABLATIONS}
    return {name: difference for name, difference in pairs.items() if difference}


def errors_by_seed(
    rows: Sequence[Row], recipe: Recipe, key: str, dataset: str = DATASET, weights: str | None = None
) -> dict[int, float]:
    """Return an error on the test pictures with one view, by seed, for the tested runs of a recipe.

    Args:
        rows: As for `differences`.
        recipe: The recipe of the runs.
        key: As for `differences`.
        dataset: The data set that the runs were trained on.
        weights: The weight file that they started from, None for random weights.

    Returns:
        Fractions from 0 to 1.

    Raises:
        ValueError: If two of these runs have the same seed.
    """
    tested = (
        row
        for row in rows
        if (row["dataset"], row["weights"]) == (dataset, weights)
        and Recipe.of(row["recipe"]) == recipe
        and row["results"]["test"]
    )
    return {seed: row["results"]["test"]["1_view"][key] for seed, row in by_seed(tested).items()}


def by_seed(rows: Iterable[Row]) -> dict[int, Row]:
    """Return runs of one recipe by seed.

    Raises:
        ValueError: If two of them have the same seed.
    """
    result = {}
    for row in rows:
        if (seed := row["seed"]) in result:
            names = " and ".join(sorted((result[seed]["run"], row["run"])))
            raise ValueError(f"Expected one archived run for each recipe and seed: remove one. Received: {names}")
        result[seed] = row
    return result


def describe(rows: Sequence[Row], name: str) -> str:
    """Describe one ablation in two lines, for top-1 and top-5.

    Args:
        rows: As for `differences`.
        name: The name of the ablation.

    Raises:
        ValueError: If there is no ablation of this name, or too few seeds of it.
    """
    papers = {ablation.name: ablation.paper for ablation in ABLATIONS}
    if name not in differences(rows):
        raise ValueError(f"Expected an ablation with {FEWEST} archived seeds: {', '.join(papers)}. Received: {name}")
    lines = []
    for k, paper in zip((1, 5), papers[name], strict=True):
        difference = differences(rows, f"top{k}_error")[name]
        of_paper = "" if paper is None else f", paper {_signed(paper)}"
        points = ", ".join(map(_signed, difference.points))
        lines.append(f"top-{k} error: {difference}{of_paper}: {difference.verdict(paper)}; by seed {points}")
    return "\n".join(lines)


def table(rows: Sequence[Row]) -> str:
    """Return a Markdown table of the paper's differences and ours, for the ablations with enough seeds.

    Args:
        rows: As for `differences`.
    """
    top1, top5 = differences(rows), differences(rows, "top5_error")
    return markdown(
        {
            "change": ablation.what,
            "paper, top-1": _signed(ablation.paper[0]),
            "top-5": _signed(ablation.paper[1]),
            "here, top-1": str(top1[ablation.name]),
            "here, top-5": str(top5[ablation.name]),
            "seeds": len(top1[ablation.name].points),
            "verdict on top-1": top1[ablation.name].verdict(ablation.paper[0]),
        }
        for ablation in ABLATIONS
        if ablation.name in top1
    )


def _signed(points: float | None) -> str:
    return "" if points is None else f"{points:+.1f}"
