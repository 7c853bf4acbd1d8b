"""The cost of a change: differences between runs, paired by seed."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from keras_alexnet.experiments import ablations
from keras_alexnet.experiments.ablations import ABLATIONS, Difference
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.recipes import RECIPES

WHOLE = RECIPES["ablation"]
NO_OVERLAP = dataclasses.replace(WHOLE, architecture="no_overlap")


def row(recipe, seed, top1, top5=0.3):
    test = {"1_view": {"top1_error": top1, "top5_error": top5}}
    fields = dataclasses.asdict(recipe) | {"augmentation": list(recipe.augmentation)}  # as JSON brings it back
    beside = {"dataset": "oxford_flowers102", "weights": None}
    name = f"{recipe.architecture}-{seed}"
    return {"run": name, "recipe": fields, "seed": seed, "results": {"test": test}} | beside


def rows(without, whole=(0.60, 0.62, 0.61)):
    """Relevant runs among runs with other recipes, data and initial weights, and untested runs."""
    others = [
        row(RECIPES["text"], 0, 0.1),
        row(NO_OVERLAP, 9, 0.1) | {"results": {"test": {}}},
    ]
    behind = [row(WHOLE, 0, 0.1) | {"dataset": "petals"}, row(WHOLE, 1, 0.1) | {"weights": "runs/a/best.keras"}]
    return (
        others
        + behind
        + [row(WHOLE, seed, error) for seed, error in enumerate(whole)]
        + [row(NO_OVERLAP, seed, error) for seed, error in reversed(list(enumerate(without)))]
    )


def test_each_ablation_changes_one_setting_and_all_differ():
    recipes = [ablation.recipe for ablation in ABLATIONS]
    assert len({str(recipe) for recipe in [WHOLE, *recipes]}) == len(recipes) + 1
    assert all(len(ablation.change) == 1 for ablation in ABLATIONS)
    assert {recipe.architecture for recipe in recipes} <= set(ARCHITECTURES)


def test_differences_are_paired_by_seed():
    """Compare with scipy's paired test."""
    without, whole = (0.65, 0.64, 0.66), (0.60, 0.62, 0.61)
    (name, found), *others = ablations.differences(rows(without, whole)).items()
    assert (name, others) == ("no_overlap", [])
    assert found.points == pytest.approx((5, 2, 5))
    low, high = stats.ttest_rel(np.multiply(without, 100), np.multiply(whole, 100)).confidence_interval(0.95)
    assert found.interval == pytest.approx((low, high))


def test_two_runs_of_one_seed_are_an_error():
    doubled = [*rows((0.65, 0.64, 0.66)), row(NO_OVERLAP, 1, 0.1) | {"run": "again-1"}]
    with pytest.raises(ValueError, match="Received: again-1 and no_overlap-1"):
        ablations.differences(doubled)


def test_two_seeds_are_too_few():
    assert ablations.differences(rows((0.65, 0.64))) == {}


@pytest.mark.parametrize(
    ("points", "paper", "verdict"),
    [
        ((1.0, 1.1, 1.2), 0.4, "held up"),
        ((-1.0, -1.1, -1.2), 0.4, "the opposite"),
        ((-1.0, 1.1, 0.2), 0.4, "cannot tell"),
        ((1.0, 1.1, 1.2), None, "costs"),
        ((-1.0, -1.1, -1.2), None, "helps"),
    ],
)
def test_verdict(points, paper, verdict):
    assert Difference(points).verdict(paper) == verdict


def test_table_has_the_papers_differences_beside_ours():
    *_, line = ablations.table(rows((0.65, 0.64, 0.66))).splitlines()
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:3] == ["pooling without overlap (3.4)", "+0.4", "+0.3"]
    assert cells[3].startswith("+4.0 (-0.3 to +8.3)")
    assert cells[5:] == ["3", "cannot tell"]


def test_one_ablation_in_words():
    top1, top5 = ablations.describe(rows((0.65, 0.64, 0.66)), "no_overlap").splitlines()
    assert top1 == "top-1 error: +4.0 (-0.3 to +8.3), paper +0.4: cannot tell; by seed +5.0, +2.0, +5.0"
    assert top5.endswith("cannot tell; by seed +0.0, +0.0, +0.0")


@pytest.mark.parametrize("name", ["no_overlap", "no_kernels"])
def test_an_ablation_without_archived_runs_is_refused(name):
    with pytest.raises(ValueError, match=f"no_dropout.*Received: {name}"):
        ablations.describe(rows((0.65, 0.64)), name)
