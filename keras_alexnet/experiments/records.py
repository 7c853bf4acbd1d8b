"""What runs on record say together: recipes, seeds, figure 1, ensembles, fine-tuning, how columns specialize."""

import dataclasses
import itertools
import pathlib

import numpy as np
import tabulate

from keras_alexnet.experiments.ablations import Difference, errors_by_seed
from keras_alexnet.plotting.charts import epochs_to_reach
from keras_alexnet.recipes import RECIPES, Recipe

TARGET = 0.25  # the training error at which figure 1 compares epochs
VIEWS = {"1_view": "one view", "10_views": "ten"}
NONLINEARITIES = {"figure_1": "ReLU", "figure_1_tanh": "tanh"}  # by architecture


def seeds(rows):
    """Errors of the recipes that were trained with several seeds, in Markdown.

    Args:
        rows: Sequence of mappings as `runs.summary` gives them.

    Returns:
        The table: mean, and least to most, of the top-1 errors in per cent.
    """
    lines = [
        {"runs": _common_name(group), "seeds": _seeds(group)}
        | {
            f"{split}, {name}": _spread([row["results"][split][key]["top1_error"] for row in group])
            for split in ("validation", "test")
            for key, name in VIEWS.items()
            if all(key in row["results"][split] for row in group)
        }
        for group in _alike_but_for_the_seed(rows)
    ]
    return _markdown(lines)


def from_scratch(rows):
    """The named recipes on Flowers-102, from random weights, in Markdown: the least error first.

    Args:
        rows: Sequence of mappings as `runs.summary` gives them; other runs, and those that were not tested, are passed
            over.

    Returns:
        The table of errors on the test pictures in per cent: of several seeds the mean, and the least and the most.
    """
    tested = [
        row
        for row in rows
        if row["dataset"].startswith("oxford_flowers102") and not row["weights"] and row["results"]["test"]
    ]
    lines = []
    for group in _alike_but_for_the_seed(tested, at_least=1):
        recipe, (_, _, split) = Recipe.of(group[0]["recipe"]), group[0]["dataset"].partition(":")
        if (name := _name_of(recipe)) is not None:
            line = {"recipe": f"`{name}`", "trained on": split or "train", "epochs": recipe.epochs}
            lines.append(line | {"seeds": _seeds(group)} | _test_errors(group))
    return _markdown(sorted(lines, key=lambda line: float(line["top-1, one view"].split()[0])))


def _name_of(recipe):
    """The name of a recipe, for however many epochs it was followed."""
    schedule = {"epochs": recipe.epochs, "divide_after": recipe.divide_after}
    return next((name for name, known in RECIPES.items() if dataclasses.replace(known, **schedule) == recipe), None)


def _test_errors(group):
    results = [row["results"]["test"] for row in group]
    return {
        f"top-{k}, {name}": _spread([numbers[key][f"top{k}_error"] for numbers in results])
        for key, name in VIEWS.items()
        if all(key in numbers for numbers in results)
        for k in (1, 5)
    }


def _alike_but_for_the_seed(rows, at_least=2):
    def recipe(row):
        return row["dataset"], row["weights"] or "", str(Recipe.of(row["recipe"]))

    groups = (list(group) for _, group in itertools.groupby(sorted(rows, key=recipe), recipe))
    return sorted((group for group in groups if _seeds(group) >= at_least), key=_common_name)


def _seeds(group):
    return len({row["seed"] for row in group})


def _common_name(group):
    """Less the seed, by which names on record end."""
    first = group[0]["run"]
    return first.rpartition("-")[0] or first


def _spread(errors):
    errors = 100 * np.array(errors)
    return f"{errors.mean():.1f}" + (f" ({errors.min():.1f} to {errors.max():.1f})" if len(errors) > 1 else "")


def epochs_by_nonlinearity(rows):
    """After how many epochs the networks of figure 1 reach 25 % training error.

    Args:
        rows: Sequence of mappings as `runs.summary` gives them; those of other networks are passed over.

    Returns:
        A mapping from "ReLU" and "tanh" to the epochs by seed, None where a run never got there.

    Source: section 3.1, figure 1.
    """
    found = {name: {} for name in NONLINEARITIES.values()}
    for row in rows:
        if (name := NONLINEARITIES.get(row["recipe"]["architecture"])) is not None:
            found[name][row["seed"]] = epochs_to_reach(row["training_errors"], TARGET)
    return {name: dict(sorted(by_seed.items())) for name, by_seed in found.items() if by_seed}


def figure_1(rows):
    """The ratio of epochs beside the paper's six, in Markdown.

    Args:
        rows: As for `epochs_by_nonlinearity`.
    """
    found = epochs_by_nonlinearity(rows)
    numbers = sorted({seed for by_seed in found.values() for seed in by_seed})
    lines = [
        {"": f"epochs to {TARGET:.0%}, {name}"} | {f"seed {seed}": _epochs(found[name].get(seed)) for seed in numbers}
        for name in found
    ]
    pairs = {seed: [by_seed.get(seed) for by_seed in found.values()] for seed in numbers}
    ratios = {seed: slow / fast for seed, (fast, slow) in pairs.items() if fast and slow} if len(found) == 2 else {}
    if ratios:
        shown = {f"seed {seed}": f"{ratio:.1f}" for seed, ratio in ratios.items()}
        lines.append({"": "ratio (the paper: six)"} | shown)
    return _markdown(lines)


def _epochs(number):
    return "not reached" if number is None else f"{number:.1f}"


def ensembles(rows):
    """Networks alone and together, in Markdown.

    Args:
        rows: Sequence of mappings as `runs.summary` gives them; an ensemble with a run that is not among them is
            passed over.

    Returns:
        The table of top-1 and top-5 errors in per cent, of networks alone the mean.

    Source: section 6, table 2.
    """
    by_name = {row["run"]: row["results"] for row in rows}
    in_order = sorted(rows, key=lambda row: row["run"])
    found = [(split, ensemble) for row in in_order for split, ensemble in row["ensembles"].items()]
    lines = []
    for (split, ensemble), (key, name) in itertools.product(found, VIEWS.items()):
        members = [by_name.get(run, {}).get(split, {}).get(key) for run in ensemble["runs"]]
        if key not in ensemble or not all(members):
            continue
        together, alone = _top_errors(ensemble[key]), np.mean([_top_errors(member) for member in members], axis=0)
        line = {"networks": ", ".join(ensemble["runs"]), "pictures": split, "views": name}
        line |= {"alone": "{:.1f}, {:.1f}".format(*alone), "together": "{:.1f}, {:.1f}".format(*together)}
        lines.append(line | {"difference": "{:+.1f}, {:+.1f}".format(*together - alone)})
    return _markdown(lines)


def _top_errors(numbers):
    return 100 * np.array([numbers["top1_error"], numbers["top5_error"]])


def fine_tuning(rows):
    """Runs that start from another network beside those of the same recipe that start from random weights, in Markdown.

    Args:
        rows: Sequence of mappings as `runs.summary` gives them.

    Returns:
        The table: top-1 errors on the test pictures, one view, and their difference, paired by seed.
    """
    lines = []
    for group in _alike_but_for_the_seed(rows):
        first = group[0]
        what = Recipe.of(first["recipe"]), "top1_error", first["dataset"]
        tuned, scratch = (errors_by_seed(rows, *what, weights) for weights in (first["weights"], None))
        if first["weights"] and (difference := Difference.paired(tuned, scratch)):
            line = {"runs": _common_name(group), "start": pathlib.PurePath(first["weights"]).parent.name}
            paired = sorted(tuned.keys() & scratch.keys())
            line |= {"from there": _spread([tuned[seed] for seed in paired])}
            line |= {"from random weights": _spread([scratch[seed] for seed in paired])}
            lines.append(line | {"difference": str(difference)})
    return _markdown(lines)


def specialization(rows):
    """How far the two halves of conv1's kernels differ in color, by architecture, in Markdown.

    The paper saw one of the halves grey and the other colored. Which one it is depends on the seed, so the distance
    from 1/2 counts, see `features.specialization`.

    Args:
        rows: Sequence of mappings as `runs.summary` gives them.

    Source: section 6.1.
    """
    by_network = {}
    for row in sorted(rows, key=lambda row: row["recipe"]["architecture"]):
        if row["specialization"] is None or row["weights"] or not row["dataset"].startswith("oxford_flowers"):
            continue
        by_network.setdefault(row["recipe"]["architecture"], []).append(row["specialization"])
    lines = [
        {
            "network": network,
            "runs": len(values),
            "second column more colorful, share of pairs": _listed(sorted(values)),
            "mean distance from 1/2": f"{np.abs(np.array(values) - 0.5).mean():.2f}",
        }
        for network, values in by_network.items()
    ]
    return _markdown(lines)


def _listed(values):
    few = len(values) <= 4
    return ", ".join(f"{value:.2f}" for value in values) if few else f"{values[0]:.2f} to {values[-1]:.2f}"


def _markdown(lines):
    return tabulate.tabulate(lines, headers="keys", tablefmt="github", disable_numparse=True)
