"""Random splits: unchanged without identical files, identical files together, and other fractions."""

from typing import NamedTuple

import numpy as np
import pytest

from keras_alexnet.data import splitting
from keras_alexnet.data.splitting import Shares


class Item(NamedTuple):
    name: str
    label: int


def items(*counts):
    return [Item(f"{label}/{number}", label) for label, count in enumerate(counts) for number in range(count)]


def names(splits):
    return {split: [item.name for item in own] for split, own in splits.items()}


def as_in_version_0_1_0(pictures, classes, seed):
    """The split of archived runs."""
    splits = {"train": [], "validation": [], "test": []}
    for label in range(classes):
        members = [picture for picture in pictures if picture.label == label]
        tenth = max(1, round(len(members) / 10))
        order = np.random.default_rng([seed, label]).permutation(len(members))
        for split, chosen in zip(("test", "validation", "train"), np.split(order, [tenth, 2 * tenth]), strict=True):
            splits[split] += [members[index] for index in sorted(chosen)]
    return splits


@pytest.mark.parametrize("seed", range(5))
def test_without_identical_files_the_split_is_that_of_archived_runs(seed):
    pictures = items(3, 4, 5, 15, 25, 99, 100, 105)
    expected = as_in_version_0_1_0(pictures, 8, seed)
    assert names(splitting.stratified(pictures, "abcdefgh", seed)) == names(expected)
    assert names(splitting.stratified(pictures, "abcdefgh", seed, key=lambda item: item.name)) == names(expected)


def test_a_tenth_that_is_split_off_is_that_of_archived_runs():
    for count in (1, 9, 10, 19, 20, 30, 70, 1020, 12345):
        last = np.random.default_rng(7).permutation(count)[-max(1, count // 10) :]
        expected = np.zeros(count, bool)
        expected[last] = True
        np.testing.assert_array_equal(splitting.split_off(count, 0.1, seed=7), expected)
        np.testing.assert_array_equal(splitting.split_off(count, 0.1, 7, [f"{n}" for n in range(count)]), expected)


@pytest.mark.parametrize("seed", range(5))
def test_identical_files_stay_together(seed):
    """Also those of two classes: every third picture of the second class is one of the first."""

    def key(item):
        label, number = map(int, item.name.split("/"))
        return ("both", number) if number % 3 == 0 else (label, number // 2)

    splits = splitting.stratified(items(60, 60), "ab", seed, key=key)
    keys = {split: {key(item) for item in own} for split, own in splits.items()}
    assert sum(map(len, keys.values())) == len(set.union(*keys.values()))
    assert sum(map(len, splits.values())) == 120
    assert all(len(own) >= 4 for own in splits.values())


@pytest.mark.parametrize("seed", range(5))
def test_identical_files_stay_together_when_a_part_is_split_off(seed):
    keys = [n // 4 for n in range(100)]
    chosen = splitting.split_off(100, 0.2, seed, keys)
    assert chosen.reshape(25, 4).all(axis=1).sum() == 5
    assert chosen.sum() == 20


@pytest.mark.parametrize(
    ("shares", "expected"),
    [
        (Shares(0.2, 0.3), {"train": [5, 50], "validation": [2, 20], "test": [3, 30]}),
        (Shares(0.1, 0), {"train": [9, 90], "validation": [1, 10]}),
        (Shares(0, 0.5), {"train": [5, 50], "test": [5, 50]}),
        (Shares(0, 0), {"train": [10, 100]}),
        (Shares(0.01, 0.98), {"train": [1, 1], "validation": [1, 1], "test": [8, 98]}),
    ],
)
def test_other_shares(shares, expected):
    splits = splitting.stratified(items(10, 100), "ab", 0, shares)
    counts = {split: np.bincount([item.label for item in own]).tolist() for split, own in splits.items()}
    assert counts == expected


@pytest.mark.parametrize(("shares", "needed"), [(Shares(), 3), (Shares(0.1, 0), 2), (Shares(0, 0.1), 2)])
def test_a_class_needs_a_picture_for_each_split(shares, needed):
    splits = splitting.stratified(items(10, needed), "ab", 0, shares)
    assert [sum(item.label == 1 for item in own) for own in splits.values()] == [1] * needed
    with pytest.raises(ValueError, match=rf"at least {needed} different pictures .* Received: {needed - 1} in b$"):
        splitting.stratified(items(10, needed - 1), "ab", 0, shares)


def test_shares_are_of_the_different_pictures():
    splits = splitting.stratified(items(100, 100), "ab", 0, key=lambda item: (item.label, int(item.name[2:]) // 10))
    assert {split: len(own) for split, own in splits.items()} == {"train": 160, "validation": 20, "test": 20}


def test_copies_do_not_count_as_pictures_of_a_class():
    with pytest.raises(ValueError, match=r"at least 3 different pictures .* Received: 1 in a$"):
        splitting.stratified(items(10, 10), "ab", 0, key=lambda item: item.name if item.label else "the same")


def test_a_class_whose_pictures_are_all_in_others_is_refused_if_none_is_left_to_train_on():
    def key(item):
        return item.name.split("/")[1]  # the second class has three of the pictures of the first

    outcomes = []
    for seed in range(200):
        try:
            splits = splitting.stratified(items(20, 3), "ab", seed, Shares(0.3, 0.3), key)
            outcomes.append(any(item.label == 1 for item in splits["train"]))
        except ValueError as error:
            outcomes.append("Received: b, whose pictures are also in other classes" in str(error))
    assert all(outcomes)


@pytest.mark.parametrize(
    ("official", "shares", "expected"),
    [
        (("train", "test"), Shares(), {"train": 90, "validation": 10, "test": 100}),
        (("train", "test"), Shares(0.2, 0.1), {"train": 80, "validation": 20, "test": 100}),
        (("train", "test"), Shares(0, 0.1), {"train": 100, "test": 100}),
        (("train", "validation"), Shares(), {"train": 90, "validation": 10, "test": 100}),
        (("train", "validation"), Shares(0.1, 0), {"train": 100, "validation": 100}),
        (("train",), Shares(0.5, 0.2), {"train": 40, "validation": 40, "test": 20}),
    ],
)
def test_splits_that_are_missing_are_split_off(official, shares, expected):
    def split_off(count, share):
        return count - round(count * share), round(count * share)

    assert splitting.complete(dict.fromkeys(official, 100), shares, split_off) == expected
