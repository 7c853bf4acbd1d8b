"""What a network predicts for picture files, as lines and as a figure (paper section 6.1); needs no TensorFlow."""

import dataclasses
import functools
import pathlib
import typing
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_alexnet.evaluation.top_k import has_top5, not_in_top_k
from keras_alexnet.text import percent, plural

if typing.TYPE_CHECKING:
    from matplotlib.figure import Figure

PANEL_PICTURES = 16  # ours: pictures in a panel
PANEL_PICTURE_SIZE = 256  # pixels


@dataclasses.dataclass(frozen=True)
class Prediction:
    """A network's prediction for one picture file.

    Attributes:
        file: Path of the picture.
        label: Index of the correct class if the picture is in a folder of that name, else None.
        probabilities: Float32 `(classes,)`, or None if the picture cannot be read.
        problem: Why the picture cannot be read, or None.
    """

    file: pathlib.Path
    label: int | None
    probabilities: np.ndarray | None = None
    problem: str | None = None

    def best(self, class_names: Sequence[str], top: int = 5) -> list[dict[str, Any]]:
        """Return the most probable classes, each with `class`, `probability` and, if the label is known, `right`.

        The list is empty if the picture could not be read.

        Example:
            >>> Prediction(pathlib.Path("a.jpg"), None, np.array([0.25, 0.75])).best(("daisy", "rose"), top=1)
            [{'class': 'rose', 'probability': 0.75}]
        """
        if self.probabilities is None:
            return []
        order = np.argsort(-self.probabilities, kind="stable")[:top]
        return [
            {"class": class_names[n], "probability": float(self.probabilities[n])}
            | ({} if self.label is None else {"right": bool(n == self.label)})
            for n in order
        ]


def label_of(file: pathlib.Path, class_names: Sequence[str]) -> int | None:
    """Return the index of the class that a picture's folder is named after, None if there is none.

    The picture may be deeper in the folder of a class, if this is beside the folder of another class.

    Example:
        >>> label_of(pathlib.Path("rose/a.jpg"), ("daisy", "rose"))
        1
    """
    direct, *others = file.absolute().parents
    for folder in (direct, *others):
        if folder.name in class_names and (folder == direct or _has_several(folder.parent, tuple(class_names))):
            return class_names.index(folder.name)
    return None


@functools.lru_cache
def _has_several(folder: pathlib.Path, class_names: tuple[str, ...]) -> bool:
    """Return whether a folder contains folders of several classes."""
    try:
        return len({path.name for path in folder.iterdir() if path.is_dir()}.intersection(class_names)) > 1
    except OSError:
        return False


def summary(predictions: Sequence[Prediction]) -> str:
    """Return the number of pictures, the number of unreadable ones, and the accuracy if labels are known.

    The top-5 accuracy is left out if there are five classes or fewer.

    Example:
        >>> right = Prediction(pathlib.Path("rose/a.jpg"), 1, np.array([0.25, 0.75]))
        >>> summary([right, Prediction(pathlib.Path("rose/b.jpg"), 1, problem="truncated")])
        '2 pictures, 1 of them unreadable; top-1 accuracy 100.0 % (1 of 1)'
    """
    readable = [each for each in predictions if each.probabilities is not None]
    words = plural(len(predictions), "picture")
    if len(readable) < len(predictions):
        words += f", {len(predictions) - len(readable)} of them unreadable"
    labeled = [each for each in readable if each.label is not None]
    if not labeled:
        return words
    probabilities = np.stack([each.probabilities for each in labeled])
    wrong = {
        k: not_in_top_k(probabilities, np.array([each.label for each in labeled]), k)
        for k in ((1, 5) if has_top5(probabilities.shape[1]) else (1,))
    }
    right = {k: len(labeled) - int(beyond.sum()) for k, beyond in wrong.items()}
    accuracies = (f"top-{k} accuracy {percent(n / len(labeled))} ({n} of {len(labeled)})" for k, n in right.items())
    return f"{words}; {', '.join(accuracies)}"


def panel(pictures: Sequence[np.ndarray], readable: Sequence[Prediction], class_names: Sequence[str]) -> "Figure":
    """Draw the first `PANEL_PICTURES` pictures with their most probable classes.

    Args:
        pictures: The pictures, at most `PANEL_PICTURES`.
        readable: Predictions of these and possibly more pictures.
        class_names: In the order of the network's outputs.

    Source: section 6.1, figure 4.
    """
    from keras_alexnet.plotting import panels  # Matplotlib takes a second

    shown = readable[:PANEL_PICTURES]
    labels = [each.label for each in shown]
    return panels.predictions(pictures, np.stack([each.probabilities for each in shown]), class_names, labels)
