"""Decode every picture file once, so that training does not fail on a file that it cannot read."""

import concurrent.futures
import contextlib
import dataclasses
import os
import pathlib
import sys
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from PIL import Image

from keras_alexnet.data import decoding, errors, picture_files, rewriting
from keras_alexnet.data.labeled_files import LabeledFiles, check_classes_not_empty
from keras_alexnet.machine import available_cores
from keras_alexnet.text import enumerated, percent, printable

MAX_BAD_SHARE = 0.01  # ours: largest fraction of unreadable pictures
LISTED_BAD = 20  # in the message
DEEP = (".png", ".tif", ".tiff")  # formats with 16 bits per channel
FEWEST_LEVELS = 64  # ours: of gray; with 12 bits 16 are left
CHUNK = 256  # pictures that are decoded together; if libjpeg warns, the damaged ones among them are identified


class Picture(NamedTuple):
    """A picture file that was decoded once without error."""

    path: str
    label: int
    needs_rewriting: bool  # by rewriting.rewrite, before decoding.decode
    size: int  # bytes
    highest: int | None = None  # value of a gray picture with 16 bits; None for others


def read(files: LabeledFiles) -> dict[str, list[Picture]]:
    """Decode each picture once.

    Pictures that cannot be read are listed on stderr and left out. Other files are counted there.

    Args:
        files: The files.

    Returns:
        The pictures of each split, in the order of the files.

    Raises:
        ValueError: If more than 1 % of the pictures cannot be read, or a class has no readable picture.
    """
    readable = _check(files.entries)
    splits = {split: [readable[path] for path, _ in own if path in readable] for split, own in files.splits.items()}
    left = {split: [(picture.path, picture.label) for picture in pictures] for split, pictures in splits.items()}
    check_classes_not_empty(dataclasses.replace(files, splits=left))
    picture_files.report_passed_over(files.others)
    return splits


def _check(entries: Sequence[tuple[str, int]]) -> dict[str, Picture]:
    """Return the readable pictures by path, and list the others on stderr."""
    results, damaged = [], []
    with warnings.catch_warnings(), concurrent.futures.ThreadPoolExecutor(available_cores()) as pool:
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # rewriting.MAX_PIXELS is the limit here
        for start in range(0, len(entries), CHUNK):
            with errors.libjpeg_warnings() as lines:
                chunk = list(pool.map(_try, entries[start : start + CHUNK]))
            if lines:
                damaged += [picture for picture in chunk if isinstance(picture, Picture) and _is_damaged(picture)]
            results += chunk
    bad = [f"{path} ({result})" for (path, _), result in zip(entries, results, strict=True) if isinstance(result, str)]
    count = f"{len(bad)} of {len(entries)} pictures"
    if len(bad) > MAX_BAD_SHARE * len(entries):
        raise ValueError(
            f"At most {percent(MAX_BAD_SHARE, 0)} of the pictures of a folder may be unreadable: repair or remove "
            f"them. Received: {count}: {enumerated(bad, LISTED_BAD)}"
        )
    if bad:
        print(f"Left out {count} that cannot be read:", *map(printable, bad), sep="\n  ", file=sys.stderr)
    if damaged:
        names = enumerated([printable(picture.path) for picture in damaged], 5)
        print(f"Using {len(damaged)} of {len(entries)} pictures with damaged JPEG data: {names}", file=sys.stderr)
    _say_if_dark([picture.highest for picture in results if isinstance(picture, Picture) and picture.highest])
    # Pillow decodes damaged JPEGs silently; TensorFlow prints a warning each time.
    readable = {picture.path: picture for picture in results if isinstance(picture, Picture)}
    return readable | {picture.path: picture._replace(needs_rewriting=True) for picture in damaged}


def _try(entry: tuple[str, int]) -> Picture | str:
    """Return the picture, or why it cannot be read."""
    path, label = entry
    try:
        needs_rewriting = decoding.check(path)
    except ValueError as error:
        return str(error)
    return Picture(path, label, needs_rewriting, os.path.getsize(path), _highest(path))


def _highest(path: str) -> int | None:
    """Return the highest value of a gray picture with 16 bits, None for other pictures."""
    if pathlib.Path(path).suffix.lower() not in DEEP:
        return None
    with contextlib.suppress(Exception), Image.open(path) as image:  # it is only for a hint
        return int(np.asarray(image).max()) if image.mode.startswith("I;16") else None
    return None


def _say_if_dark(highest: Sequence[int]) -> None:
    """Print a line if pictures with 16 bits lose most of their gray levels, since only the upper 8 bits are used."""
    most = max(highest, default=0)
    if highest and most < 256 * FEWEST_LEVELS:
        print(
            f"The pictures with 16 bits have only values up to {most} of 65535, so {most // 256 + 1} of 256 gray "
            "levels are used: multiply their values first",
            file=sys.stderr,
        )


def _is_damaged(picture: Picture) -> bool:
    """Return whether TensorFlow's decoder warns about a picture that Pillow can decode."""
    with errors.libjpeg_warnings() as lines, contextlib.suppress(ValueError):
        decoding.check(picture.path)
    try:
        rewriting.rewrite(pathlib.Path(picture.path).read_bytes())
    except Exception:  # Pillow cannot decode some of them; those are left unchanged
        return False
    return bool(lines) and not picture.needs_rewriting
