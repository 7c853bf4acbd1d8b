"""Data sets by name or path: labelled pictures in splits, and the names of their classes (paper section 2)."""

import dataclasses
import pathlib

import numpy as np
import tensorflow as tf

from keras_alexnet.data import decoding, errors, image_folder, picture_files, tfds
from keras_alexnet.data.drawings import petals
from keras_alexnet.data.identity import SPLITS, DataIdentity, digest_of, splits_drawn_by_seed

PETALS_SIZES = {"train": 640, "validation": 160, "test": 160}
VARIANTS = ("flipped", "train+validation")


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Labelled pictures in splits.

    Attributes:
        name: The name or path that it was asked for by, with the version where there is one.
        class_names: Names of the classes. A label is an index into them.
        splits: `train`, `validation` and `test`, each a `tf.data.Dataset` of `(picture, label)` in a fixed order and of
            known length. A picture is the bytes of a file (scalar string) or a uint8 image `(height, width, 3)`, a
            label an int64. There is no `validation` where it was asked to be trained on.
        identity: The fields by which a run recognizes its data.
    """

    name: str
    class_names: tuple[str, ...]
    splits: dict[str, tf.data.Dataset]
    identity: DataIdentity

    def describe(self) -> str:
        """Describe the data set in one line."""
        sizes = ", ".join(f"{split} {len(pictures)}" for split, pictures in self.splits.items())
        words = self.identity.splits_in_words
        return f"{self.name}: {len(self.class_names)} classes; {sizes} pictures ({words})"


def load(name: str, data_dir: str | None = None, seed: int = 0) -> Dataset:
    """Load a data set.

    - `petals`: drawn flowers, no download.
    - The path of a folder of class folders, see `image_folder.read`. Without folders for the splits it is split
      80 : 10 : 10 by seed, class by class. The EXIF orientation of JPEG and WebP is applied.
    - An image classification set of TensorFlow Datasets, such as `cifar10`, `food101` or `imagenet2012:5.1.0`.
    - `oxford_flowers102` is train 1020, validation 1020, test 6149. `oxford_flowers102:flipped` is a different, easier
      task: it trains on the 6149 and tests on the 1020. `oxford_flowers102:train+validation` trains on 2040 and has no
      validation split: what would be chosen by it, such as the best epoch, must be decided before.

    Official splits are kept. Where test pictures are missing or have no labels, the official validation pictures are
    the test. Then the split that is missing is the last tenth of a permutation of the training pictures, which the seed
    decides.

    Args:
        name: The name, or the path of a folder. A folder of that name is preferred to a TFDS set, and `petals` to both.
        data_dir: Where TensorFlow Datasets keeps its data. None for `TFDS_DATA_DIR`, else `~/tensorflow_datasets`.
        seed: Decides the splits that are not official, and which flowers `petals` has. It belongs to the data: runs
            that differ in their own seed are comparable only on the same data.

    Raises:
        ValueError: If there is no such data set, it is not available, or it is not one of labelled images.
        OSError: If its files cannot be read.

    Example:
        >>> load("petals").describe()
        'petals: 10 classes; train 640, validation 160, test 160 pictures (drawn with seed 0)'
    """
    if name == "petals":
        return _load_petals(seed)
    folder = picture_files.dataset_folder(name)
    with errors.reading(name):
        return _load_tfds(name, data_dir, seed) if folder is None else _load_folder(name, folder, seed)


def _identity(source, name, splits, official, seed, **fields):
    """Return the identity of a data set with these splits; the seed belongs to it where it decides any of them."""
    drawn = splits_drawn_by_seed(official)
    sizes = {split: len(pictures) for split, pictures in splits.items()}
    return DataIdentity(
        source,
        name,
        official=tuple(official),
        drawn_by_seed=drawn,
        split_seed=seed if drawn else None,
        sizes=sizes,
        **fields,
    )


def _load_petals(seed):
    splits = {split: _draw(size, 3 * seed + k) for k, (split, size) in enumerate(PETALS_SIZES.items())}
    digest = digest_of([("seed", seed), *PETALS_SIZES.items()])
    return Dataset("petals", petals.CLASS_NAMES, splits, _identity("petals", "petals", splits, (), seed, digest=digest))


def _draw(size, seed):
    """Return a split that is drawn when its first picture is asked for."""
    signature = tf.TensorSpec((petals.SIDE, petals.SIDE, 3), tf.uint8), tf.TensorSpec((), tf.int64)

    def flowers():
        yield from zip(*petals.draw(size, seed), strict=True)

    drawn = tf.data.Dataset.from_generator(flowers, output_signature=signature)
    return drawn.apply(tf.data.experimental.assert_cardinality(size))


def _load_folder(name, folder, seed):
    root = folder.resolve()
    class_names, pictures = image_folder.read(root)
    if "all" in pictures:
        official, stratified = (), image_folder.stratified(pictures["all"], class_names, seed)
        splits = {split: _read_files(stratified[split], seed) for split in stratified}
    else:
        official = tuple(pictures)
        splits = _complete({split: _read_files(pictures[split], seed) for split in pictures}, seed)
    digest = digest_of(
        (split, pathlib.Path(picture.path).relative_to(root).as_posix(), picture.size)
        for split in pictures
        for picture in pictures[split]
    )
    identity = _identity("folder", str(root), splits, official, seed, digest=digest)
    return Dataset(str(name), class_names, splits, identity)


def _read_files(pictures, seed):
    """Return the files in an order fixed by the seed: a set too large to be shuffled must not come class by class."""
    order = np.random.default_rng(seed).permutation(len(pictures))
    paths, labels, needs_rewriting, _ = zip(*(pictures[place] for place in order), strict=True)
    files = tf.data.Dataset.from_tensor_slices((list(paths), np.int64(labels), list(needs_rewriting)))
    return files.map(_read_file, tf.data.AUTOTUNE)


def _read_file(path, label, needs_rewriting):
    contents = tf.io.read_file(path)
    picture = tf.cond(
        needs_rewriting, lambda: tf.numpy_function(decoding.rewrite, [contents], tf.string), lambda: contents
    )
    return tf.ensure_shape(picture, ()), label


def _complete(official, seed):
    """Add the splits that are missing."""
    splits = dict(official)
    if "test" not in splits and "validation" in splits:
        splits["test"] = splits.pop("validation")
    for split in ("test", "validation"):
        if split not in splits:
            splits["train"], splits[split] = _split_off_tenth(splits["train"], seed)
    return {split: splits[split] for split in SPLITS}


def _split_off_tenth(train, seed):
    """Split off the last tenth of a permutation; both parts keep the order of `train`."""
    chosen = np.zeros(len(train), bool)
    chosen[np.random.default_rng(seed).permutation(len(train))[-max(1, len(train) // 10) :]] = True
    return _select(train, ~chosen), _select(train, chosen)


def _select(split, chosen):
    selected = split.enumerate().filter(lambda place, _: tf.gather(chosen, place)).map(lambda _, item: item)
    return selected.apply(tf.data.experimental.assert_cardinality(int(chosen.sum())))


def _load_tfds(name, data_dir, seed):
    base, _, variant = name.rpartition(":")
    if variant not in VARIANTS:
        base, variant = name, None
    version, class_names, official, digest = tfds.read(base, data_dir)
    splits = _rearrange(official, variant) if variant else _complete(official, seed)
    fields = {"version": version, "variant": variant, "digest": digest}
    identity = _identity("tfds", base.partition(":")[0], splits, tuple(official), seed, **fields)
    return Dataset(f"{name} {version}", class_names, splits, identity)


def _rearrange(official, variant):
    if set(official) != set(SPLITS):
        raise ValueError(f":{variant} needs official train, validation and test. Received: {', '.join(official)}")
    train, validation, test = (official[split] for split in SPLITS)
    if variant == "flipped":
        return {"train": test, "validation": validation, "test": train}
    return {"train": train.concatenate(validation), "test": test}
