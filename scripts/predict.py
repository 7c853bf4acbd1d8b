"""Say what is in pictures: the five most probable classes of each.

python scripts/predict.py runs/petals-1 rose.jpg
python scripts/predict.py runs/petals-1 my_photographs --figure panel.png
python scripts/predict.py runs/petals-1 my_photographs --json > predictions.json
"""

import argparse
import json
import os
import pathlib
import sys

from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.runs import Run

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"  # TensorFlow reports every bad picture, and so does this script


def parser():
    """The command line."""
    line = Parser(prog="predict.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument(
        "paths", nargs="+", metavar="PATH", help="a run folder or a .keras file; then pictures, or folders of them"
    )
    line.add_argument("--weights", choices=["imagenet"], help="in place of a run: the publisher's weights")
    line.add_argument("--architecture", default="one_weird_trick", metavar="NAME", help="with --weights: whose network")
    line.add_argument("--views", type=int, choices=(1, 10), default=10, help="views to average over (default: 10)")
    line.add_argument("--json", action="store_true", help="print JSON in place of the table")
    line.add_argument("--figure", metavar="FILE", help="draw the first pictures with their classes (.png or .jpg)")
    return line


def classifier_and_pictures(arguments):
    """The network that is asked, and the paths that are left."""
    from keras_alexnet.evaluation.classifier import Classifier

    if arguments.weights:
        return Classifier.of_imagenet(arguments.architecture), arguments.paths
    network, *pictures = map(pathlib.Path, arguments.paths)
    if not pictures:
        raise ValueError(f"Expected a network, then pictures or folders of pictures. Received: {network} alone")
    return Classifier.of_run(Run.open(network)) if network.is_dir() else Classifier.of_file(network), pictures


def as_json(prediction, class_names):
    """One picture's entry in the JSON."""
    entry = {"picture": str(prediction.file)}
    if prediction.problem:
        return entry | {"problem": prediction.problem}
    label = {} if prediction.label is None else {"label": class_names[prediction.label]}
    return entry | label | {"predictions": prediction.best(class_names)}


def main(argv=None):
    """Predict; the exit status is 0 when done, 2 where a picture cannot be read or other input is wrong."""
    line = parser()
    arguments = line.parse_args(argv)
    with one_line_errors(line):
        from keras_alexnet.data import picture_files
        from keras_alexnet.evaluation import predict  # after the flags: TensorFlow takes seconds
        from keras_alexnet.plotting import figures
        from keras_alexnet.reporting import tables

        if arguments.figure:
            figures.check_path(arguments.figure)
        classifier, pictures = classifier_and_pictures(arguments)
        files = picture_files.picture_files(pictures)
        predictions = predict.predict(classifier, files, arguments.views)
        names, good = classifier.class_names, [each for each in predictions if not each.problem]
        if arguments.json:
            say(json.dumps([as_json(each, names) for each in predictions], indent=2))
        elif good:
            say(tables.predictions((each.file, each.best(names)) for each in good))
        if arguments.figure and good:
            figures.save(predict.panel(good, names), arguments.figure)
    bad = [each for each in predictions if each.problem]
    for each in bad:
        say(f"{line.prog}: Expected a picture. Received: {each.file}: {each.problem}", file=sys.stderr)
    sys.exit(2 if bad else 0)


if __name__ == "__main__":
    main()
