import numpy as np
import pytest
from PIL import Image

from keras_alexnet.plotting import figures


def test_kernels_in_two_towers():
    weights = np.random.default_rng(0).normal(size=(11, 11, 3, 96))
    figure = figures.kernels(weights)
    mosaics = [axes.images[0].get_array() for axes in figure.axes]
    assert [mosaic.shape for mosaic in mosaics] == [(35, 191, 3)] * 2
    for n in (0, 17, 48, 95):
        top, left = n % 48 // 16 * 12, n % 16 * 12
        tile = mosaics[n // 48][top : top + 11, left : left + 11]
        kernel = weights[..., n]
        np.testing.assert_allclose(tile, 0.5 + 0.5 * kernel / np.abs(kernel).max())
    assert [axes.get_ylabel() for axes in figure.axes] == ["tower 1", "tower 2"]
    assert (mosaics[0][11] == 1).all()
    assert (mosaics[0][:, 11] == 1).all()


@pytest.mark.parametrize(
    ("shape", "towers", "mosaic"),
    [((5, 7, 1, 9), 1, (5, 71, 3)), ((3, 3, 3, 20), 1, (7, 63, 3)), ((3, 3, 3, 1), 1, (3, 3, 3))],
)
def test_kernels_of_any_number_and_size(shape, towers, mosaic):
    figure = figures.kernels(np.zeros(shape), towers)
    assert [axes.images[0].get_array().shape for axes in figure.axes] == [mosaic]
    assert figure.axes[0].images[0].get_array()[0, 0].tolist() == [0.5, 0.5, 0.5]


def test_responses_share_one_scale():
    maps = np.random.default_rng(0).normal(size=(5, 6, 96))
    figure = figures.responses(maps)
    mosaics = [axes.images[0].get_array() for axes in figure.axes]
    assert [mosaic.shape for mosaic in mosaics] == [(17, 111, 3)] * 2
    for n in (0, 50):
        top, left = n % 48 // 16 * 6, n % 16 * 7
        tile = mosaics[n // 48][top : top + 5, left : left + 6, 0]
        np.testing.assert_allclose(tile, 0.5 + 0.5 * maps[..., n] / np.abs(maps).max())
    with pytest.raises(ValueError, match="Received: 9 maps, towers=2"):
        figures.responses(np.zeros((3, 3, 9)))


def test_kernels_that_cannot_be_shown():
    with pytest.raises(ValueError, match=r"1 channel.*Received: shape \(3, 3, 2, 4\)"):
        figures.kernels(np.zeros((3, 3, 2, 4)))
    with pytest.raises(ValueError, match=r"must be divisible by towers. Received: 9 kernels, towers=2"):
        figures.kernels(np.zeros((3, 3, 3, 9)))


def test_save_writes_a_described_png(tmp_path):
    path = tmp_path / "curves.png"
    figure = figures.sheet(9, 3.6, "Learning curves: 3 epochs")
    figures.save(figure, path)
    with Image.open(path) as image:
        image.load()
        assert image.text["Title"] == "Learning curves"
        assert image.text["Description"] == figures.description(image) == figure.get_label()
        assert image.width > 1000
    assert [file.name for file in tmp_path.iterdir()] == ["curves.png"]


@pytest.mark.filterwarnings("error")
def test_names_of_classes_may_need_other_fonts(tmp_path):
    """Where none is installed, boxes are drawn without a warning."""
    figure = figures.sheet(2, 1, "A rose in Chinese")
    figure.text(0.1, 0.5, "玫瑰 \U0001f339")
    figures.save(figure, tmp_path / "rose.png")
    assert (tmp_path / "rose.png").exists()


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
        figures.save(figures.sheet(3, 2, "empty"), tmp_path / name)
    assert list(tmp_path.iterdir()) == []
