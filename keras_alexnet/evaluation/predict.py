"""Picture files to their most probable classes (paper section 6.1)."""

import dataclasses
import pathlib
import sys

import numpy as np
import tensorflow as tf
import tqdm

from keras_alexnet.data import decoding, errors
from keras_alexnet.evaluation import evaluate
from keras_alexnet.plotting import panels

SHOWN = 16  # ours: pictures in a panel
SHOWN_SIDE = 256  # pixels


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What a network says of a picture file.

    Attributes:
        file: Path of the picture.
        label: Position of the right class, where the picture lies in a folder of its name; else None.
        probabilities: Float32 `(classes,)`, or None where the picture cannot be read.
        problem: Why it cannot be read, else None.
    """

    file: pathlib.Path
    label: int | None
    probabilities: np.ndarray | None = None
    problem: str | None = None

    def best(self, class_names, top=5):
        """The most probable classes: a list of mappings with `class` and `probability`, and `right` if that is known.

        Example:
            >>> Prediction(pathlib.Path("a.jpg"), None, np.array([0.25, 0.75])).best(("daisy", "rose"), top=1)
            [{'class': 'rose', 'probability': 0.75}]
        """
        order = np.argsort(-self.probabilities, kind="stable")[:top]
        return [
            {"class": class_names[n], "probability": float(self.probabilities[n])}
            | ({} if self.label is None else {"right": bool(n == self.label)})
            for n in order
        ]


def squares(files, side):
    """Reads picture files to squares, and passes over those that cannot be read.

    Args:
        files: Paths.
        side: Side of the squares in pixels.

    Returns:
        A `tf.data.Dataset` of `(uint8 (side, side, 3), place)`, the place being that of the file among `files`.
    """

    def square(place, path):
        picture = tf.numpy_function(_contents, [path], tf.string)
        return decoding.load_resized(tf.ensure_shape(picture, ()), side), place

    numbered = tf.data.Dataset.from_tensor_slices([str(file) for file in files]).enumerate()
    return numbered.map(square, tf.data.AUTOTUNE).ignore_errors()


def _contents(path):
    contents = pathlib.Path(path.decode()).read_bytes()
    return decoding.rewrite(contents) if decoding.needs_rewriting(path.decode()) else contents


def _problem(file):
    """Return why a picture was passed over."""
    with errors.libjpeg_warnings():
        reason = decoding.check(file)
    return reason if isinstance(reason, str) else "reading it failed once, and works now: run the command again"


def predict(classifier, files, views=10):
    """Shows picture files to a network, many at a time.

    Args:
        classifier: A `classifiers.Classifier`.
        files: Paths, as `picture_files.picture_files` gives them.
        views: 1, or 10 to average over ten views.

    Returns:
        A list of `Prediction`, one a file.

    Source: section 4.1.
    """
    batches = tqdm.tqdm(classifier.batches(squares(files, classifier.recipe.resize_size), views), leave=False)
    with errors.libjpeg_warnings() as lines:
        by_views, places = evaluate.probabilities(classifier.model, batches)
    if lines:
        count = f"{len(lines)} of {len(files)} pictures"
        print(f"Damaged JPEG data were decoded as far as possible in {count}", file=sys.stderr)
    probabilities = dict(zip(places.tolist(), by_views[max(by_views)], strict=True))
    names = {name: n for n, name in enumerate(classifier.class_names)}
    return [
        Prediction(
            file,
            names.get(file.absolute().parent.name),
            probabilities.get(place),
            None if place in probabilities else _problem(file),
        )
        for place, file in enumerate(files)
    ]


def panel(predictions, class_names):
    """Draws the first `SHOWN` pictures with their most probable classes.

    Args:
        predictions: A list of `Prediction` of pictures that can be read.
        class_names: By class.

    Returns:
        A matplotlib figure.

    Source: section 6.1, figure 4.
    """
    shown = predictions[:SHOWN]
    pictures = [picture for picture, _ in squares([each.file for each in shown], SHOWN_SIDE).as_numpy_iterator()]
    labels = [each.label for each in shown]
    return panels.predictions(pictures, np.stack([each.probabilities for each in shown]), class_names, labels)
