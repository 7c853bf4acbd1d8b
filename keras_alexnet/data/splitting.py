"""Random splits of the pictures, determined by a seed. Identical files stay together."""

import collections
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from keras_alexnet.data.identity import SPLITS
from keras_alexnet.data.labeled_files import without_pictures
from keras_alexnet.text import enumerated

if TYPE_CHECKING:  # shares are checked before NumPy is imported
    import numpy as np

Item = TypeVar("Item")
Split = TypeVar("Split")


class Shares(NamedTuple):
    """The fractions of the pictures for validation and testing."""

    validation: float = 0.1
    test: float = 0.1

    def check(self) -> None:
        """Check that the shares leave pictures to train on.

        Raises:
            ValueError: If one is negative, or both together are 1 or more.
        """
        if not (min(self) >= 0 and sum(self) < 1):
            raise ValueError(
                "`validation_share` and `test_share` must be at least 0, and together less than 1. "
                f"Received: validation_share={self.validation:g}, test_share={self.test:g}"
            )

    @property
    def pictures_needed(self) -> int:
        """Return the smallest number of pictures that a class needs: one for each split."""
        return 1 + bool(self.validation) + bool(self.test)


TENTHS = Shares()


def taken_from_training(official: Mapping[str, Split], shares: Shares) -> Shares:
    """Return the shares that `complete` takes from the training pictures.

    Example:
        >>> taken_from_training({"train": (), "test": ()}, TENTHS)
        Shares(validation=0.1, test=0)
    """
    splits = _with_test(official, shares)
    return Shares(*(0 if split in splits else share for split, share in shares._asdict().items()))


def _with_test(official, shares):
    """Return the splits with the validation pictures as the test split, if there are no test pictures."""
    splits = dict(official)
    if "test" not in splits and "validation" in splits and shares.test:
        splits["test"] = splits.pop("validation")
    return splits


def check_class_sizes(counts: Mapping[str, int], shares: Shares) -> None:
    """Check that all classes have enough pictures for a random split.

    Args:
        counts: Number of different pictures by class name.
        shares: Fractions for validation and test.

    Raises:
        ValueError: If a class has too few.
    """
    small = {name: count for name, count in counts.items() if count < shares.pictures_needed}
    if small:
        splits = [split for split in SPLITS if split == "train" or getattr(shares, split)]
        shown = enumerated([f"{count} in {name}" for name, count in small.items()])
        raise ValueError(
            f"A class must have at least {shares.pictures_needed} different pictures to be split into "
            f"{', '.join(splits[:-1])} and {splits[-1]}: add some, or leave the class out. Received: {shown}"
        )


def stratified(
    items: Sequence[Item],
    class_names: Sequence[str],
    seed: int,
    shares: Shares = TENTHS,
    key: Callable[[Item], Hashable] = id,
) -> dict[str, list[Item]]:
    """Split labeled items at random, class by class.

    Args:
        items: Objects with a `label`.
        class_names: Names of the classes.
        seed: Seed of the split.
        shares: Fractions for validation and test.
        key: Returns the same value for identical items. They are counted once and stay together.

    Returns:
        The items of `train`, and of `validation` and `test` if their share is not zero.

    Raises:
        ValueError: If a class has too few different items, or all of them are in earlier classes as well.
    """
    import numpy as np

    by_label = collections.defaultdict(list)
    for item in items:
        by_label[item.label].append(item)
    different = {name: len(set(map(key, by_label[label]))) for label, name in enumerate(class_names)}
    check_class_sizes(different, shares)
    splits = {"train": []} | {split: [] for split in ("validation", "test") if getattr(shares, split)}
    split_of = {}
    for label, name in enumerate(class_names):
        keys = [each for each in dict.fromkeys(map(key, by_label[label])) if each not in split_of]
        test = _count(len(keys), shares.test, spare=1 + bool(shares.validation))
        validation = _count(len(keys) - test, shares.validation, spare=1, of=len(keys))
        order = np.random.default_rng([seed, label]).permutation(len(keys))
        parts = np.split(order, [test, test + validation])
        for split, chosen in zip(("test", "validation", "train"), parts, strict=True):
            split_of |= {keys[index]: split for index in chosen}
        for item in by_label[label]:
            splits[split_of[key(item)]].append(item)
        if not any(split_of[key(item)] == "train" for item in by_label[label]):
            raise ValueError(
                f"Every class must have its own training pictures. Received: {name}, whose pictures are also in other "
                "classes"
            )
    return splits


def _count(count: int, share: float, spare: int, of: int | None = None) -> int:
    """Return the number of items for a share of `of`: at least one, but leave `spare` of the `count` items."""
    return max(0, min(max(1, round((count if of is None else of) * share)), count - spare)) if share else 0


def check_training_pictures(labels: Iterable[int], class_names: Sequence[str]) -> None:
    """Check that every class has a training picture after splitting.

    Args:
        labels: Labels of the training pictures.
        class_names: Names of the classes.

    Raises:
        ValueError: If a class has none.
    """
    if empty := without_pictures(labels, class_names):
        raise ValueError(
            "Every class must have a training picture after a part of them was taken for validation or testing: add "
            f"pictures, or a folder of your own for these. Received: none left in {enumerated(empty)}"
        )


def split_off(count: int, share: float, seed: int, keys: Sequence[Hashable] | None = None) -> "np.ndarray":
    """Choose the last share of a permutation.

    Args:
        count: Number of items.
        share: Fraction to choose, at least one item.
        seed: Seed of the permutation.
        keys: The same value for identical items. They are counted once and stay together.

    Returns:
        Whether each item is chosen, booleans `(count,)`.
    """
    import numpy as np

    keys = range(count) if keys is None else keys
    different = [*dict.fromkeys(keys)]
    last = np.random.default_rng(seed).permutation(len(different))[-max(1, int(len(different) * share)) :]
    chosen = {different[index] for index in last}
    return np.fromiter((key in chosen for key in keys), bool, count)


def complete(
    official: Mapping[str, Split], shares: Shares, split_off: Callable[[Split, float], tuple[Split, Split]]
) -> dict[str, Split]:
    """Add the missing splits.

    Without test pictures, the validation pictures become the test split. The missing split is then taken from the
    training pictures. A split whose share is zero is not added.

    Args:
        official: The existing splits, including `train`.
        shares: Fractions for validation and test.
        split_off: Splits a fraction off, and returns the rest and the fraction.
    """
    splits, taken = _with_test(official, shares), taken_from_training(official, shares)
    for split in ("test", "validation"):
        if share := getattr(taken, split):
            splits["train"], splits[split] = split_off(splits["train"], share)
    return {split: splits[split] for split in SPLITS if split in splits}
