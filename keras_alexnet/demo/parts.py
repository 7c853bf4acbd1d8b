"""The parts of the Gradio page below the answer."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from keras_alexnet.demo import markup
from keras_alexnet.demo.explorer import Explorer


class Part(NamedTuple):
    """A part of the page, which shows something of one network and one picture.

    Attributes:
        title: The words of its tab.
        note: What it shows, and how it is computed.
        make: Returns its HTML from a network, a resized picture, and what `Explorer.inside` and `Explorer.answer`
            returned for it.
    """

    title: str
    note: str
    make: Callable[[Explorer, np.ndarray, Mapping[str, np.ndarray], np.ndarray], str]


PARTS = (
    Part(
        "Ten crops",
        "The network sees a square crop. As in the paper (section 4.1), the answer above is the mean over ten "
        "of them: four corners, the center, and the mirror images of these. A network that was trained without mirror "
        "images gets only five.",
        lambda each, picture, inside, answer: markup.part(each.crops(picture)),
    ),
    Part(
        "Where it looks",
        "Grad-CAM of the last convolution for the three most probable classes of the answer: the parts "
        "of the central crop that speak for the class are light.",
        lambda each, picture, inside, answer: markup.part(each.class_maps(picture, answer)),
    ),
    Part(
        "First layer",
        "The kernels of conv1 and, in the same order, their answers to the central crop: light is "
        "positive, dark is negative, mid-gray is zero.",
        lambda each, picture, inside, answer: markup.part(each.kernels()) + markup.part(each.responses(inside)),
    ),
    Part(
        "Strongest maps",
        "For the central crop, the maps of each convolution with the largest mean after the ReLU.",
        lambda each, picture, inside, answer: markup.part(each.strongest_maps(inside)),
    ),
    Part(
        "Neighbors",
        "The training pictures whose last hidden layer is nearest to that of this picture (section 6.1). A "
        "cross marks another class than the answer.",
        lambda each, picture, inside, answer: markup.part(each.neighbors(picture, inside, answer)),
    ),
    Part(
        "Switched off",
        "The same network with a part switched off, on the central crop. It was not trained without the "
        "part: this shows how the whole network uses it.",
        lambda each, picture, inside, answer: markup.switched_off(each.without_parts(picture)),
    ),
)
