"""The cost of a change: differences between runs, paired by seed."""

import dataclasses
from unittest import mock

import numpy as np
import pytest
from scipy import stats

from keras_alexnet.experiments import ablations
from keras_alexnet.experiments.ablations import ABLATIONS
from keras_alexnet.experiments.differences import Difference
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
    ("points", "paper", "p_value", "verdict"),
    [
        ((1.0, 1.1, 1.2), 0.4, 0.04, "held up"),
        ((1.0, 1.1, 1.2), 0.4, 0.06, "cannot tell"),  # after the correction
        ((-1.0, -1.1, -1.2), 0.4, 0.04, "the opposite"),
        ((-1.0, 1.1, 0.2), 0.4, 1.0, "cannot tell"),
        ((-0.1, 0.1, 0.2), 0.4, 1.0, "less than 1 point"),
        ((1.0, 1.1, 1.2), None, 0.04, "costs"),
        ((-1.0, -1.1, -1.2), None, 0.04, "helps"),
    ],
)
def test_verdict(points, paper, p_value, verdict):
    assert Difference(points).verdict(paper, p_value) == verdict


def test_p_value_is_that_of_the_paired_test():
    without, whole = (65.0, 64.0, 66.0), (60.0, 62.0, 61.0)
    found = Difference.paired(dict(enumerate(np.divide(without, 100))), dict(enumerate(np.divide(whole, 100))))
    assert found.p_value == pytest.approx(stats.ttest_rel(without, whole).pvalue)
    assert Difference((0.0, 0.0, 0.0)).p_value == 1
    assert Difference((2.0, 2.0, 2.0)).p_value == 0


def test_p_values_are_corrected_as_in_the_textbook():
    """Holm, 1979: the smallest times n, the next times n - 1, and never less than the one before."""
    p_values = {"a": 0.01, "b": 0.04, "c": 0.03, "d": 0.005}
    found = {name: mock.Mock(p_value=p_value) for name, p_value in p_values.items()}
    assert ablations.corrected(found) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06, "d": 0.02})
    assert ablations.corrected({"a": mock.Mock(p_value=0.9), "b": mock.Mock(p_value=0.8)}) == {"a": 1.0, "b": 1.0}


def test_table_has_the_papers_differences_beside_ours():
    *_, line = ablations.table(rows((0.65, 0.64, 0.66))).splitlines()
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    assert cells[:3] == ["pooling without overlap (3.4)", "+0.4", "+0.3"]
    assert cells[3] == "147: +0.40, +0.30"
    assert cells[4].startswith("+4.0 (-0.3 to +8.3)")
    assert cells[6:] == ["3", "0.057", "cannot tell"]


def test_the_papers_words_before_its_numbers_are_kept():
    """Section 4.1: "by over 1%"; section 7: "about 2%"."""
    named = {ablation.name: ablation.paper_in_words for ablation in ablations.ABLATIONS}
    assert named["no_lighting"] == ("over +1.0", "")
    assert named["no_conv3"] == named["no_conv4"] == ("about +2.0", "")
    assert named["half"] == ("+1.7", "+1.2")
    assert named["no_dropout"] == ("", "")


def test_one_ablation_in_words():
    top1, seeds, top5, _ = ablations.describe(rows((0.65, 0.64, 0.66)), "no_overlap").splitlines()
    assert top1 == "top-1 error: +4.0 (-0.3 to +8.3), p 0.057, paper +0.4: cannot tell"
    assert seeds.strip() == "by seed +5.0, +2.0, +5.0"
    assert top5.endswith("p 1, paper +0.3: less than 1 point")


@pytest.mark.parametrize("name", ["no_overlap", "no_kernels"])
def test_an_ablation_without_archived_runs_is_refused(name):
    with pytest.raises(ValueError, match=f"no_dropout.*Received: {name}"):
        ablations.describe(rows((0.65, 0.64)), name)


def test_no_weight_decay_in_a_long_training_is_compared_with_the_recipe_for_flowers():
    whole = RECIPES["flowers"]
    errors = {whole: (0.50, 0.52, 0.51), dataclasses.replace(whole, weight_decay=0.0): (0.53, 0.53, 0.53)}
    trained = [
        row(recipe, seed, error) | {"training_errors": [0.9, *5 * [error / 2]]}
        for recipe, of_seeds in errors.items()
        for seed, error in enumerate(of_seeds)
    ]
    found = ablations.without_decay_in_long_training(trained)
    assert found["test"].points == pytest.approx([3, 1, 2])
    assert found["training"].points == pytest.approx([1.5, 0.5, 1])
    assert ablations.without_decay_in_long_training(trained[:-1]) == {}


def test_errors_in_training_have_a_table_of_their_own():
    """The mean of the last five epochs of each run."""
    without = dataclasses.replace(WHOLE, weight_decay=0.0)
    errors = {WHOLE: (0.20, 0.22, 0.24), without: (0.18, 0.21, 0.21)}
    trained = [
        row(recipe, seed, 0.9) | {"training_errors": [0.9, *(error + step / 100 for step in (-2, -1, 0, 1, 2))]}
        for recipe, of_seeds in errors.items()
        for seed, error in enumerate(of_seeds)
    ]
    *_, line = ablations.training_table(trained).splitlines()
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    expected = stats.ttest_rel((18, 21, 21), (20, 22, 24))
    low, high = expected.confidence_interval(0.95)
    assert cells[:3] == ["no weight decay (5)", "22.0", "20.0"]
    assert cells[3:] == [f"-2.0 ({low:+.1f} to {high:+.1f})", f"{expected.pvalue:.2g}"]
