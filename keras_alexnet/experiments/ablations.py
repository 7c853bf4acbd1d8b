"""Ablations: the effect of each part of the network (paper sections 3, 4, 5 and 7).

An ablation is the recipe `ablation` with one change. Its runs are paired by seed with runs of the unchanged recipe, so
that everything that depends on the seed, such as the order of the pictures, is the same on both sides. (In the archive,
seeds 0 to 2 of three changes have other crops than their partners, see docs/results.md.)
"""

import dataclasses
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from keras_alexnet.experiments.differences import FEWEST, Difference, corrected
from keras_alexnet.recipes import RECIPES, Recipe
from keras_alexnet.reporting.tables import markdown

RECIPE, DATASET = "ablation", "oxford_flowers102"
LAST_EPOCHS = 5  # ours: over which errors in training are averaged

Row = Mapping[str, Any]  # what `Run.summary` returns for one run


@dataclasses.dataclass(frozen=True)
class Ablation:
    """One change to the recipe.

    Attributes:
        name: The name of its runs, after `ablation_` and before the seed.
        what: Description of the change.
        change: The changed setting of the recipe and its value.
        paper: Points of top-1 and top-5 error that the change costs in the paper, None without a number.
        log: The authors' run with this change, and what it costs in their log.
        hedge: The paper's word before its numbers, such as "about".
    """

    name: str
    what: str
    change: Mapping[str, Any]
    paper: tuple[float | None, float | None] = (None, None)
    log: str = ""
    hedge: str = ""

    @property
    def recipe(self) -> Recipe:
        """The recipe with the change."""
        return dataclasses.replace(RECIPES[RECIPE], **self.change)

    @property
    def paper_in_words(self) -> tuple[str, str]:
        """The paper's numbers with a sign, such as "about +2.0"; "" without a number."""
        top1, top5 = ("" if points is None else f"{self.hedge} {points:+.1f}".strip() for points in self.paper)
        return top1, top5


ABLATIONS = (
    Ablation(
        "no_normalization",
        "no response normalization (3.3)",
        {"architecture": "no_normalization"},
        (1.4, 1.2),
        "148: +1.37, +1.15; without both normalizations",
    ),
    Ablation(
        "no_overlap", "pooling without overlap (3.4)", {"architecture": "no_overlap"}, (0.4, 0.3), "147: +0.40, +0.30"
    ),
    Ablation("half", "half of the kernels (3.2)", {"architecture": "half"}, (1.7, 1.2), "145-half: +1.70, +1.23"),
    Ablation("single_tower", "no groups (3.2)", {"architecture": "single_tower"}),
    Ablation(
        "no_communication",
        "no communication between the towers (3.2)",
        {"architecture": "no_communication"},
        log="150: +1.17, +1.12",
    ),
    Ablation("no_conv3", "without conv3 (7)", {"architecture": "no_conv3"}, (2.0, None), hedge="about"),
    Ablation("no_conv4", "without conv4 (7)", {"architecture": "no_conv4"}, (2.0, None), hedge="about"),
    Ablation("no_lighting", "no PCA lighting (4.1)", {"augmentation": ("crop", "mirror")}, (1.0, None), hedge="over"),
    Ablation("text_lighting", "PCA lighting as in the text (4.1)", {"lighting": "text"}),
    Ablation("no_crop_no_mirror", "no crops and mirrors (4.1)", {"augmentation": ("lighting",)}),
    Ablation("no_dropout", "no dropout (4.2)", {"dropout": 0.0}),
    Ablation("text_initial_weights", "initial weights of the text (5)", {"initial_weights": "text"}),
    Ablation("no_weight_decay", "no weight decay (5)", {"weight_decay": 0.0}),
    Ablation("decay_into_weights", "weight decay outside the velocity (5)", {"decay_into": "weights"}),
)


def differences(rows: Sequence[Row], key: str = "top1_error") -> dict[str, Difference]:
    """Return the effect of each ablation on the error on the test pictures with one crop, paired by seed.

    Args:
        rows: Results of `Run.summary`.
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
    """Return an error on the test pictures with one crop, by seed, for the tested runs of a recipe.

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
    tested = (row for row in _runs_of(rows, recipe, dataset, weights) if row["results"]["test"])
    return {seed: row["results"]["test"]["1_view"][key] for seed, row in by_seed(tested).items()}


def _runs_of(rows: Sequence[Row], recipe: Recipe, dataset: str, weights: str | None) -> Iterator[Row]:
    origin = (dataset, weights)
    return (
        row for row in rows if (row["dataset"], row["weights"]) == origin and Recipe.from_dict(row["recipe"]) == recipe
    )


def training_errors(rows: Sequence[Row], recipe: Recipe) -> dict[int, float]:
    """Return the top-1 error in training at its end, by seed, for the runs of a recipe.

    It is the mean of the last epochs, on augmented pictures and with dropout, as training sees it.

    Args:
        rows: As for `differences`.
        recipe: The recipe of the runs.

    Returns:
        Fractions from 0 to 1.

    Raises:
        ValueError: If two of these runs have the same seed.
    """
    runs = by_seed(row for row in _runs_of(rows, recipe, DATASET, None) if row["training_errors"])
    return {seed: float(np.mean(row["training_errors"][-LAST_EPOCHS:])) for seed, row in runs.items()}


def training_differences(rows: Sequence[Row]) -> dict[str, Difference]:
    """Return the effect of each ablation on the error in training, see `training_errors` and `differences`.

    Source: section 5, weight decay "reduces the model's training error".
    """
    whole = training_errors(rows, RECIPES[RECIPE])
    pairs = {each.name: Difference.paired(training_errors(rows, each.recipe), whole) for each in ABLATIONS}
    return {name: difference for name, difference in pairs.items() if difference}


def without_decay_in_long_training(rows: Sequence[Row]) -> dict[str, Difference]:
    """Return the effect of no weight decay in the recipe `flowers`, where decay has the time to act.

    This recipe has ten times the paper's decay, and nearly seven times as many epochs as `ablation`.

    Args:
        rows: As for `differences`.

    Returns:
        The differences in top-1 error on the "test" pictures with one crop and in "training", those with enough seeds.

    Source: section 5, weight decay "reduces the model's training error".
    """
    whole = RECIPES["flowers"]
    changed = dataclasses.replace(whole, weight_decay=0.0)
    pairs = {
        "test": [errors_by_seed(rows, recipe, "top1_error") for recipe in (changed, whole)],
        "training": [training_errors(rows, recipe) for recipe in (changed, whole)],
    }
    found = {name: Difference.paired(*pair) for name, pair in pairs.items()}
    return {name: difference for name, difference in found.items() if difference}


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
    """Describe one ablation for top-1 and top-5, with p-values that are corrected for the number of ablations.

    Args:
        rows: As for `differences`.
        name: The name of the ablation.

    Raises:
        ValueError: If there is no ablation of this name, or too few seeds of it.
    """
    named = {ablation.name: ablation for ablation in ABLATIONS}
    if name not in differences(rows):
        raise ValueError(f"Expected an ablation with {FEWEST} archived seeds: {', '.join(named)}. Received: {name}")
    lines = []
    for k, paper, words in zip((1, 5), named[name].paper, named[name].paper_in_words, strict=True):
        found = differences(rows, f"top{k}_error")
        difference, p_value = found[name], corrected(found)[name]
        of_paper = f", paper {words}" if words else ""
        points = ", ".join(map("{:+.1f}".format, difference.points))
        verdict = difference.verdict(paper, p_value)
        lines.append(f"top-{k} error: {difference}, p {p_value:.2g}{of_paper}: {verdict}")
        lines.append(textwrap.fill(f"by seed {points}", 80, initial_indent=" " * 4, subsequent_indent=" " * 12))
    return "\n".join(lines)


def table(rows: Sequence[Row]) -> str:
    """Return a Markdown table of the paper's differences and ours, for the ablations with enough seeds.

    Args:
        rows: As for `differences`.
    """
    top1, top5 = differences(rows), differences(rows, "top5_error")
    p_values = corrected(top1)
    return markdown(
        {
            "change": ablation.what,
            "paper, top-1": ablation.paper_in_words[0],
            "top-5": ablation.paper_in_words[1],
            "the authors' log": ablation.log,
            "here, top-1": str(top1[ablation.name]),
            "here, top-5": str(top5[ablation.name]),
            "seeds": len(top1[ablation.name].points),
            "p, top-1": f"{p_values[ablation.name]:.2g}",
            "verdict on top-1": top1[ablation.name].verdict(ablation.paper[0], p_values[ablation.name]),
        }
        for ablation in ABLATIONS
        if ablation.name in top1
    )


def short_table(rows: Sequence[Row]) -> str:
    """Return a Markdown table of the differences in top-1 error alone, for the ablations with enough seeds.

    Args:
        rows: As for `differences`.
    """
    found = differences(rows)
    p_values = corrected(found)
    return markdown(
        {
            "change": ablation.what,
            "the paper": ablation.paper_in_words[0],
            "here": str(found[ablation.name]),
            "p": f"{p_values[ablation.name]:.2g}",
            "verdict": found[ablation.name].verdict(ablation.paper[0], p_values[ablation.name]),
        }
        for ablation in ABLATIONS
        if ablation.name in found
    )


def training_table(rows: Sequence[Row]) -> str:
    """Return a Markdown table of the differences in training, for the ablations with enough seeds.

    Args:
        rows: As for `differences`.
    """
    whole, found, lines = training_errors(rows, RECIPES[RECIPE]), training_differences(rows), []
    p_values = corrected(found)
    for ablation in ABLATIONS:
        if ablation.name in found:
            changed = training_errors(rows, ablation.recipe)
            seeds = whole.keys() & changed.keys()
            before, after = (100 * np.mean([errors[seed] for seed in seeds]) for errors in (whole, changed))
            line = {"change": ablation.what, "unchanged": f"{before:.1f}", "changed": f"{after:.1f}"}
            line |= {"difference": str(found[ablation.name]), "p": f"{p_values[ablation.name]:.2g}"}
            lines.append(line)
    return markdown(lines)


def long_decay_table(rows: Sequence[Row]) -> str:
    """Return a Markdown table of `without_decay_in_long_training`."""
    return markdown(
        {
            "top-1 error": where,
            "difference": str(difference),
            "seeds": len(difference.points),
            "p, not corrected": f"{difference.p_value:.2g}",
        }
        for where, difference in without_decay_in_long_training(rows).items()
    )
