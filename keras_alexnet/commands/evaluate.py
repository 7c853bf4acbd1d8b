"""Evaluate trained networks: top-1 and top-5 error with 95 % intervals, for one crop and for ten.

python scripts/evaluate.py runs/petals-1                            its own test pictures
python scripts/evaluate.py runs/a runs/b runs/c                     each of them, and their ensemble
python scripts/evaluate.py runs/petals-1 --dataset my_photographs --split all
"""

import dataclasses
import os

from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.data import sources
from keras_alexnet.runs import Run


def build_parser() -> Parser:
    """Build the parser of the command line."""
    parser = Parser(prog="evaluate.py", description=__doc__)
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run folder; several also give an ensemble")
    parser.add_argument("--split", default="test", help="train, validation, test or all (default: test)")
    parser.add_argument(
        "--views",
        type=int,
        choices=(1, 10),
        default=10,
        help="1: the central crop; 10: also the average of ten crops, or of five if the network was trained without "
        "flips (default: 10)",
    )
    parser.add_argument("--dataset", metavar="NAME", help="other pictures of the same classes (default: the run's own)")
    parser.add_argument(
        "--data-dir", metavar="FOLDER", help="folder where TFDS stores its data (default: as in training)"
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Evaluate networks. The exit status is 0 on success, 2 for wrong input."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    with one_line_errors(parser):
        runs = [Run.open(folder) for folder in arguments.runs]
        for run in runs:
            if not os.access(run.folder, os.W_OK):
                raise ValueError(
                    "The results are saved in the run folder, so it must be writable: copy it to another place. "
                    f"Received: {run.folder}"
                )
        options = runs[0].read_options()
        from keras_alexnet.data import datasets  # after the flags: TensorFlow takes seconds
        from keras_alexnet.evaluation import evaluate
        from keras_alexnet.reporting import report, run_figures, tables

        own, options = options.dataset, sources.options_for(options, arguments.dataset, arguments.data_dir)
        if arguments.split == "all" and options.dataset != own:  # needs no splits: a class may have a single picture
            options = dataclasses.replace(options, validation_share=0.0, test_share=0.0)
        data = datasets.from_options(options)
        evaluations = evaluate.evaluate_runs(runs, data, arguments.split, arguments.views, run_figures.draw)
        for run in runs:  # when all figures are drawn, and the ensemble is evaluated
            report.write(run)
        results = [evaluation.numbers() for evaluation in evaluations]
        say(f"{data.describe()}\n{results[0]['pictures']} pictures of the {arguments.split} split\n")
        say(tables.evaluations(results))
        if hardest := tables.hardest_classes(results[-1]):
            say(f"\nhardest classes: {hardest}")
