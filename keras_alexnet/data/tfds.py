"""Image classification sets of TensorFlow Datasets, with their official splits."""

import contextlib
import difflib
import urllib.error
import urllib.request

import numpy as np

OFFICIAL_SIZES = {"oxford_flowers102": {"train": 1020, "validation": 1020, "test": 6149}}


def read(name, data_dir=None):
    """Finds a set by name, fetches and prepares it where that has not been done, and opens its splits.

    The order is that of the prepared files. Reading fails in the end if they hold more or fewer pictures than they say.

    Args:
        name: Name in TensorFlow Datasets, as `cifar10`, `imagenet_resized/64x64` or `oxford_flowers102:2.1.1`.
        data_dir: Where prepared data are kept. None for `TFDS_DATA_DIR`, else `~/tensorflow_datasets`.

    Returns:
        The version, the names of the classes, and those of the splits `train`, `validation` and `test` that there are:
        each a `tf.data.Dataset` of `(bytes of a picture file, label)`. A test split whose labels are kept secret (-1),
        as those of imagenet2012, is left out.

    Raises:
        ValueError: If there is no such set, it cannot be had, it is not for image classification, or its official
            splits have not the sizes that are on record here.
    """
    builder = _builder(name, data_dir)
    image_key, label_key = _keys(builder)
    _prepare(builder)
    return str(builder.version), tuple(builder.info.features[label_key].names), _official(builder, image_key)


def _builder(name, data_dir):
    """What TensorFlow Datasets knows of the set. Imported here: petals and folders need not wait for it."""
    import tensorflow_datasets as tfds

    try:
        return tfds.builder(name, data_dir=data_dir)
    except (ValueError, AssertionError, ImportError) as error:
        names, base = {"petals", *tfds.list_builders(with_community_datasets=False)}, name.split(":")[0].split("/")[0]
        if base in names:
            raise ValueError(f"{base} must be asked for as TFDS knows it. Received: {name} ({_line(error)})") from error
        near = difflib.get_close_matches(base, sorted(names))
        raise ValueError(
            "The data set must be petals, the path of a folder of class folders, or the name of an image classification"
            f" set of TensorFlow Datasets{', such as ' + ', '.join(near) if near else ''}. Received: {name}"
        ) from None


def _keys(builder):
    """Names of the features that hold the image and the label."""
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
    except Exception as error:  # of any kind, from servers, archives and assertions
        raise ValueError(
            f"{builder.name} {builder.version} is not in {builder.data_path} and cannot be fetched ({_size(builder)}): "
            "set --data-dir or TFDS_DATA_DIR to where it was prepared, or take petals, which needs no download. "
            f"Received: {_line(error)}"
        ) from error


def _reach(builder):
    """Asks a server for the head of a file: without a network, TFDS itself would go on trying for minutes."""
    if builder.url_infos and not builder.MANUAL_DOWNLOAD_INSTRUCTIONS:
        request = urllib.request.Request(next(iter(builder.url_infos)), method="HEAD")
        with contextlib.suppress(urllib.error.HTTPError):  # a server that says no is there
            urllib.request.urlopen(request, timeout=10).close()


def _size(builder):
    size = sum(info.size for info in (builder.url_infos or {}).values())
    return f"{size / 2**20:,.0f} MiB" if size else "of unknown size"


def _line(error):
    return (str(error).strip() or type(error).__name__).split("\n")[0][:200]


def _official(builder, image_key):
    """The official splits; test is left out where its labels are kept secret (-1), as those of imagenet2012."""
    names = [split for split in ("train", "validation", "test") if split in builder.info.splits]
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
        read_config=tfds.ReadConfig(try_autocache=False),  # pipeline.resize_pictures keeps what is worth keeping
    )
