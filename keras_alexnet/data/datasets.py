"""A name or a folder to labelled pictures, in splits, and the names of their classes (paper section 2)."""

import dataclasses
import pathlib
import re

import numpy as np
import tensorflow as tf

from keras_alexnet.data import decoding, errors, image_folder, tfds
from keras_alexnet.data.drawings import petals

PETALS_SIZES = {"train": 640, "validation": 160, "test": 160}
VARIANTS = ("flipped", "train+validation")


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Labelled pictures in splits.

    Attributes:
        name: The name it was asked for by, with the version where there is one.
        class_names: Names of the classes. A label is a position in them.
        splits: `train`, `validation` and `test`, each a `tf.data.Dataset` of `(picture, label)` in a fixed order and of
            known length. A picture is the bytes of a file (scalar string) or a uint8 image `(height, width, 3)`, a
            label an int64. There is no `validation` where it was asked to be trained on.
        origin: How the splits came about.
    """

    name: str
    class_names: tuple[str, ...]
    splits: dict[str, tf.data.Dataset]
    origin: str

    def describe(self):
        """What there is, in one line."""
        sizes = ", ".join(f"{split} {len(pictures)}" for split, pictures in self.splits.items())
        return f"{self.name}: {len(self.class_names)} classes; {sizes} pictures ({self.origin})"

    def may_hold_what_trained(self, description, split):
        """Whether a split may hold pictures of the training split of this data set as `describe` told of it once.

        Example:
            >>> flipped = "cifar10:flipped 3.0.2: 10 classes; train 10000, test 50000 pictures (flipped: ...)"
            >>> Dataset("cifar10 3.0.2", (), {}, "official train, test").may_hold_what_trained(flipped, "test")
            True
        """
        names = self.name, description.partition(": ")[0]
        if not pathlib.Path(self.name).is_dir():
            names = [re.split("[ :]", name)[0] for name in names]  # less variant and version
        if self.name == "petals" or len({*names}) > 1:  # every seed draws other flowers
            return False
        made_by_seed = f"{'' if split == 'all' else split} is a tenth" in self.origin
        known = self.describe() if made_by_seed else f"({self.origin.partition(';')[0]}"
        return known not in description


def load(name, data_dir=None, seed=0):
    """Finds a data set.

    - `petals`: drawn flowers, no download.
    - The path of a folder of class folders, see `image_folder.read`. Without folders for the splits it is split
      80 : 10 : 10 by seed, class by class. Pictures stored turned are set upright (EXIF orientation of JPEG and WebP).
    - An image classification set of TensorFlow Datasets, such as `cifar10`, `food101` or `imagenet2012:5.1.0`.
    - `oxford_flowers102` is train 1020, validation 1020, test 6149. `oxford_flowers102:flipped` is another, easier
      task: it trains on the 6149 and tests on the 1020. `oxford_flowers102:train+validation` trains on 2040 and has no
      validation split: what one would choose by it, such as the best epoch, must be settled before.

    Official splits are kept. Where test pictures are missing or have no labels, the official validation pictures are
    the test; what is missing then is the last tenth of a permutation of the training pictures, fixed by the seed.

    Args:
        name: The name, or the path of a folder. `petals` goes before a folder, a folder before any other name.
        data_dir: Where TensorFlow Datasets keeps its data. None for `TFDS_DATA_DIR`, else `~/tensorflow_datasets`.
        seed: Integer that decides the splits that are not official, and which flowers `petals` are. It belongs to the
            data: runs that differ in their own seed are comparable only on the same data.

    Returns:
        A `Dataset`.

    Raises:
        ValueError: If there is no such data set, if it cannot be had, or if it is not one of labelled images.
        OSError: If its files cannot be read.

    Example:
        >>> load("petals").describe()
        'petals: 10 classes; train 640, validation 160, test 160 pictures (drawn with seed 0)'
    """
    if name == "petals":
        return _load_petals(seed)
    with errors.reading(name):
        if pathlib.Path(name).expanduser().is_dir():
            return _load_folder(name, seed)
        return _load_catalog(name, data_dir, seed)


def _load_petals(seed):
    splits = {split: _drawn(size, 3 * seed + k) for k, (split, size) in enumerate(PETALS_SIZES.items())}
    return Dataset("petals", petals.CLASS_NAMES, splits, f"drawn with seed {seed}")


def _drawn(size, seed):
    """Draws when the first picture is asked for."""
    signature = tf.TensorSpec((petals.SIDE, petals.SIDE, 3), tf.uint8), tf.TensorSpec((), tf.int64)

    def flowers():
        yield from zip(*petals.draw(size, seed), strict=True)

    drawn = tf.data.Dataset.from_generator(flowers, output_signature=signature)
    return drawn.apply(tf.data.experimental.assert_cardinality(size))


def _load_folder(folder, seed):
    class_names, pictures = image_folder.read(folder)
    if "all" in pictures:
        splits = image_folder.stratified(pictures["all"], class_names, seed)
        splits, origin = {split: _files(splits[split], seed) for split in splits}, f"80 : 10 : 10 by class, seed {seed}"
    else:
        splits, origin = _complete({split: _files(pictures[split], seed) for split in pictures}, seed)
    return Dataset(str(folder), class_names, splits, origin)


def _files(pictures, seed):
    """Reads files in an order fixed by the seed: what is too large to be shuffled must not come class by class."""
    order = np.random.default_rng(seed).permutation(len(pictures))
    paths, labels, needs_rewriting = zip(*(pictures[place] for place in order), strict=True)
    files = tf.data.Dataset.from_tensor_slices((list(paths), np.int64(labels), list(needs_rewriting)))
    return files.map(_read_file, tf.data.AUTOTUNE)


def _read_file(path, label, needs_rewriting):
    contents = tf.io.read_file(path)
    picture = tf.cond(
        needs_rewriting, lambda: tf.numpy_function(decoding.rewrite, [contents], tf.string), lambda: contents
    )
    return tf.ensure_shape(picture, ()), label


def _complete(official, seed):
    """Makes up for missing splits, and says how."""
    splits, origin = dict(official), [f"official {', '.join(official)}"]
    if "test" not in splits and "validation" in splits:
        splits["test"] = splits.pop("validation")
        origin.append("validation is taken as test")
    for split in ("test", "validation"):
        if split not in splits:
            splits["train"], splits[split] = _part(splits["train"], seed)
            origin.append(f"{split} is a tenth of train, seed {seed}")
    return {split: splits[split] for split in ("train", "validation", "test")}, "; ".join(origin)


def _part(train, seed):
    """Parts the last tenth of a permutation from the rest, both in the order of `train`."""
    chosen = np.zeros(len(train), bool)
    chosen[np.random.default_rng(seed).permutation(len(train))[-max(1, len(train) // 10) :]] = True
    return _select(train, ~chosen), _select(train, chosen)


def _select(split, chosen):
    selected = split.enumerate().filter(lambda place, _: tf.gather(chosen, place)).map(lambda _, item: item)
    return selected.apply(tf.data.experimental.assert_cardinality(int(chosen.sum())))


def _load_catalog(name, data_dir, seed):
    base, _, variant = name.rpartition(":")
    if variant not in VARIANTS:
        base, variant = name, None
    version, class_names, official = tfds.read(base, data_dir)
    splits, origin = _vary(official, variant) if variant else _complete(official, seed)
    return Dataset(f"{name} {version}", class_names, splits, origin)


def _vary(official, variant):
    if set(official) != {"train", "validation", "test"}:
        raise ValueError(f":{variant} needs official train, validation and test. Received: {', '.join(official)}")
    train, validation, test = (official[split] for split in ("train", "validation", "test"))
    if variant == "flipped":
        return {
            "train": test,
            "validation": validation,
            "test": train,
        }, "flipped: official test and train change places"
    return {"train": train.concatenate(validation), "test": test}, "official train and validation are trained on"
