"""Convert the weights of another framework to a Keras file.

  python scripts/import_weights.py bvlcalexnet-12.onnx --architecture caffe --out caffe.keras
  python scripts/import_weights.py alexnet-owt-7be5be79.pth --architecture one_weird_trick --out torchvision.keras

It reads .pth, .pt, .pth.tar and .safetensors (torchvision), .onnx (ONNX model zoo, torchvision), .caffemodel, .npz, and
the Keras formats .keras, .weights.h5, .weights.json, .h5 and .hdf5.
"""

import pathlib

from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.files import atomic_write, check_new
from keras_alexnet.models import architectures
from keras_alexnet.models.architectures import ARCHITECTURES


def build_parser() -> Parser:
    """Build the parser of the command line."""
    parser = Parser(prog="import_weights.py", description=__doc__)
    parser.add_argument("file", metavar="FILE", help="the weight file")
    parser.add_argument(
        "--architecture", required=True, metavar="NAME", help=f"the network of the weights: {', '.join(ARCHITECTURES)}"
    )
    parser.add_argument("--out", required=True, metavar="FILE", help="the .keras file to write")
    parser.add_argument("--classes", type=int, default=1000, metavar="N", help="number of classes (default: 1000)")
    parser.add_argument(
        "--size", type=int, metavar="N", help="height and width of the input (default: the architecture's own)"
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Import weights. The exit status is 0 on success, 2 for wrong input."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    with one_line_errors(parser):
        out = pathlib.Path(arguments.out)
        if out.suffix != ".keras":
            raise ValueError(f"Expected --out to end in .keras. Received: {out}")
        check_new(out, "--out")
        if not out.parent.is_dir():
            raise ValueError(f"Expected --out in an existing folder. Received: {out}")
        architecture = architectures.get(arguments.architecture)
        size = architecture.size if arguments.size is None else arguments.size
        from keras_alexnet.models import alexnet  # after the flags: TensorFlow takes seconds
        from keras_alexnet.weights import loading, names

        network = alexnet.build(architecture.name, input_shape=(size, size, 3), classes=arguments.classes)
        file = names.locate(arguments.file, architecture.name) if names.is_name(arguments.file) else arguments.file
        for change in loading.load(network, file):
            say(change)
        with atomic_write(out) as temporary:
            network.save(temporary)
        say(f"Wrote {out} with {network.count_params():,} parameters.")
