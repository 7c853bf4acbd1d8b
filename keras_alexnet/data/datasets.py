"""Data sets by name or path: labeled pictures in splits, and their class names (paper section 2)."""

import dataclasses
import os
import pathlib
import sys

import numpy as np
import tensorflow as tf

from keras_alexnet.arguments import check_path
from keras_alexnet.data import class_names, csv_labels, errors, readable, rewriting, sources, splitting, tfds
from keras_alexnet.data.drawings import formulas, petals, textures
from keras_alexnet.data.duplicates import Duplicates
from keras_alexnet.data.identity import DRAWN_SOURCES, SPLITS, DataIdentity, digest_of, splits_drawn_by_seed
from keras_alexnet.data.labeled_files import LabeledFiles
from keras_alexnet.data.splitting import Shares
from keras_alexnet.files import relative_path
from keras_alexnet.recipes import Options
from keras_alexnet.recipes.fields import check_fields
from keras_alexnet.text import printable

PETALS_SIZES = {"train": 640, "validation": 160, "test": 160}
DRAWN_SIZE = 25_600  # training pictures of `drawn`: 100 of each class
VARIANTS = ("flipped", "train+validation")


@dataclasses.dataclass(frozen=True)
class Dataset:
    """Labeled pictures in splits.

    Attributes:
        name: The requested name or path, with the version if there is one.
        class_names: Names of the classes. A label is an index into them.
        splits: `train`, `validation` and `test`, each a `tf.data.Dataset` of `(picture, label)` in a fixed order and of
            known length. A picture is the bytes of a file (scalar string) or a uint8 image `(height, width, 3)`, a
            label is an int64. There is no `validation` if it is used for training or its share is zero, and no `test`
            if its share is zero.
        identity: The fields that identify the data of a run.
        paths: Paths of the pictures of each split in the same order; None if they are not the user's files.
        root: The folder that paths are relative to.
        copies: Information about identical files; None if the pictures are not files.
    """

    name: str
    class_names: tuple[str, ...]
    splits: dict[str, tf.data.Dataset]
    identity: DataIdentity
    paths: dict[str, tuple[str, ...]] | None = None
    root: pathlib.Path | None = None
    copies: Duplicates | None = None

    def describe(self) -> str:
        """Describe the data set in one line."""
        return self.identity.describe(len(self.class_names))


def load(
    name: str,
    data_dir: str | None = None,
    seed: int = 0,
    names_file: str | None = None,
    test_share: float = 0.1,
    validation_share: float = 0.1,
    files: LabeledFiles | None = None,
) -> Dataset:
    """Load a data set.

    - `petals`: drawn flowers, no download.
    - `drawn`: drawn pictures of 256 classes, to pretrain kernels without a download: 25,600 training pictures, or N
      with `drawn:N`.
    - The path of a folder of class folders, see `image_folder.find`; of a CSV file of files and labels, see
      `csv_labels.find`; or of a zip or tar file of a folder of class folders, see `archives.unpack`. Without its own
      splits it is split at random, class by class, and identical files stay together. The EXIF orientation is
      applied.
    - `oxford_flowers17`, if you have downloaded its archive, see `flowers17.locate`; or the path of its pictures.
    - An image classification data set of TensorFlow Datasets, such as `cifar10`, `food101` or `imagenet2012:5.1.0`.
    - `oxford_flowers102` is train 1020, validation 1020, test 6149. `oxford_flowers102:flipped` is a different, easier
      task: it trains on the 6149 and tests on the 1020. `oxford_flowers102:train+validation` trains on 2040 and has no
      validation split, so choices such as the number of epochs must be made in advance.

    Official splits are kept. If test pictures are missing or have no labels, the official validation pictures become
    the test split. The missing split is then a fraction of the training pictures, the last ones of a permutation that
    depends on the seed.

    Args:
        name: The name, or a path. A folder of that name takes precedence over `drawn` and TFDS, and `petals` over all.
        data_dir: Folder where TensorFlow Datasets stores its data. None for `TFDS_DATA_DIR`, or else
            `~/tensorflow_datasets`.
        seed: Seed of the splits that are not official, and of the pictures of `petals` and `drawn`. It belongs to the
            data: runs with different seeds of their own are comparable only on the same data.
        names_file: File of class names, see `class_names.read`.
        test_share: Fraction of the pictures for testing, if there is no official split. 0 for none.
        validation_share: Fraction of the pictures for validation, if there is no official split. 0 for none.
        files: The result of `sources.find` for the name, if it is already known.

    Raises:
        TypeError: If `name` is neither text nor a path.
        ValueError: If there is no such data set, it is not available, or it does not have labeled images; or if the
            seed or a share is not a number, or is out of range.
        OSError: If its files cannot be read.

    Example:
        >>> load("petals").describe()
        'petals: 10 classes; train 640, validation 160, test 160 pictures (drawn with seed 0)'
    """
    check_path("name", name)
    name = os.fspath(name)
    check_fields(Options, {"seed": seed, "test_share": test_share, "validation_share": validation_share})
    shares = Shares(validation_share, test_share)
    files = files or sources.find(name, data_dir, names_file, shares)
    with errors.reading(name):
        if files:
            return _load_files(name, files, seed, shares)
        base, _, size = os.fspath(name).partition(":")
        if name == "petals":
            dataset = _load_petals(seed)
        elif base == "drawn":
            dataset = _load_drawn(name, size, seed)
        else:
            dataset = _load_tfds(name, data_dir, seed, shares)
    if names_file:
        dataset = dataclasses.replace(dataset, class_names=class_names.read(names_file, dataset.class_names))
    return dataset


def from_options(options: Options, files: LabeledFiles | None = None) -> Dataset:
    """Load the data set in the options of a run.

    Args:
        options: The options.
        files: The result of `sources.files_for`, if it is already known.
    """
    return load(
        options.dataset,
        options.data_dir,
        options.seed,
        options.class_names,
        options.test_share,
        options.validation_share,
        files,
    )


def is_available(options: Options, files: LabeledFiles | None) -> bool:
    """Return whether the data set that the options of a run name can be loaded without a download.

    Args:
        options: The options.
        files: The result of `sources.files_for`.

    Raises:
        ValueError: If there is no such data set.

    Example:
        >>> is_available(Options(dataset="petals"), None)
        True
    """
    if files or options.dataset.partition(":")[0] in DRAWN_SOURCES:
        return True
    return tfds.is_prepared(_base_and_variant(options.dataset)[0], options.data_dir)


def _identity(source, name, splits, official, seed, shares, **fields):
    """Return the identity of a data set with these splits. It includes the seed if any split depends on it."""
    decided = splits_drawn_by_seed(official)
    drawn = () if set(splits) <= set(official) else tuple(split for split in decided if split in splits)
    sizes = {split: len(pictures) for split, pictures in splits.items()}
    return DataIdentity(
        source,
        name,
        official=tuple(official),
        drawn_by_seed=drawn,
        split_seed=seed if drawn else None,
        sizes=sizes,
        validation_share=shares.validation,
        test_share=shares.test,
        **fields,
    )


def _load_petals(seed):
    def flowers(count, seed):
        yield from zip(*petals.draw(count, seed), strict=True)

    return _drawn("petals", petals.CLASS_NAMES, PETALS_SIZES, seed, flowers, petals.SIDE)


def _load_drawn(name, size, seed):
    train = DRAWN_SIZE if name == "drawn" else int(size) if size.isdecimal() else 0
    if not train:
        raise ValueError(f"Expected drawn, or drawn:N for N training pictures, such as drawn:60000. Received: {name}")
    held_out = max(len(formulas.CLASS_NAMES), train // 20)
    sizes = {"train": train, "validation": held_out, "test": held_out}
    return _drawn(name, formulas.CLASS_NAMES, sizes, seed, formulas.pictures, textures.SIDE)


def _drawn(name, class_names, sizes, seed, pictures, side):
    """Return a data set of drawn pictures. `pictures` draws a number of them from a seed."""
    splits = {split: _draw(pictures, size, 3 * seed + k, side) for k, (split, size) in enumerate(sizes.items())}
    digest = digest_of([("seed", seed), *sizes.items()])
    source = name.partition(":")[0]
    identity = _identity(source, name, splits, (), seed, splitting.TENTHS, digest=digest)
    return Dataset(name, class_names, splits, identity)


def _draw(pictures, size, seed, side):
    """Return a split that is drawn on first use."""
    signature = tf.TensorSpec((side, side, 3), tf.uint8), tf.TensorSpec((), tf.int64)
    drawn = tf.data.Dataset.from_generator(lambda: pictures(size, seed), output_signature=signature)
    return drawn.apply(tf.data.experimental.assert_cardinality(size))


def _load_files(name, files, seed, shares):
    pictures = readable.read(files)
    splits = _split(pictures, files, seed, shares)
    splitting.check_training_pictures((picture.label for picture in splits["train"]), files.class_names)
    official = () if "all" in pictures else tuple(pictures)
    paths = {split: tuple(picture.path for picture in own) for split, own in splits.items()}
    copies = Duplicates.from_groups(files.identical, dict(files.entries), paths, files.root)
    for line in copies.warnings():
        print(printable(line), file=sys.stderr)
    fields = {"digest": _digest_of_files(files, pictures), "copies": copies.count}
    identity = _identity("folder", str(files.path), splits, official, seed, shares, **fields)
    read = {split: _read_files(own) for split, own in splits.items()}
    return Dataset(str(name), files.class_names, read, identity, paths, files.root, copies)


def _split(pictures, files, seed, shares):
    """Return the pictures of each split in reading order."""
    first_of = {path: group[0] for group in files.identical for path in group}

    def key(picture):
        return first_of.get(picture.path, picture.path)

    def split_off(train, share):
        chosen = splitting.split_off(len(train), share, seed, [*map(key, train)])
        return tuple(
            [each for each, is_chosen in zip(train, chosen, strict=True) if is_chosen == wanted]
            for wanted in (False, True)
        )

    if "all" in pictures:
        splits = splitting.stratified(pictures["all"], files.class_names, seed, shares, key)
        return {split: _in_fixed_order(own, seed) for split, own in splits.items()}
    return splitting.complete({split: _in_fixed_order(own, seed) for split, own in pictures.items()}, shares, split_off)


def _in_fixed_order(pictures, seed):
    """Return the pictures in a random order that depends on the seed, so that a large data set is not sorted by
    class."""
    return [pictures[place] for place in np.random.default_rng(seed).permutation(len(pictures))]


def _digest_of_files(files, pictures):
    """Return the digest of the files. It includes the labels of a CSV file, which are not in the paths."""
    has_labels = csv_labels.is_table(files.path)
    return digest_of(
        (split, pathlib.Path(relative_path(picture.path, files.root)).as_posix(), picture.size)
        + ((picture.label,) if has_labels else ())
        for split in pictures
        for picture in pictures[split]
    )


@tf.autograph.experimental.do_not_convert
def _read_files(pictures):
    paths, labels, needs_rewriting, *_ = zip(*pictures, strict=True)
    files = tf.data.Dataset.from_tensor_slices((list(paths), np.int64(labels), list(needs_rewriting)))
    # the condition takes a fifth of the time of reading a file, so it is left out if no file needs it
    return files.map(_read_and_rewrite if any(needs_rewriting) else _read_file, tf.data.AUTOTUNE)


def _read_file(path, label, _):
    return tf.io.read_file(path), label


def _read_and_rewrite(path, label, needs_rewriting):
    contents = tf.io.read_file(path)
    picture = tf.cond(
        needs_rewriting, lambda: tf.numpy_function(rewriting.rewrite, [contents], tf.string), lambda: contents
    )
    return tf.ensure_shape(picture, ()), label


@tf.autograph.experimental.do_not_convert
def _select(split, chosen):
    selected = split.enumerate().filter(lambda place, _: tf.gather(chosen, place)).map(lambda _, item: item)
    return selected.apply(tf.data.experimental.assert_cardinality(int(chosen.sum())))


def _load_tfds(name, data_dir, seed, shares):
    base, variant = _base_and_variant(name)
    version, class_names, official, digest = tfds.read(base, data_dir)

    def split_off(train, share):  # both parts keep the order of `train`
        chosen = splitting.split_off(len(train), share, seed)
        return _select(train, ~chosen), _select(train, chosen)

    splits = _rearrange(official, variant) if variant else splitting.complete(official, shares, split_off)
    fields = {"version": version, "variant": variant, "digest": digest}
    identity = _identity("tfds", base.partition(":")[0], splits, tuple(official), seed, shares, **fields)
    return Dataset(f"{name} {version}", class_names, splits, identity)


def _base_and_variant(name):
    base, _, variant = name.rpartition(":")
    return (base, variant) if variant in VARIANTS else (name, None)


def _rearrange(official, variant):
    if set(official) != set(SPLITS):
        raise ValueError(f":{variant} needs official train, validation and test. Received: {', '.join(official)}")
    train, validation, test = (official[split] for split in SPLITS)
    if variant == "flipped":
        return {"train": test, "validation": validation, "test": train}
    return {"train": train.concatenate(validation), "test": test}
