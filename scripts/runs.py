"""List the runs in a folder, newest first: how their recipes differ, and their top-1 and top-5 errors.

python scripts/runs.py                                       those in runs/
python scripts/runs.py results --add runs/a runs/b --readme  put two on record, and write the page of results
"""

import argparse
import pathlib

from keras_alexnet import runs
from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.experiments import ablations, archive, records
from keras_alexnet.experiments.tables import record as archive_table
from keras_alexnet.files import atomic_write
from keras_alexnet.reporting import tables

NONE_YET = "None yet."

README = """# Runs on record

Each folder holds what a run left, but for its networks: the recipe with versions, commit and machine, the record of its
epochs, its results and figures. The command makes it again. Errors in per cent. This page is written by `python
scripts/runs.py results --readme`.

## Recipes from random weights

Errors on the test pictures of Flowers-102: 6149 of the official split; `flipped` trains on those, and its test is the
1020 of the official training split, another and easier task. `text`, `source`, `caffe` and `torchvision` are followed
for their authors' 90 epochs, which have a thousandth of the steps here that they have on ImageNet; `tflearn` for 90 of
its 1000.

{from_scratch}

## Several seeds

The same recipe with other random numbers: mean top-1 errors, and the least and the most of them.

{seeds}

## What each part is worth

Points of error on the test pictures of Flowers-102, one view, that a change costs: the mean over seeds, paired, with
the 95 % interval of Student's t. The paper's numbers are of ImageNet. "Held up": the interval lies on the paper's side
of zero. "Not told apart": it holds zero, so that these seeds show neither a difference nor that there is none.

{ablations}

## One network and several

Top-1 and top-5 errors of networks alone, in the mean, and of the average of their probabilities. The paper's five take
2.6 and 1.8 points from one (table 2).

{ensembles}

## From another network

The same recipe from the weights of another network, but for a new last layer, and from random weights: top-1 errors on
the test pictures, one view, and their difference in points, paired by seed.

{fine_tuning}

## Figure 1

Epochs until the training error falls to 25 %, for the four-layer network on CIFAR-10 without regularization, at the
learning rate that was best for each nonlinearity of those tried. The copy of CIFAR-10 that was at hand holds 25,000 of
the 50,000 training pictures; 22,500 are trained on.

{figure_1}

## Two columns

How often a kernel of the second half of conv1 is more colorful than one of the first, over all pairs: 1/2 where the
halves are alike, 0 or 1 where one has all the color. Halves of random kernels lie 0.05 from 1/2 in the mean (48 each).

{specialization}

## All runs

Top-1 and top-5 errors.

{runs}
"""


def page(rows):
    """The page of results."""
    return README.format(
        from_scratch=records.from_scratch(rows) or NONE_YET,
        seeds=records.seeds(rows) or NONE_YET,
        ablations=ablations.table(rows) or NONE_YET,
        ensembles=records.ensembles(rows) or NONE_YET,
        fine_tuning=records.fine_tuning(rows) or NONE_YET,
        figure_1=records.figure_1(rows) or NONE_YET,
        specialization=records.specialization(rows) or NONE_YET,
        runs=archive_table(rows),
    )


def main(argv=None):
    """List; the exit status is 0 when done, 2 for wrong input."""
    line = Parser(prog="runs.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("folder", nargs="?", default="runs", help="a folder with run folders in it (default: runs)")
    line.add_argument("--add", nargs="+", default=(), metavar="RUN", help="put a finished run on record in the folder")
    line.add_argument("--readme", action="store_true", help="write the results to README.md in the folder")
    arguments = line.parse_args(argv)
    with one_line_errors(line):
        for run in arguments.add:
            archive.keep(runs.Run.open(run), arguments.folder)
        rows = [runs.summary(run) for run in runs.find(arguments.folder)]
        say(tables.runs(rows))
        if arguments.readme:
            with atomic_write(pathlib.Path(arguments.folder) / "README.md") as temporary:
                temporary.write_text(page(rows))


if __name__ == "__main__":
    main()
