"""Exported files give the outputs of the Keras network in their own runtimes."""

import dataclasses
import functools
import json
import types
from unittest import mock

import keras
import numpy as np
import pytest
from small_networks import ZEROS

from keras_alexnet.data.statistics import Statistics
from keras_alexnet.evaluation.classifier import Classifier
from keras_alexnet.export import exporting, formats, onnx, serving
from keras_alexnet.export.accuracy import Accuracy
from keras_alexnet.export.onnx import convert
from keras_alexnet.models.alexnet import build
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.models.layers import PaperDropout
from keras_alexnet.recipes import Recipe

SIZE, NAMES = 99, ("rose", "tulip", "daisy")  # not in alphabetical order


@functools.lru_cache(maxsize=2)  # most tests want the same one; those that change a network make one of their own
def classifier(architecture="paper", mean="color", gain=0.02, size=SIZE, dropout_form="inverted", **options):
    """A network whose outputs differ between pictures, as in a trained one."""
    row = dataclasses.replace(ARCHITECTURES[architecture], hidden=(24, 16), dropout_form=dropout_form)
    model = build(row, input_shape=(size, size, 3), classes=len(NAMES), initial_weights=ZEROS, **options)
    for layer in (each for each in model.layers if each.weights):
        kernel, *bias = layer.get_weights()
        random = np.random.default_rng(len(layer.name)).normal(0, (2 / np.prod(kernel.shape[:-1])) ** 0.5, kernel.shape)
        layer.set_weights(
            [
                random.astype(np.float32) * (gain if layer.name in ("conv1", "conv2_low") else 1),
                *(each * 0 for each in bias),
            ]
        )
    image = np.random.default_rng(1).uniform(90, 150, (size + 13, size + 13, 3)).astype(np.float32)
    statistics = Statistics(image, np.ones(3, np.float32), np.eye(3, dtype=np.float32))
    recipe = Recipe(architecture=architecture, crop_size=size, resize_size=size + 13, mean=mean)
    return Classifier(model, NAMES, recipe, statistics)


def answers_of_keras(each, images):
    """Probabilities of the network with explicit preprocessing."""
    size, image, row = images.shape[1], each.statistics.mean_image, ARCHITECTURES[each.recipe.architecture]
    first = (len(image) - size) // 2
    mean, deviation = {
        "color": (image.mean((0, 1)), 1.0),
        "image": (image[first : first + size, first : first + size], 1.0),
        "architecture": (np.float32(row.mean), np.float32(row.std)),
        "network": (np.float32(0), np.float32(1)),
    }[each.recipe.mean]
    answers = keras.ops.convert_to_numpy(each.model((images.astype(np.float32) - mean) / deviation))
    if answers.min() < 0 or not np.allclose(answers.sum(1), 1, atol=1e-3):  # logits
        answers = np.exp(answers - answers.max(1, keepdims=True))
    return answers / answers.sum(1, keepdims=True)


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(3).integers(0, 256, (5, SIZE, SIZE, 3), np.uint8)


def assert_answers(each, images, answers):
    expected = answers_of_keras(each, images)
    assert np.ptp(expected, axis=0).max() > 0.01
    np.testing.assert_allclose(answers, expected, atol=1e-5)


# Each format, by its own runtime


@pytest.mark.slow
def test_savedmodel(tmp_path, images):
    tf = pytest.importorskip("tensorflow")
    each = classifier()
    result = exporting.export(each, tmp_path / "flowers", "savedmodel")
    assert result.difference < 1e-5
    signatures = tf.saved_model.load(tmp_path / "flowers").signatures
    for name in ("serving_default", "compiled"):
        assert_answers(each, images, signatures[name](image=tf.constant(images))["probabilities"].numpy())
    compiled = {name: list(compiled_functions(tmp_path / "flowers", name)) for name in signatures}
    assert compiled["serving_default"] == []  # TensorFlow Serving refuses such functions on the CPU
    assert len(compiled["compiled"]) == 2  # norm1 and norm2

    variables = sum(path.stat().st_size for path in (tmp_path / "flowers" / "variables").iterdir())
    assert 4 * each.model.count_params() < variables < 4.1 * each.model.count_params()  # each weight once


def compiled_functions(folder, signature):
    """Names of all functions that a signature calls directly or indirectly and that XLA must compile."""
    loader = pytest.importorskip("tensorflow.python.saved_model.loader_impl")
    graph = loader.parse_saved_model(str(folder)).meta_graphs[0]
    library = {function.signature.name: function for function in graph.graph_def.library.function}
    output = graph.signature_def[signature].outputs["probabilities"].name.split(":")[0]
    nodes, seen = [node for node in graph.graph_def.node if node.name == output], set()
    while nodes:
        called = {attribute.func.name for attribute in nodes.pop().attr.values() if attribute.HasField("func")}
        for name in called - seen:
            seen.add(name)
            nodes += library[name].node_def
            if library[name].attr["_XlaMustCompile"].b:
                yield name


def test_onnx(tmp_path, images):
    onnxruntime = pytest.importorskip("onnxruntime")
    each = classifier(mean="image")
    result = exporting.export(each, tmp_path / "flowers.onnx", "onnx")
    assert result.difference < 1e-5
    session = onnxruntime.InferenceSession(tmp_path / "flowers.onnx", providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == ["batch", SIZE, SIZE, 3]
    assert_answers(each, images, session.run(["probabilities"], {"image": images})[0])


@pytest.mark.slow
def test_tflite(tmp_path, images):
    tf = pytest.importorskip("tensorflow")
    each = classifier(classifier_activation=None)
    result = exporting.export(each, tmp_path / "flowers.tflite", "tflite")
    assert result.difference < 1e-5
    with pytest.warns(UserWarning, match="tf.lite.Interpreter is deprecated"):
        runner = tf.lite.Interpreter(str(tmp_path / "flowers.tflite")).get_signature_runner()
    assert_answers(each, images, runner(image=images)["probabilities"])


@pytest.mark.slow
def test_the_description_is_enough_to_prepare_pictures(tmp_path):
    """The JSON file is enough to prepare pictures: everything outside the network, and nothing twice."""
    onnxruntime = pytest.importorskip("onnxruntime")
    each = classifier("one_weird_trick", "architecture", gain=0.2, size=224)
    result = exporting.export(each, tmp_path / "flowers.onnx", "onnx")
    said = json.loads((tmp_path / "flowers.onnx.json").read_text())

    assert said["preparation"].startswith("Turn the picture as its EXIF orientation says, and put white behind ")
    assert "Resize the shorter side to 237 pixels (bilinear, " in said["preparation"]
    assert said["preparation"].endswith("crop the central 224 x 224, and pass pixel values 0 to 255")
    assert said["classes"] == list(NAMES)
    assert said["input"] == {"name": "image", "type": "uint8", "shape": [None, 224, 224, 3], "colors": "RGB"}
    assert said["output"] == {"name": "probabilities", "type": "float32", "shape": [None, 3]}
    assert {"mean", "std", "deviation"}.isdisjoint(said)
    inside = said["preprocessing_in_network"]
    assert "Do not subtract the mean or divide the input" in inside["note"]
    np.testing.assert_allclose(inside["mean"], [123.675, 116.28, 103.53], atol=1e-3)
    np.testing.assert_allclose(inside["std"], [58.395, 57.12, 57.375], atol=1e-3)

    images = np.random.default_rng(3).integers(0, 256, (2, 224, 224, 3), said["input"]["type"])
    session = onnxruntime.InferenceSession(tmp_path / "flowers.onnx", providers=["CPUExecutionProvider"])
    (probabilities,) = session.run([said["output"]["name"]], {said["input"]["name"]: images})
    assert_answers(each, images, probabilities)
    names = [said["classes"][best] for best in probabilities.argmax(1)]
    assert names == [NAMES[best] for best in answers_of_keras(each, images).argmax(1)]
    assert said["largest_difference"] == result.difference
    assert result.images_per_second > 0


# What counts as the same answers


def softmax(logits):
    powers = np.exp(logits - logits.max(1, keepdims=True))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("spread", [0.01, 1, 10, 100])
@pytest.mark.parametrize("classes", [2, 102, 1000])
def test_rounding_of_logits_is_within_the_tolerance(spread, classes):
    """Errors of a millionth of the largest logit, as in float32."""
    random = np.random.default_rng(0)
    logits = random.normal(0, spread, (8, classes))
    rounding = 1e-6 * np.abs(logits).max() * random.uniform(-1, 1, logits.shape)
    assert exporting.log_error(softmax(logits + rounding), softmax(logits)) < exporting.TOLERANCE


@pytest.mark.parametrize("spread", [0.01, 1, 10, 100])
@pytest.mark.parametrize("classes", [2, 102, 1000])
def test_a_wrong_logit_is_beyond_the_tolerance(spread, classes):
    """Errors of 0.4 % of the largest logit, as from a wrong mean or padding."""
    logits = np.random.default_rng(0).normal(0, spread, (8, classes))
    wrong = logits.copy()
    wrong[np.arange(8), logits.argmax(1)] -= 4e-3 * max(1, np.abs(logits).max())
    assert exporting.log_error(softmax(wrong), softmax(logits)) > exporting.TOLERANCE


def test_two_swapped_classes_are_beyond_the_tolerance():
    probabilities = softmax(np.random.default_rng(0).normal(0, 0.01, (8, 1000)))
    assert exporting.log_error(probabilities[:, ::-1], probabilities) > 10 * exporting.TOLERANCE


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_network_with_logits_in_the_hundreds(tmp_path, format):
    pytest.importorskip({"onnx": "onnxruntime", "tflite": "tensorflow"}[format])
    each = classifier("one_weird_trick", gain=0.3, size=224, classifier_activation=None)
    pictures = exporting.pictures(224).astype(np.float32) - each.statistics.mean_image.mean((0, 1))
    assert np.abs(keras.ops.convert_to_numpy(each.model(pictures))).max() > 100
    assert exporting.export(each, tmp_path / "flowers", format).path.exists()


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "savedmodel", "tflite"])
def test_preprocessing_inside_the_network_is_exported_once(tmp_path, images, format):
    pytest.importorskip("onnxruntime" if format == "onnx" else "tensorflow")
    each = classifier("caffe", "network", include_preprocessing=True)
    result = exporting.export(each, tmp_path / "flowers", format)
    assert result.difference < 1e-5
    said = json.loads((tmp_path / "flowers.json").read_text())
    assert said["preprocessing_in_network"]["mean"] == [122.679, 116.669, 104.007]
    bare = classifier("caffe", "architecture")  # with the same weights: they follow from the names of the layers
    for answer in formats.find(format).load(tmp_path / "flowers"):
        assert_answers(bare, images, answer(images))


def test_the_description_has_the_mean_that_the_network_subtracts():
    """Also if the network has another name than its architecture."""
    each = classifier("one_weird_trick", "network", include_preprocessing=True, name="mine", size=67)
    settings, result = mock.Mock(precision="float32"), mock.Mock(difference=0.0, accuracy=None)
    inside = exporting._description(each, result, settings)["preprocessing_in_network"]
    np.testing.assert_allclose(inside["mean"], [123.675, 116.28, 103.53], atol=1e-3)
    np.testing.assert_allclose(inside["std"], [58.395, 57.12, 57.375], atol=1e-3)


@pytest.mark.parametrize("name", ["preprocessing", "rescaling"])
def test_networks_of_others_that_divide_by_255(name, tmp_path, images):
    layers = [keras.layers.Rescaling(1 / 255, name=name), keras.layers.Conv2D(4, 11, 9, activation="relu")]
    layers += [keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax", name="classes")]
    model = keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers])
    model.save(tmp_path / "tutorial.keras")
    each = Classifier.open(tmp_path / "tutorial.keras")
    assert each.recipe.mean == "network"
    exporting.export(each, tmp_path / "tutorial", "savedmodel")
    said = json.loads((tmp_path / "tutorial.json").read_text())["preprocessing_in_network"]
    assert (said["mean"], said["std"]) == ([0, 0, 0], [255, 255, 255])
    (answer, *_) = formats.find("savedmodel").load(tmp_path / "tutorial")
    expected = keras.ops.convert_to_numpy(model(images.astype(np.float32)))
    np.testing.assert_allclose(answer(images), expected, atol=1e-5)


def test_a_normalization_with_the_name_of_our_layer_is_not_ours(tmp_path):
    keras.utils.set_random_seed(0)
    layers = [keras.layers.Normalization(mean=[1.0] * 3, variance=[4.0] * 3, name="preprocessing")]
    layers += [keras.layers.GlobalAveragePooling2D(), keras.layers.Dense(3, activation="softmax")]
    keras.Sequential([keras.Input((SIZE, SIZE, 3)), *layers]).save(tmp_path / "other.keras")
    each = Classifier.open(tmp_path / "other.keras")
    assert each.recipe.mean == "architecture"
    exporting.export(each, tmp_path / "other", "savedmodel")
    said = json.loads((tmp_path / "other.json").read_text())["preprocessing_in_network"]
    assert said["mean"] == [123.68, 116.779, 103.939]


def small_network_of_somebody(tmp_path, end, **names):
    """A network with names of other layers, that Keras saved."""
    image = keras.Input((67, 67, 3))
    x = keras.layers.Conv2D(4, 11, 9, name=names.get("first", "first"))(image)
    x = end(keras.layers.Flatten()(x))
    keras.Model(image, x).save(tmp_path / "somebody.keras")
    return Classifier.open(tmp_path / "somebody.keras")


@pytest.mark.parametrize("format", ["savedmodel", "onnx"])
@pytest.mark.parametrize(("first", "last"), [("first", "probabilities"), ("probabilities", "softmax")])
def test_layers_may_have_the_names_of_the_export(format, first, last, tmp_path):
    each = small_network_of_somebody(tmp_path, keras.layers.Dense(3, name=last), first=first)
    assert exporting.export(each, tmp_path / "network", format).difference < 1e-5


def test_operations_that_are_no_layers_are_exported_or_refused(tmp_path):
    def end(x):
        return keras.ops.softmax(keras.layers.Dense(3)(keras.ops.relu(x)))

    each = small_network_of_somebody(tmp_path, end)
    assert exporting.export(each, tmp_path / "network", "savedmodel").difference < 1e-5
    with pytest.raises(ValueError, match="does not support this layer"):
        exporting.export(each, tmp_path / "network.onnx", "onnx")


def test_a_nested_network_in_half_precision_is_exported_as_float32():
    half = {"dtype": "mixed_bfloat16"}
    image = keras.Input((8, 8, 3))
    inner = keras.Sequential([keras.Input((8, 8, 3)), keras.layers.Conv2D(2, 3, **half), keras.layers.Flatten(**half)])
    network = serving.in_float32(keras.Model(image, keras.layers.Dense(2, **half)(inner(image))))
    assert {layer.compute_dtype for layer in network._flatten_layers() if layer.weights} == {"float32"}


# ONNX of every network


def is_chain(row):
    return not any(convolution.low_resolution for convolution in row.convolutions.values())


AVERAGED = [("one_weird_trick", size) for size in (67, 160, 224, 260)]  # 1, 4, 6 (as it is) and 7 places to 6


CASES = [*((name, SIZE) for name, row in ARCHITECTURES.items() if row.size > 32 and is_chain(row)), *AVERAGED]
QUICK = [("paper", SIZE), ("one_weird_trick", 67)]


@pytest.mark.parametrize(
    ("name", "size"), [*QUICK, *(pytest.param(*case, marks=pytest.mark.slow) for case in CASES if case not in QUICK)]
)
def test_every_architecture_in_onnx(name, size):
    onnxruntime = pytest.importorskip("onnxruntime")
    # The logits of larger pictures and of towers that meet only in fc8 spread wider, and float noise with them.
    gain = 0.005 if size > 224 or name.endswith("no_communication") else 0.02
    each = classifier(name, gain=gain, size=size)
    images = np.random.default_rng(4).integers(0, 256, (2, size, size, 3), np.uint8)
    network = convert(serving.serving_model(each))
    session = onnxruntime.InferenceSession(network.SerializeToString(), providers=["CPUExecutionProvider"])
    assert_answers(each, images, session.run(None, {"image": images})[0])


@pytest.mark.slow
def test_a_network_with_a_second_path_is_exported_as_savedmodel_and_refused_as_onnx(tmp_path, images):
    each = classifier("source_low_resolution")
    exporting.export(each, tmp_path / "alexnet", "savedmodel")
    (answer, *_) = formats.find("savedmodel").load(tmp_path / "alexnet")
    assert_answers(each, images, answer(images))
    with pytest.raises(
        ValueError, match="does not support this layer: export the network as a SavedModel or for LiteRT"
    ):
        convert(serving.serving_model(each))


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "savedmodel"])
def test_the_dropout_of_the_paper_is_part_of_an_export(tmp_path, images, format):
    """At test time it scales down the input of the next layer."""
    pytest.importorskip("onnxruntime")
    each = classifier("source", dropout_form="paper")
    path = exporting.export(each, tmp_path / "alexnet", format).path
    (answer, *_) = formats.find(format).load(path)
    assert_answers(each, images, answer(images))
    usual = classifier("source")
    assert np.abs(answers_of_keras(usual, images) - answers_of_keras(each, images)).max() > 1e-3


def test_figure_1_in_onnx():
    onnxruntime = pytest.importorskip("onnxruntime")
    row = dataclasses.replace(ARCHITECTURES["figure_1_tanh"])
    model = build(row, classes=len(NAMES))
    each = dataclasses.replace(classifier(), model=model, recipe=Recipe(crop_size=32, resize_size=32))
    images = np.random.default_rng(4).integers(0, 256, (2, 32, 32, 3), np.uint8)
    session = onnxruntime.InferenceSession(convert(serving.serving_model(each)).SerializeToString())
    np.testing.assert_allclose(session.run(None, {"image": images})[0], answers_of_keras(each, images), atol=1e-5)


@pytest.mark.slow
def test_sigmoids_stay_sigmoids(images):
    onnxruntime = pytest.importorskip("onnxruntime")
    each = classifier(classifier_activation="sigmoid")
    session = onnxruntime.InferenceSession(convert(serving.serving_model(each)).SerializeToString())
    mean = each.statistics.mean_image.mean((0, 1))
    expected = keras.ops.convert_to_numpy(each.model(images.astype(np.float32) - mean))
    np.testing.assert_allclose(session.run(None, {"image": images})[0], expected, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["softmax layer", "sequential", "branches"])
def test_networks_of_other_kinds_as_savedmodel(tmp_path, images, kind):
    each = classifier()
    image = each.model.input
    maps = keras.layers.GlobalAveragePooling2D()(each.model.get_layer("pool5").output)
    dense = keras.layers.Dense(3, kernel_initializer="ones")
    model = {
        "softmax layer": lambda: keras.Model(image, keras.layers.Softmax()(dense(maps))),
        "sequential": lambda: keras.Sequential([keras.Model(image, maps), dense, keras.layers.Softmax()]),
        "branches": lambda: keras.Model(image, keras.layers.Softmax()(keras.layers.add([dense(maps), dense(maps)]))),
    }[kind]()
    other = dataclasses.replace(each, model=model)
    exporting.export(other, tmp_path / "alexnet", "savedmodel")
    (answer, *_) = formats.find("savedmodel").load(tmp_path / "alexnet")
    np.testing.assert_allclose(answer(images), answers_of_keras(other, images), atol=1e-5)


@pytest.mark.slow
def test_another_exponent_in_onnx():
    onnxruntime = pytest.importorskip("onnxruntime")
    row = ARCHITECTURES["paper"]
    row = dataclasses.replace(row, hidden=(24, 16), norm=dataclasses.replace(row.norm, alpha=1.0, beta=0.5))
    model = build(row, input_shape=(SIZE, SIZE, 3), classes=3)
    each = dataclasses.replace(classifier(), model=model)
    images = np.random.default_rng(4).integers(0, 256, (2, SIZE, SIZE, 3), np.uint8)
    session = onnxruntime.InferenceSession(convert(serving.serving_model(each)).SerializeToString())
    np.testing.assert_allclose(session.run(None, {"image": images})[0], answers_of_keras(each, images), atol=1e-5)


def test_layers_without_bias_in_onnx():
    onnxruntime = pytest.importorskip("onnxruntime")
    image = keras.Input((9, 9, 3), name="image", dtype="uint8")
    x = keras.layers.Rescaling(1 / 255)(image)
    x = keras.layers.Conv2D(4, 3, use_bias=False, activation="relu")(x)
    x = keras.layers.Dense(5, use_bias=False)(keras.layers.Flatten()(x))
    assert_same_in_onnx(onnxruntime, keras.Model(image, x))


def test_several_rescalings_in_onnx():
    """Of pixels, of maps by channel and by position, and of vectors."""
    onnxruntime = pytest.importorskip("onnxruntime")
    image = keras.Input((7, 9, 3), name="image", dtype="uint8")
    position = np.random.default_rng(0).normal(0, 1, (7, 9, 3)).astype(np.float32)
    x = keras.layers.Rescaling([0.1, 0.2, 0.3], [1.0, 2.0, 3.0])(image)
    x = keras.layers.Rescaling(2.0, position)(x)
    x = keras.layers.Flatten()(keras.layers.Conv2D(4, 3)(x))
    x = keras.layers.Dense(5)(keras.layers.Rescaling(0.5, -1.0)(x))
    x = keras.layers.Rescaling([1.0, 2.0, 3.0, 4.0, 5.0])(keras.layers.Flatten()(x))
    assert_same_in_onnx(onnxruntime, keras.Model(image, x))


def test_network_without_rescaling_in_onnx():
    onnxruntime = pytest.importorskip("onnxruntime")
    image = keras.Input((9, 9, 3), name="image", dtype="uint8")
    assert_same_in_onnx(onnxruntime, keras.Model(image, keras.layers.Flatten()(image)))


def assert_same_in_onnx(onnxruntime, model):
    images = np.random.default_rng(4).integers(0, 256, (2, *model.input_shape[1:]), np.uint8)
    session = onnxruntime.InferenceSession(convert(model).SerializeToString(), providers=["CPUExecutionProvider"])
    (received,) = session.run(None, {"image": images})
    np.testing.assert_allclose(received, keras.ops.convert_to_numpy(model(images)), rtol=1e-4, atol=1e-4)


def test_a_layer_that_onnx_export_does_not_support():
    pytest.importorskip("onnx")
    image = keras.Input((8, 8, 3), name="image", dtype="uint8")
    with pytest.raises(ValueError, match=r"does not support this layer: .*Received: strange, a UpSampling2D"):
        convert(keras.Model(image, keras.layers.UpSampling2D(name="strange")(image)))


def test_an_activation_that_onnx_export_does_not_support():
    pytest.importorskip("onnx")
    image = keras.Input((8, 8, 3), name="image", dtype="uint8")
    with pytest.raises(ValueError, match=r"activations relu, .*\. Received: elu"):
        convert(keras.Model(image, keras.layers.Activation("elu")(image)))


@pytest.mark.slow
def test_half_precision_is_exported_as_float32(images):
    each = classifier()
    half = keras.models.clone_model(
        each.model,
        clone_function=lambda layer: type(layer).from_config(
            layer.get_config() | {"dtype": "float32" if layer.name == "fc8" else "mixed_bfloat16"}
        ),
    )
    half.set_weights(each.model.get_weights())
    served = serving.serving_model(dataclasses.replace(each, model=half))
    assert_answers(each, images, keras.ops.convert_to_numpy(served(images)["probabilities"]))


# Refusals


def test_nothing_is_overwritten(tmp_path):
    (tmp_path / "flowers.onnx").write_text("mine")
    with pytest.raises(ValueError, match=r"choose another name with `path`\. Received: .*flowers\.onnx"):
        exporting.export(classifier(), tmp_path / "flowers.onnx", "onnx")
    assert (tmp_path / "flowers.onnx").read_text() == "mine"


def test_description_is_not_overwritten(tmp_path):
    (tmp_path / "flowers.onnx.json").write_text("mine")
    with pytest.raises(ValueError, match=r"choose another name with `path`\. Received: .*flowers\.onnx\.json"):
        exporting.export(classifier(), tmp_path / "flowers.onnx", "onnx")
    assert [path.name for path in tmp_path.iterdir()] == ["flowers.onnx.json"]
    assert (tmp_path / "flowers.onnx.json").read_text() == "mine"


def test_a_link_to_nowhere_is_not_overwritten(tmp_path):
    (tmp_path / "flowers.onnx").symlink_to(tmp_path / "nowhere")
    with pytest.raises(ValueError, match=r"already exists.*flowers\.onnx"):
        exporting.export(classifier(), tmp_path / "flowers.onnx", "onnx")


def test_unknown_format(tmp_path):
    with pytest.raises(ValueError, match=r"Expected one of savedmodel, onnx, tflite\. Received: 'coreml'"):
        exporting.export(classifier(), tmp_path / "flowers", "coreml")


def test_a_missing_package_is_reported(tmp_path, monkeypatch):
    monkeypatch.setattr(formats.importlib.util, "find_spec", lambda name: None if name == "onnxruntime" else name)
    with pytest.raises(ValueError, match=r"pip install 'keras-alexnet\[export\]'. Received: no onnxruntime"):
        exporting.export(classifier(), tmp_path / "flowers.onnx", "onnx")


def test_tensorflow_formats_need_the_tensorflow_backend(tmp_path, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "jax")
    with pytest.raises(ValueError, match=r"tflite needs KERAS_BACKEND=tensorflow\. Received: jax"):
        formats.find("tflite")


def test_an_export_with_wrong_outputs_leaves_no_files(tmp_path, monkeypatch):
    """As if a ReLU were missing in the file."""
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(exporting, "reference", lambda each: lambda images: answers_of_keras(each, images)[:, ::-1])
    with pytest.raises(ValueError, match=r"Received: onnx with a difference of \d.*; nothing was written"):
        exporting.export(classifier(), tmp_path / "flowers.onnx", "onnx")
    assert list(tmp_path.iterdir()) == []


def test_a_refused_export_leaves_no_folders(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(exporting, "_description", mock.Mock(side_effect=ValueError("no mean")))
    with pytest.raises(ValueError, match="no mean"):
        exporting.export(classifier(), tmp_path / "new" / "folders" / "flowers.onnx", "onnx")
    assert list(tmp_path.iterdir()) == []


def test_nan_is_a_wrong_output(tmp_path):
    pytest.importorskip("onnxruntime")
    each = classifier.__wrapped__()
    layer = each.model.get_layer("fc8")
    layer.set_weights([array * np.nan for array in layer.get_weights()])
    with pytest.raises(ValueError, match=r"must return numbers\. Received: onnx with NaN"):
        exporting.export(each, tmp_path / "flowers.onnx", "onnx")


@pytest.mark.slow
def test_every_signature_is_checked(tmp_path, monkeypatch):
    """As if the second signature of a SavedModel overflowed."""
    wanted = exporting.reference(classifier())(exporting.pictures(SIZE))
    answers = [lambda images: wanted, lambda images: wanted * np.nan]
    broken = types.SimpleNamespace(write=lambda server, path, settings: path.touch(), load=lambda path: answers)
    monkeypatch.setattr(formats, "find", lambda name, settings: broken)
    with pytest.raises(ValueError, match=r"must return numbers\. Received: savedmodel with NaN"):
        exporting.export(classifier(), tmp_path / "flowers", "savedmodel")
    assert list(tmp_path.iterdir()) == []


# Small weights


def rounded(layer, kind):
    """The kernel of a layer as the file holds it, computed one output channel at a time."""
    kernel = layer.get_weights()[0]
    if kind == "float16":
        return kernel.astype(np.float16).astype(np.float32)
    channels = []
    for channel in np.moveaxis(kernel, -1, 0).astype(np.float64):
        step = abs(channel).max() / 127
        channels.append(np.floor(channel / step + 0.5) * step)
    return np.stack(channels, axis=-1)


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "share"), [("float16", 0.51), ("int8", 0.27)])
def test_small_weights_answer_as_the_network_with_rounded_kernels(tmp_path, images, kind, share):
    pytest.importorskip("onnxruntime")
    each = classifier.__wrapped__(mean="network", include_preprocessing=True)
    whole = convert(serving.serving_model(each))
    small = onnx.with_small_weights(whole, kind)
    assert share - 0.03 < small.ByteSize() / whole.ByteSize() < share
    (tmp_path / "small.onnx").write_bytes(small.SerializeToString())
    (answer,) = onnx.load(tmp_path / "small.onnx")
    before = answers_of_keras(each, images)
    for layer in each.model.layers:
        if layer.weights and np.prod(layer.get_weights()[0].shape) >= 1024:
            layer.set_weights([rounded(layer, kind), *layer.get_weights()[1:]])
    expected = answers_of_keras(each, images)
    error = np.abs(answer(images) - expected).max()
    assert error < 0.1 * np.abs(before - expected).max()


def test_small_weights_of_an_unknown_kind_are_refused():
    with pytest.raises(ValueError, match=r"`kind` must be float16 or int8\. Received: 'int4'"):
        onnx.with_small_weights(None, "int4")


@pytest.mark.slow
@pytest.mark.parametrize(("precision", "share"), [("float16", 0.51), ("int8", 0.3)])
@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_exports_with_small_weights(tmp_path, images, format, precision, share):
    """Their pictures get the classes of the network, so that neither makes an error."""
    pytest.importorskip("onnxruntime")
    labels = answers_of_keras(classifier(), images).argmax(1)
    sizes = []
    for settings in (formats.DEFAULTS, formats.Settings(precision)):
        path = tmp_path / settings.precision / "flowers"
        result = exporting.export(classifier(), path, format, settings, [(images, labels)])
        sizes.append(path.stat().st_size)
    assert share - 0.06 < sizes[1] / sizes[0] < share
    assert 1e-6 < result.difference < 0.05
    assert result.accuracy == Accuracy(pictures=5, network=0.0, export=0.0)
    said = json.loads(path.with_name("flowers.json").read_text())
    assert (said["weights"], said["top1_error"]["pictures"]) == (precision, 5)


def test_exports_with_more_errors_are_refused(tmp_path, images, monkeypatch):
    """As if the file always answered with the last class."""
    wanted = answers_of_keras(classifier(), images)
    others = (wanted.argmax(1) + 1) % len(NAMES)
    broken = types.SimpleNamespace(
        write=lambda server, path, settings: path.touch(),
        load=lambda path: [lambda pixels: np.eye(len(NAMES))[np.resize(others, len(pixels))]],
    )
    monkeypatch.setattr(formats, "find", lambda name, settings: broken)
    batches = [(images, wanted.argmax(1))]
    with pytest.raises(ValueError, match=r"int8 weights with 100\.0 % instead of 0\.0 %, on 5 pictures; nothing was"):
        exporting.export(classifier(), tmp_path / "flowers", "onnx", formats.Settings("int8"), batches)
    assert list(tmp_path.iterdir()) == []


def test_small_weights_need_pictures(tmp_path):
    pytest.importorskip("onnxruntime")
    with pytest.raises(ValueError, match=r"int8 weights need pictures to measure the top-1 error\. Received: none"):
        exporting.export(classifier(), tmp_path / "flowers.onnx", "onnx", formats.Settings("int8"))


@pytest.mark.parametrize("settings", [formats.Settings("float16"), formats.Settings(native_normalization=True)])
def test_a_savedmodel_has_no_settings(settings):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("SavedModel needs TensorFlow")
    with pytest.raises(ValueError, match=r"Other precisions .* need onnx or tflite\. Received: savedmodel"):
        formats.find("savedmodel", settings)


def test_unknown_precision():
    with pytest.raises(ValueError, match=r"`precision` must be one of float32, float16, int8\. Received: 'int4'"):
        formats.find("onnx", formats.Settings("int4"))


# The operators of the formats for local response normalization


@pytest.mark.slow
@pytest.mark.parametrize("format", ["onnx", "tflite"])
def test_native_normalization(tmp_path, images, format):
    pytest.importorskip("onnxruntime")
    each = classifier()
    settings = formats.Settings(native_normalization=True)
    path = exporting.export(each, tmp_path / "flowers", format, settings).path
    (answer,) = formats.find(format).load(path)
    assert_answers(each, images, answer(images))
    assert native_operators(path, format) == 2


@pytest.mark.parametrize("architecture", ["source", "no_normalization"])
def test_native_normalization_needs_all_channels(tmp_path, architecture):
    """ONNX and LiteRT have no groups of channels."""
    pytest.importorskip("onnxruntime")
    with pytest.raises(ValueError, match=r"over all channels\. Received: .*, which does not"):
        exporting.export(
            classifier(architecture), tmp_path / "flowers", "onnx", formats.Settings(native_normalization=True)
        )
    assert list(tmp_path.iterdir()) == []


def native_operators(path, format):
    if format == "onnx":
        import onnx as reader

        return [node.op_type for node in reader.load(path).graph.node].count("LRN")
    import tensorflow as tf

    with pytest.warns(UserWarning, match="tf.lite.Interpreter is deprecated"):
        interpreter = tf.lite.Interpreter(str(path))
    names = [each["op_name"] for each in interpreter._get_ops_details()]
    return names.count("LOCAL_RESPONSE_NORMALIZATION")


def test_the_dropout_of_the_paper_in_onnx_keeps_what_is_not_dropped():
    onnxruntime = pytest.importorskip("onnxruntime")
    image = keras.Input((2, 2, 3), dtype="uint8", name="image")
    x = keras.layers.Flatten()(keras.layers.Rescaling(1.0)(image))
    model = keras.Model(image, PaperDropout(0.25, name="drop")(x))
    session = onnxruntime.InferenceSession(convert(model).SerializeToString())
    (answer,) = session.run(None, {"image": np.full((1, 2, 2, 3), 8, np.uint8)})
    assert set(answer.ravel().tolist()) == {6.0}


# Wrong arguments


@pytest.mark.parametrize(
    ("wrong", "received"),
    [
        ({"classifier": keras.Sequential(name="small")}, "`classifier` must be a Classifier, .*=<Sequential"),
        ({"classifier": "runs/a"}, "`classifier` must be a Classifier, .*='runs/a'"),
        ({"path": None}, "`path` must be a path, .*=None"),
        ({"settings": {"precision": "int8"}}, "`settings` must be a Settings, .*={'precision': 'int8'}"),
    ],
)
def test_wrong_objects_are_refused(tmp_path, wrong, received):
    arguments = {"classifier": classifier(), "path": tmp_path / "flowers.onnx", "format": "onnx"} | wrong
    with pytest.raises(TypeError, match=received):
        exporting.export(**arguments)


def test_a_list_is_no_format(tmp_path):
    with pytest.raises(ValueError, match=r"Expected one of savedmodel, onnx, tflite\. Received: \['onnx'\]"):
        exporting.export(classifier(), tmp_path / "flowers.onnx", ["onnx"])
