"""Export a trained network for servers and devices, and compare the export with the Keras network.

  python scripts/export.py runs/petals-1 --to onnx
  python scripts/export.py caffe.keras --to savedmodel --out models/alexnet/1
  python scripts/export.py runs/petals-1 --to tflite --precision int8

The exported network takes RGB pictures with pixel values 0 to 255, subtracts the mean itself and returns probabilities.
A JSON file next to it has the class names and says how to prepare pictures.

With --precision float16 or int8, the file is a half or a quarter as large, and the command compares its top-1 error on
the validation pictures of the run with that of the network. A file whose error is more than one percentage point higher
is not written; with fewer than 100 pictures, one more error is allowed.
"""

import dataclasses
import pathlib

from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.data import sources
from keras_alexnet.export.formats import FORMATS, PRECISIONS, Settings
from keras_alexnet.recipes import Options
from keras_alexnet.runs import Run
from keras_alexnet.text import percent


def build_parser() -> Parser:
    """Build the parser of the command line."""
    parser = Parser(prog="export.py", description=__doc__)
    parser.add_argument("network", metavar="RUN_OR_KERAS", help="a run folder, or a .keras file")
    parser.add_argument("--to", required=True, choices=tuple(FORMATS), help="the format to write")
    parser.add_argument(
        "--class-names",
        "--classes",
        metavar="FILE",
        help="class names, as for fit.py --class-names (default: the run's, or numbers)",
    )
    parser.add_argument("--out", metavar="PATH", help="the file to write (default: next to the network, with its name)")
    parser.add_argument(
        "--precision", choices=PRECISIONS, default="float32", help="type of the stored weights (default: float32)"
    )
    parser.add_argument(
        "--native-normalization",
        action="store_true",
        help="use the format's own operator for local response normalization: slower in ONNX Runtime and LiteRT, but "
        "other runtimes may be faster with it",
    )
    parser.add_argument(
        "--dataset",
        metavar="NAME",
        help="pictures of the same classes to compare the errors on (default: the run's validation pictures; float32 "
        "exports are compared only if this is given)",
    )
    parser.add_argument(
        "--data-dir", metavar="FOLDER", help="folder where TFDS stores its data (default: as in training)"
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Export a network. The exit status is 0 on success, 2 for wrong input."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    with one_line_errors(parser, path="--out"):
        from keras_alexnet.data import class_names
        from keras_alexnet.evaluation.classifier import Classifier  # after the flags: TensorFlow takes seconds
        from keras_alexnet.export import exporting

        source = pathlib.Path(arguments.network)
        run = Run.containing(source)
        source = run.find_best() if source.is_dir() else source
        classifier = Classifier.open(source)
        settings = Settings(arguments.precision, arguments.native_normalization)
        is_measured = arguments.dataset or settings.precision != "float32"
        named = classifier
        if arguments.class_names:
            names = class_names.read(arguments.class_names, classifier.class_names)
            named = dataclasses.replace(classifier, class_names=names)
        # the pictures of a run have its own names
        batches = _batches(arguments, run, classifier if run else named) if is_measured else None
        out = arguments.out or source.with_suffix(f".{arguments.to}")
        export = exporting.export(named, out, arguments.to, settings, batches)
        say(f"Checked on photographs and noise: probabilities differ by at most {export.difference:.1e}.")
        if measured := export.accuracy:
            say(
                f"Top-1 error on {measured.pictures} pictures: {percent(measured.export)} with {settings.precision} "
                f"weights, {percent(measured.network)} for the Keras network."
            )
        say(f"Wrote {export.path} and {export.path.name}.json. Speed here: {export.images_per_second:.0f} images/s.")


def _batches(arguments, run, classifier):
    """Return pictures to measure the errors with: those of `--dataset`, or the run's own."""
    from keras_alexnet.data import datasets
    from keras_alexnet.export import accuracy

    if not (run or arguments.dataset):
        raise ValueError(f"--precision {arguments.precision} needs a run folder or --dataset. Received: neither")
    options = run.read_options() if run else Options()
    data = datasets.from_options(sources.options_for(options, arguments.dataset, arguments.data_dir))
    return accuracy.labeled_crops(classifier, data)
