import numpy as np
import pytest

from keras_alexnet.plotting import charts


def log(epochs, rates=(0.01,)):
    """Make up a log: errors fall from epoch to epoch; the learning rate is divided in equal parts of the run."""
    rows = []
    for epoch in range(1, epochs + 1):
        left = 1 / epoch
        row = {"epoch": epoch, "learning_rate": rates[(epoch - 1) * len(rates) // epochs]}
        row |= {"loss": 2 * left, "top1_error": 0.9 * left, "top5_error": 0.5 * left}
        rows.append(row | {f"val_{name}": row[name] * 1.1 for name in ("loss", "top1_error", "top5_error")})
    return rows


def labels(axes):
    return [line.get_label() for line in axes.get_lines()]


def line(axes, label):
    (found,) = (line for line in axes.get_lines() if line.get_label() == label)
    return found


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_learning_curves_draw_the_log():
    loss, error = charts.learning_curves(log(6)).axes
    np.testing.assert_allclose(line(loss, "loss, validation").get_xydata(), [(n, 2.2 / n) for n in range(1, 7)])
    np.testing.assert_allclose(line(loss, "loss, training").get_ydata(), [2 / n for n in range(1, 7)])
    np.testing.assert_allclose(line(error, "top-5, validation").get_ydata(), [0.55 / n for n in range(1, 7)])
    assert {"top-1, training", "top-1, validation", "top-5, training"} <= set(labels(error))
    assert (loss.get_ylabel(), error.get_ylabel(), loss.get_xlabel()) == ("loss", "error", "epoch")


def test_training_and_validation_differ_in_more_than_hue():
    for axes in charts.learning_curves(log(6)).axes:
        for training in (line for line in axes.get_lines() if line.get_label().endswith("training")):
            validation = line(axes, training.get_label().replace("training", "validation"))
            assert training.get_linestyle() != validation.get_linestyle()


def test_learning_curves_mark_the_divisions_and_the_best_epoch():
    rows = log(9, rates=(0.01, 0.001, 0.0001))
    rows[6]["val_top1_error"] = 0.05
    figure = charts.learning_curves(rows)
    for axes in figure.axes:
        assert [x.get_xdata()[0] for x in axes.get_lines() if x.get_linestyle() == ":"] == [3.5, 6.5]
        assert texts(axes) == ["rate 0.01", "/ 10", "/ 100"]
    assert labels(figure.axes[1]).count("lowest: 5.0% at epoch 7") == 1
    assert "5.0% at epoch 7" in figure.get_label()


def test_a_third_division_is_by_a_thousand():
    for axes in charts.learning_curves(log(12, rates=(0.01, 0.001, 0.0001, 0.00001))).axes:
        assert texts(axes)[-1] == "/ 1,000"


def test_learning_rates_that_would_overlap_have_no_label():
    rates = (0.1,) * 10 + (0.01,) + (0.001,) * 10
    for axes in charts.learning_curves(log(21, rates)).axes:
        assert [x.get_xdata()[0] for x in axes.get_lines() if x.get_linestyle() == ":"] == [10.5, 11.5]
        assert texts(axes) == ["rate 0.1", "/ 10"]


def test_a_division_after_the_warm_up_is_relative_to_the_highest_rate():
    for axes in charts.learning_curves(log(9, rates=(0.005, 0.01, 0.001))).axes:
        assert texts(axes) == ["rate 0.01", "/ 10"]


def test_a_recovery_divides_too():
    for axes in charts.learning_curves(log(9, rates=(0.01, 0.001, 0.001 / 3))).axes:
        assert [x.get_xdata()[0] for x in axes.get_lines() if x.get_linestyle() == ":"] == [3.5, 6.5]
        assert texts(axes) == ["rate 0.01", "/ 10", "/ 30"]


def test_a_rate_that_decays_in_each_step_is_not_marked_as_divided():
    for axes in charts.learning_curves(log(4, rates=(0.004, 0.01, 0.0015, 4e-6))).axes:
        assert not [x for x in axes.get_lines() if x.get_linestyle() == ":"]
        assert texts(axes) == ["rate 0.01, decaying to 4e-06"]


@pytest.mark.parametrize("broken", [0, 2])
def test_learning_curves_draw_a_log_with_nan(broken):
    rows = log(3)
    rows[broken] = rows[broken] | {"val_loss": float("nan"), "val_top1_error": float("nan")}
    best = 2 if broken == 2 else 3
    assert f"at epoch {best}" in charts.learning_curves(rows).get_label()


def test_one_epoch_is_a_visible_point():
    figure = charts.learning_curves(log(1))
    for axes in figure.axes:
        assert all(x.get_marker() not in ("", "None") for x in axes.get_lines())
        assert axes.get_ylim()[1] > axes.dataLim.ymax


def test_an_empty_log_is_refused():
    with pytest.raises(ValueError, match=r"at least one epoch. Received: \[\]"):
        charts.learning_curves([])


@pytest.mark.parametrize(
    ("errors", "epochs"),
    [([0.6, 0.4, 0.2], 2.75), ([0.2, 0.1], 1.0), ([0.5, 0.25], 2.0), ([0.5, 0.4], None), ([0.5, 0.0, 0.5], 1.5)],
)
def test_epochs_to_reach(errors, epochs):
    assert charts.epochs_to_reach(errors, 0.25) == (epochs if epochs is None else pytest.approx(epochs))


def test_nonlinearities_compare_epochs():
    figure = charts.nonlinearities({"ReLU": [0.75, 0.25, 0.1], "tanh": [0.7, 0.6, 0.5, 0.4, 0.3, 0.25]})
    (axes,) = figure.axes
    np.testing.assert_allclose(line(axes, "ReLU").get_xydata(), [(1, 0.75), (2, 0.25), (3, 0.1)])
    assert line(axes, "ReLU").get_linestyle() != line(axes, "tanh").get_linestyle()
    assert any(list(x.get_ydata()) == [0.25, 0.25] for x in axes.get_lines())
    assert "3.0 times the epochs" in texts(axes)
    assert "ReLU after 2.0 epochs, tanh after 6.0 epochs" in figure.get_label()


def test_a_nonlinearity_that_never_reaches_the_target():
    figure = charts.nonlinearities({"ReLU": [0.5, 0.2], "tanh": [0.7, 0.6]})
    assert texts(figure.axes[0]) == ["25%"]
    assert "tanh never" in figure.get_label()


def test_one_nonlinearity_is_refused():
    with pytest.raises(ValueError, match=r"two nonlinearities.*Received: \['ReLU'\]"):
        charts.nonlinearities({"ReLU": [0.5]})


def test_a_diverged_loss_gets_a_logarithmic_axis():
    rows = log(4)
    for row, loss in zip(rows, (3e4, 2e10, 5e18, 2.9e22), strict=True):
        row |= {"loss": loss, "val_loss": 2 * loss}
    loss, error = charts.learning_curves(rows).axes
    assert (loss.get_yscale(), error.get_yscale()) == ("log", "linear")
    low, high = loss.get_ylim()
    assert 0 < low < 3e4
    assert high > 5.8e22
    loss.figure.draw_without_rendering()
    assert loss.yaxis.get_offset_text().get_text() == ""  # which was printed over the learning rate


@pytest.mark.parametrize("bad", [float("inf"), float("nan")])
def test_a_loss_that_is_not_finite_is_left_out_of_the_axis(bad):
    rows = log(4)
    rows[3] |= {"loss": bad, "val_loss": bad}
    loss, _ = charts.learning_curves(rows).axes
    assert loss.get_yscale() == "linear"
    assert loss.get_ylim() == pytest.approx((0, 1.05 * 2.2))


def test_top5_is_left_out_where_it_is_always_zero():
    rows = [row | {"top5_error": 0.0, "val_top5_error": 0.0} for row in log(3)]
    _, error = charts.learning_curves(rows).axes
    assert not [label for label in labels(error) if "top-5" in label]


def test_learning_curves_without_validation():
    rows = [{key: value for key, value in row.items() if not key.startswith("val_")} for row in log(3)]
    figure = charts.learning_curves(rows)
    assert figure.get_label() == "Learning curves: 3 epochs"
    assert labels(figure.axes[1]) == ["top-1, training", "top-5, training"]


def test_overfitting_has_one_axes_per_way_and_two_lines_per_seed():
    def ended(training, validation):
        last = {"epoch": 2, "top1_error": training, "val_top1_error": validation}
        return [{"epoch": 1, "top1_error": 0.9, "val_top1_error": 0.95}, last]

    figure = charts.overfitting({"with": [ended(0.4, 0.6), ended(0.5, 0.7)], "without": [ended(0.1, 0.8)]})
    assert [(axes.get_title(), len(axes.get_lines())) for axes in figure.axes] == [("with", 4), ("without", 2)]
    drawn = [line.get_ydata().tolist() for line in figure.axes[1].get_lines()]
    assert drawn == [[0.9, 0.1], [0.95, 0.8]]
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["training", "validation"]
    assert figure.get_label().endswith("with: training 45%, validation 65%; without: training 10%, validation 80%")


def test_differences_are_drawn_beside_the_papers():
    found = {"no dropout": (3.0, (1.0, 5.0), None), "no overlap": (-0.5, (-2.0, 1.0), 0.4)}
    figure = charts.differences(found)
    (axes,) = figure.axes
    assert figure.get_label().endswith("no dropout +3.0; no overlap -0.5")
    assert [label.get_text() for label in axes.get_yticklabels()] == list(found)
    spans = [line.get_xdata().tolist() for line in axes.get_lines() if len(set(line.get_xdata())) == 2]
    assert spans == [[1.0, 5.0], [-2.0, 1.0]]
    (paper,) = (line for line in axes.get_lines() if line.get_marker() == "D" and len(line.get_xdata()))
    assert paper.get_xdata()[0] == 0.4
    assert 0 < paper.get_ydata()[0] < 1  # above the interval of "no overlap"
