"""Oxford Flowers 17 (Nilsback and Zisserman, 2006) in its original layout: 80 numbered pictures per class."""

import os
import pathlib

from keras_alexnet.data import picture_files
from keras_alexnet.data.labeled_files import LabeledFiles

NAME = "oxford_flowers17"
ADDRESS = "https://www.robots.ox.ac.uk/~vgg/data/flowers/17/"
ARCHIVE = "17flowers.tgz"
CLASS_NAMES = (
    "daffodil",
    "snowdrop",
    "lily-valley",
    "bluebell",
    "crocus",
    "iris",
    "tigerlily",
    "tulip",
    "fritillary",
    "sunflower",
    "daisy",
    "coltsfoot",
    "dandelion",
    "cowslip",
    "buttercup",
    "windflower",
    "pansy",
)
PER_CLASS = 80
FILES = tuple(f"image_{number:04}.jpg" for number in range(1, len(CLASS_NAMES) * PER_CLASS + 1))


def find(folder: pathlib.Path) -> LabeledFiles | None:
    """Return the pictures of a folder with `image_0001.jpg` to `image_1360.jpg`, directly or in a subfolder `jpg`.

    Return None for any other folder. The class names are in the order of the files.
    """
    for place in (folder, folder / "jpg"):
        if not all((place / name).is_file() for name in (FILES[0], FILES[-1])):
            continue
        beside = picture_files.files_beside(place, folder)
        if {file.name for file in beside if picture_files.is_picture(file)} == set(FILES):
            others = tuple(file for file in beside if file.name not in set(FILES))
            entries = [(str(place / name), number // PER_CLASS) for number, name in enumerate(FILES)]
            return LabeledFiles(folder, folder, CLASS_NAMES, {"all": entries}, others)
    return None


def locate(data_dir: str | os.PathLike | None = None) -> pathlib.Path:
    """Return the folder or the archive of the pictures in the data folder of TensorFlow Datasets.

    Raises:
        ValueError: If it is missing.
    """
    root = pathlib.Path(os.path.expanduser(data_dir or os.environ.get("TFDS_DATA_DIR") or "~/tensorflow_datasets"))
    manual = root / "downloads" / "manual"
    for place in (root / NAME, manual / NAME, manual, root):
        if place.is_dir() and find(place.resolve()):
            return place
        if (place / ARCHIVE).is_file():
            return place / ARCHIVE
    raise ValueError(
        f"{NAME} must be downloaded by hand: get {ARCHIVE} from {ADDRESS} and put it into {root / NAME}, or pass its "
        f"path. Received: {NAME}, which is not in {root}"
    )
