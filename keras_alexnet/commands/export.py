"""Export a trained network for servers and devices, and compare the export with the Keras network.

  python scripts/export.py runs/petals-1 --to onnx
  python scripts/export.py caffe.keras --to savedmodel --out models/alexnet/1

The exported network takes RGB pictures with pixel values 0 to 255, subtracts the mean itself and returns probabilities.
A JSON file next to it has the class names and says how to prepare pictures.
"""

import argparse
import dataclasses
import pathlib

from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.export.formats import FORMATS
from keras_alexnet.runs import Run


def parser() -> Parser:
    """Return the command line."""
    line = Parser(prog="export.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("network", metavar="RUN_OR_KERAS", help="a run folder, or a .keras file")
    line.add_argument("--to", required=True, choices=tuple(FORMATS), help="the format to write")
    line.add_argument(
        "--classes", metavar="FILE", help="class names, as for fit.py --class-names (default: the run's, or numbers)"
    )
    line.add_argument("--out", metavar="PATH", help="the file to write (default: next to the network, with its name)")
    return line


def main(argv: list[str] | None = None) -> None:
    """Export a network. The exit status is 0 on success, 2 for wrong input."""
    line = parser()
    arguments = line.parse_args(argv)
    with one_line_errors(line):
        from keras_alexnet.data import class_names
        from keras_alexnet.evaluation.classifier import Classifier  # after the flags: TensorFlow takes seconds
        from keras_alexnet.export import exporting

        source = pathlib.Path(arguments.network)
        source = Run.open(source).find_best() if source.is_dir() else source
        classifier = Classifier.of_file(source)
        if arguments.classes:
            names = class_names.read(arguments.classes, classifier.class_names)
            classifier = dataclasses.replace(classifier, class_names=names)
        out = arguments.out or source.with_suffix(f".{arguments.to}")
        export = exporting.export(classifier, out, arguments.to)
    say(f"Checked on photographs and noise: probabilities differ by at most {export.difference:.1e}.")
    say(f"Wrote {export.path} and {export.path.name}.json. Speed here: {export.images_per_second:.0f} images/s.")
