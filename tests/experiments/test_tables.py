"""Tables of made-up archived runs, and docs/results.md compared with the real ones."""

import dataclasses
import json
import re
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from keras_alexnet.evaluation import features
from keras_alexnet.experiments import archive, page, tables
from keras_alexnet.recipes import RECIPES, Recipe

ROOT = Path(__file__).parents[2]


def row(name, recipe, seed, errors=(0.5, 0.4), training=(), specialization=None):
    one, ten = ({"top1_error": error} for error in errors)
    return {
        "run": f"{name}-{seed}",
        "dataset": "oxford_flowers102",
        "weights": None,
        "seed": seed,
        "recipe": dataclasses.asdict(RECIPES[recipe]) | {"augmentation": list(RECIPES[recipe].augmentation)},
        "ensembles": {},
        "note": None,
        "training_errors": list(training),
        "specialization": specialization,
        "results": {"validation": {"1_view": one, "10_views": ten}, "test": {}},
    }


def test_two_runs_of_one_recipe_and_seed_are_an_error():
    """Otherwise one would hide the other, or both would count as one seed."""
    double = row("again", "flowers", 0)
    rows = [row("flowers", "flowers", 0), row("flowers", "flowers", 1), double]
    message = "one archived run for each recipe and seed.*Received: again-0 and flowers-0"
    with pytest.raises(ValueError, match=message):
        tables.seeds(rows)
    for each in rows:
        each["results"]["test"] = {"1_view": {"top1_error": 0.5, "top5_error": 0.25}}
    with pytest.raises(ValueError, match=message):
        tables.from_scratch(rows)
    curve = [row(name, "figure_1", 0, training=(0.5, 0.1)) for name in ("a", "b")]
    with pytest.raises(ValueError, match="Received: a-0 and b-0"):
        tables.epochs_by_nonlinearity(curve)


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_runs_of_one_recipe_are_grouped():
    errors = [(0.50, 0.40), (0.56, 0.42), (0.53, 0.47)]
    rows = [row("flowers", "flowers", seed, pair) for seed, pair in enumerate(errors)] + [row("text", "text", 0)]
    header, _, *lines = cells(tables.seeds(rows))
    assert header == ["runs", "seeds", "validation, one crop", "validation, ten crops"]
    assert lines == [["flowers", "3", "53.0 (50.0 to 56.0)", "43.0 (40.0 to 47.0)"]]


def test_a_setting_that_an_older_recipe_lacks_is_the_default():
    rows = [row("text", "text", seed) for seed in (0, 1)]
    del rows[0]["recipe"]["divide_after"]
    assert cells(tables.seeds(rows))[2][:2] == ["text", "2"]


def test_named_recipes_are_listed_by_their_error():
    """A name holds for any number of epochs; other data, weights and settings are left out."""

    def tested(name, recipe, seed, error, **settings):
        made = row(name, recipe, seed)
        numbers = {"top1_error": error, "top5_error": error / 2}
        results = {"test": {"1_view": numbers, "10_views": numbers | {"top1_error": error - 0.1}}}
        return made | {"recipe": made["recipe"] | settings, "results": made["results"] | results}

    rows = [tested("text", "text", 0, 1.0), *(tested("best", "flowers", n, 0.5 + n / 10) for n in (0, 1))]
    rows.append(tested("more", "flowers", 0, 0.4, epochs=7) | {"dataset": "oxford_flowers102:train+validation"})
    rows += [tested("petals", "petals", 0, 0.1) | {"dataset": "petals"}, row("untested", "source", 0)]
    rows += [tested("tuned", "text", 0, 0.3) | {"weights": "a.keras"}, tested("odd", "text", 0, 0.2, momentum=0.5)]
    header, _, *lines = cells(tables.from_scratch(rows))
    errors = ["top-1, one crop", "top-5, one crop", "top-1, ten crops", "top-5, ten crops"]
    assert header == ["recipe", "trained on", "epochs", "seeds", *errors]
    epochs, top5 = str(RECIPES["flowers"].epochs), "27.5 (25.0 to 30.0)"
    assert lines == [
        ["`flowers`", "train+validation", "7", "1", "40.0", "20.0", "30.0", "20.0"],
        ["`flowers`", "train", epochs, "2", "55.0 (50.0 to 60.0)", top5, "45.0 (40.0 to 50.0)", top5],
        ["`text`", "train", "90", "1", "100.0", "50.0", "90.0", "50.0"],
    ]


def test_ensembles_are_listed_beside_single_networks():
    def errors(top1, top5):
        return {"top1_error": top1, "top5_error": top5}

    rows = [row("flowers", "flowers", seed) for seed in (1, 0)]
    for made, top1 in zip(rows, (0.6, 0.5), strict=True):
        made["results"]["test"] = {"1_view": errors(top1, 0.4), "10_views": errors(top1 - 0.1, 0.2)}
    both = {"runs": ["flowers-0", "flowers-1"], "1_view": errors(0.45, 0.38), "10_views": errors(0.4, 0.21)}
    rows[1]["ensembles"] = {"test": both}
    header, _, *lines = cells(tables.ensembles(rows))
    assert header == ["networks", "pictures", "views", "alone", "together", "difference"]
    assert lines == [
        ["flowers-0, flowers-1", "test", "one crop", "55.0, 40.0", "45.0, 38.0", "-10.0, -2.0"],
        ["flowers-0, flowers-1", "test", "ten crops", "45.0, 20.0", "40.0, 21.0", "-5.0, +1.0"],
    ]


def test_fine_tuning_is_listed_beside_the_same_recipe_from_random_weights():
    def tested(name, seed, error, weights):
        made = row(name, "ablation", seed) | {"weights": weights}
        return made | {"results": made["results"] | {"test": {"1_view": {"top1_error": error}}}}

    scratch = [tested("ablation", seed, error, None) for seed, error in enumerate((0.70, 0.72, 0.74, 0.1))]
    tuned = [tested("from_a", seed, error, "runs/a/best.keras") for seed, error in enumerate((0.60, 0.61, 0.62))]
    few = [tested("from_b", seed, 0.5, "runs/b/best.keras") for seed in (0, 1)]
    header, _, *lines = cells(tables.fine_tuning([*scratch, *tuned, *few]))
    assert header == ["runs", "start", "from there", "from random weights", "difference"]
    tuned_spread = "61.0 (60.0 to 62.0)"
    assert lines == [["from_a", "a", tuned_spread, "72.0 (70.0 to 74.0)", "-11.0 (-13.5 to -8.5)"]]
    assert cells(tables.seeds([*scratch, *tuned]))[2:] == [
        ["ablation", "4", "50.0 (50.0 to 50.0)", "40.0 (40.0 to 40.0)", "56.5 (10.0 to 74.0)"],
        ["from_a", "3", "50.0 (50.0 to 50.0)", "40.0 (40.0 to 40.0)", tuned_spread],
    ]


def test_normalization_is_compared_by_seed_where_there_are_enough():
    without, with_it = (0.20, 0.22, 0.24), (0.19, 0.20, 0.22, 0.1)
    rows = [row("plain", "conv_local", seed, (0.5, error)) for seed, error in enumerate(without)]
    rows += [row("norm", "conv_local_norm", seed, (0.5, error)) for seed, error in enumerate(with_it)]
    rows.append(row("flowers", "flowers", 0))
    rows[0]["results"]["test"] = {"10_views": {"top1_error": 0.3}}
    low, high = stats.ttest_rel((19, 20, 22), (20, 22, 24)).confidence_interval(0.95)
    p_value = stats.ttest_rel((19, 20, 22), (20, 22, 24)).pvalue
    ((split, plain, norm, difference, seeds, p),) = cells(tables.normalization(rows))[2:]
    assert (split, plain, norm, seeds) == ("validation", "22.0 (20.0 to 24.0)", "20.3 (19.0 to 22.0)", "3")
    assert difference == f"-1.7 ({low:+.1f} to {high:+.1f})"
    assert p == f"{p_value:.2g}"
    assert tables.normalization(rows[:-3]) == ""


def test_the_phases_of_the_authors_schedule():
    """One line for each; other recipes are left out."""
    made = row("source_tiny", "source", 0)
    settings = RECIPES["source"]
    made["recipe"] = dataclasses.asdict(dataclasses.replace(settings, crop_size=131, resize_size=148))
    rates = [10.0 ** -(2 + sum(epoch > end for end in settings.divide_after)) for epoch in range(1, 92)]
    made["log"] = [
        {"learning_rate": rate, "top1_error": 0.5 - epoch / 1000, "val_top1_error": 0.6 - epoch / 1000}
        for epoch, rate in enumerate(rates, 1)
    ]
    lines = cells(tables.schedule([made, row("text", "text", 0)]))[2:]
    assert lines[0] == ["source_tiny-0", "1 to 25", "0.01", "yes", "47.7", "57.7"]  # the mean of epochs 21 to 25
    assert [line[1:4] for line in lines[1:]] == [
        ["26 to 51", "0.001", "yes"],
        ["52 to 67", "0.0001", "yes"],
        ["68 to 79", "0.0001", "no"],
        ["80 to 91", "0.00001", "no"],
    ]


@pytest.mark.parametrize(
    ("weights", "name"), [("/a/runs/petals-1/best.keras", "petals-1"), ("/a/runs/petals-1", "petals-1"), ("drawn",) * 2]
)
def test_the_name_of_a_start(weights, name):
    assert tables.start_name(weights) == name


def test_runs_from_drawn_pictures_are_separate_from_random_weights():
    def tested(name, seed, error, weights):
        made = row(name, "flowers", seed) | {"weights": weights}
        one_view = {"top1_error": error, "top5_error": error / 2}
        return made | {"results": made["results"] | {"test": {"1_view": one_view}}}

    scratch = [tested("flowers", seed, error, None) for seed, error in enumerate((0.70, 0.72, 0.74))]
    drawn = [tested("from_drawn", seed, error, "drawn") for seed, error in enumerate((0.60, 0.61, 0.62))]
    ((runs, start, *_),) = cells(tables.fine_tuning([*scratch, *drawn]))[2:]
    assert (runs, start) == ("from_drawn", "drawn")
    (line,) = cells(tables.from_scratch([*scratch, *drawn]))[2:]
    assert line[3:5] == ["3", "72.0 (70.0 to 74.0)"]


def test_incomplete_ensembles_are_left_out():
    one_view = {"1_view": {"top1_error": 0.5, "top5_error": 0.25}}
    alone = row("a", "flowers", 0)
    alone = alone | {"results": alone["results"] | {"test": one_view}}
    known, strange = ({"runs": names} | one_view for names in (["a-0", "a-0"], ["a-0", "elsewhere"]))
    lines = cells(tables.ensembles([alone | {"ensembles": {"test": known}}]))[2:]
    assert lines == [["a-0, a-0", "test", "one crop", "50.0, 25.0", "50.0, 25.0", "+0.0, +0.0"]]
    assert tables.ensembles([alone | {"ensembles": {"test": strange}}]) == ""


class TestFigure1:
    rows = (
        row("relu", "figure_1", 0, training=(0.6, 0.2)),
        row("relu", "figure_1", 1, training=(0.5, 0.25)),
        row("tanh", "figure_1_tanh", 0, training=(0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)),
        row("tanh", "figure_1_tanh", 1, training=(0.8, 0.7)),
        row("flowers", "flowers", 0, training=(0.1,)),
    )

    def test_epochs(self):
        found = tables.epochs_by_nonlinearity(self.rows)
        assert list(found) == ["ReLU", "tanh"]
        assert list(found["ReLU"].values()) == pytest.approx([1.875, 2.0])
        assert found["tanh"] == {0: pytest.approx(6.5), 1: None}

    def test_ratio_where_both_reach_the_error(self):
        *_, ratio = cells(tables.figure_1(self.rows))
        assert ratio == ["ratio (the paper: six)", "3.5", ""]

    def test_a_run_that_is_missing_has_no_number(self):
        assert ["epochs to 25%, tanh", "6.5", ""] in cells(tables.figure_1(self.rows[:3]))
        assert ["epochs to 25%, tanh", "6.5", "not reached"] in cells(tables.figure_1(self.rows))

    def test_without_runs_the_table_is_empty(self):
        assert tables.figure_1(self.rows[-1:]) == ""


def test_specialization_by_network():
    rows = [row("a", "flowers", seed, specialization=value) for seed, value in enumerate((0.9, 0.3))]
    lines = cells(tables.specialization([*rows, row("b", "source", 0)]))[2:]
    assert lines == [["paper", "2", "0.30, 0.90", "0.30"]]


@pytest.mark.slow
def test_the_page_has_the_specialization_of_random_kernels():
    random = np.random.default_rng(0)
    shares = [features.specialization(random.normal(size=(3, 3, 3, 96))) for _ in range(1000)]
    assert f"the mean distance from 1/2 is {np.abs(np.array(shares) - 0.5).mean():.2f}." in " ".join(
        page.TEMPLATE.split()
    )


@pytest.fixture(scope="module")
def archived():
    """The lines of the archive by name, and the page of results as one line without its marks."""
    lines = map(json.loads, (ROOT / "results" / "runs.jsonl").read_text(encoding="utf-8").splitlines())
    text = re.sub("<!--.*?-->", "", (ROOT / "docs" / "results.md").read_text(encoding="utf-8"))
    return {line["run"]: line for line in lines}, " ".join(text.split())


def test_the_page_of_results_has_the_result_of_figure_1(archived):
    """By NumPy's own interpolation, on the logs; the first epoch is 1."""
    lines, page_of_results = archived
    reached = {}
    for name, line in lines.items():
        if name.startswith("figure_1"):
            errors = line["log"]["top1_error"]
            after = next(n for n, error in enumerate(errors) if error <= 0.25)
            reached[name] = np.interp(0.25, errors[after - 1 : after + 1][::-1], [after + 1, after])
    ratios = [reached[f"figure_1_tanh-{seed}"] / reached[f"figure_1-{seed}"] for seed in range(3)]
    assert f"{min(ratios):.1f} to {max(ratios):.1f} times faster than tanh" in page_of_results


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("ablation_half", "| half of the kernels (3.2) | +1.7 | {} |"),
        ("ablation_text_initial_weights", "| initial weights of the text (5) | | {} |"),
        ("ablation_no_crop_no_mirror", "| no crops and mirrors (4.1) | | {} |"),
        ("ablation_no_overlap", "| pooling without overlap (3.4) | +0.4 | {} |"),
        ("ablation_single_tower", "| no groups (3.2) | | {} |"),
        ("from_petals", "--head new`) changes the error by {} points"),
    ],
)
def test_the_page_of_results_says_what_the_changes_cost(archived, name, said):
    """By scipy's paired test, on the evaluations."""
    lines, page_of_results = archived

    def errors(name):
        tests = [lines[f"{name}-{seed}"]["evaluations"]["test"] for seed in seeds]
        return [100 * test["1_view"]["top1_error"] for test in tests]

    seeds = [seed for seed in range(20) if f"{name}-{seed}" in lines]
    pair = errors(name), errors("ablation")
    interval = stats.ttest_rel(*pair).confidence_interval(0.95)
    measured = f"{np.subtract(*pair).mean():+.1f} ({interval.low:+.1f} to {interval.high:+.1f})"
    assert said.format(measured) in page_of_results


def test_overlap_costs_more_than_normalization_for_every_seed(archived):
    """The ledger and chapter 7 say so, on the order of sections 3.3 and 3.4."""
    lines, _ = archived
    seeds = [seed for seed in range(20) if f"ablation_no_normalization-{seed}" in lines]
    assert len(seeds) == 7
    for seed in seeds:
        overlap, normalization = (
            lines[f"ablation_{name}-{seed}"]["evaluations"]["test"]["1_view"]
            for name in ("no_overlap", "no_normalization")
        )
        for key in ("top1_error", "top5_error"):
            assert overlap[key] > normalization[key]


@pytest.mark.parametrize(
    ("key", "clear"),
    [
        (
            "top1_error",
            {  # the first words of their rows of the table
                "text_initial_weights": "initial weights of the text (5)",
                "half": "half of the kernels (3.2)",
                "no_crop_no_mirror": "no crops and mirrors (4.1)",
                "single_tower": "no groups (3.2)",
                "no_overlap": "pooling without overlap (3.4)",
                "no_conv3": "without conv3 (7)",
            },
        ),
        (
            "top5_error",
            {
                "text_initial_weights": None,
                "no_crop_no_mirror": None,
                "no_overlap": None,
                "no_normalization": "(p {}); the paper has 1.2.",
                "no_conv4": "(p {}), the opposite of the paper's direction",
                "no_lighting": "(p {}), and with the text's form",
                "text_lighting": "(p {}).",
                "half": None,
                "single_tower": None,
            },
        ),
    ],
)
def test_the_page_of_results_has_the_corrected_p_values(archived, key, clear):
    """Of fourteen paired tests by scipy: Holm multiplies the smallest p-value by 14, the next by 13, and so on."""
    lines, page_of_results = archived
    names = {name.rpartition("-")[0] for name in lines if re.match(r"ablation_\w+-\d+$", name)}
    seeds = {name: range(sum(re.match(rf"{name}-\d+$", line) is not None for line in lines)) for name in names}

    def errors(name, seeds):
        return [lines[f"{name}-{seed}"]["evaluations"]["test"]["1_view"][key] for seed in seeds]

    pairs = {name: (errors(name, its), errors("ablation", its)) for name, its in seeds.items()}
    tests = sorted((stats.ttest_rel(*pair).pvalue, name) for name, pair in pairs.items())
    assert len(tests) == 14
    fewest, most = (choose(map(len, seeds.values())) for choose in (min, max))
    assert f"fourteen changes, {fewest} to {most} seeds each" in page_of_results
    holm = np.maximum.accumulate([(14 - n) * p_value for n, (p_value, _) in enumerate(tests)])
    p_values = {name.removeprefix("ablation_"): p_value for (_, name), p_value in zip(tests, holm, strict=True)}
    assert {name for name, p_value in p_values.items() if p_value < 0.05} == clear.keys()
    assert p_values["text_initial_weights"] < (0.0001 if key == "top1_error" else 0.05)
    for name, words in clear.items():
        p_value = f"{p_values[name]:.2g}"
        if key == "top1_error":
            cells_after = page_of_results.split(f"| {words} |")[1].split("|")
            assert cells_after[2].strip() == p_value
        else:
            assert words is None or words.format(p_value) in page_of_results


def test_an_archived_run_keeps_the_name_of_a_recipe_that_has_changed_since():
    source = next(row for row in archive.rows(ROOT / "results") if row["run"] == "source-0")
    assert Recipe.from_dict(source["recipe"]) != RECIPES["source"]
    assert cells(tables.from_scratch([source]))[2][:2] == ["`source`", "train"]
