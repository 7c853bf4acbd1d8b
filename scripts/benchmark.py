"""Compare the speed of this library on this machine with plain Keras and PyTorch code.

  python scripts/benchmark.py --json speed.json         everything: about ten minutes on two cores
  python scripts/benchmark.py --only lrn pipeline       only these measurements

Do not run other programs at the same time: they do not slow down all contenders equally.
"""

import _command  # noqa: F401  first, so that Ctrl-C leaves no traceback from here on

# isort: split
import argparse
import os
import sys

from benchmarks import data_speed, measuring, network_speed, rivals
from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.commands.__main__ import run
from keras_alexnet.files import check_new

COMPARISONS = {
    "training": network_speed.training,
    "prediction": network_speed.prediction,
    "lrn": network_speed.response_normalization,
    "pipeline": data_speed.input_pipeline,
    "fit": data_speed.fit,
    "peak": network_speed.peak,
}
LEGEND = """
keras_alexnet is the network as `trainer.fit` compiles it. "Keras the obvious way" is `Conv2D(groups=2)`, `tf.nn.lrn`
in a `Lambda` layer and `SGD`; "PyTorch" is `Conv2d(groups=2)`, `LocalResponseNorm` and `SGD`, run eagerly on all cores.
Each uses the faster of two settings, which is shown. All start from the same weights.
"""


def parser() -> Parser:
    """Return the command line."""
    line = Parser(prog="benchmark.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("--only", nargs="+", choices=COMPARISONS, default=list(COMPARISONS), help="what to measure")
    line.add_argument(
        "--batch-sizes",
        nargs="+",
        type=int,
        default=[64, 128],
        help="batch sizes; measurements with a single one use the first (default: 64 128)",
    )
    line.add_argument("--precisions", nargs="+", choices=network_speed.POLICIES, default=list(network_speed.POLICIES))
    line.add_argument("--repeats", type=int, default=5, help="number of rounds, at least 5 (default: 5)")
    line.add_argument("--seconds", type=float, default=1.0, help="minimum duration of a turn (default: 1)")
    line.add_argument("--size", type=int, default=227, help="crop size in pixels (default: 227)")
    line.add_argument(
        "--files", type=int, default=512, help="number of photographs for the input pipeline (default: 512)"
    )
    line.add_argument("--json", metavar="FILE", help="save all results to this file as they arrive")
    return line


def check(arguments: argparse.Namespace) -> None:
    """Check the settings before the first measurement."""
    if arguments.json:
        check_new(arguments.json, "--json")
    rivals.final_side(arguments.size)
    if arguments.repeats < 5:
        raise ValueError(f"`--repeats` must be at least 5 for a reliable median. Received: {arguments.repeats}")
    if not (min(arguments.batch_sizes) >= 1 and arguments.batch_sizes[0] <= arguments.files):
        raise ValueError(
            "`--batch-sizes` must be 1 or more, and `--files` must fill a batch of the first size. "
            f"Received: {arguments.batch_sizes}, {arguments.files} files"
        )
    import keras

    if keras.backend.backend() != "tensorflow":
        raise ValueError(f"The benchmark needs KERAS_BACKEND=tensorflow. Received: {keras.backend.backend()}")


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark and print a Markdown table. The exit status is 0 on success, 2 for wrong input."""
    line = parser()
    arguments = line.parse_args(argv)
    with one_line_errors(line):
        check(arguments)
        report = measuring.Report(arguments.json)
        say("This takes about ten minutes. Do not run other programs at the same time.", file=sys.stderr)
        for name in arguments.only:
            COMPARISONS[name](arguments, report)
    say(report.markdown() + LEGEND)


if __name__ == "__main__":
    # All contenders on the CPU; only here, because it affects the whole process.
    os.environ["CUDA_VISIBLE_DEVICES"] = "-1"
    run(main)
