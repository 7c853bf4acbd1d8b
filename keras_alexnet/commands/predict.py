"""Classify pictures with a trained network: one line per picture, and a summary.

python scripts/predict.py runs/petals-1 rose.jpg --top 5
python scripts/predict.py runs/petals-1 my_photographs --figure panel.png
python scripts/predict.py runs/petals-1 my_photographs --json > predictions.json
python scripts/predict.py --weights imagenet cat.jpg

If the pictures are in folders named after their classes, the summary shows the accuracy.
"""

import argparse
import json
import math
import pathlib
import sys
import types
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.files import check_new

if TYPE_CHECKING:  # TensorFlow takes seconds
    from keras_alexnet.evaluation.classifier import Classifier
    from keras_alexnet.evaluation.predictions import Prediction


def build_parser() -> Parser:
    """Build the parser of the command line."""
    parser = Parser(prog="predict.py", description=__doc__)
    parser.add_argument(
        "paths",
        nargs="+",
        metavar="PATH",
        help="a run folder or a .keras file (not with --weights), then pictures or folders of pictures",
    )
    parser.add_argument(
        "--weights",
        metavar="NAME",
        help="instead of the first path: imagenet, caffe, torchvision (published weights), a weight file, or a run",
    )
    parser.add_argument(
        "--architecture", metavar="NAME", help="with --weights: the network (default: the network of the weights)"
    )
    parser.add_argument(
        "--views", type=int, choices=(1, 10), default=10, help="number of crops to average (default: 10)"
    )
    parser.add_argument(
        "--top", type=int, metavar="N", help="number of classes to show per picture (default: 1; 5 with --json)"
    )
    parser.add_argument(
        "--class-names", metavar="FILE", help="file with a name for each output (default: those of the network)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--figure", metavar="FILE", help="draw the first pictures with their classes (.png or .jpg)")
    return parser


def classify(arguments: argparse.Namespace) -> tuple["Sequence[str]", "list[Prediction]", types.ModuleType]:
    """Return the names of the classes, the predictions, and the module that made them and can draw them.

    A few pictures are classified in NumPy if possible. This takes a second, and the import of TensorFlow takes several.
    """
    from keras_alexnet.data.picture_files import picture_files
    from keras_alexnet.evaluation import predict_in_numpy

    paths = [pathlib.Path(path) for path in arguments.paths]
    network, *pictures = [None, *paths] if arguments.weights else paths
    check_pictures(network, pictures)
    files = picture_files(pictures)
    if network and (classifier := predict_in_numpy.load(network)):
        predictions = predict_in_numpy.predict(classifier, files, arguments.views)
        if predictions is not None:
            return class_names_of(classifier, arguments.class_names), predictions, predict_in_numpy
    from keras_alexnet.evaluation import predict

    classifier = load(network, arguments)
    names = class_names_of(classifier, arguments.class_names)
    return names, predict.predict(classifier, files, arguments.views), predict


def check_pictures(network: pathlib.Path | None, pictures: list[pathlib.Path]) -> None:
    """Check that the paths after the network are not networks as well: a run folder also contains pictures."""
    if not pictures:
        raise ValueError(f"Expected a network, then pictures or folders of pictures. Received: {network} alone")
    for path in pictures:
        if path.suffix == ".keras" or (path / "recipe.json").is_file():
            instead = "--weights is used instead of a run" if network is None else "evaluate.py accepts several runs"
            raise ValueError(f"Expected a picture or a folder of pictures ({instead}). Received: {path}, a network")


def load(network: pathlib.Path | None, arguments: argparse.Namespace) -> "Classifier":
    """Load the network of a run folder or file, or the one of `--weights`, with Keras."""
    from keras_alexnet.evaluation.classifier import Classifier

    if network is None:
        return Classifier.from_weights(arguments.weights, arguments.architecture)
    return Classifier.open(network)


def class_names_of(classifier: "Classifier", file: str | None) -> tuple[str, ...]:
    """Return the names of the classes: those of a file, or of the network if there is none.

    Folders of pictures have the names of the network.
    """
    from keras_alexnet.data import class_names

    return class_names.read(file, classifier.class_names) if file else classifier.class_names


def as_json(prediction: "Prediction", class_names: Sequence[str], top: int) -> dict[str, Any]:
    """Return one picture's entry in the JSON."""
    entry = {"picture": str(prediction.file)}
    if prediction.problem:
        return entry | {"problem": prediction.problem}
    label = {} if prediction.label is None else {"label": class_names[prediction.label]}
    return entry | label | {"predictions": prediction.best(class_names, top)}


def main(argv: list[str] | None = None) -> None:
    """Classify pictures. The exit status is 0 on success, 2 for an unreadable picture or wrong input."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    with one_line_errors(parser):
        from PIL import Image

        if arguments.architecture and not arguments.weights:
            raise ValueError(f"--architecture needs --weights. Received: --architecture {arguments.architecture} alone")
        top = (5 if arguments.json else 1) if arguments.top is None else arguments.top
        if top < 1:
            raise ValueError(f"Expected --top of 1 or more. Received: {top}")
        if arguments.figure:
            from keras_alexnet.plotting import figures  # Matplotlib takes a second

            figures.check_path(arguments.figure)
            check_new(arguments.figure, "--figure")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # rewriting.MAX_PIXELS is the limit here
            names, predictions, predict = classify(arguments)
        good = [each for each in predictions if not each.problem]
        if any(math.isnan(each.probabilities.sum()) for each in good):
            raise ValueError("Expected a network whose outputs are numbers: its training diverged. Received: NaN")
        if arguments.json:
            say(json.dumps([as_json(each, names, top) for each in predictions], indent=2))
        elif good:
            from keras_alexnet.reporting import tables

            say(tables.predictions((each.file, each.best(names, top)) for each in good))
        if arguments.figure and good:
            figures.save(predict.panel(good, names), arguments.figure)
        bad = [each for each in predictions if each.problem]
        for each in bad:
            say(f"{parser.prog}: Expected a picture. Received: {each.file}: {each.problem}", file=sys.stderr)
        if not arguments.json:
            from keras_alexnet.evaluation.predictions import summary

            say(f"\n{summary(predictions)}")
    sys.exit(2 if bad else 0)
