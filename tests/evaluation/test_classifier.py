import dataclasses
import io
import json
import pathlib
import shutil
import zipfile

import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_alexnet.evaluation import classifier, predict_in_numpy
from keras_alexnet.models.alexnet import build
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.models.network_in_numpy import NumpyNetwork
from keras_alexnet.recipes import Recipe
from keras_alexnet.runs import Run
from keras_alexnet.weights import origin


def test_a_run_without_a_network_is_refused(small_run):
    small_run.best.unlink()
    with pytest.raises(ValueError, match=r"with best\.keras.* Received: .*small-1$"):
        classifier.Classifier.from_run(small_run)


def test_the_network_must_have_as_many_outputs_as_there_are_class_names(small_run):
    small_run.write_classes(["rose"])
    with pytest.raises(ValueError, match=r"names, 1\. Received: .*best\.keras with 3"):
        classifier.Classifier.from_run(small_run)


@pytest.mark.parametrize("load", [classifier.load_model, predict_in_numpy._open])
def test_a_copy_of_a_runs_network_keeps_its_classes_and_preprocessing(load, small_run, tmp_path):
    copy = tmp_path / "elsewhere" / "flowers.keras"
    copy.parent.mkdir()
    copy.write_bytes(small_run.best.read_bytes())
    found = classifier.Classifier.open(copy, load)
    assert found.class_names == small_run.read_classes()
    assert found.recipe == small_run.read_recipe()
    assert (found.statistics.mean_image == 128).all()
    assert origin.trace(copy).resize_size == small_run.read_recipe().resize_size


def test_a_copy_in_the_folder_of_another_run_keeps_its_own_classes(small_run, tmp_path):
    other = Run(shutil.copytree(small_run.folder, tmp_path / "other"))
    other.write_classes(["a", "b", "c"])
    copy = shutil.copy(small_run.best, other.folder / "from_elsewhere.keras")
    assert classifier.Classifier.open(copy).class_names == small_run.read_classes()


@pytest.mark.parametrize("copied", [True, False])
def test_weights_of_a_run_keep_its_classes_and_mean(copied, small_run, tmp_path):
    """With `predict.py --weights`, which otherwise means ImageNet's classes."""
    weights = shutil.copy(small_run.best, tmp_path / "copy.keras") if copied else small_run.folder
    with pytest.raises(ValueError, match=r"keeps its network, paper\. Received: caffe"):
        classifier.Classifier.from_weights(weights, "caffe")
    found = classifier.Classifier.from_weights(weights)
    assert found.class_names == small_run.read_classes()
    assert (found.statistics.mean_image == 128).all()


def test_a_runs_network_contains_no_paths(small_run):
    with zipfile.ZipFile(small_run.best) as archive:
        settings = json.loads(archive.read("run/recipe.json"))
    assert settings.keys() == {"recipe"}


@pytest.mark.parametrize("inside", [True, False])
def test_a_network_that_subtracts_the_mean_is_found_inside_another(inside, tmp_path):
    """As usual for transfer learning in Keras."""
    base = build("figure_1", include_top=False, input_shape=(32, 32, 3), pooling="avg", include_preprocessing=inside)
    image = keras.Input((32, 32, 3))
    keras.Model(image, keras.layers.Dense(2, activation="softmax")(base(image))).save(tmp_path / "mine.keras")
    found = classifier.Classifier.open(tmp_path / "mine.keras")
    assert found.recipe.mean == ("network" if inside else "architecture")
    assert (classifier.preprocessing_layer(found.model) is not None) == inside


def test_a_file_inside_a_run_must_belong_to_it(small_run):
    small_run.write_classes(["rose"])
    with pytest.raises(ValueError, match=r"names, 1\. Received: .*best\.keras with 3"):
        classifier.Classifier.open(small_run.best)


def test_a_run_whose_class_names_are_a_link_out_of_it_is_refused(small_run, tmp_path):
    names = small_run.folder / "classes.txt"
    names.rename(tmp_path / "secret.txt")
    names.symlink_to(tmp_path / "secret.txt")
    with pytest.raises(ValueError, match=r"must not contain links that lead out of it\. Received: .*classes\.txt"):
        classifier.Classifier.open(small_run.best)


def test_code_in_a_file_is_not_run(tmp_path):
    image = keras.Input((4,))
    keras.Model(image, keras.layers.Lambda(lambda x: x + 1)(image)).save(tmp_path / "stranger.keras")
    with pytest.raises(ValueError, match=r"without custom code\. Received: .*stranger\.keras: .*[Ll]ambda"):
        classifier.load_model(tmp_path / "stranger.keras")


@pytest.mark.filterwarnings("ignore:You are saving a model that has not yet been built")
def test_networks_without_one_row_of_classes_are_refused(tmp_path):
    image = keras.Input((67, 67, 3))
    row = keras.layers.Dense(3)(keras.layers.GlobalAveragePooling2D()(image))
    networks = {
        "named": keras.Model(image, {"classes": row}),
        "two": keras.Model(image, [row, row]),
        "unbuilt": keras.Sequential([keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3)]),
    }
    for name, network in networks.items():
        network.save(tmp_path / f"{name}.keras")
        with pytest.raises(ValueError, match=rf"^Expected a network (that maps|with an input).*{name}\.keras"):
            classifier.Classifier.open(tmp_path / f"{name}.keras")


def altered(path, name, change):
    """Save a small network and change one member of its archive."""
    image = keras.Input((4,))
    keras.Model(image, keras.layers.Dense(2, name="own")(image)).save(path)
    with zipfile.ZipFile(path) as archive:
        members = {member: archive.read(member) for member in archive.namelist()}
    members[name] = change(members[name])
    with zipfile.ZipFile(path, "w") as archive:
        for member, content in members.items():
            archive.writestr(member, content)


def test_a_layer_that_opens_a_savedmodel_is_refused(tmp_path):
    def change(content):
        config = json.loads(content)
        config["config"]["layers"][1] |= {"class_name": "TFSMLayer", "config": {"filepath": str(tmp_path / "evil")}}
        return json.dumps(config)

    altered(tmp_path / "stranger.keras", "config.json", change)
    with pytest.raises(ValueError, match=r"custom code\. Received: .*stranger\.keras: .*(unsafe|safe_mode)"):
        classifier.load_model(tmp_path / "stranger.keras")


@pytest.mark.parametrize("kind", ["external data", "link"])
def test_weights_in_another_file_are_not_read(tmp_path, kind):
    (tmp_path / "secret").write_bytes(bytes(32))
    with h5py.File(tmp_path / "secret.h5", "w") as root:
        root["kernel"] = np.zeros((4, 2), np.float32)

    def change(content):
        held = io.BytesIO(content)
        with h5py.File(held, "r+") as root:
            place = "layers/dense/vars/0"
            del root[place]
            if kind == "link":
                root[place] = h5py.ExternalLink(tmp_path / "secret.h5", "kernel")
            else:
                root.create_dataset(place, (4, 2), np.float32, external=[(tmp_path / "secret", 0, 32)])
        return held.getvalue()

    altered(tmp_path / "stranger.keras", "model.weights.h5", change)
    with pytest.raises(ValueError, match=r"Received: .*stranger\.keras"):
        classifier.load_model(tmp_path / "stranger.keras")


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut"])
def test_a_file_that_is_not_a_network_is_refused(tmp_path, content):
    (tmp_path / "broken.keras").write_bytes(content)
    with pytest.raises(ValueError, match=r"Expected a \.keras file.*Received: .*broken\.keras"):
        classifier.load_model(tmp_path / "broken.keras")


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(ValueError, match="which does not exist"):
        classifier.load_model(tmp_path / "none.keras")


@pytest.mark.slow
def test_published_weights_get_their_publishers_preprocessing(tmp_path, monkeypatch):
    small = dataclasses.replace(ARCHITECTURES["one_weird_trick"], hidden=(8, 8))
    monkeypatch.setitem(ARCHITECTURES, "one_weird_trick", small)
    build("one_weird_trick").save(tmp_path / "published.keras")
    classes = [(f"n{n}", f"animal {n}") for n in range(1000)]
    monkeypatch.setattr("keras_alexnet.weights.imagenet_classes.imagenet_classes", lambda: classes)
    published = classifier.Classifier.from_weights(tmp_path / "published.keras")
    assert published.class_names[:2] == ("animal 0", "animal 1")
    white = tf.data.Dataset.from_tensors((np.full((256, 256, 3), 255, np.uint8), 0))
    ((views, _),) = published.batches(white).as_numpy_iterator()
    assert views.shape == (1, 224, 224, 3)
    np.testing.assert_allclose(views[0, 0, 0], (1 - np.array([0.485, 0.456, 0.406])) / [0.229, 0.224, 0.225], rtol=1e-4)


ENDS = {  # and whether they output logits
    "a softmax in the last layer": (lambda x: keras.layers.Dense(3, "softmax")(x), False),
    "a softmax layer": (lambda x: keras.layers.Softmax()(keras.layers.Dense(3)(x)), False),
    "an operation": (lambda x: keras.ops.softmax(keras.layers.Dense(3)(x)), False),
    "an activation function": (lambda x: keras.activations.softmax(keras.layers.Dense(3)(x)), False),
    "a cast": (
        lambda x: keras.layers.Activation("linear", dtype="float32")(keras.layers.Dense(3, "softmax")(x)),
        False,
    ),
    "sigmoids": (lambda x: keras.layers.Dense(3, "sigmoid")(x), False),
    "a nested network": (lambda x: keras.Sequential([keras.Input((12,)), keras.layers.Dense(3, "softmax")])(x), False),
    "a reshaped softmax": (lambda x: keras.layers.Reshape((3,))(keras.layers.Dense(3, "softmax")(x)), False),
    "a linear layer": (lambda x: keras.layers.Dense(3)(x), True),
    "a nested network of logits": (lambda x: keras.Sequential([keras.Input((12,)), keras.layers.Dense(3)])(x), True),
    "dropout after logits": (lambda x: keras.layers.Dropout(0.5)(keras.layers.Dense(3)(x)), True),
    "averaged maps": (
        lambda x: keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(3, 1)(keras.layers.Reshape((2, 2, 3))(x))),
        True,
    ),
}


@pytest.mark.parametrize("end", ENDS)
def test_the_output_is_logits_or_probabilities(end):
    make, expected = ENDS[end]
    image = keras.Input((2, 2, 3))
    model = keras.Model(image, make(keras.layers.Flatten()(image)))
    assert classifier.outputs_logits(model) is expected


def test_an_unknown_preprocessing_is_told(tmp_path, capsys):
    unknown = keras.Sequential(
        [keras.Input((32, 32, 3)), keras.layers.Flatten(), keras.layers.Dense(3)], name="flowers\x1b[2J"
    )
    for network, is_told in ((build("figure_1", classes=3), False), (unknown, True)):
        network.save(tmp_path / "network.keras")
        for _ in range(2):  # as if NumPy could not read it
            classifier.Classifier.open(tmp_path / "network.keras")
        said = capsys.readouterr().err
        assert said.count("preprocessed as for `paper`") == is_told
        assert said.count(r"a network called flowers\x1b[2J") == is_told  # escaped


@pytest.mark.parametrize("is_nested", [False, True])
def test_a_network_with_a_new_name_and_head_is_recognized(is_nested, tmp_path, capsys):
    base = build("one_weird_trick", include_top=False, input_shape=(67, 67, 3), pooling="avg", name="body")
    image = keras.Input((67, 67, 3))
    inputs, features = (image, base(image)) if is_nested else (base.input, base.output)
    keras.Model(inputs, keras.layers.Dense(3, "softmax")(features), name="birds").save(tmp_path / "birds.keras")
    opened = classifier.Classifier.open(tmp_path / "birds.keras")
    assert opened.recipe.architecture == "one_weird_trick"
    assert not capsys.readouterr().err


def test_a_renamed_network_is_recognized_without_keras(tmp_path):
    build("figure_1", classes=3, name="mine").save(tmp_path / "mine.keras")
    opened = predict_in_numpy.load(tmp_path / "mine.keras")
    assert isinstance(opened.model, NumpyNetwork)
    assert opened.recipe.architecture == "figure_1"


@pytest.mark.parametrize("run", ["runs/a", pathlib.Path("runs/a"), None])
def test_from_run_needs_a_run(run):
    with pytest.raises(TypeError, match=r"`run` must be a Run, .* or use Classifier\.open for a path\. Received: run="):
        classifier.Classifier.from_run(run)


@pytest.mark.parametrize("path", [None, 3, keras.Sequential(name="small")])
@pytest.mark.parametrize("load", [classifier.Classifier.open, classifier.Classifier.from_weights])
def test_a_classifier_is_opened_from_a_path(load, path):
    with pytest.raises(TypeError, match=r"`(path|weights)` must be a path, .*Received: \w+=(None|3|<Sequential)"):
        load(path)


def test_a_classifier_has_a_recipe_and_a_list_of_names():
    with pytest.raises(TypeError, match=r"`recipe` must be a Recipe, .*Received: recipe='flowers'"):
        classifier.Classifier(keras.Sequential(), ("a", "b"), "flowers")
    with pytest.raises(TypeError, match=r"`class_names` must be a tuple of names\. Received: class_names='ab'"):
        classifier.Classifier(keras.Sequential(), "ab", Recipe())


def test_a_classifier_has_one_name_per_output():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    assert classifier.Classifier(model, ("a", "b"), Recipe()).class_names == ("a", "b")
    with pytest.raises(ValueError, match=r"one name per output of the network, 2\. Received: 3 names"):
        classifier.Classifier(model, ("a", "b", "c"), Recipe())
    for other in ("a.keras", keras.Sequential([keras.layers.Dense(2)])):
        with pytest.raises(TypeError, match=r"`model` must be a network with known inputs and one output\. Received"):
            classifier.Classifier(other, ("a", "b"), Recipe())
