"""The classes of ImageNet, from the file that Keras publishes."""

import json
import pathlib

from keras_alexnet.weights import names

FILE = "imagenet_class_index.json"
# as in `keras.applications`, which keeps both private
ADDRESS = f"https://storage.googleapis.com/download.tensorflow.org/data/{FILE}"
MD5 = "c2c37ea517e94d9795004a39431a14cb"


def imagenet_classes() -> list[tuple[str, str]]:
    """Return ImageNet's 1000 classes in the order of a network's outputs, as pairs of identifier and name.

    The file is downloaded to Keras's cache if it is not on this machine, see `names.find_file`.

    Raises:
        ValueError: If the file is missing and cannot be downloaded.
    """
    import keras  # on use: importing it takes seconds

    try:
        path = names.find_file(FILE) or keras.utils.get_file(FILE, ADDRESS, cache_subdir="models", file_hash=MD5)
    except Exception as error:  # Keras raises many kinds of errors without a network
        raise ValueError(
            f"Could not download ImageNet's class names: save {FILE} as {names.cache() / FILE}. Received: {error}"
        ) from error
    index = json.loads(pathlib.Path(path).read_text(encoding="utf-8"))  # {"0": ["n01440764", "tench"], ...}
    return [tuple(index[str(n)]) for n in range(len(index))]
