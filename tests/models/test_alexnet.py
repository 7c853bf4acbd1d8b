"""`build`: the arguments of `keras.applications`, files, precision and error messages."""

import dataclasses
import os
import subprocess
import sys

import keras
import numpy as np
import pytest
from keras import ops

import keras_alexnet
from keras_alexnet.models.alexnet import build
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.models.summary import sketch
from keras_alexnet.training.optimizers import PaperSGD

COMPILED = keras.backend.backend() == "jax"  # as a whole; elsewhere that would take longer than the step
slow_to_compile = pytest.mark.slow if COMPILED else lambda test: test
SIZE = 67
SHAPE = (SIZE, SIZE, 3)
SMALL = dataclasses.replace(ARCHITECTURES["paper"], hidden=(32, 16))
SMALL_SOURCE = dataclasses.replace(ARCHITECTURES["source"], hidden=(32, 16))


def pictures(count=2, size=SIZE):
    return np.random.default_rng(0).normal(0, 60, (count, size, size, 3)).astype("float32")


def numbers(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def small(row=SMALL, **arguments):
    return build(row, **({"input_shape": SHAPE, "classes": 5} | arguments))


@pytest.fixture(scope="module")
def model():
    """A network for tests that do not train it."""
    return small()


@pytest.fixture(scope="module")
def answers(model):
    return numbers(model(pictures()))


@pytest.fixture(scope="module")
def file(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("networks") / "model.keras"
    model.save(path)
    return path


# The arguments of keras.applications


@pytest.mark.any_backend
def test_default_is_the_paper():
    model = sketch()
    assert model.name == "alexnet_paper"
    assert model.count_params() == 60_965_224
    assert model.input_shape == (None, 227, 227, 3)
    assert model.output_shape == (None, 1000)


@pytest.mark.any_backend
def test_224_gives_the_maps_of_227():
    one, other = sketch(input_shape=(224, 224, 3)), sketch(input_shape=(227, 227, 3))
    for layer in ("conv1", "pool1", "pool2", "pool5", "fc6"):
        assert one.get_layer(layer).output.shape == other.get_layer(layer).output.shape


@pytest.mark.any_backend
def test_height_and_width_may_differ():
    assert sketch(input_shape=(67, 131, 3)).get_layer("pool5").output.shape == (None, 1, 3, 256)


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("pooling", "shape"), [(None, (None, None, None, 256)), ("avg", (None, 256)), ("max", (None, 256))]
)
def test_without_top_any_size(pooling, shape):
    assert sketch(include_top=False, pooling=pooling).output_shape == shape


@pytest.mark.slow
@slow_to_compile
@pytest.mark.parametrize("name", ["paper", "source"])
def test_unknown_size_gives_the_maps_of_the_known(name):
    free = build(name, include_top=False)
    for size in (67, 70):
        fixed = build(name, include_top=False, input_shape=(size, size, 3))
        fixed.set_weights(free.get_weights())
        np.testing.assert_array_equal(numbers(free(pictures(1, size))), numbers(fixed(pictures(1, size))))


@pytest.mark.any_backend
def test_local_convolutions_need_a_size_without_the_top_too():
    assert sketch("conv_local", include_top=False).input_shape[1:] == (24, 24, 3)
    with pytest.raises(ValueError, match=r"local convolutions, which need a static `input_shape`\. Received: .*None"):
        build("conv_local", include_top=False, input_shape=(None, None, 3))


@pytest.mark.any_backend
def test_without_top_there_are_no_classes():
    """As in `keras.applications`, where `classes=None` is allowed with `include_top=False`."""
    assert sketch(include_top=False, classes=None).output_shape == (None, None, None, 256)


@pytest.mark.slow
@pytest.mark.parametrize("size", [67, 94])
def test_one_weird_trick_predicts_and_trains_on_small_pictures(size):
    """The last maps have one position, which is repeated 36 times."""
    net = dataclasses.replace(ARCHITECTURES["one_weird_trick"], hidden=(32, 16))
    model = build(net, input_shape=(size, size, 3), classes=5)
    x = pictures(2, size)
    np.testing.assert_allclose(model.predict_on_batch(x), numbers(model(x)), atol=1e-6)
    model.compile(PaperSGD(), "sparse_categorical_crossentropy", jit_compile=COMPILED)
    assert np.isfinite(model.train_on_batch(x, np.array([0, 1])))


def test_input_tensor():
    image = keras.Input((70, 80, 3), name="photograph")
    model = small(input_tensor=keras.layers.Rescaling(255.0)(image), input_shape=None)
    assert model.input_shape == (None, 70, 80, 3)
    assert model.layers[0].name == "photograph"


def test_logits_are_what_softmax_makes_probabilities_of(model, answers):
    logits = small(classifier_activation=None)
    logits.set_weights(model.get_weights())
    np.testing.assert_allclose(numbers(ops.softmax(logits(pictures()))), answers, atol=1e-6)


@pytest.mark.any_backend
def test_names():
    assert sketch(name="mine").name == "mine"
    assert sketch("half").name == "alexnet_half"


@pytest.mark.any_backend
def test_pictures_of_one_channel():
    assert sketch(input_shape=(67, 67, 1)).get_layer("conv1").kernel.shape == (11, 11, 1, 96)


@pytest.mark.any_backend
def test_numpy_numbers_are_numbers():
    assert sketch(classes=np.int64(7)).output_shape == (None, 7)


# Training


@pytest.mark.slow
def test_every_layer_learns():
    model = small()
    model.compile(PaperSGD(0.01, weight_decay=0), "sparse_categorical_crossentropy", jit_compile=COMPILED)
    before = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    assert model.train_on_batch(pictures(), np.array([0, 1])) == pytest.approx(np.log(5), abs=0.5)
    for name, (kernel, bias) in before.items():
        new_kernel, new_bias = model.get_layer(name).get_weights()
        assert np.abs(new_kernel - kernel).max() > 0
        assert np.abs(new_bias - bias).max() > 0


@pytest.mark.slow
def test_signal_fades_with_the_initial_weights_of_the_text():
    """With the text's initial weights a network stays at chance, because conv5 is nearly the same for all pictures."""
    spread = {}
    for start in ("text", "source"):
        model = build(include_top=False, input_shape=SHAPE, initial_weights=start)
        spread[start] = numbers(model(pictures(8))).std(axis=0).mean()
    assert 10 < spread["source"] / spread["text"] < 27  # about 15, and three layers of three times at most


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision_outputs_float32(policy, model, answers):
    keras.config.set_dtype_policy(policy)
    try:
        mixed = small()
    finally:
        keras.config.set_dtype_policy("float32")
    mixed.set_weights(model.get_weights())
    received = mixed(pictures())
    assert keras.backend.standardize_dtype(received.dtype) == "float32"
    assert {layer.compute_dtype for layer in mixed.layers if layer.name != "fc8"} == {policy.removeprefix("mixed_")}
    np.testing.assert_allclose(numbers(received), answers, atol=0.03)
    mixed.compile(PaperSGD(0.001), "sparse_categorical_crossentropy", jit_compile=COMPILED)
    assert np.isfinite(mixed.train_on_batch(pictures(), np.array([0, 1])))


# Files


def test_file_gives_identical_outputs(file, answers):
    np.testing.assert_array_equal(numbers(keras.models.load_model(file)(pictures())), answers)


@pytest.mark.slow
def test_file_gives_identical_outputs_of_the_authors_network(tmp_path):
    model = small(SMALL_SOURCE)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(numbers(loaded(pictures())), numbers(model(pictures())))


@pytest.mark.slow
@pytest.mark.parametrize("imports", ["import keras, keras_alexnet", "import keras_alexnet, keras"])
def test_file_loads_where_only_the_package_is_imported(imports, tmp_path):
    model = small()
    model.compile(PaperSGD(), "sparse_categorical_crossentropy", metrics=[keras_alexnet.TopKError(1)])
    model.save(tmp_path / "model.keras")
    np.save(tmp_path / "pictures.npy", pictures())
    np.save(tmp_path / "answers.npy", numbers(model(pictures())))
    program = f"""
import numpy as np
{imports}
model = keras.models.load_model("model.keras")
answers = keras.ops.convert_to_numpy(model(np.load("pictures.npy")))
np.testing.assert_allclose(answers, np.load("answers.npy"), atol=1e-6)
print(type(model.optimizer).__name__)
"""
    answer = subprocess.run(
        [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, env=os.environ
    )
    assert answer.stdout.split() == ["PaperSGD"], answer.stderr


@pytest.mark.parametrize("kind", ["keras", "weights.h5"])
def test_weights_of_a_file(kind, model, file, answers, tmp_path):
    if kind == "weights.h5":
        file = tmp_path / "model.weights.h5"
        model.save_weights(file)
    np.testing.assert_array_equal(numbers(small(weights=file)(pictures())), answers)


def test_weights_without_the_top(model, file):
    maps = small(weights=str(file), include_top=False)
    np.testing.assert_array_equal(maps.get_layer("conv5").get_weights()[0], model.get_layer("conv5").get_weights()[0])


@pytest.mark.slow
def test_fine_tuning_replaces_the_head_and_prints_so(model, file, capsys):
    """Typical Keras code: weights from a file, other classes, all but the head frozen, one more epoch."""
    tuned = small(weights=file, classes=3)
    assert "fc8: new, for 3 classes; the file has 5" in capsys.readouterr().out
    for layer in tuned.layers[:-1]:
        layer.trainable = False
    tuned.compile(PaperSGD(0.01), "sparse_categorical_crossentropy", jit_compile=COMPILED)
    head = tuned.get_layer("fc8").get_weights()[0]
    tuned.fit(pictures(4), np.array([0, 1, 2, 0]), batch_size=4, verbose=0)

    assert tuned.output_shape == (None, 3)
    assert np.abs(tuned.get_layer("fc8").get_weights()[0] - head).max() > 0
    for name in ("conv1", "conv5", "fc7"):
        for one, other in zip(tuned.get_layer(name).get_weights(), model.get_layer(name).get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


# Wrong input


@pytest.mark.any_backend
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"architecture": "papper"}, r"Unknown architecture\. Did you mean paper\b.*Received: 'papper'"),
        ({"architecture": 1000}, "a name or an `Architecture`.*Received: architecture=1000"),
        ({"initial_weights": "sourse"}, r"Did you mean source\b.*Received: 'sourse'"),
        ({"initial_weights": {}}, r"every layer of the network.*Received: one without conv1"),
        ({"initial_weights": 0.01}, r"a mapping from layer names to `Start`\. Received: initial_weights=0\.01"),
        ({"initial_weights": {"conv1": 0.01}}, r"to `Start`\. Received: initial_weights=\{'conv1': 0\.01\}"),
        ({"input_shape": (66, 67, 3)}, r"at least 67x67. Received: input_shape=\(66, 67, 3\)"),
        ({"input_shape": (3, 227, 227)}, "at least 67x67"),
        ({"include_top": False, "input_shape": (None, 66, 3)}, "at least 67x67"),
        ({"architecture": "figure_1", "input_shape": (7, 7, 3)}, "at least 8x8"),
        ({"input_shape": (227, 227)}, "tuple of three integers. Received"),
        ({"input_shape": 227}, "tuple of three integers. Received: input_shape=227"),
        ({"input_shape": (227.0, 227.0, 3)}, r"tuple of three integers\. Received: input_shape=\(227\.0, 227\.0, 3\)"),
        ({"input_shape": ("a", "b", 3)}, r"tuple of three integers\. Received: input_shape=\('a', 'b', 3\)"),
        ({"input_shape": (227, 227, -1)}, r"tuple of three integers\. Received: input_shape=\(227, 227, -1\)"),
        ({"input_shape": np.array([227, 227, 3])}, r"tuple of three integers\. Received: input_shape=\[227 227"),
        ({"input_shape": (None, None, 3)}, "static `input_shape`. Received"),
        ({"input_tensor": np.zeros((1, 67, 67, 3))}, "must be a Keras tensor. Received: ndarray"),
        (
            {"input_tensor": keras.Input((67, 67, 3)), "input_shape": (99, 99, 3)},
            r"input_shape=\(99, 99, 3\), input_tensor of shape \(None, 67, 67, 3\)",
        ),
        ({"pooling": "mean"}, "None, 'avg' or 'max'. Received: pooling='mean'"),
        ({"pooling": ["avg"]}, r"None, 'avg' or 'max'. Received: pooling=\['avg'\]"),
        ({"classes": True}, "at least 1. Received: classes=True"),
        ({"classes": 0}, "at least 1. Received: classes=0"),
        ({"classes": 2.5}, "Received: classes=2.5"),
        ({"classes": "ten"}, "Received: classes='ten'"),
        ({"weights": "nowhere.keras"}, "path to the weights file.*Received: weights='nowhere.keras'"),
        ({"weights": 1}, "path to the weights file.*Received: weights=1"),  # not the file that is open as number 1
        ({"weights": "drawn", "input_shape": (131, 131, 1)}, r"three channels. Received: input_shape=\(131, 131, 1\)"),
        ({"weights": "imagenet"}, r"only for caffe and one_weird_trick.*Received: .*'paper'"),
        ({"weights": __file__, "classifier_activation": "sigmoid"}, "Only `None` and 'softmax'.*'sigmoid'"),
    ],
)
def test_wrong_arguments_are_refused(arguments, message):
    with pytest.raises(ValueError, match=message) as error:
        sketch(**arguments)
    assert "\n" not in str(error.value)


@pytest.mark.any_backend
def test_channels_first_is_refused():
    keras.config.set_image_data_format("channels_first")
    try:
        with pytest.raises(ValueError, match=r"set_image_data_format\('channels_last'\)"):
            sketch()
    finally:
        keras.config.set_image_data_format("channels_last")


def test_weights_of_another_network_are_refused(file):
    other = dataclasses.replace(ARCHITECTURES["one_weird_trick"], hidden=(32, 16))
    with pytest.raises(ValueError, match=r"step 3 is pool\(.*model\.keras with norm"):
        small(other, weights=file)


@pytest.mark.parametrize(("pooling", "expected"), [("avg", np.mean), ("max", np.max)])
def test_pooling_is_over_the_last_maps(pooling, expected):
    maps = build("figure_1", include_top=False, input_shape=(32, 32, 3))
    pooled = build("figure_1", include_top=False, input_shape=(32, 32, 3), pooling=pooling)
    pooled.set_weights(maps.get_weights())
    image = np.random.default_rng(0).normal(0, 60, (1, 32, 32, 3)).astype("float32")
    found, wanted = (keras.ops.convert_to_numpy(network(image)) for network in (pooled, maps))
    np.testing.assert_allclose(found, expected(wanted, axis=(1, 2)), rtol=1e-5, atol=1e-6)
