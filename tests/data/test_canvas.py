import numpy as np
import pytest
from PIL import Image

from keras_alexnet.data.drawings.canvas import SIDE, Canvas, arc, around, backdrop, blade, expose


@pytest.fixture
def canvas():
    """A black canvas with the flower's center in the middle and light from above."""
    canvas = Canvas(Image.new("RGB", (2 * SIDE, 2 * SIDE)), np.random.default_rng(0), (200, 100, 50), (10, 200, 10))
    canvas.place, canvas.scale, canvas.squeeze, canvas.light = SIDE * (1 + 1j), 100, 0, -1j
    return canvas


def pixel(canvas, place):
    """The color at a place in units of the flower."""
    at = canvas.place + canvas.scale * place
    return canvas.image.getpixel((round(at.real), round(at.imag)))


@pytest.mark.parametrize(("base", "tip"), [(0, 0), (0.5, 0), (0, 0.6)])
def test_blade_is_as_long_and_wide_as_asked(base, tip):
    edge, body, core = blade(0.4, base, tip)
    assert edge.real.min() == pytest.approx(0, abs=1e-12)
    assert edge.real.max() == pytest.approx(1)
    assert np.ptp(edge.imag) == pytest.approx(0.4)
    assert np.ptp(edge.imag) > np.ptp(body.imag) > np.ptp(core.imag)


def test_pointed_tip_is_widest_near_the_base():
    def widest(outline):
        return outline[outline.imag.argmax()].real

    assert widest(blade(1, tip=0.6)[0]) < widest(blade(1)[0]) < widest(blade(1, base=0.6)[0])


def test_around_is_even():
    np.testing.assert_allclose(around(4), [1, 1j, -1, -1j], atol=1e-12)


def test_arc_ends_where_asked():
    path = arc(0, 1 + 1j, 2)
    assert path[0] == 0
    assert path[-1] == 2
    assert path.imag.max() == pytest.approx(0.5, abs=0.01)


def test_fill_paints_inside_only(canvas):
    canvas.fill(0.5 * around(30), canvas.bloom)
    assert pixel(canvas, 0) == (200, 100, 50)
    assert pixel(canvas, 0.6) == (0, 0, 0)


def test_fill_lightens_and_darkens(canvas):
    outlines = np.array([[-0.5], [0], [0.5]]) + 0.2 * around(20)
    canvas.fill(outlines, (200, 100, 50), np.array([-0.5, 0, 1]))
    assert [pixel(canvas, x) for x in (-0.5, 0, 0.5)] == [(100, 50, 25), (200, 100, 50), (255, 255, 255)]


def test_turn_is_clockwise(canvas):
    canvas.turn(np.pi / 2)
    canvas.fill(0.5 + 0.1 * around(20), canvas.bloom)
    assert pixel(canvas, 0.5j) == (200, 100, 50)


def test_squeeze_narrows_one_way(canvas):
    canvas.squeeze = -0.1  # across: 1 - 0.1 - 0.1; down: 1 - 0.1 + 0.1
    canvas.fill(0.9 * around(60), canvas.bloom)
    assert pixel(canvas, 0.85j) == (200, 100, 50)
    assert pixel(canvas, 0.85) == (0, 0, 0)


def test_petals_are_lighter_towards_the_light(canvas):
    canvas.petals(blade(0.5), around(4))
    above, below = (sum(pixel(canvas, place)) for place in (-0.5j, 0.5j))
    assert above > below


def test_lines_and_stalk_leave_marks(canvas):
    canvas.lines([[-0.5, 0.5], [-0.5j, 0.5j]], 0.02, canvas.heart)
    assert pixel(canvas, 0.4) == pixel(canvas, 0.4j) == (10, 200, 10)
    canvas.stalk(arc(0, 1j, 2j))
    assert pixel(canvas, 1j)[1] > max(pixel(canvas, 1j)[::2])


def test_ball_has_a_dark_rim_and_a_light_spot(canvas):
    canvas.ball(0, 0.5, canvas.bloom)
    rim, body, spot = (sum(pixel(canvas, place)) for place in (0.47, 0.38, 0))
    assert rim < body < spot


@pytest.mark.parametrize("seed", range(5))
def test_backdrop_is_soft_and_unlike_the_flower(seed):
    bloom = np.array([240, 236, 228])
    ground = np.asarray(backdrop(np.random.default_rng(seed), bloom), float)
    assert ground.shape == (2 * SIDE, 2 * SIDE, 3)
    assert np.abs(np.diff(ground[::2, ::2], axis=0)).max() < 60
    assert np.abs(ground.mean(axis=(0, 1)) - bloom).sum() > 60


def test_expose_halves_the_size_and_keeps_the_picture():
    levels = np.linspace(20, 220, 2 * SIDE).astype(np.uint8)
    image = Image.fromarray(np.broadcast_to(levels[:, None], (2 * SIDE, 2 * SIDE, 3)).copy())
    picture = expose(image, np.random.default_rng(0))
    assert picture.shape == (SIDE, SIDE, 3)
    assert picture.dtype == np.uint8
    assert np.corrcoef(picture[..., 0].ravel(), np.asarray(image)[::2, ::2, 0].ravel())[0, 1] > 0.95
