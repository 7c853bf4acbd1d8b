import numpy as np
import pytest
from PIL import Image

from keras_alexnet import figures


def log(epochs, rates=(0.01,)):
    """A made-up record: errors fall from epoch to epoch, the learning rate is divided in equal parts of the run."""
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
    loss, error = figures.learning_curves(log(6)).axes
    np.testing.assert_allclose(line(loss, "loss, validation").get_xydata(), [(n, 2.2 / n) for n in range(1, 7)])
    np.testing.assert_allclose(line(loss, "loss, training").get_ydata(), [2 / n for n in range(1, 7)])
    np.testing.assert_allclose(line(error, "top-5, validation").get_ydata(), [0.55 / n for n in range(1, 7)])
    assert {"top-1, training", "top-1, validation", "top-5, training"} <= set(labels(error))
    assert (loss.get_ylabel(), error.get_ylabel(), loss.get_xlabel()) == ("loss", "error", "epoch")


def test_training_and_validation_differ_in_more_than_hue():
    for axes in figures.learning_curves(log(6)).axes:
        for training in (line for line in axes.get_lines() if line.get_label().endswith("training")):
            validation = line(axes, training.get_label().replace("training", "validation"))
            assert training.get_linestyle() != validation.get_linestyle()


def test_learning_curves_mark_the_divisions_and_the_best_epoch():
    rows = log(9, rates=(0.01, 0.001, 0.0001))
    rows[6]["val_top1_error"] = 0.05
    figure = figures.learning_curves(rows)
    for axes in figure.axes:
        assert [x.get_xdata()[0] for x in axes.get_lines() if x.get_linestyle() == ":"] == [3.5, 6.5]
        assert texts(axes) == ["rate 0.01", "rate 0.001", "rate 0.0001"]
    assert labels(figure.axes[1]).count("best: 5.0% at epoch 7") == 1
    assert "5.0% at epoch 7" in figure.get_label()


def test_rates_that_would_overlap_are_not_named():
    rates = (0.1,) * 10 + (0.01,) + (0.001,) * 10
    for axes in figures.learning_curves(log(21, rates)).axes:
        assert [x.get_xdata()[0] for x in axes.get_lines() if x.get_linestyle() == ":"] == [10.5, 11.5]
        assert texts(axes) == ["rate 0.1", "rate 0.01"]


@pytest.mark.parametrize("broken", [0, 2])
def test_learning_curves_survive_nan(broken):
    rows = log(3)
    rows[broken] = rows[broken] | {"val_loss": float("nan"), "val_top1_error": float("nan")}
    best = 2 if broken == 2 else 3
    assert f"at epoch {best}" in figures.learning_curves(rows).get_label()


def test_one_epoch_is_a_visible_point():
    figure = figures.learning_curves(log(1))
    for axes in figure.axes:
        assert all(x.get_marker() not in ("", "None") for x in axes.get_lines())
        assert axes.get_ylim()[1] > axes.dataLim.ymax


def test_no_epoch_is_refused():
    with pytest.raises(ValueError, match=r"at least one epoch. Received: \[\]"):
        figures.learning_curves([])


@pytest.mark.parametrize(
    ("errors", "epochs"),
    [([0.6, 0.4, 0.2], 2.75), ([0.2, 0.1], 1.0), ([0.5, 0.25], 2.0), ([0.5, 0.4], None), ([0.5, 0.0, 0.5], 1.5)],
)
def test_epochs_to_reach(errors, epochs):
    assert figures.epochs_to_reach(errors, 0.25) == (epochs if epochs is None else pytest.approx(epochs))


def test_nonlinearities_compare_epochs():
    figure = figures.nonlinearities({"ReLU": [0.75, 0.25, 0.1], "tanh": [0.7, 0.6, 0.5, 0.4, 0.3, 0.25]})
    (axes,) = figure.axes
    np.testing.assert_allclose(line(axes, "ReLU").get_xydata(), [(1, 0.75), (2, 0.25), (3, 0.1)])
    assert line(axes, "ReLU").get_linestyle() != line(axes, "tanh").get_linestyle()
    assert any(list(x.get_ydata()) == [0.25, 0.25] for x in axes.get_lines())
    assert "3.0 times the epochs" in texts(axes)
    assert "ReLU after 2.0 epochs, tanh after 6.0 epochs" in figure.get_label()


def test_nonlinearity_that_never_gets_there():
    figure = figures.nonlinearities({"ReLU": [0.5, 0.2], "tanh": [0.7, 0.6]})
    assert texts(figure.axes[0]) == ["25%"]
    assert "tanh never" in figure.get_label()


def test_one_nonlinearity_is_refused():
    with pytest.raises(ValueError, match=r"two nonlinearities.*Received: \['ReLU'\]"):
        figures.nonlinearities({"ReLU": [0.5]})


def test_kernels_in_two_columns():
    weights = np.random.default_rng(0).normal(size=(11, 11, 3, 96))
    figure = figures.kernels(weights)
    mosaics = [axes.images[0].get_array() for axes in figure.axes]
    assert [mosaic.shape for mosaic in mosaics] == [(35, 191, 3)] * 2
    for n in (0, 17, 48, 95):
        top, left = n % 48 // 16 * 12, n % 16 * 12
        tile = mosaics[n // 48][top : top + 11, left : left + 11]
        kernel = weights[..., n]
        np.testing.assert_allclose(tile, 0.5 + 0.5 * kernel / np.abs(kernel).max())
    assert [axes.get_ylabel() for axes in figure.axes] == ["column 1", "column 2"]
    assert (mosaics[0][11] == 1).all()
    assert (mosaics[0][:, 11] == 1).all()


@pytest.mark.parametrize(
    ("shape", "columns", "mosaic"),
    [((5, 7, 1, 9), 1, (5, 71, 3)), ((3, 3, 3, 20), 1, (7, 63, 3)), ((3, 3, 3, 1), 1, (3, 3, 3))],
)
def test_kernels_of_any_number_and_size(shape, columns, mosaic):
    figure = figures.kernels(np.zeros(shape), columns)
    assert [axes.images[0].get_array().shape for axes in figure.axes] == [mosaic]
    assert figure.axes[0].images[0].get_array()[0, 0].tolist() == [0.5, 0.5, 0.5]


def test_kernels_that_cannot_be_shown():
    with pytest.raises(ValueError, match=r"1 channel.*Received: shape \(3, 3, 2, 4\)"):
        figures.kernels(np.zeros((3, 3, 2, 4)))
    with pytest.raises(ValueError, match=r"divide among the columns. Received: 9 kernels, columns=2"):
        figures.kernels(np.zeros((3, 3, 3, 9)))


def test_save_writes_a_described_png(tmp_path):
    path = tmp_path / "curves.png"
    figure = figures.learning_curves(log(3))
    figures.save(figure, path)
    with Image.open(path) as image:
        image.load()
        assert image.text["Title"] == "Learning curves"
        assert image.text["Description"] == figures.description(image) == figure.get_label()
        assert image.width > 1000
    assert [file.name for file in tmp_path.iterdir()] == ["curves.png"]


def test_save_is_the_same_each_time(tmp_path):
    for name in ("a.png", "b.png"):
        figures.save(figures.kernels(np.ones((3, 3, 3, 4))), tmp_path / name)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


def test_save_writes_photographs_as_described_jpeg(tmp_path):
    path = tmp_path / "kernels.jpg"
    figure = figures.kernels(np.random.default_rng(0).normal(size=(11, 11, 3, 96)))
    figure.set_label("Kernels: of “fleur-de-lis” and café")
    figures.save(figure, path)
    with Image.open(path) as image:
        assert image.format == "JPEG"
        assert figures.description(image) == figure.get_label()
        assert round(image.info["dpi"][0]) == 120


@pytest.mark.parametrize("name", ["curves.pdf", "curves", "nowhere/curves.png"])
def test_save_refuses_other_formats_and_places(tmp_path, name):
    with pytest.raises(ValueError, match=rf"Received: .*{name}$"):
        figures.save(figures.learning_curves(log(1)), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
