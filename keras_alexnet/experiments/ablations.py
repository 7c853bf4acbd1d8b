"""What each part of the network is worth: the same runs with and without it (paper sections 3, 4, 5 and 7).

An ablation is the recipe `ablation` with one thing changed. Its runs are paired by seed with those of the recipe as it
is, so that what the seed decides, the order of the pictures above all, is the same on both sides.
"""

import dataclasses

import numpy as np
import tabulate
from scipy import stats

from keras_alexnet.recipes import RECIPES, Recipe

RECIPE, DATASET = "ablation", "oxford_flowers102"
FEWEST = 3  # ours: seeds on both sides, below which there is no interval


@dataclasses.dataclass(frozen=True)
class Ablation:
    """One thing changed.

    Attributes:
        name: What a run's folder is called, before its seed.
        what: The change in words.
        change: Settings of the recipe and their values, as on the command line of `fit.py`.
        paper: Points of top-1 and top-5 error that the paper says the change costs, None where it says none.
    """

    name: str
    what: str
    change: dict
    paper: tuple[float | None, float | None] = (None, None)

    @property
    def recipe(self):
        """The `Recipe` with the change."""
        return dataclasses.replace(RECIPES[RECIPE], **self.change)


ABLATIONS = (
    Ablation("no_normalization", "no response normalization (3.3)", {"architecture": "no_normalization"}, (1.4, 1.2)),
    Ablation("no_overlap", "pooling without overlap (3.4)", {"architecture": "no_overlap"}, (0.4, 0.3)),
    Ablation("half", "half of the kernels (3.2)", {"architecture": "half"}, (1.7, 1.2)),
    Ablation("single_tower", "no groups (3.2)", {"architecture": "single_tower"}),
    Ablation("no_conv4", "one middle layer removed (7)", {"architecture": "no_conv4"}, (2.0, None)),
    Ablation("no_lighting", "no lighting noise (4.1)", {"augmentation": ("crop", "mirror")}, (1.0, None)),
    Ablation("text_lighting", "lighting noise as the text has it (4.1)", {"lighting": "text"}),
    Ablation("no_crop_no_mirror", "no crops and mirrors (4.1)", {"augmentation": ("lighting",)}),
    Ablation("no_dropout", "no dropout (4.2)", {"dropout": 0.0}),
    Ablation("text_initial_weights", "initial weights of the text (5)", {"initial_weights": "text"}),
    Ablation("decay_into_weights", "weight decay outside the velocity (5)", {"decay_into": "weights"}),
)


@dataclasses.dataclass(frozen=True)
class Difference:
    """What a change does to an error, in points.

    Attributes:
        points: Error with the change less that without, one a seed.
    """

    points: tuple[float, ...]

    @classmethod
    def paired(cls, errors, whole):
        """Of two mappings from seeds to errors, shares of 1, over the seeds that both have; None if these are too few.

        Example:
            >>> Difference.paired({0: 0.75, 1: 0.5, 2: 0.5}, {0: 0.5, 1: 0.5, 2: 0.25, 3: 0.5})
            Difference(points=(25.0, 0.0, 25.0))
        """
        seeds = sorted(whole.keys() & errors.keys())
        return cls(tuple(100 * (errors[seed] - whole[seed]) for seed in seeds)) if len(seeds) >= FEWEST else None

    @property
    def mean(self):
        """Over the seeds."""
        return float(np.mean(self.points))

    @property
    def interval(self):
        """Where the mean over all seeds lies in 95 of 100 cases, by Student's t over those that there are.

        Example:
            >>> [round(end, 2) for end in Difference((1.0, 2.0, 3.0)).interval]
            [-0.48, 4.48]
        """
        half = float(stats.t.ppf(0.975, len(self.points) - 1) * stats.sem(self.points))
        return self.mean - half, self.mean + half

    def __str__(self):
        return "{:+.1f} ({:+.1f} to {:+.1f})".format(self.mean, *self.interval)

    def verdict(self, paper):
        """Whether what the paper says is seen here.

        Args:
            paper: The paper's points, None where it says none.

        Example:
            >>> Difference((1.0, 2.0, 3.0)).verdict(paper=1.4)
            'not told apart'
            >>> Difference((1.0, 1.1, 1.2)).verdict(paper=1.4)
            'held up'
        """
        low, high = self.interval
        if low <= 0 <= high:
            return "not told apart"
        if paper is None:
            return "costs" if low > 0 else "helps"
        return "held up" if low > 0 else "the other way round"


def differences(rows, key="top1_error"):
    """What each ablation does to the error on the test pictures, one view, paired by seed.

    Args:
        rows: Sequence of mappings as `runs.summary` gives them.
        key: Of `measures.measure`: "top1_error" or "top5_error".

    Returns:
        A mapping from names in `ABLATIONS` to `Difference`, of those that have enough seeds.
    """
    whole = errors_by_seed(rows, RECIPES[RECIPE], key)
    found = {each.name: Difference.paired(errors_by_seed(rows, each.recipe, key), whole) for each in ABLATIONS}
    return {name: difference for name, difference in found.items() if difference}


def errors_by_seed(rows, recipe, key, dataset=DATASET, weights=None):
    """One error of the test pictures, one view, of the runs by a recipe that were tested.

    Args:
        rows: As for `differences`.
        recipe: A `Recipe`.
        key: As for `differences`.
        dataset: The data set that they were trained on.
        weights: The file of weights that they started from, None for random ones.

    Returns:
        A mapping from seeds to errors, shares of 1.
    """
    alike = [row for row in rows if (row["dataset"], row["weights"]) == (dataset, weights)]
    return {
        row["seed"]: row["results"]["test"]["1_view"][key]
        for row in alike
        if Recipe.of(row["recipe"]) == recipe and row["results"]["test"]
    }


def describe(rows, name):
    """One ablation in words, a line for each of top-1 and top-5.

    Args:
        rows: As for `differences`.
        name: Of the ablation.

    Raises:
        ValueError: If there is none of this name, or too few seeds of it.
    """
    papers = {ablation.name: ablation.paper for ablation in ABLATIONS}
    if name not in differences(rows):
        raise ValueError(f"Expected an ablation with {FEWEST} seeds on record: {', '.join(papers)}. Received: {name}")
    lines = []
    for k, paper in zip((1, 5), papers[name], strict=True):
        found = differences(rows, f"top{k}_error")[name]
        beside = "" if paper is None else f", paper {_signed(paper)}"
        by_seed = ", ".join(map(_signed, found.points))
        lines.append(f"top-{k} error: {found}{beside}: {found.verdict(paper)}; by seed {by_seed}")
    return "\n".join(lines)


def table(rows):
    """The paper's differences beside ours, in Markdown.

    Args:
        rows: As for `differences`.

    Returns:
        The table, of the ablations that have enough seeds.
    """
    top1, top5 = differences(rows), differences(rows, "top5_error")
    lines = [
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
    ]
    return tabulate.tabulate(lines, headers="keys", tablefmt="github", disable_numparse=True)


def _signed(points):
    return "" if points is None else f"{points:+.1f}"
