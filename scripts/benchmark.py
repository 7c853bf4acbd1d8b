"""Compare the speed of this library on this machine with plain Keras and PyTorch code.

  python scripts/benchmark.py --json speed.json         everything, which takes more than ten minutes on two cores
  python scripts/benchmark.py --only lrn pipeline       only these measurements
  python scripts/benchmark.py --only prediction --batch-sizes 1 --precisions float32     one picture at a time
  python scripts/benchmark.py --gpu                     TensorFlow, JAX and PyTorch on the GPUs of this machine

Do not run other programs at the same time: they do not slow down all contenders equally.
"""

import _command  # noqa: F401  first, so that Ctrl-C leaves no traceback from here on

# isort: split
import argparse
import os
import sys

from benchmarks import baselines, data_speed, export_speed, frameworks, gpus, measuring, memory, network_speed
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
    "memory": memory.memory,
    "exports": export_speed.exports,
    "jax": frameworks.jax,
}
GPU_COMPARISONS = {
    "training": frameworks.training,
    "prediction": frameworks.prediction,
    "exports": frameworks.exports,
    "peak": frameworks.peak,
    "memory": memory.of_frameworks,
    "devices": frameworks.devices,
    "pipeline": data_speed.input_pipeline,
}
LEGEND = """
keras_alexnet is the network as `trainer.fit` compiles it. "Keras baseline" is `Conv2D(groups=2)`, `tf.nn.lrn`
in a `Lambda` layer and `SGD`; "PyTorch" is `Conv2d(groups=2)`, `LocalResponseNorm` and `SGD`, run eagerly on all cores.
Each uses the faster of two settings, which is shown. All start from the same weights. "ONNX Runtime" runs the file
that keras_alexnet exports, which takes bytes and turns them into numbers itself.
"""
GPU_LEGEND = """
Each contender runs in its own process, except for the pipeline. "keras_alexnet" is the network as `trainer.fit`
compiles it, on each backend of Keras; "PyTorch" is `Conv2d(groups=2)`, `LocalResponseNorm` and `SGD`, run eagerly, with
channels last. For training and prediction, the batch is in device memory and the program waits for each step. Exported
files get bytes from host memory. For "devices", each step of `fit` copies the batch from host memory. "memory" is that
of the first GPU, without the libraries. In brackets: the mean utilization of each GPU.
"""


def build_parser() -> Parser:
    """Build the parser of the command line."""
    parser = Parser(prog="benchmark.py", description=__doc__)
    choices = list(dict.fromkeys([*COMPARISONS, *GPU_COMPARISONS]))
    parser.add_argument("--only", nargs="+", choices=choices, help="what to measure (default: everything)")
    parser.add_argument("--gpu", action="store_true", help="compare frameworks on GPUs, or on the CPU without any")
    parser.add_argument(
        "--batch-sizes",
        nargs="+",
        type=int,
        default=[64, 128],
        help="batch sizes; measurements that use only one use the first, and memory uses the last (default: 64 128)",
    )
    parser.add_argument("--precisions", nargs="+", choices=network_speed.POLICIES, default=list(network_speed.POLICIES))
    parser.add_argument("--repeats", type=int, default=5, help="number of rounds, at least 5 (default: 5)")
    parser.add_argument("--seconds", type=float, default=1.0, help="minimum duration of a turn (default: 1)")
    parser.add_argument("--size", type=int, default=227, help="crop size in pixels (default: 227)")
    parser.add_argument(
        "--files", type=int, default=512, help="number of photographs for the input pipeline (default: 512)"
    )
    parser.add_argument("--json", metavar="FILE", help="save all results to this file as they arrive")
    return parser


def check(arguments: argparse.Namespace) -> None:
    """Check the settings before the first measurement."""
    unknown = set(arguments.only or ()) - _comparisons(arguments).keys()
    if unknown:
        raise ValueError(
            f"{'With' if arguments.gpu else 'Without'} --gpu, `--only` accepts {', '.join(_comparisons(arguments))}. "
            f"Received: {', '.join(sorted(unknown))}"
        )
    if arguments.json:
        check_new(arguments.json, "--json")
    baselines.final_side(arguments.size)
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


def _comparisons(arguments):
    return GPU_COMPARISONS if arguments.gpu else COMPARISONS


def _hide_gpus():
    """Leave the GPUs to the contenders."""
    import tensorflow as tf

    tf.config.set_visible_devices([], "GPU")


def main(argv: list[str] | None = None) -> None:
    """Run the benchmark and print a Markdown table. The exit status is 0 on success, 2 for wrong input."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    with one_line_errors(parser):
        check(arguments)
        report = measuring.Report(arguments.json)
        say("Do not run other programs until this ends.", file=sys.stderr)
        if arguments.gpu:
            _hide_gpus()
            if not gpus.find_gpus():
                report.leave_out("GPUs: nvidia-smi found none, so all contenders ran on the CPU")
        names = arguments.only or list(_comparisons(arguments))
        for number, name in enumerate(names, 1):
            say(f"{name} ({number} of {len(names)})", file=sys.stderr)
            _comparisons(arguments)[name](arguments, report)
    say(report.markdown() + (GPU_LEGEND if arguments.gpu else LEGEND))


if __name__ == "__main__":
    if "--gpu" not in sys.argv:  # all contenders on the CPU; only here, because it affects the whole process
        os.environ |= {"CUDA_VISIBLE_DEVICES": "-1", "JAX_PLATFORMS": "cpu"}
    run(main)
