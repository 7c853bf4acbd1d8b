import base64
import io
import json
import re

import pytest
from matplotlib.figure import Figure
from PIL import Image

from keras_alexnet.plotting.players import Player


def bar(n):
    """A figure with a black bar of height n."""
    figure = Figure(figsize=(4, 2))
    axes = figure.subplots()
    axes.bar([0], [n], color="black")
    axes.set_ylim(0, 4)
    return figure


@pytest.fixture(scope="module")
def page():
    return Player(bar, 3, 'Bars of "0" to 2')._repr_html_()


def frames(page):
    return json.loads(re.search(r"application/json\">(.*?)</script>", page)[1])


def darkness(address):
    image = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("L")
    assert image.size == (480, 240)
    return sum(image.resize((48, 24)).histogram()[:60])


def test_has_the_frames_in_order(page):
    zero, one, two = map(darkness, frames(page))
    assert zero < one < two


def test_shows_the_first_frame_without_its_script(page):
    assert f'<img src="{frames(page)[0]}"' in page


def test_describes_itself_and_escapes_the_words(page):
    assert page.count("Bars of &quot;0&quot; to 2") == 2
    assert repr(Player(bar, 1, "A bar")) == "Player: A bar"


def test_is_the_same_each_time_and_differs_from_another(page):
    assert Player(bar, 3, 'Bars of "0" to 2')._repr_html_() == page
    name = re.compile(r'data-player="(\w+)"')
    assert name.search(Player(bar, 2, "Fewer")._repr_html_())[1] != name.search(page)[1]


def test_loads_nothing_from_the_internet(page):
    assert "http" not in page


def test_keeps_as_many_colors_as_asked():
    """A strip of 100 colors."""

    def strip(_):
        figure = Figure(figsize=(4, 2))
        axes = figure.add_axes((0, 0, 1, 1))
        axes.imshow([[[n / 99, 1 - n / 99, 0.5] for n in range(100)]], aspect="auto", interpolation="nearest")
        return figure

    counts = []
    for colors in (16, 256):
        (address,) = frames(Player(strip, 1, "A strip", colors=colors)._repr_html_())
        image = Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2])))
        counts.append(len(image.convert("RGB").getcolors(10_000)))
    assert counts[0] <= 16
    assert counts[1] > 60
