"""The pages that show the archive: its README.md, and the numbers that other pages take from it.

A page marks such a number: `<!-- archive: flowers, test, ten crops, top-1 error -->50.3<!-- /archive -->`.
"""

import difflib
import itertools
import pathlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from keras_alexnet import runs
from keras_alexnet.experiments import ablations, archive, tables
from keras_alexnet.experiments.differences import Difference
from keras_alexnet.files import write_text

PAGES = (  # with marked numbers, in the repository
    "README.md",
    "docs/differences.md",
    "docs/drawn_pictures.md",
    "docs/own_pictures.md",
    "docs/paper_ledger.md",
    "docs/results.md",
    "docs/what_posts_get_wrong.md",
)
MARKED = re.compile(r"(<!-- archive: ([^>]*) -->)(.*?)(<!-- /archive -->)", re.DOTALL)
NONE_YET = "None yet."


TEMPLATE = """# Archived runs

Each line of `runs.jsonl` is one run without its network, in JSON: the command that reproduces the run, its settings,
data, versions, commit, machine and date, its log, and its evaluations. `keras_alexnet.experiments.archive` reads and
writes the file. The test errors are from `python scripts/evaluate.py RUN --split test`, with `--views 10`, or with
`--views 1` where a table has no errors for ten crops. All errors are in percent. `python scripts/archive.py --pages`
writes this page.

## Recipes from random weights

Errors on the 6149 pictures of the official test split of Flowers-102. Only `flipped` trains on those 6149 and tests on
the 1020 pictures of the official training split, which is an easier task. `text`, `source`, `caffe` and `torchvision`
run for 90 epochs, about as many as their authors'. An epoch of Flowers-102 has a thousandth of the steps of an epoch of
ImageNet, so these runs are much shorter than the originals. `tflearn` runs for 90 of its 1000 epochs. `source` and
`tflearn` are those of version 0.1.0: `source` divided the learning rate when the validation error stopped falling and
had inverted dropout, `tflearn` had tanh in fc6 and fc7.

{from_scratch}

## Several seeds

The same recipe with different seeds: the mean, lowest and highest top-1 error.

{seeds}

## Ablations

The cost of each change in points of error on the test pictures of Flowers-102 with one crop. Each number is the mean
over seeds, paired by seed, with the 95 % interval of Student's t. The numbers of the paper and of the authors' log,
with the number of its run, are for ImageNet. The p-value is for no difference in top-1, corrected by Holm's method for
the number of changes. Seeds were added until half of the top-1 interval's width was at most one point, or up to twelve.
A p-value below 0.05 counts as a difference. The verdict is then "held up" if it has the direction of the paper's
number, and "the opposite" if not; its size does not matter. If the paper has no number, the verdict is "costs" for a
higher error and "helps" for a lower one. With a larger p-value it is "less than 1 point" if the whole interval is
within 1 point of zero, and "cannot tell" if not: these seeds show neither a difference nor its absence.

Removing conv4 changes only the depth. Without conv3, two more things change: conv4 reads the 256 maps of pool2 instead
of 384, and the two towers first meet in fc6, because conv3 is the only convolution that reads both.

{ablations}

The same networks in training: the top-1 error on the augmented training pictures, with dropout, as the mean of the last
five epochs. The p-values are corrected in the same way.

{ablations_in_training}

In so short a training, weight decay has little time to act. The recipe `flowers` has ten times the decay and 240
epochs. What it costs there to leave the decay out:

{long_decay}

## Single networks and ensembles

Top-1 and top-5 errors of single networks (mean), and of the ensemble that averages their probabilities. The paper's
ensemble of five is better than one network by 2.6 and 1.8 points (table 2).

{ensembles}

## Fine-tuning

The same recipe from the weights of another network, with a new last layer, and from random weights. The table shows
top-1 errors on the test pictures with one crop, and their difference in points, paired by seed. Each recipe starts from
one file, so the intervals do not say how much the results would change with other weights of the same kind.

{fine_tuning}

## Figure 1

Epochs until the training error falls to 25 %, for the four-layer network on CIFAR-10 without regularization. Each
nonlinearity uses the best learning rate that we tried. Training uses 22,500 pictures, because our copy of CIFAR-10 has
only 25,000 of the 50,000 training pictures.

{figure_1}

## Normalization on CIFAR-10

Top-1 errors of the authors' four-layer network (section 3.3) with ten crops, without normalization and with it. The
paper has 13 and 11 %. Training uses 20,000 pictures and 25 epochs, where the authors had 50,000 and about 470. The
validation pictures, 5,000 of them, were not used to choose anything. The difference is paired by seed. The intervals
and p-values are over seeds, for these pictures, and not corrected.

{normalization}

## The authors' schedule

The recipe `source` with the epochs of the authors' run 145, on 5,400 pictures of 40 classes of Tiny ImageNet, with 600
others for validation and crops of 131 pixels. The errors are top-1, each the mean of the last five epochs before the
learning rate is divided or PCA lighting is turned off. Training errors are those of augmented pictures with dropout.

{schedule}

## Two towers

The fraction of pairs in which a kernel of the second half of conv1 is more colorful than one of the first half. It is
1/2 if the halves are alike, and 0 or 1 if one half has all the color. For random kernels, 48 in each half, the mean
distance from 1/2 is 0.05.

{specialization}

## All runs

Top-1 and top-5 errors, and the minutes of training, on the machines that
[Results](../docs/results.md) names. Several trainings often shared a machine.

{all_runs}
"""


def page(rows: Sequence[Mapping[str, Any]]) -> str:
    """Return the results page in Markdown.

    Args:
        rows: Results of `Run.summary` for all archived runs.

    Raises:
        ValueError: If two runs have the same recipe and seed.
    """
    return TEMPLATE.format(
        from_scratch=tables.from_scratch(rows) or NONE_YET,
        seeds=tables.seeds(rows) or NONE_YET,
        ablations=ablations.table(rows) or NONE_YET,
        ablations_in_training=ablations.training_table(rows) or NONE_YET,
        long_decay=ablations.long_decay_table(rows) or NONE_YET,
        ensembles=tables.ensembles(rows) or NONE_YET,
        fine_tuning=tables.fine_tuning(rows) or NONE_YET,
        figure_1=tables.figure_1(rows) or NONE_YET,
        normalization=tables.normalization(rows) or NONE_YET,
        schedule=tables.schedule(rows) or NONE_YET,
        specialization=tables.specialization(rows) or NONE_YET,
        all_runs="\n\n".join(filter(None, (tables.all_runs(rows), tables.notes(rows)))),
    )


def write(folder: str | pathlib.Path) -> pathlib.Path:
    """Write `README.md` into the folder of an archive, and return its path.

    Raises:
        ValueError: If there are no runs, or two of them have the same recipe and seed.
    """
    path = pathlib.Path(folder) / "README.md"
    write_text(path, page(archive.rows(folder)))
    return path


def write_numbers(root: pathlib.Path, rows: Sequence[Mapping[str, Any]]) -> list[pathlib.Path]:
    """Write the archive's numbers into the pages of a repository, and return the paths of those that have changed.

    Args:
        root: The folder of the repository.
        rows: As for `page`.

    Raises:
        ValueError: If a page asks for a number that the archive does not have. Then no page is written.
    """
    known, changed = numbers(rows), {}
    for path in (root / name for name in PAGES):
        before = path.read_text(encoding="utf-8")
        if (after := fill(before, known)) != before:
            changed[path] = after
    for path, text in changed.items():
        write_text(path, text)
    return list(changed)


def fill(text: str, known: Mapping[str, str]) -> str:
    """Return a page with the values of today in its marked places.

    Args:
        text: The page.
        known: The values by name, as returned by `numbers`.

    Raises:
        ValueError: If the page asks for a value that is not known.

    Example:
        >>> fill("It is <!-- archive: error -->?<!-- /archive --> %.", {"error": "37.5"})
        'It is <!-- archive: error -->37.5<!-- /archive --> %.'
    """

    def value(place: re.Match) -> str:
        begin, name, _, end = place.groups()
        if name not in known:
            similar = "; ".join(difflib.get_close_matches(name, known, n=5, cutoff=0))
            raise ValueError(f"Expected the name of a number, such as: {similar}. Received: {name}")
        around = "\n\n" if "\n" in known[name] else ""  # Markdown needs empty lines around a table
        return f"{begin}{around}{known[name]}{around}{end}"

    return MARKED.sub(value, text)


def numbers(rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return all that pages can show of the archive, by name.

    Errors are means over the seeds, in percent, such as "flowers, test, ten crops, top-1 error", or of one run, such as
    "flowers-0, test, ten crops, top-1 error". Differences between paired runs are in points, with their 95 % interval,
    such as "half, top-1 difference".

    Args:
        rows: As for `page`.

    Raises:
        ValueError: If two runs have the same recipe and seed.
    """
    known = {"recipes from random weights": tables.from_scratch(rows), "schedule": tables.schedule(rows)}
    known["ablations"] = ablations.short_table(rows)
    groups = tables.groups_of_seeds(rows, at_least=1)
    results = {tables.common_name(group): [row["results"] for row in group] for group in groups}
    for row in rows:
        results[row["run"]] = [row["results"]]
        if row["ensembles"]:
            results[f"ensemble with {row['run']}"] = [row["ensembles"]]
    splits = runs.EVALUATED_SPLITS
    for (name, of_runs), split, views, k in itertools.product(results.items(), splits, tables.VIEW_HEADINGS, (1, 5)):
        if all(views in each.get(split, {}) for each in of_runs):
            place = f"{name}, {split}, {tables.VIEW_HEADINGS[views]}, top-{k}"
            error = 100 * sum(each[split][views][f"top{k}_error"] for each in of_runs) / len(of_runs)
            known |= {f"{place} error": f"{error:.1f}", f"{place} accuracy": f"{100 - error:.1f}"}
    for k in (1, 5):
        found = ablations.differences(rows, f"top{k}_error")
        for name, p_value in ablations.corrected(found).items():
            known |= _difference(f"{name}, top-{k}", found[name]) | {f"{name}, top-{k} p-value": f"{p_value:.2g}"}
    if seeds := {len(difference.points) for difference in found.values()}:
        known["ablations, seeds"] = " to ".join(map(str, sorted({min(seeds), max(seeds)})))
    for name, difference in ablations.training_differences(rows).items():
        known |= _difference(f"{name}, training, top-1", difference)
    for name, difference in ablations.without_decay_in_long_training(rows).items():
        known |= _difference(f"flowers without weight decay, {name}", difference)
    for name, difference in tables.fine_tuning_differences(rows).items():
        known |= _difference(f"{name}, top-1", difference)
    for split, difference in tables.normalization_differences(rows).items():
        known |= _difference(f"normalization on CIFAR-10, {split}", difference)
    ratios = tables.epoch_ratios(rows).values()
    if ratios:
        known["figure 1, ratio"] = f"{min(ratios):.1f} to {max(ratios):.1f}"
    return known


def _difference(name: str, difference: Difference) -> dict[str, str]:
    return {f"{name} difference": str(difference), f"{name} points": f"{abs(difference.mean):.1f}"}
