"""Runs on record looked at together, on made-up ones."""

import dataclasses

import numpy as np
import pytest

from keras_alexnet import records
from keras_alexnet.recipes import RECIPES


def row(name, recipe, seed, errors=(0.5, 0.4), training=(), specialization=None):
    one, ten = ({"top1_error": error} for error in errors)
    return {
        "run": f"{name}-{seed}",
        "dataset": "oxford_flowers102",
        "seed": seed,
        "recipe": dataclasses.asdict(RECIPES[recipe]) | {"augmentation": list(RECIPES[recipe].augmentation)},
        "training_errors": list(training),
        "specialization": specialization,
        "results": {"validation": {"1_view": one, "10_views": ten}, "test": {}},
    }


def cells(table):
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]


def test_seeds_of_one_recipe_stand_together():
    errors = [(0.50, 0.40), (0.56, 0.42), (0.53, 0.47)]
    rows = [row("flowers", "flowers", seed, pair) for seed, pair in enumerate(errors)] + [row("text", "text", 0)]
    header, _, *lines = cells(records.seeds(rows))
    assert header == ["runs", "seeds", "validation, one view", "validation, ten"]
    assert lines == [["flowers", "3", "53.0 (50.0 to 56.0)", "43.0 (40.0 to 47.0)"]]


def test_a_setting_that_older_records_lack_is_the_default():
    rows = [row("flowers", "flowers", seed) for seed in (0, 1)]
    del rows[0]["recipe"]["divide_after"]
    assert cells(records.seeds(rows))[2][:2] == ["flowers", "2"]


class TestFigure1:
    rows = (
        row("relu", "figure_1", 0, training=(0.6, 0.2)),
        row("relu", "figure_1", 1, training=(0.5, 0.25)),
        row("tanh", "figure_1_tanh", 0, training=(0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2)),
        row("tanh", "figure_1_tanh", 1, training=(0.8, 0.7)),
        row("flowers", "flowers", 0, training=(0.1,)),
    )

    def test_epochs(self):
        found = records.epochs_by_nonlinearity(self.rows)
        assert list(found) == ["ReLU", "tanh"]
        assert list(found["ReLU"].values()) == pytest.approx([1.875, 2.0])
        assert found["tanh"] == {0: pytest.approx(6.5), 1: None}

    def test_ratio_where_both_got_there(self):
        *_, ratio = cells(records.figure_1(self.rows))
        assert ratio == ["ratio (the paper: six)", "3.5", ""]

    def test_nothing_of_nothing(self):
        assert records.figure_1(self.rows[-1:]) == ""


def test_specialization_by_network():
    rows = [row("a", "flowers", seed, specialization=value) for seed, value in enumerate((0.9, 0.3))]
    lines = cells(records.specialization([*rows, row("b", "source", 0)]))[2:]
    assert lines == [["paper", "2", "0.30, 0.90", "0.30"]]


def test_halves_of_random_kernels_differ_by_what_the_page_says():
    """By a simulation of ranks."""
    random = np.random.default_rng(0)
    draws = random.random((4000, 2, 48))
    shares = (draws[:, 1, :, None] > draws[:, 0, None, :]).mean(axis=(1, 2))
    assert np.abs(shares - 0.5).mean() == pytest.approx(0.05, abs=0.005)
