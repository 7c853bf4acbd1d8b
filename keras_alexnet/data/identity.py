"""The identity of a data set, as fields that can be stored and compared.

A run's recipe.json contains the identity of its data. Before a network is evaluated, `may_share_training_pictures`
compares it with the identity of the evaluation data.
"""

import dataclasses
import hashlib
import json
import os
import pathlib
import re
from collections.abc import Iterable, Mapping
from typing import Any

DRAWN_SOURCES = ("petals", "drawn")  # sources that draw different pictures for every seed and split
SPLITS = ("train", "validation", "test")
# By the name of a folder, or by the word in a CSV file.
SPLIT_OF_NAME = {
    "train": "train",
    "training": "train",
    "validation": "validation",
    "val": "validation",
    "valid": "validation",
    "test": "test",
    "testing": "test",
    "training_set": "train",
    "train_set": "train",
    "seg_train": "train",
    "validation_set": "validation",
    "val_set": "validation",
    "test_set": "test",
    "seg_test": "test",
}


@dataclasses.dataclass(frozen=True)
class DataIdentity:
    """The fields that identify a data set.

    Attributes:
        source: "petals", "drawn", "folder" or "tfds"; "other" for pictures in memory.
        name: The resolved path of a folder, a CSV file or an archive, if the source is "folder"; otherwise the name
            without version and variant.
        version: The version of a TFDS data set.
        variant: "flipped" or "train+validation" of a TFDS data set, None for its official splits.
        official: The splits that the source provides. Empty for a folder with class folders only.
        drawn_by_seed: The splits that depend on `split_seed`. Empty if all splits are official.
        split_seed: The seed of these splits.
        sizes: Number of pictures by split.
        digest: SHA-256 of the files of the source, see `digest_of`. None if unknown.
        validation_share: Fraction of the pictures for validation, if that split is random.
        test_share: Fraction of the pictures for testing, if that split is random.
        copies: Number of files that are copies of another. A random split keeps them together.
    """

    source: str
    name: str
    version: str | None = None
    variant: str | None = None
    official: tuple[str, ...] = ()
    drawn_by_seed: tuple[str, ...] = ()
    split_seed: int | None = None
    sizes: dict[str, int] = dataclasses.field(default_factory=dict)
    digest: str | None = None
    validation_share: float = 0.1
    test_share: float = 0.1
    copies: int = 0

    @property
    def splits_in_words(self) -> str:
        """A description of how the splits were made.

        Example:
            >>> drawn = splits_drawn_by_seed(["train", "test"])
            >>> DataIdentity("tfds", "mnist", None, None, ("train", "test"), drawn, 1).splits_in_words
            'official train, test; validation is a tenth of train, seed 1'
        """
        if self.source in DRAWN_SOURCES:
            return f"drawn with seed {self.split_seed}"
        if self.variant == "flipped":
            return "flipped: official test and train change places"
        if self.variant == "train+validation":
            return "official train and validation are trained on"
        if not self.official:
            return (
                f"{self._shares_in_words} by class, seed {self.split_seed}"
                if self.source == "folder"
                else "made in memory"
            )
        words = [f"official {', '.join(self.official)}"]
        if "validation" in self.official and "test" not in self.official and "test" in self.sizes:
            words.append("validation is taken as test")
        shares = {"test": self.test_share, "validation": self.validation_share}
        for split in [split for split in shares if split in self.drawn_by_seed]:
            share = "a tenth" if shares[split] == 0.1 else f"{100 * shares[split]:g} %"
            words.append(f"{split} is {share} of train, seed {self.split_seed}")
        return "; ".join(words)

    def describe(self, classes: int) -> str:
        """Describe the data set in one line.

        Args:
            classes: Number of classes.
        """
        version = f" {self.version}" if self.version else ""
        sizes = ", ".join(f"{split} {size}" for split, size in self.sizes.items())
        return f"{self.name}{version}: {classes} classes; {sizes} pictures ({self.splits_in_words})"

    @property
    def _shares_in_words(self) -> str:
        train = 1 - self.validation_share - self.test_share
        return " : ".join(f"{round(100 * share, 2):g}" for share in (train, self.validation_share, self.test_share))

    def as_json(self) -> dict[str, Any]:
        """Return the fields for a JSON file."""
        return {name: list(value) if isinstance(value, tuple) else value for name, value in vars(self).items()}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> "DataIdentity":
        """Return the identity for the fields that `as_json` returned.

        Raises:
            ValueError: If the fields differ.
        """
        try:
            return cls(**{name: tuple(value) if isinstance(value, list) else value for name, value in fields.items()})
        except TypeError:
            names = ", ".join(field.name for field in dataclasses.fields(cls))
            raise ValueError(f"The data of a run must be described by {names}. Received: {', '.join(fields)}") from None

    @classmethod
    def from_description(cls, sentence: str) -> "DataIdentity":
        """Return the identity for the sentence in recipe.json of version 0.1.0. Its digest is unknown.

        Example:
            >>> old = "cifar10:flipped 3.0.2: 10 classes; train 10, test 50 pictures (flipped: official ...)"
            >>> identity = DataIdentity.from_description(old)
            >>> identity.name, identity.version, identity.variant, identity.sizes
            ('cifar10', '3.0.2', 'flipped', {'train': 10, 'test': 50})
        """
        found = SENTENCE.fullmatch(sentence)
        if not found:
            return cls("other", sentence.partition(": ")[0])
        name, splits = found["name"], found["splits"]
        seed = re.search(r"seed (\d+)$", splits)
        variant = next((variant for start, variant in VARIANT_OF_SENTENCE.items() if splits.startswith(start)), None)
        official = re.match(r"official ([\w, ]+)", splits)
        names = SPLITS if variant else tuple(official[1].split(", ")) if official else ()
        fields = {
            "variant": variant,
            "official": names,
            "drawn_by_seed": splits_drawn_by_seed(names) if seed else (),
            "split_seed": int(seed[1]) if seed else None,
            "sizes": {split: int(size) for split, size in re.findall(r"(\w+) (\d+)", found["sizes"])},
        }
        if name == "petals":
            return cls("petals", name, **fields)
        tfds = NAME_AND_VERSION.fullmatch(name)
        if tfds and names and not pathlib.Path(os.path.expanduser(name)).is_dir():
            return cls("tfds", tfds["base"], tfds["version"], **fields)
        path = pathlib.Path(os.path.expanduser(name))
        return cls("folder", str(path.resolve() if path.is_dir() else path), **fields)


SENTENCE = re.compile(r"(?P<name>.+?): \d+ classes; (?P<sizes>[\w, ]+) pictures \((?P<splits>.*)\)")
VARIANT_OF_SENTENCE = {"flipped": "flipped", "official train and validation": "train+validation"}
NAME_AND_VERSION = re.compile(r"(?P<base>\w+(/[\w.-]+)?)(:\S+)? (?P<version>\d+\.\d+\.\d+)")


def splits_drawn_by_seed(official: Iterable[str]) -> tuple[str, ...]:
    """Return the splits that depend on a seed if these splits are official.

    Without official splits, or with train only, all are random. If validation is missing or is used as test, a fraction
    of train replaces it, so train depends on the seed as well.

    Example:
        >>> splits_drawn_by_seed(["train", "test"])
        ('train', 'validation')
    """
    official = set(official)
    if official == set(SPLITS):
        return ()
    return SPLITS if official <= {"train"} else ("train", "validation")


def digest_of(entries: Iterable[tuple[str | int, ...]]) -> str:
    """Return the SHA-256 of a list of entries in any order, such as `(split, relative path, size)` of each file.

    Example:
        >>> digest_of([("test", "b", 2), ("train", "a", 1)]) == digest_of([("train", "a", 1), ("test", "b", 2)])
        True
    """
    return hashlib.sha256(json.dumps(sorted(entries)).encode()).hexdigest()


def identity_of(recorded: str | Mapping[str, Any]) -> DataIdentity:
    """Return the identity in recipe.json, which has fields, or a sentence in version 0.1.0.

    Raises:
        ValueError: If the fields are unknown.
    """
    if isinstance(recorded, str):
        return DataIdentity.from_description(recorded)
    return DataIdentity.from_json(recorded)


def may_share_training_pictures(old: DataIdentity, new: DataIdentity, split: str) -> bool:
    """Return whether a split may contain pictures that a network was trained on, because splits differ.

    The same data in the same splits are fine, also for the splits "train" and "all".

    Args:
        old: The data that the network was trained on.
        new: The data for the evaluation.
        split: "train", "validation", "test", or "all".

    Example:
        >>> old, new = (DataIdentity("folder", "/pets", drawn_by_seed=SPLITS, split_seed=seed) for seed in (1, 10))
        >>> may_share_training_pictures(old, new, "test"), may_share_training_pictures(old, old, "test")
        (True, False)
    """
    if not _are_same_source(old, new) or old.source in DRAWN_SOURCES:
        return False
    if (old.official, old.variant) != (new.official, new.variant):
        return True
    files_differ = old.digest != new.digest if old.digest and new.digest else old.sizes != new.sizes
    if new.source == "folder" and files_differ:  # pictures may have moved from one split to another
        return True
    wanted = set(SPLITS) if split == "all" else {split}
    if wanted.isdisjoint(new.drawn_by_seed):  # official splits are disjoint in every version
        return False
    return files_differ or _split_fields(old) != _split_fields(new)


def has_same_pictures(old: DataIdentity, new: DataIdentity) -> bool:
    """Return whether all splits have the same pictures, as far as is known.

    Args:
        old: The data that a run began with.
        new: The data to continue it with.

    Example:
        >>> old = DataIdentity("folder", "/pets", sizes={"train": 20}, digest="a1")
        >>> moved, changed = (dataclasses.replace(old, name="/mnt/pets", digest=digest) for digest in ("a1", "b2"))
        >>> has_same_pictures(old, moved), has_same_pictures(old, changed)
        (True, False)
    """
    if not old.digest or not new.digest:
        return old.sizes in ({}, new.sizes)
    if old.digest != new.digest:
        return False
    return (old.official, old.variant, _split_fields(old)) == (new.official, new.variant, _split_fields(new))


def _split_fields(identity):
    """Return the fields that determine a random split, in addition to the files."""
    shares = identity.validation_share, identity.test_share
    return identity.version, identity.split_seed, identity.sizes, shares, identity.copies


def _are_same_source(old, new):
    if old.source != new.source:
        return False
    if old.source != "folder":
        return old.name == new.name
    if old.digest and old.digest == new.digest:  # the same files in another place
        return True
    path = pathlib.PurePath(old.name)
    if path.is_absolute():
        return old.name == new.name
    parts = [part for part in path.parts if part != ".."]  # an old relative path, whose start is unknown
    return bool(parts) and list(pathlib.PurePath(new.name).parts[-len(parts) :]) == parts
