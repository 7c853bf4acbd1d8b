"""`scripts/trace_towers.py`: when each tower worked."""

import pytest

import trace_towers as script
from trace_towers import Span


def test_overlap_is_the_share_of_the_less_busy_tower():
    """Tower 1 works for 4 seconds and tower 2 for 2, of which one is at the same time."""
    spans = [Span(1, "a", 0, 3), Span(1, "a/gradients/b", 2, 4), Span(2, "c", 3, 4), Span(2, "d", 5, 6)]
    assert script.overlap(spans) == pytest.approx(0.5, abs=1e-3)


def test_the_figure_tells_forward_from_backward():
    spans = [Span(1, "conv1/tower1", 0, 1), Span(2, "conv1/tower2", 0, 1), Span(2, "gradients/conv1/tower2", 1, 3)]
    figure = script.timeline(spans, 0.25)
    assert "both at once for 25 % of the time in which the less busy one works" in figure.get_label()
    forward, _, backward = (collection for collection in figure.axes[0].collections if len(collection.get_paths()))
    assert [path.get_extents().x1 for path in forward.get_paths()] == [1000]
    assert [path.get_extents().x1 for path in backward.get_paths()] == [3000]


def test_an_existing_file_is_not_overwritten(capsys, tmp_path):
    (tmp_path / "towers.png").touch()
    with pytest.raises(SystemExit) as stop:
        script.main(["--out", str(tmp_path / "towers.png")])
    assert stop.value.code == 2
    assert "already exists: choose another name with --out" in capsys.readouterr().err


def test_another_kind_of_file_is_one_line(capsys):
    with pytest.raises(SystemExit) as stop:
        script.main(["--out", "towers.txt"])
    assert stop.value.code == 2
    assert "Expected a path that ends in .png or .jpg" in capsys.readouterr().err.splitlines()[-1]
