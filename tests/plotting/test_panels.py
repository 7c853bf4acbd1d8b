import numpy as np
import pytest
from PIL import Image

from keras_alexnet.plotting import panels

PICTURE = np.full((20, 30, 3), 100, np.uint8)
NAMES = ("daisy", "rose", "$x_1$ a name that is much longer than its place")


def pictures(figure):
    return [axes for axes in figure.axes if axes.images]


def bars(figure):
    return [axes for axes in figure.axes if axes.patches]


def texts(axes):
    return [text.get_text() for text in axes.texts]


def test_predictions_rank_the_classes():
    probabilities = np.array([[0.1, 0.7, 0.2], [0.5, 0.2, 0.3]])
    figure = panels.predictions([PICTURE, PICTURE], probabilities, NAMES, labels=[1, 2], top=2)
    assert [axes.get_xlabel() for axes in pictures(figure)] == ["rose", "$x_1$ a name that is mu…"]
    first, second = bars(figure)
    assert [bar.get_width() for bar in first.patches] == [0.7, 0.2]
    assert texts(first) == ["rose", "70%", "$x_1$ a name that is…", "20%"]
    assert texts(second)[::2] == ["daisy", "$x_1$ a name that is…"]


def filled(bar):
    red, green, blue, _ = (round(255 * level) for level in bar.get_facecolor())
    return Image.new("RGB", (1, 1), (red, green, blue))


def test_right_class_differs_in_more_than_hue():
    figure = panels.predictions([PICTURE], np.array([[0.6, 0.4]]), NAMES, labels=[1])
    (axes,) = bars(figure)
    wrong, right = axes.patches
    lightness = [color.convert("L").getpixel((0, 0)) for color in map(filled, (right, wrong))]
    assert lightness[1] - lightness[0] > 40
    assert [text.get_weight() for text in axes.texts[::2]] == ["normal", "bold"]
    assert "0 of 1 are right" in figure.get_label()


def test_predictions_without_labels():
    figure = panels.predictions([PICTURE], np.array([[0.6, 0.4]]), NAMES)
    assert pictures(figure)[0].get_xlabel() == ""
    assert {text.get_weight() for text in bars(figure)[0].texts} == {"normal"}
    assert "right" not in figure.get_label()


@pytest.mark.parametrize(("count", "classes"), [(1, 1), (5, 3), (8, 102)])
def test_predictions_of_any_number_of_pictures_and_classes(count, classes):
    probabilities = np.random.default_rng(0).dirichlet(np.ones(classes), count)
    names = [f"class {n}" for n in range(classes)]
    figure = panels.predictions([PICTURE] * count, probabilities, names, labels=[0] * count)
    assert len(pictures(figure)) == count
    assert [len(axes.patches) for axes in bars(figure)] == [min(5, classes)] * count


def test_predictions_need_matching_pictures():
    with pytest.raises(ValueError, match="Received: 0 pictures, 0 rows"):
        panels.predictions([], np.zeros((0, 3)), NAMES)
    with pytest.raises(ValueError, match="Received: 1 pictures, 2 rows"):
        panels.predictions([PICTURE], np.zeros((2, 3)), NAMES)


def test_pictures_are_clipped_to_pixel_values():
    figure = panels.views(PICTURE, [np.array([[[-20.0, 99.6, 300.0]]])])
    assert pictures(figure)[1].images[0].get_array().tolist() == [[[0, 100, 255]]]


def test_neighbors_follow_their_query():
    found = [[PICTURE + n for n in range(6)] for _ in range(2)]
    labels = [[0, 0, 1, 0, 0, 0], [1, 1, 1, 1, 1, 1]]
    figure = panels.neighbors([PICTURE, PICTURE], found, [0, 1], labels, NAMES)
    assert len(pictures(figure)) == 14
    assert figure.axes[2].get_title("left") == "nearest neighbors"
    assert [axes.get_xlabel() for axes in pictures(figure)][:7] == ["daisy"] * 3 + ["✗ rose"] + ["daisy"] * 3
    np.testing.assert_array_equal(pictures(figure)[3].images[0].get_array(), PICTURE + 2)
    assert figure.get_label().endswith("6 neighbors of each, 11 of them of the same class")


def test_confusion_of_few_classes_keeps_their_order():
    counts = np.array([[3, 1, 0], [0, 4, 0], [0, 0, 0]])
    (axes,) = panels.confusion(counts, NAMES).axes
    assert [label.get_text() for label in axes.get_yticklabels()][:2] == ["daisy", "rose"]
    np.testing.assert_allclose(axes.images[0].get_array(), [[75, 25, 0], [0, 100, 0], [0, 0, 0]])
    assert texts(axes) == ["75", "25", "100"]
    assert (axes.get_ylabel(), axes.get_xlabel()) == ("correct class", "predicted class (%)")


def test_confusion_chooses_the_most_confused_pairs():
    counts = np.eye(102, dtype=int) * 50
    counts[7, 90] = 20
    counts[33, 2], counts[2, 33] = 8, 9
    counts[5, 6] = 3
    names = [f"class {n}" for n in range(102)]
    (axes,) = panels.confusion(counts, names, most=5).axes
    shown = [label.get_text() for label in axes.get_xticklabels()]
    assert {*shown[:2]} == {"class 7", "class 90"}
    assert {*shown[2:]} == {"class 2", "class 33"}
    assert axes.images[0].get_array()[shown.index("class 7"), shown.index("class 90")] == pytest.approx(100 * 20 / 70)


def test_confusion_of_one_class():
    assert texts(panels.confusion(np.array([[4]]), NAMES).axes[0]) == ["100"]


def test_views_show_the_picture_and_sixteen_of_it():
    figure = panels.views(PICTURE, [PICTURE] * 16)
    assert len(pictures(figure)) == 17
    assert "16 views" in figure.get_label()


def test_class_maps_darken_the_other_parts():
    left = np.repeat([[1.0, 1.0, 0.0, 0.0]], 2, axis=0)
    figure = panels.class_maps([PICTURE], [left], ["daisy"])
    above, below = (axes.images[0].get_array() for axes in pictures(figure))
    np.testing.assert_array_equal(above, PICTURE)
    assert below[10, 2].tolist() == [100] * 3
    assert below[10, -3].tolist() == [15] * 3
    assert figure.axes[1].get_xlabel() == "daisy"


def test_panels_can_be_drawn():
    figure = panels.predictions([PICTURE] * 3, np.eye(3), NAMES, labels=[0, 1, 2])
    figure.draw_without_rendering()


def test_strongest_maps_have_a_row_for_each_layer():
    maps = {"conv1": np.random.default_rng(0).normal(size=(6, 6, 9)), "conv2": np.ones((3, 3, 4))}
    figure = panels.strongest_maps(maps, {"conv1": [7, 2, 0], "conv2": [1]})
    shown = pictures(figure)
    assert [axes.get_xlabel() for axes in shown] == ["map 7", "map 2", "map 0", "map 1"]
    np.testing.assert_array_equal(shown[1].images[0].get_array(), maps["conv1"][..., 2])
    assert "conv1: 7, 2, 0; conv2: 1" in figure.get_label()


def test_predictions_side_by_side():
    figure = panels.predictions([PICTURE] * 10, np.full((10, 3), 1 / 3), NAMES, top=1, per_row=5)
    assert {axes.get_subplotspec().get_gridspec().ncols for axes in pictures(figure)} == {5}
    assert "with their class" in figure.get_label()
