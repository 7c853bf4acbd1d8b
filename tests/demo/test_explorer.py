"""What the page computes, without Gradio."""

import concurrent.futures
import dataclasses
import math
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from matplotlib.figure import Figure
from PIL import Image

import keras_alexnet
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.demo import explorer as explorer_module
from keras_alexnet.demo import markup
from keras_alexnet.demo.explorer import Explorer
from keras_alexnet.evaluation import predict
from keras_alexnet.evaluation.classifier import Classifier
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.recipes import Recipe
from keras_alexnet.recipes.named import FIGURE_1

SPECIES = ("<b>rose & co", "daisy", "tulip")
PICTURE = np.random.default_rng(0).integers(0, 256, (76, 76, 3), np.uint8)


@pytest.fixture(scope="module")
def explorer(_small_run):
    return Explorer.open(_small_run.folder)


def test_the_mean_over_the_ten_crops_is_the_answer_of_predict(explorer, tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    (expected,) = predict.predict(explorer.classifier, [tmp_path / "a.png"])
    picture = explorer.resize(tf.constant(PICTURE))
    found = explorer.probabilities(explorer.averaged_crops(picture)).mean(axis=0)
    np.testing.assert_allclose(found, expected.probabilities, atol=1e-6)


def test_a_crop_by_hand_is_cut_where_the_sliders_say(explorer):
    scene = np.zeros((512, 512, 3), np.uint8)
    scene[256:, :256] = 200  # the lower left quarter
    assert explorer.cut(scene, 0.5, 0, 1).shape == (67, 67, 3)
    assert (explorer.cut(scene, 0.5, 0, 1)[1:-1, 1:-1] == 200).all()  # the border has a share of what is beyond
    assert (explorer.cut(scene, 0.5, 1, 0)[1:-1, 1:-1] == 0).all()
    assert 49 < explorer.cut(scene, 1, 0.5, 0.5).mean() < 51


def test_a_crop_by_hand_takes_one_call_of_the_network(explorer, monkeypatch):
    calls = []
    run = explorer.classifier.model.predict_on_batch
    monkeypatch.setattr(explorer.classifier.model, "predict_on_batch", lambda x: calls.append(x.shape) or run(x))
    explorer.probabilities(explorer.cut(np.zeros((512, 512, 3), np.uint8), 0.9, 0.5, 0.5)[None])
    assert calls == [(1, 67, 67, 3)]


def test_the_best_classes_come_first(explorer):
    assert list(explorer.best(np.float32([0.2, 0.1, 0.7]))) == ["tulip", "<b>rose & co", "daisy"]


def test_every_part_has_words(explorer):
    explorer.warm_up()
    inside = explorer.inside(PICTURE)
    figures = [
        explorer.crops(PICTURE),
        explorer.class_maps(PICTURE, explorer.answer(PICTURE)),
        explorer.kernels(),
        explorer.responses(inside),
        explorer.strongest_maps(inside),
    ]
    for figure in figures:
        assert isinstance(figure, Figure)
        assert 'alt="' in markup.part(figure)
        assert figure.get_label()


def test_a_network_with_one_tower_and_no_normalization_says_so(explorer):
    rows = explorer.without_parts(PICTURE)
    assert [words for words, *_ in rows] == ["whole network"]
    assert "neither response normalization nor a second tower" in markup.switched_off(rows)


def test_the_network_of_figure_1_is_shown_at_32_pixels():
    statistics = Statistics(np.full((32, 32, 3), 128, np.float32), np.ones(3, np.float32), np.eye(3, dtype=np.float32))
    model = keras_alexnet.build("figure_1", classes=3, input_shape=(32, 32, 3))
    small = Explorer("figure_1", Classifier(model, SPECIES, FIGURE_1, statistics))
    picture = small.resize(tf.constant(PICTURE))
    assert small.averaged_crops(picture).shape == (5, 32, 32, 3)  # trained without flips
    inside = small.inside(picture)
    for figure in (
        small.class_maps(picture, small.answer(picture)),
        small.kernels(),
        small.responses(inside),
        small.strongest_maps(inside),
    ):
        assert isinstance(figure, Figure)
    assert len(small.without_parts(picture)) == 1


def test_a_network_of_other_layers_is_shown():
    """With three groups of a layer, among which the five kernels of the first one cannot be divided."""
    image = keras.Input((32, 32, 3))
    maps = keras.layers.Conv2D(5, 3, activation="relu", name="stem")(image)
    maps = keras.layers.Conv2D(6, 1, name="grouped", groups=3)(keras.layers.Conv2D(3, 1, name="mix")(maps))
    model = keras.Model(image, keras.layers.Dense(3, activation="softmax")(keras.layers.Flatten()(maps)))
    statistics = Statistics(np.full((32, 32, 3), 128, np.float32), np.ones(3, np.float32), np.eye(3, dtype=np.float32))
    other = Explorer("other", Classifier(model, SPECIES, FIGURE_1, statistics))
    inside = other.inside(other.resize(tf.constant(PICTURE)))
    assert "First-layer kernels: 5 of 3 x 3 pixels in 1 tower" in other.kernels().get_label()
    assert isinstance(other.responses(inside), Figure)
    assert isinstance(other.strongest_maps(inside), Figure)


@pytest.mark.parametrize("kind", ["nested", "dense", "softmax"])
def test_other_networks_are_refused_in_one_line(kind, tmp_path):
    image = keras.Input((32, 32, 3))
    flat = keras.layers.Flatten()(image)
    if kind == "nested":
        base = keras_alexnet.build("figure_1", include_top=False, input_shape=(32, 32, 3), pooling="avg")
        answer = keras.layers.Dense(2, activation="softmax")(base(image))
    elif kind == "dense":
        answer = keras.layers.Dense(2, activation="softmax")(flat)
    else:
        answer = keras.layers.Softmax()(keras.layers.Dense(2)(keras.layers.Flatten()(keras.layers.Conv2D(2, 3)(image))))
    keras.Model(image, answer).save(tmp_path / "other.keras")
    with pytest.raises(ValueError, match=r"whose last layer is `Dense`.*Received: other\.keras with InputLayer, "):
        Explorer.open(tmp_path / "other.keras")


def test_the_table_has_every_part_and_escapes_names():
    rows = [("whole network", "<b>rose", 0.8, 0.8), ("without tower 1", "daisy", 0.6, 0.25)]
    table = markup.switched_off(rows)
    assert table.count("<tr>") == 3
    assert "<b>" not in table
    assert "25&nbsp;%" in table


def test_neighbors_are_found_once_they_are_read(small_run):
    explorer = Explorer.open(small_run.folder)
    inside = explorer.inside(PICTURE)
    assert "instead of a network file" in explorer.neighbors(PICTURE, inside, explorer.answer(PICTURE))
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        explorer.read_training_pictures(pool)
    figure = explorer.neighbors(PICTURE, inside, explorer.answer(PICTURE))
    assert "6 neighbors of each" in figure.get_label()


def test_the_nearest_pictures_are_those_of_the_features_and_have_the_answer_beside_them(small_run, monkeypatch):
    explorer, shown, asked = Explorer.open(small_run.folder), [], []
    monkeypatch.setattr(explorer_module.panels, "neighbors", lambda *given: shown.append(given))
    inside = explorer.inside(PICTURE)
    nearest = types.SimpleNamespace(nearest=lambda features: asked.append(features) or ([PICTURE], [1]))
    explorer._reading = types.SimpleNamespace(done=lambda: True, result=lambda: nearest)
    explorer.neighbors(PICTURE, inside, explorer.answer(PICTURE))
    ((_, _, (answer,), _, _),) = shown
    assert answer == explorer.probabilities(explorer.averaged_crops(PICTURE)).mean(axis=0).argmax()
    np.testing.assert_array_equal(asked[0], inside[explorer._descriptor].reshape(-1))


def test_the_outputs_inside_are_those_of_the_preprocessed_crop(explorer):
    model, crop = explorer.classifier.model, explorer.central_crop(PICTURE)
    prepared = explorer._prepare(crop[None])
    expected = keras.Model(model.input, model.get_layer(explorer._first_layer).output)(prepared)
    np.testing.assert_allclose(explorer.inside(PICTURE)[explorer._first_layer], expected[0], rtol=1e-4, atol=1e-4)


def test_the_class_maps_are_those_of_the_most_probable_classes(explorer, monkeypatch):
    shown = []
    monkeypatch.setattr(explorer_module.panels, "class_maps", lambda crops, maps, names: shown.append(names))
    explorer.class_maps(PICTURE, explorer.answer(PICTURE))
    mean = explorer.probabilities(explorer.averaged_crops(PICTURE)).mean(axis=0)
    assert shown[0] == list(explorer.best(mean))[: len(shown[0])]


def test_a_run_whose_pictures_are_gone_says_so(small_run):
    made_with = small_run.read_json("recipe.json")
    made_with["options"]["dataset"] = "/nowhere/at/all"
    small_run.write_json("recipe.json", made_with)
    explorer = Explorer.open(small_run.folder)
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        explorer.read_training_pictures(pool)
    assert explorer.neighbors(PICTURE, explorer.inside(PICTURE), explorer.answer(PICTURE)).startswith(
        "The training pictures cannot be searched."
    )


def without_tower(model, tower):
    """Return a copy of the network in which the kernels and biases of a tower are zero; None for no tower."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    for layer in (each for each in copy.layers[:-1] if each.weights and tower is not None):
        halves = [np.split(array, 2, -1) for array in layer.get_weights()]
        layer.set_weights([np.concatenate([half * (n != tower) for n, half in enumerate(two)], -1) for two in halves])
    return copy


def test_each_tower_is_switched_off_under_its_own_number():
    net = dataclasses.replace(ARCHITECTURES["paper"], hidden=(8, 6), norm=None)
    model, random = keras_alexnet.build(net, input_shape=(67, 67, 3), classes=3), np.random.default_rng(1)
    for layer in (each for each in model.layers if each.weights):
        kernel, bias = layer.get_weights()
        std = math.sqrt(2 / np.prod(kernel.shape[:-1])) / (60 if layer.name == "conv1" else 1)
        layer.set_weights([random.normal(0, std, kernel.shape), bias * 0])
    crop = PICTURE[None, 4:71, 4:71].astype(np.float32) - 128

    def shares():
        return [keras.ops.convert_to_numpy(without_tower(model, tower)(crop))[0] for tower in (None, 0, 1)]

    whole, first, _ = shares()
    model.layers[-1].bias.assign(-np.log(whole * first) / 2)  # so that they have different answers
    whole, first, second = shares()
    assert whole.argmax() != first.argmax()

    statistics = Statistics(np.full((76, 76, 3), 128, np.float32), np.ones(3, np.float32), np.eye(3, dtype=np.float32))
    classifier = Classifier(model, SPECIES, Recipe(crop_size=67, resize_size=76), statistics)
    rows = Explorer("paper", classifier).without_parts(PICTURE)
    assert [words for words, *_ in rows] == ["whole network", "without tower 1", "without tower 2"]
    for (_, name, *numbers), expected in zip(rows, (whole, first, second), strict=True):
        assert name == SPECIES[expected.argmax()]
        assert numbers == pytest.approx([expected.max(), expected[whole.argmax()]], abs=1e-5)
