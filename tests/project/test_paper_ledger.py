"""The ledger of the paper's claims: its verdicts, its count, and the numbers that it takes from the results."""

import json
import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LEDGER = re.sub("<!--.*?-->", "", (ROOT / "docs" / "paper_ledger.md").read_text(encoding="utf-8"))
VERDICTS = ("shown", "confirmed in direction", "corrected", "inconclusive", "not tested", "not testable")


def table(heading):
    """The rows of the table under a heading, as lists of cells."""
    text = re.split(rf"^#+ {re.escape(heading)}$", LEDGER, flags=re.MULTILINE)[1].split("\n#")[0]
    lines = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines[2:]]


SECTIONS = re.findall(r"^#+ (Abstract|\d.*)$", LEDGER, re.MULTILINE)
CLAIMS = [row for section in SECTIONS for row in table(section)] if SECTIONS else []


def verdict(row):
    return re.match("|".join(VERDICTS), row[3])[0]


def test_every_section_of_the_paper_has_claims():
    numbers = [section.split()[0] for section in SECTIONS]
    assert " ".join(numbers) == "Abstract 1 2 3 3.1 3.2 3.3 3.4 3.5 4 4.1 4.2 5 6 6.1 7"
    assert [section for section in SECTIONS if not table(section)] == []
    assert len(CLAIMS) > 100


def test_every_claim_has_a_verdict_of_the_list():
    assert [row for row in CLAIMS if len(row) != 4 or not re.match(rf"({'|'.join(VERDICTS)})(;|:|$)", row[3])] == []
    explained = [line.split("|")[1].strip() for line in LEDGER.split("## Abstract")[0].splitlines() if "| " in line]
    assert explained[1:] == list(VERDICTS)


def test_what_was_shown_says_where():
    decided = [
        row for row in CLAIMS if verdict(row) in ("shown", "confirmed in direction", "corrected", "inconclusive")
    ]
    assert [row[0] for row in decided if "](" not in row[2]] == []


def test_what_was_not_tried_says_why():
    """A claim without a verdict of its own has a reason, or its words say what it is about."""
    left_out = [row for row in CLAIMS if verdict(row) == "not testable"]
    assert [row[0] for row in left_out if ":" not in row[3]] == []


def test_the_count_is_that_of_the_tables():
    counted = Counter(map(verdict, CLAIMS)) | {"all": len(CLAIMS)}
    assert {name: int(number) for name, number in table("Totals")} == counted


def test_differences_are_those_of_the_archived_runs():
    results = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    quoted = [pair for row in CLAIMS for pair in re.findall(r"[+-]\d+\.\d \([^)]*\d\)", row[3])]
    assert len(quoted) >= 9
    assert [pair for pair in quoted if pair not in results] == []


@pytest.mark.parametrize(
    ("words", "row_of_results", "column"),
    [
        ("Half of the kernels in each layer", "half of the kernels", 4),
        ("It lowers the errors, so leaving it out", "no response normalization", 4),
        ("Without overlap the errors", "pooling without overlap", 4),
        ("slightly more difficult to overfit", "pooling without overlap", 4),
        ("Without them the network overfits", "no crops and mirrors", 4),
        ("It lowers the top-1 error", "no PCA lighting", 4),
        ("Dropout is very effective", "no dropout", 4),
        ("The update rule", "weight decay outside", 4),
        ("Initial weights", "initial weights of the text", 4),
        ("Without any one of the middle", "without conv4", 4),
    ],
)
def test_a_difference_is_of_the_change_that_it_stands_for(words, row_of_results, column):
    results = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    line, _ = [line for line in results.splitlines() if line.startswith(f"| {row_of_results}")]  # then in training
    (row,) = [row for row in CLAIMS if words in row[0]]
    difference = line.split("|")[1:][column].strip()
    assert difference
    assert difference in row[3]


def test_numbers_that_follow_from_the_layers():
    """Section 3.5, by hand: kernels, width, channels that a kernel sees, width of the map."""
    layers = [(96, 11, 3, 55), (256, 5, 48, 27), (384, 3, 256, 13), (384, 3, 192, 13), (256, 3, 192, 13)]
    learned = [kernels * (width**2 * channels + 1) for kernels, width, channels, _ in layers]
    total = sum(learned) + 4096 * (6 * 6 * 256 + 1) + 4096 * 4097 + 1000 * 4097
    neurons = [kernels * side**2 for kernels, _, _, side in layers]
    assert f"shown: {total:,}" in LEDGER
    assert f"conv3 has {learned[2] / total:.2%} and conv4 {learned[3] / total:.2%}".replace("%", " %") in LEDGER
    assert max(learned[0], learned[1], learned[4]) < total / 100
    assert f"shown: {sum(neurons) + 4096 + 4096 + 1000:,}" in LEDGER
    assert f"corrected: {neurons[0]:,}" in LEDGER
    assert "; ".join(f"{number:,}" for number in neurons[1:]) in LEDGER
    assert f"{224 * 224 * 3:,}" in LEDGER
    assert f"corrected: {2 * 33 * 33} times" in LEDGER


def test_ratios_and_gains_are_those_of_the_results():
    results = (ROOT / "results" / "README.md").read_text(encoding="utf-8")
    ratios = [float(each) for each in re.search(r"^\| ratio.*$", results, re.MULTILINE)[0].split("|")[2:-1]]
    assert f"confirmed in direction: {min(ratios)} to {max(ratios)} times" in LEDGER
    saved = re.search(r"^\| from_petals +\| petals.*?\| -([\d.]+) \(", results, re.MULTILINE)[1]
    assert f"saves {saved} points" in LEDGER


def test_specialization_is_that_of_the_archived_runs():
    """How far the halves of conv1 are from alike, in runs on flowers from random weights, with groups and without."""
    whole, apart = ("half", "one_weird_trick", "single_tower", "tflearn"), {True: [], False: []}
    for line in map(json.loads, (ROOT / "results" / "runs.jsonl").read_text(encoding="utf-8").splitlines()):
        of_flowers = line["options"]["dataset"].startswith("oxford_flowers102") and not line["options"]["weights"]
        if of_flowers and "specialization" in line["results"]:  # not in runs that were stopped before their figures
            groups = line["recipe"]["architecture"] not in whole
            apart[groups].append(abs(line["results"]["specialization"] - 0.5))
    means = {groups: f"{sum(each) / len(each):.2f}" for groups, each in apart.items()}
    assert f"from 1/2 by {means[True]} on average in {len(apart[True])} runs with groups" in LEDGER
    assert f"by {means[False]} in {len(apart[False])} without" in LEDGER
