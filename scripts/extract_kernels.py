"""Write the convolutions of a run to a float16 file, such as the one for `--weights drawn`. For maintainers.

python scripts/extract_kernels.py runs/drawn-1 --out kernels.npz

Use the file as initial weights: `python scripts/fit.py --dataset my_pictures --weights kernels.npz`. It does not have
the fully connected layers, so the input may have any size. A file that exists is kept unless --overwrite is given.
"""

import _command  # noqa: F401  first, so that Ctrl-C leaves no traceback from here on

# isort: split
import pathlib

from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.commands.__main__ import run
from keras_alexnet.files import check_new, digest


def build_parser() -> Parser:
    """Build the parser of the command line."""
    parser = Parser(prog="extract_kernels.py", description=__doc__)
    parser.add_argument("run", metavar="RUN", help="a run folder, whose best network is used, or a .keras file")
    parser.add_argument("--out", required=True, metavar="FILE", help="the .npz file to write")
    parser.add_argument("--overwrite", action="store_true", help="replace the file if there is one already")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Extract kernels. The exit status is 0 on success, 2 for wrong input."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    with one_line_errors(parser):
        out = pathlib.Path(arguments.out)
        if out.suffix != ".npz":
            raise ValueError(f"Expected --out to end in .npz. Received: {out}")
        if not arguments.overwrite:
            check_new(out, "--out, or replace it with --overwrite")
        from keras_alexnet.weights import drawn  # after the flags: TensorFlow takes seconds

        count = drawn.extract(arguments.run, out)
        say(f"Wrote {out}: {count:,} weights, {out.stat().st_size / 1e6:.1f} MB, SHA-256 {digest(out)}")


if __name__ == "__main__":
    run(main)
