"""Markdown tables of the archived runs: recipes, seeds, figure 1, ensembles, fine-tuning and specialization."""

import dataclasses
import itertools
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_alexnet import runs
from keras_alexnet.experiments.ablations import LAST_EPOCHS, by_seed, errors_by_seed
from keras_alexnet.experiments.differences import Difference
from keras_alexnet.plotting.charts import TARGET_ERROR, epochs_to_reach
from keras_alexnet.recipes import RECIPES, Recipe
from keras_alexnet.reporting.tables import markdown, spread, start_name

VIEW_HEADINGS = {"1_view": "one crop", "10_views": "ten crops"}
FOUR_LAYERS = ("conv_local", "conv_local_norm")  # architectures, without normalization and with it
NONLINEARITIES = {"figure_1": "ReLU", "figure_1_tanh": "tanh"}  # by architecture

Row = Mapping[str, Any]  # what `Run.summary` returns for one run


def all_runs(rows: Sequence[Row]) -> str:
    """Return a table of all runs by name: command, date, minutes, and top-1 and top-5 errors in percent."""
    return markdown(
        {"run": row["run"], "command": f"`{row['command']}`", "date": row["date"], "minutes": _minutes(row["seconds"])}
        | {
            f"{split}, {name}": _both_errors(row["results"][split].get(views))
            for split in runs.EVALUATED_SPLITS
            for views, name in VIEW_HEADINGS.items()
        }
        for row in sorted(rows, key=lambda row: row["run"])
    )


def _minutes(seconds: float | None) -> str:
    return f"{seconds / 60:.0f}" if seconds else ""  # stopped runs have none


def notes(rows: Sequence[Row]) -> str:
    """Return a Markdown list of the notes on runs that today's code does not reproduce with their commands."""
    return "\n".join(
        f"- {row['run']}: {row['note']}" for row in sorted(rows, key=lambda row: row["run"]) if row["note"]
    )


def _both_errors(numbers: Mapping[str, float] | None) -> str:
    return f"{100 * numbers['top1_error']:.1f}, {100 * numbers['top5_error']:.1f}" if numbers else ""


def seeds(rows: Sequence[Row]) -> str:
    """Return a table of the recipes with several seeds: mean, lowest and highest top-1 errors in percent."""
    return markdown(
        {"runs": common_name(group), "seeds": len(group)}
        | {
            f"{split}, {name}": spread([row["results"][split][key]["top1_error"] for row in group])
            for split in runs.EVALUATED_SPLITS
            for key, name in VIEW_HEADINGS.items()
            if all(key in row["results"][split] for row in group)
        }
        for group in groups_of_seeds(rows)
    )


def from_scratch(rows: Sequence[Row]) -> str:
    """Return a table of the named recipes on Flowers-102 from random weights, lowest error first.

    Runs on other data, with other recipes or without a test result are left out.

    Returns:
        Errors on the test pictures in percent; for several seeds the mean, lowest and highest.
    """
    tested = [
        row
        for row in rows
        if row["dataset"].startswith("oxford_flowers102") and not row["weights"] and row["results"]["test"]
    ]
    lines = []
    for group in sorted(groups_of_seeds(tested, at_least=1), key=_mean_test_error):
        recipe, (_, _, split) = Recipe.from_dict(group[0]["recipe"]), group[0]["dataset"].partition(":")
        if (name := _name_of(recipe)) is not None:
            line = {"recipe": f"`{name}`", "trained on": split or "train", "epochs": recipe.epochs}
            lines.append(line | {"seeds": len(group)} | _test_errors(group))
    return markdown(lines)


def _mean_test_error(group: Sequence[Row]) -> float:
    return float(np.mean([row["results"]["test"]["1_view"]["top1_error"] for row in group]))


# Named recipes of archived runs that have changed since version 0.1.0
FORMER_RECIPES = {
    "source": Recipe(
        architecture="source", crop_size=224, mean="image", lighting="source", bias_learning_rate_factor=2.0
    )
}


def _name_of(recipe: Recipe) -> str | None:
    """Return the name of a recipe, for any number of epochs."""
    schedule = {"epochs": recipe.epochs, "divide_after": recipe.divide_after}
    known = (*RECIPES.items(), *FORMER_RECIPES.items())
    return next((name for name, settings in known if dataclasses.replace(settings, **schedule) == recipe), None)


def _test_errors(group: Sequence[Row]) -> dict[str, str]:
    results = [row["results"]["test"] for row in group]
    return {
        f"top-{k}, {name}": spread([numbers[key][f"top{k}_error"] for numbers in results])
        for key, name in VIEW_HEADINGS.items()
        if all(key in numbers for numbers in results)
        for k in (1, 5)
    }


def groups_of_seeds(rows: Sequence[Row], at_least: int = 2) -> list[list[Row]]:
    """Group the runs that differ only in their seeds, by name."""

    def recipe(row: Row) -> tuple[str, str, str]:
        return row["dataset"], row["weights"] or "", str(Recipe.from_dict(row["recipe"]))

    groups = [list(by_seed(group).values()) for _, group in itertools.groupby(sorted(rows, key=recipe), recipe)]
    return sorted((group for group in groups if len(group) >= at_least), key=common_name)


def common_name(group: Sequence[Row]) -> str:
    """Return the name of the runs without the seed at its end."""
    first = group[0]["run"]
    return first.rpartition("-")[0] or first


def epochs_by_nonlinearity(rows: Sequence[Row]) -> dict[str, dict[int, float | None]]:
    """Return the number of epochs until the networks of figure 1 reach 25 % training error.

    Runs of other networks are left out.

    Returns:
        The epochs by seed, for "ReLU" and for "tanh"; None if a run never reaches the error.

    Source: section 3.1, figure 1.
    """
    result = {}
    for architecture, name in NONLINEARITIES.items():
        of_network = by_seed(row for row in rows if row["recipe"]["architecture"] == architecture)
        if of_network:
            epochs = {seed: epochs_to_reach(row["training_errors"], TARGET_ERROR) for seed, row in of_network.items()}
            result[name] = dict(sorted(epochs.items()))
    return result


def epoch_ratios(rows: Sequence[Row]) -> dict[int, float]:
    """Return how many times as many epochs tanh needs as ReLU in figure 1, by seed; six in the paper."""
    epochs = epochs_by_nonlinearity(rows)
    fast, slow = (epochs.get(name, {}) for name in NONLINEARITIES.values())
    return {seed: slow[seed] / fast[seed] for seed in sorted(fast.keys() & slow.keys()) if fast[seed] and slow[seed]}


def figure_1(rows: Sequence[Row]) -> str:
    """Return a table of the epochs of figure 1 and their ratio, which is six in the paper."""
    epochs = epochs_by_nonlinearity(rows)
    numbers = sorted({seed for of_seeds in epochs.values() for seed in of_seeds})
    lines = [
        {"": f"epochs to {TARGET_ERROR:.0%}, {name}"}
        | {f"seed {seed}": _epochs(of_seeds[seed]) if seed in of_seeds else "" for seed in numbers}
        for name, of_seeds in epochs.items()
    ]
    if ratios := epoch_ratios(rows):
        shown = {f"seed {seed}": f"{ratio:.1f}" for seed, ratio in ratios.items()}
        lines.append({"": "ratio (the paper: six)"} | shown)
    return markdown(lines)


def _epochs(number: float | None) -> str:
    return "not reached" if number is None else f"{number:.1f}"


def normalization_differences(rows: Sequence[Row]) -> dict[str, Difference]:
    """Return what normalization changes in the four-layer network for CIFAR-10, in points of top-1 error, ten crops.

    Returns:
        The differences by split, for those with enough seeds; below zero if there are fewer errors with normalization.

    Source: section 3.3, from 13 to 11 %.
    """
    errors = {split: _errors_of_four_layers(rows, split) for split in runs.EVALUATED_SPLITS}
    found = {split: Difference.paired(with_it, without) for split, (without, with_it) in errors.items()}
    return {split: difference for split, difference in found.items() if difference}


def normalization(rows: Sequence[Row]) -> str:
    """Return a table of the top-1 errors of the four-layer network, with and without normalization; see above."""
    lines = []
    for split, difference in normalization_differences(rows).items():
        without, with_it = _errors_of_four_layers(rows, split)
        paired = sorted(without.keys() & with_it.keys())
        lines.append(
            {
                "pictures": split,
                "without": spread([without[seed] for seed in paired]),
                "with normalization": spread([with_it[seed] for seed in paired]),
                "difference": str(difference),
                "seeds": len(difference.points),
                "p, not corrected": f"{difference.p_value:.2g}",
            }
        )
    return markdown(lines)


def _errors_of_four_layers(rows: Sequence[Row], split: str) -> tuple[dict[int, float], dict[int, float]]:
    """Return the errors with ten crops by seed, without normalization and with it."""
    views = "10_views"
    without, with_it = (
        {
            seed: row["results"][split][views]["top1_error"]
            for seed, row in by_seed(row for row in rows if row["recipe"]["architecture"] == name).items()
            if views in row["results"][split]
        }
        for name in FOUR_LAYERS
    )
    return without, with_it


def schedule(rows: Sequence[Row]) -> str:
    """Return a table of the errors at the end of each phase of the authors' schedule, in percent.

    A phase ends when the learning rate is divided or PCA lighting is turned off. The runs are those of the recipe
    `source`, at any size.

    Source: section 5, the learning rate was "reduced three times".
    """
    lines = []
    for row in sorted(rows, key=lambda row: row["run"]):
        recipe = Recipe.from_dict(row["recipe"])
        if dataclasses.replace(RECIPES["source"], crop_size=recipe.crop_size, resize_size=recipe.resize_size) != recipe:
            continue
        for begin, end in itertools.pairwise(sorted((0, *recipe.divide_after, recipe.lighting_until, recipe.epochs))):
            last = row["log"][max(begin, end - LAST_EPOCHS) : end]
            line = {"run": row["run"], "epochs": f"{begin + 1} to {end}", "learning rate": _rate(row, end)}
            line["PCA lighting"] = "yes" if end <= recipe.lighting_until else "no"
            for key, what in (("top1_error", "training error"), ("val_top1_error", "validation error")):
                line[what] = f"{100 * np.mean([epoch[key] for epoch in last]):.1f}"
            lines.append(line)
    return markdown(lines)


def _rate(row: Row, epoch: int) -> str:
    return np.format_float_positional(row["log"][epoch - 1]["learning_rate"], precision=10, trim="-")


def ensembles(rows: Sequence[Row]) -> str:
    """Return a table of single networks and ensembles: top-1 and top-5 errors in percent.

    The errors of single networks are means. An ensemble with a run that is not among the rows is left out.

    Source: section 6, table 2.
    """
    by_name = {row["run"]: row["results"] for row in rows}
    in_order = sorted(rows, key=lambda row: row["run"])
    ensembles = [(split, ensemble) for row in in_order for split, ensemble in row["ensembles"].items()]
    lines = []
    for (split, ensemble), (key, name) in itertools.product(ensembles, VIEW_HEADINGS.items()):
        members = [by_name.get(run, {}).get(split, {}).get(key) for run in ensemble["runs"]]
        if key not in ensemble or not all(members):
            continue
        together, alone = _top_errors(ensemble[key]), np.mean([_top_errors(member) for member in members], axis=0)
        line = {"networks": ", ".join(ensemble["runs"]), "pictures": split, "views": name}
        line |= {"alone": "{:.1f}, {:.1f}".format(*alone), "together": "{:.1f}, {:.1f}".format(*together)}
        lines.append(line | {"difference": "{:+.1f}, {:+.1f}".format(*together - alone)})
    return markdown(lines)


def _top_errors(numbers: Mapping[str, float]) -> np.ndarray:
    return 100 * np.array([numbers["top1_error"], numbers["top5_error"]])


def fine_tuning(rows: Sequence[Row]) -> str:
    """Return a table of runs that start from another network, compared with the same recipe from random weights.

    Returns:
        Top-1 errors on the test pictures with one crop, and their difference, paired by seed.
    """
    lines = []
    for group in groups_of_seeds(rows):
        tuned, scratch = _errors_tuned_and_not(rows, group[0])
        if difference := Difference.paired(tuned, scratch):
            paired = sorted(tuned.keys() & scratch.keys())
            weights = group[0]["weights"]
            lines.append(
                {
                    "runs": common_name(group),
                    "start": start_name(weights),
                    "from there": spread([tuned[seed] for seed in paired]),
                    "from random weights": spread([scratch[seed] for seed in paired]),
                    "difference": str(difference),
                }
            )
    return markdown(lines)


def fine_tuning_differences(rows: Sequence[Row]) -> dict[str, Difference]:
    """Return the differences of `fine_tuning`, by the names of the runs."""
    pairs = {common_name(group): _errors_tuned_and_not(rows, group[0]) for group in groups_of_seeds(rows)}
    found = {name: Difference.paired(*pair) for name, pair in pairs.items()}
    return {name: difference for name, difference in found.items() if difference}


def _errors_tuned_and_not(rows: Sequence[Row], tuned: Row) -> tuple[dict[int, float], dict[int, float]]:
    """Return errors by seed for the runs that differ from one only in the seed, and for those from random weights.

    Both are empty if the run itself started from random weights.
    """
    if not tuned["weights"]:
        return {}, {}
    what = Recipe.from_dict(tuned["recipe"]), "top1_error", tuned["dataset"]
    return errors_by_seed(rows, *what, tuned["weights"]), errors_by_seed(rows, *what)


def specialization(rows: Sequence[Row]) -> str:
    """Return a table of the color difference between the two halves of conv1's kernels, by architecture.

    In the paper, one half was gray and the other colored. Which one depends on the seed, so the distance from 1/2
    counts; see `features.specialization`.

    Source: section 6.1.
    """
    by_network = {}
    for row in sorted(rows, key=lambda row: row["recipe"]["architecture"]):
        if row["specialization"] is None or row["weights"] or not row["dataset"].startswith("oxford_flowers"):
            continue
        by_network.setdefault(row["recipe"]["architecture"], []).append(row["specialization"])
    return markdown(
        {
            "network": network,
            "runs": len(values),
            "second tower more colorful, share of pairs": _listed(sorted(values)),
            "mean distance from 1/2": f"{np.abs(np.array(values) - 0.5).mean():.2f}",
        }
        for network, values in by_network.items()
    )


def _listed(values: Sequence[float]) -> str:
    few = len(values) <= 4
    return ", ".join(f"{value:.2f}" for value in values) if few else f"{values[0]:.2f} to {values[-1]:.2f}"
