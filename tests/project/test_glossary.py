"""The glossary: in order, in both languages, and linked with the chapters in both directions."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
LINES = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8").splitlines()
ROWS = [[cell.strip() for cell in line.split("|")[1:-1]] for line in LINES if line.startswith("| ")][1:]
CHAPTERS = sorted((ROOT / "tutorials" / "source").glob("*.py"))


def test_has_the_terms_of_the_paper():
    terms = {row[0]: row[1] for row in ROWS}
    assert len(terms) == len(ROWS) >= 60
    assert terms["local response normalization"] == "局部响应归一化"
    assert terms["overlapping pooling"] == "重叠池化"
    assert terms["grouped convolution"] == "分组卷积"
    assert terms["receptive field"] == "感受野"
    assert terms["weight decay"] == "权重衰减"
    assert terms["momentum"] == "动量"
    assert terms["dropout"] == "随机失活"


def test_is_in_alphabetical_order():
    terms = [re.sub(r"[^a-z0-9 ]", "", row[0].lower()) for row in ROWS]
    assert terms == sorted(terms)


def test_every_term_has_chinese_one_sentence_and_a_chapter():
    assert [row for row in ROWS if len(row) != 4 or not re.search(r"[\u4e00-\u9fff]", row[1])] == []
    assert [row[2] for row in ROWS if not row[2].endswith(".") or ". " in row[2]] == []
    assert [row[3] for row in ROWS if not row[3].startswith("[") or "](../tutorials/" not in row[3]] == []


@pytest.mark.parametrize("source", CHAPTERS, ids=lambda source: source.stem)
def test_every_chapter_links_to_it_and_has_terms_in_it(source):
    assert source.read_text(encoding="utf-8").count("](../docs/glossary.md)") == 1
    assert [row for row in ROWS if f"{source.stem}.ipynb" in row[3]]
