import numpy as np
import pytest

from keras_alexnet.models.summary import sketch
from keras_alexnet.plotting import diagrams

PAPER = [
    ("image", 224, 224, 3),
    ("conv1", 55, 55, 96, 11, 1),
    ("conv2", 27, 27, 256, 5, 2),
    ("conv3", 13, 13, 384, 3, 1),
]
PAPER += [("conv4", 13, 13, 384, 3, 2), ("conv5", 13, 13, 256, 3, 2), ("fc6", 1, 1, 4096), ("fc7", 1, 1, 4096)]
PAPER += [("fc8", 1, 1, 1000)]
FACES = 3  # visible ones of a box


def test_maps_are_those_of_the_network():
    maps = diagrams.maps(sketch("source"))  # whose input is 224, as the paper prints it
    assert [tuple(entry) for entry in maps] == [(*entry, 0, 1)[:6] for entry in PAPER]


def test_maps_of_networks_with_other_layers():
    without = diagrams.maps(sketch("source_no_communication"))
    assert [entry.groups for entry in without if entry.name.startswith("fc")] == [2, 2, 1]
    local = diagrams.maps(sketch("conv_local"))
    assert [entry.name for entry in local] == ["image", "conv1", "conv2", "local3", "local4", "fc5"]
    assert diagrams.network(local).axes


def boxes(axes):
    """Width and height on the page of each box's front."""
    filled = [patch for patch in axes.patches if patch.get_fill()]
    return [tuple(np.ptp(patch.get_xy(), axis=0)) for patch in filled[::FACES]]


def lines(axes, color):
    return [line for line in axes.get_lines() if line.get_color() == color]


def test_boxes_are_to_scale():
    (axes,) = diagrams.network(PAPER).axes
    fronts = boxes(axes)
    assert len(fronts) == 1 + 7 * 2 + 1
    channel = diagrams.PER_CHANNEL
    np.testing.assert_allclose(fronts[0], (3 * channel, 224))
    np.testing.assert_allclose(fronts[1], (48 * channel, 55))
    np.testing.assert_allclose(fronts[3], (128 * channel, 27))
    np.testing.assert_allclose([height for _, height in fronts[-3:]], [2048 * channel, 2048 * channel, 1000 * channel])
    assert axes.get_aspect() == 1


def test_boxes_do_not_overlap():
    (axes,) = diagrams.network(PAPER).axes
    filled = [patch.get_xy() for patch in axes.patches if patch.get_fill()]
    extents = [
        (np.concatenate(filled[n : n + FACES]).min(axis=0), np.concatenate(filled[n : n + FACES]).max(axis=0))
        for n in range(0, len(filled), FACES)
    ]
    for n, (low, high) in enumerate(extents):
        for other_low, other_high in extents[n + 1 :]:
            assert (low >= other_high).any() or (other_low >= high).any()


def test_towers_are_connected_where_groups_are_one():
    (axes,) = diagrams.network(PAPER).axes
    # conv3 reads a kernel (4 corners) in 2 x 2 towers; fc6 and fc7 read 2 x 2 whole towers, fc8 both of them.
    assert len(lines(axes, diagrams.ORANGE)) == 4 * 4 + 4 + 4 + 2
    # conv1 reads the image, conv2, conv4 and conv5 their own tower: 4 corners in each of two.
    assert len(lines(axes, diagrams.GRAY)) == 4 * 8
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["reads its own tower", "reads all towers"]


def test_one_tower_has_no_connections_to_others():
    (axes,) = diagrams.network([(*entry[:5], 1) for entry in PAPER if len(entry) > 4]).axes
    assert lines(axes, diagrams.ORANGE) == []
    assert axes.get_legend() is None


def test_kernels_are_to_scale():
    (axes,) = diagrams.network(PAPER[:3]).axes
    outlines = [patch for patch in axes.patches if not patch.get_fill()]
    width, height = np.ptp(outlines[0].get_xy(), axis=0)
    assert width == pytest.approx(11 * diagrams.INTO_THE_PAGE[0])
    assert height == pytest.approx(11 + 11 * diagrams.INTO_THE_PAGE[1])


def test_captions_name_every_layer():
    (axes,) = diagrams.network(PAPER).axes
    texts = [text.get_text() for text in axes.texts]
    assert {entry[0] for entry in PAPER} <= set(texts)
    assert {"55 x 55\nx 96\nkernel 11", "4096", "100 pixels", "500 channels"} <= set(texts)


def test_a_network_needs_a_layer():
    with pytest.raises(ValueError, match=r"at least one layer. Received: \[\('image'"):
        diagrams.network(PAPER[:1])


@pytest.fixture
def color_axes():
    eigenvalues = np.array([100.0, 900.0, 2500.0])
    eigenvectors = np.array([[0.0, 1.0, 0.0], [0.0, 0.0, -1.0], [1.0, 0.0, 0.0]])
    colors = np.random.default_rng(0).uniform(0, 255, (50, 3))
    return diagrams.color_axes(colors, np.array([120.0, 110, 100]), eigenvalues, eigenvectors)


def test_color_axes_largest_first(color_axes):
    cube, strips = color_axes.axes
    assert [label.get_text() for label in strips.get_yticklabels()] == [
        "axis 1\nstd 50.0",
        "axis 2\nstd 30.0",
        "axis 3\nstd 10.0",
    ]
    ends = [np.transpose(line.get_data_3d()) for line in cube.get_lines()]
    np.testing.assert_allclose(ends[0], [[120, 35, 100], [120, 185, 100]])
    np.testing.assert_allclose(ends[2], [[120, 110, 85], [120, 110, 115]])


def test_color_axes_strips_start_from_the_mean(color_axes):
    strips = color_axes.axes[1].images[0].get_array()
    middle = len(diagrams.ALPHAS) // 2
    np.testing.assert_array_equal(strips[:, middle], [[120, 110, 100]] * 3)
    two_stds = np.flatnonzero(diagrams.ALPHAS == 2)[0]
    assert strips[0, two_stds].tolist() == [120, 210, 100]


def test_diagrams_can_be_drawn(color_axes):
    color_axes.draw_without_rendering()
    diagrams.network(PAPER).draw_without_rendering()


def test_no_word_of_color_axes_is_cut_off(color_axes):
    color_axes.draw_without_rendering()
    strips = color_axes.axes[1]
    for words in (strips.title, strips.xaxis.label):
        assert words.get_window_extent().x1 < color_axes.bbox.x1
