"""The results page: README.md in the folder of archived runs."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

from keras_alexnet.experiments import ablations, archive, tables
from keras_alexnet.files import atomic_write

NONE_YET = "None yet."

TEMPLATE = """# Archived runs

Each folder is one run without its network: the recipe with versions, commit and machine, the log, the results and two
figures. The command reproduces the run. All errors are in percent. `python scripts/archive.py --readme` writes this
page.

## Recipes from random weights

Errors on the 6149 pictures of the official test split of Flowers-102. Only `flipped` trains on those 6149 and tests on
the 1020 pictures of the official training split, which is an easier task. `text`, `source`, `caffe` and `torchvision`
run for their authors' 90 epochs. An epoch of Flowers-102 has a thousandth of the steps of an epoch of ImageNet, so
these runs are much shorter than the originals. `tflearn` runs for 90 of its 1000 epochs. `source` and `tflearn` are
those of version 0.1.0: `source` divided the learning rate when the validation error stopped falling and had inverted
dropout, `tflearn` had tanh in fc6 and fc7.

{from_scratch}

## Several seeds

The same recipe with different seeds: the mean, lowest and highest top-1 error.

{seeds}

## Ablations

The cost of each change in points of error on the test pictures of Flowers-102 with one view. Each number is the mean
over seeds, paired by seed, with the 95 % interval of Student's t. The paper's numbers are for ImageNet. "Held up" means
that the interval is on the paper's side of zero. "Cannot tell" means that the interval contains zero: these seeds show
neither a difference nor its absence.

{ablations}

## Single networks and ensembles

Top-1 and top-5 errors of single networks (mean), and of the ensemble that averages their probabilities. The paper's
ensemble of five is better than one network by 2.6 and 1.8 points (table 2).

{ensembles}

## Fine-tuning

The same recipe from the weights of another network, with a new last layer, and from random weights. The table shows
top-1 errors on the test pictures with one view, and their difference in points, paired by seed.

{fine_tuning}

## Figure 1

Epochs until the training error falls to 25 %, for the four-layer network on CIFAR-10 without regularization. Each
nonlinearity uses the best learning rate that we tried. Training uses 22,500 pictures, because our copy of CIFAR-10 has
only 25,000 of the 50,000 training pictures.

{figure_1}

## Two towers

The fraction of pairs in which a kernel of the second half of conv1 is more colorful than one of the first half. It is
1/2 if the halves are alike, and 0 or 1 if one half has all the color. For random kernels, 48 in each half, the mean
distance from 1/2 is 0.05.

{specialization}

## All runs

Top-1 and top-5 errors.

{all_runs}
"""


def page(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the results page in Markdown.

    Args:
        rows: Results of `runs.summary` for all archived runs.

    Raises:
        ValueError: If two runs have the same recipe and seed.
    """
    return TEMPLATE.format(
        from_scratch=tables.from_scratch(rows) or NONE_YET,
        seeds=tables.seeds(rows) or NONE_YET,
        ablations=ablations.table(rows) or NONE_YET,
        ensembles=tables.ensembles(rows) or NONE_YET,
        fine_tuning=tables.fine_tuning(rows) or NONE_YET,
        figure_1=tables.figure_1(rows) or NONE_YET,
        specialization=tables.specialization(rows) or NONE_YET,
        all_runs=tables.all_runs(rows),
    )


def write(folder: str | pathlib.Path) -> pathlib.Path:
    """Write `README.md` into a folder of archived runs, and return its path.

    Raises:
        ValueError: If there are no runs, or two of them have the same recipe and seed.
    """
    path = pathlib.Path(folder) / "README.md"
    text = page(archive.rows(folder))
    with atomic_write(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
    return path
