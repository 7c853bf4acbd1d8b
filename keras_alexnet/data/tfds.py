"""Image classification data sets of TensorFlow Datasets, with their official splits."""

import contextlib
import difflib
import urllib.error
import urllib.request

import numpy as np
import tensorflow as tf

from keras_alexnet.data.identity import SPLITS, digest_of
from keras_alexnet.text import reason

OFFICIAL_SIZES = {"oxford_flowers102": {"train": 1020, "validation": 1020, "test": 6149}}


def read(name: str, data_dir: str | None = None) -> tuple[str, tuple[str, ...], dict[str, tf.data.Dataset], str]:
    """Find a data set by name, download and prepare it if necessary, and open its splits.

    The order is that of the prepared files. Reading fails at the end if they have more or fewer pictures than expected.

    Args:
        name: Name in TensorFlow Datasets, such as `cifar10`, `imagenet_resized/64x64` or `oxford_flowers102:2.1.1`.
        data_dir: Folder of prepared data. None for `TFDS_DATA_DIR`, or else `~/tensorflow_datasets`.

    Returns:
        The version; the class names; the splits among `train`, `validation` and `test` that exist, each a
        `tf.data.Dataset` of `(bytes of a picture file, label)`; and a digest of the version and the sizes of all
        splits. A test split without labels (-1), as in imagenet2012, is left out.

    Raises:
        ValueError: If there is no such data set, it is not available, it is not for image classification, or its
            official splits do not have the expected sizes.
    """
    builder = _builder(name, data_dir)
    image_key, label_key = _keys(builder)
    _prepare(builder)
    class_names = tuple(builder.info.features[label_key].names)
    return str(builder.version), class_names, _official(builder, image_key), _digest(builder)


def _digest(builder):
    sizes = [(name, split.num_examples, split.num_bytes) for name, split in builder.info.splits.items()]
    return digest_of([(builder.info.full_name, 0, 0), *sizes])


def is_prepared(name: str, data_dir: str | None = None) -> bool:
    """Return whether a set has been prepared, so that `read` downloads nothing.

    Args:
        name: Name in TensorFlow Datasets, as in `read`.
        data_dir: As in `read`.

    Raises:
        ValueError: If there is no such set.
    """
    return _builder(name, data_dir).is_prepared()


def _builder(name, data_dir):
    import tensorflow_datasets as tfds  # takes ten seconds, and drawn flowers and folders do not need it

    try:
        return tfds.builder(name, data_dir=data_dir)
    except (ValueError, AssertionError, ImportError) as error:
        names, base = {"petals", *tfds.list_builders(with_community_datasets=False)}, name.split(":")[0].split("/")[0]
        if base in names:
            raise ValueError(
                f"TFDS does not have this version or configuration of {base}. Received: {name} ({reason(error)})"
            ) from error
        near = difflib.get_close_matches(base, sorted(names))
        raise ValueError(
            "There is no folder and no data set with this name. Use petals, drawn, the path of a folder of class "
            "folders, or the name of an image classification data set of TensorFlow Datasets"
            f"{', such as ' + ', '.join(near) if near else ''}. Received: {name}"
        ) from None


def _keys(builder):
    """Return the names of the features with the image and the label."""
    import tensorflow_datasets as tfds

    keys, features = builder.info.supervised_keys or (), dict(builder.info.features)
    kinds = [type(features.get(key)) for key in keys]
    if kinds != [tfds.features.Image, tfds.features.ClassLabel] or features[keys[0]].np_dtype != np.uint8:
        raise ValueError(
            "The data set must be for image classification, of 8-bit images with one label each. "
            f"Received: {builder.name}, which has {', '.join(features)}"
        )
    return keys


def _prepare(builder):
    if builder.is_prepared():
        return
    try:
        _reach(builder)
        builder.download_and_prepare()
    except Exception as error:  # servers, archives and assertions raise errors of every kind
        raise ValueError(
            f"{builder.name} {builder.version} is not in {builder.data_path} and cannot be downloaded "
            f"({_size(builder)}): set `data_dir` or TFDS_DATA_DIR to the folder where it was prepared, or use petals, "
            "which needs no download. "
            f"Received: {reason(error)}"
        ) from error


def _reach(builder):
    """Send a HEAD request to the server, because without a network TFDS would retry for minutes."""
    if builder.url_infos and not builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
        request = urllib.request.Request(next(iter(builder.url_infos)), method="HEAD")
        with contextlib.suppress(urllib.error.HTTPError):  # a server that refuses is reachable
            urllib.request.urlopen(request, timeout=10).close()


def _size(builder):
    size = sum(info.size for info in (builder.url_infos or {}).values())
    return f"{size / 2**20:,.0f} MiB" if size else "of unknown size"


def _official(builder, image_key):
    """Return the official splits, without a test split that has no labels (-1)."""
    names = [split for split in SPLITS if split in builder.info.splits]
    splits = {split: _read(builder, split, image_key) for split in names}
    sizes = {split: len(pictures) for split, pictures in splits.items()}
    expected = OFFICIAL_SIZES.get(builder.name, sizes)
    if "train" not in splits or sizes != expected:
        wanted = expected if builder.name in OFFICIAL_SIZES else "a train split"
        raise ValueError(f"{builder.name} must have {wanted}. Received: {sizes} in {builder.data_path}")
    if "test" in splits and any(label < 0 for _, label in splits["test"].take(1)):
        del splits["test"]
    return splits


def _read(builder, split, image_key):
    import tensorflow_datasets as tfds

    return builder.as_dataset(
        split=split,
        as_supervised=True,
        decoders={image_key: tfds.decode.SkipDecoding()},
        shuffle_files=False,
        read_config=tfds.ReadConfig(try_autocache=False),  # pipeline.resize_pictures caches resized pictures
    )
