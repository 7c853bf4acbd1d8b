import foreign_weights
import keras
import numpy as np
import pytest

from keras_alexnet.data import datasets, pipeline
from keras_alexnet.evaluation import features
from keras_alexnet.evaluation.classifier import Classifier
from keras_alexnet.models.alexnet import build
from keras_alexnet.models.summary import sketch
from keras_alexnet.recipes import Recipe


def network(policy="float32"):
    """A single layer from maps to classes, so that the gradient of a logit is the last layer's kernel."""
    image = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, name="conv1", dtype=policy)(image)
    x = keras.layers.ReLU(name="relu1", dtype=policy)(x)
    x = keras.layers.Flatten(name="flatten", dtype=policy)(x)
    return keras.Model(image, keras.layers.Dense(2, activation="softmax", name="fc2", dtype=policy)(x))


@pytest.fixture(scope="module")
def model():
    return network()


@pytest.fixture
def view():
    return np.random.default_rng(0).normal(size=(8, 8, 3)).astype(np.float32)


def test_activations_are_a_layers_outputs(model, view):
    maps = features.activations(model, "conv1").predict_on_batch(view[None])
    kernel, bias = model.get_layer("conv1").get_weights()
    patches = np.lib.stride_tricks.sliding_window_view(view, (3, 3, 3))[:, :, 0]
    np.testing.assert_allclose(maps[0], np.einsum("yxijc,ijcn->yxn", patches, kernel) + bias, atol=1e-5)


def test_an_unknown_layer_is_named(model):
    with pytest.raises(ValueError, match="No such layer: conv9"):
        features.activations(model, "conv9")


def test_descriptors_are_of_the_central_crop(small_run):
    classifier = Classifier.from_run(small_run)
    pictures = pipeline.resize_pictures(datasets.load(small_run.read_options().dataset).splits["test"], 76)
    found = features.descriptors(classifier, pictures)
    assert found.shape == (12, 16)
    picture = next(pictures.as_numpy_iterator())[0]
    hidden = keras.Model(classifier.model.input, classifier.model.get_layer("fc7").output)
    alone = np.asarray(hidden(picture[None, 4:71, 4:71].astype(np.float32) - 128))
    np.testing.assert_allclose(found[:1], alone, rtol=1e-3, atol=1e-3)


def test_nearest_agrees_with_brute_force():
    random = np.random.default_rng(0)
    queries, corpus = random.normal(size=(5, 16)), random.normal(size=(40, 16))
    distances = np.sqrt(((queries[:, None] - corpus[None]) ** 2).sum(axis=2))
    np.testing.assert_array_equal(features.nearest(queries, corpus), np.argsort(distances, axis=1)[:, :6])


def test_random_kernels_are_two_thirds_color():
    kernels = np.random.default_rng(0).normal(size=(11, 11, 3, 96))
    assert features.colorfulness(kernels).mean() == pytest.approx(2 / 3, abs=0.01)
    assert features.specialization(kernels) == pytest.approx(0.5, abs=0.15)


def test_a_gray_tower_and_a_colored_one_are_fully_specialized():
    random = np.random.default_rng(0)
    gray = random.normal(size=(5, 5, 1, 48)) * np.ones((1, 1, 3, 1))
    color = random.normal(size=(5, 5, 3, 48))
    kernels = np.concatenate([gray, color], axis=-1)
    assert features.specialization(kernels) == 1
    assert features.specialization(kernels[..., ::-1]) == 0
    np.testing.assert_allclose(features.colorfulness(gray), 0, atol=1e-12)


@pytest.mark.parametrize("kind", ["onnx", "caffemodel"])
def test_the_towers_of_a_published_file_are_measured(kind, tmp_path):
    """Figure 3 of other weights: a file as the model zoos have it, BGR, of which the first tower is gray."""
    arrays = foreign_weights.of_caffe()
    kernels, biases = arrays["conv1"]  # (96, 3, 11, 11)
    kernels = kernels.copy()
    kernels[:48] = kernels[:48].mean(axis=1, keepdims=True)
    write = foreign_weights.onnx_network if kind == "onnx" else foreign_weights.caffemodel
    file = write(arrays | {"conv1": (kernels, biases)})
    (tmp_path / f"alexnet.{kind}").write_bytes(file if isinstance(file, bytes) else file.SerializeToString())
    name = "caffe" if kind == "onnx" else "caffenet"
    model = build(name, include_top=False, weights=tmp_path / f"alexnet.{kind}")
    found = features.first_kernels(model)
    np.testing.assert_array_equal(found, kernels.transpose(2, 3, 1, 0)[:, :, ::-1])
    assert features.specialization(found) == 1


def test_zero_kernels_have_no_color():
    assert features.colorfulness(np.zeros((3, 3, 3, 2))).tolist() == [0, 0]


def test_sparsity_counts_zeros(model, view):
    maps = features.activations(model, "relu1").predict_on_batch(view[None])
    assert features.sparsity(model, view[None]) == {"relu1": pytest.approx((maps == 0).mean())}


def test_sparsity_finds_relus_inside_layers(small_run):
    model = Classifier.from_run(small_run).model
    shares = features.sparsity(model, np.zeros((2, 67, 67, 3), np.float32))
    assert list(shares) == ["relu1", "fc6", "fc7"]
    assert all(0 <= share <= 1 for share in shares.values())


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="class maps need the tensorflow backend")
@pytest.mark.parametrize("label", [0, 1])
def test_class_map_weights_maps_by_their_mean_gradient(model, view, label):
    maps = features.activations(model, "relu1").predict_on_batch(view[None])[0]
    gradient = model.get_layer("fc2").get_weights()[0][:, label].reshape(maps.shape)
    expected = np.maximum((maps * gradient.mean(axis=(0, 1))).sum(axis=-1), 0)
    found = features.class_mapper(model, "relu1")(view, label)
    np.testing.assert_allclose(found, expected / max(expected.max(), 1e-30), atol=1e-5)


@pytest.fixture(scope="module")
def deep():
    """Between the maps and the classes: pooling, a hidden layer and its nonlinearity. In float64, for differences."""
    keras.utils.set_random_seed(3)
    image = keras.Input((9, 9, 3), dtype="float64")
    x = keras.layers.Conv2D(4, 3, name="conv1", dtype="float64")(image)
    x = keras.layers.Activation("tanh", name="tanh1", dtype="float64")(x)
    x = keras.layers.Flatten(dtype="float64")(keras.layers.MaxPooling2D(2, 2, dtype="float64")(x))
    x = keras.layers.Dense(6, "tanh", name="fc2", dtype="float64")(x)
    return keras.Model(image, keras.layers.Dense(3, "softmax", name="fc3", dtype="float64")(x))


def logits_of(model, maps):
    """What follows the maps of `deep`, in NumPy."""
    pooled = maps[:6, :6].reshape(3, 2, 3, 2, 4).max(axis=(1, 3)).reshape(-1)
    (kernel2, bias2), (kernel3, bias3) = (model.get_layer(name).get_weights() for name in ("fc2", "fc3"))
    return np.tanh(pooled @ kernel2 + bias2) @ kernel3 + bias3


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="class maps need the tensorflow backend")
@pytest.mark.parametrize("label", [0, 2])
def test_class_map_agrees_with_finite_differences(deep, label):
    view, step = np.random.default_rng(1).normal(size=(9, 9, 3)), 1e-6
    maps = np.asarray(features.activations(deep, "tanh1")(view[None]))[0]
    gradient = np.zeros_like(maps)
    for place in np.ndindex(maps.shape):
        up, down = maps.copy(), maps.copy()
        up[place] += step
        down[place] -= step
        gradient[place] = (logits_of(deep, up) - logits_of(deep, down))[label] / (2 * step)
    expected = np.maximum((maps * gradient.mean(axis=(0, 1))).sum(axis=-1), 0)
    assert expected.max() > 0
    found = features.class_mapper(deep, "tanh1")(view, label)
    np.testing.assert_allclose(found, expected / expected.max(), atol=1e-5)


def test_the_activity_of_a_convolution_is_that_behind_its_nonlinearity(model, deep):
    assert features.activity_layers(model) == {"conv1": "relu1"}
    assert features.activity_layers(deep) == {"conv1": "tanh1"}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("conv_local", {"conv1": "relu1", "conv2": "relu2", "local3": "relu3", "local4": "relu4"}),
        ("source_low_resolution", {f"conv{n}": f"relu{n}" for n in range(1, 6)}),
    ],
)
def test_activity_in_networks_with_other_layers(name, expected):
    found = features.activity_layers(sketch(name))
    assert {convolution: found.get(convolution) for convolution in expected} == expected


def test_the_strongest_maps_have_the_largest_mean():
    maps = np.random.default_rng(0).normal(size=(5, 7, 20))
    means = [maps[:, :, n].sum() for n in range(20)]
    assert features.strongest(maps, 3).tolist() == sorted(range(20), key=lambda n: -means[n])[:3]
    assert len(features.strongest(maps, 30)) == 20


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="class maps need the tensorflow backend")
def test_half_precision_gives_the_same_features_in_float32(model, view):
    half = network("mixed_bfloat16")
    half.set_weights(model.get_weights())
    maps = [features.class_mapper(network, "relu1")(view, 0) for network in (half, model)]
    np.testing.assert_allclose(*maps, atol=0.05)
    found = [features.descriptors(Alone(network, ("rose", "tulip"), Recipe()), view) for network in (half, model)]
    assert found[0].dtype == np.float32
    np.testing.assert_allclose(*found, atol=0.05)


class Alone(Classifier):
    """A classifier of one picture."""

    def batches(self, pictures):
        return [(pictures[None], 0)]


# Wrong arguments


def test_descriptors_need_a_classifier_and_pictures(model, small_run):
    pictures = pipeline.resize_pictures(datasets.load(small_run.read_options().dataset).splits["test"], 76)
    with pytest.raises(TypeError, match=r"must be a Classifier, such as .*Received: classifier=<Functional"):
        features.descriptors(model, pictures)
    with pytest.raises(ValueError, match=r"must have at least one picture\. Received: none"):
        features.descriptors(Classifier.from_run(small_run), pictures.take(0))


def test_kernels_are_those_of_a_convolution_of_rgb():
    dense = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)], name="dense")
    with pytest.raises(ValueError, match=r"must have a convolution\. Received: dense"):
        features.first_kernels(dense)
    with pytest.raises(ValueError, match=r"must have a ReLU\. Received: dense"):
        features.sparsity(dense, np.ones((1, 3)))
    for shape in ((11, 11, 1, 4), (11, 11, 3)):
        with pytest.raises(ValueError, match=r"shape \(height, width, 3, kernels\)\. Received: shape=\(11, 11, "):
            features.colorfulness(np.ones(shape))


def test_class_maps_need_a_last_dense_layer_and_one_of_its_classes(model, view):
    if keras.backend.backend() != "tensorflow":
        pytest.skip("class maps need the TensorFlow backend")
    with pytest.raises(ValueError, match=r"`model` must end in a Dense layer\. Received: .*, which ends in relu1"):
        features.class_mapper(features.activations(model, "relu1"), "relu1")
    for label in (-1, 2):
        with pytest.raises(ValueError, match=f"The class must be from 0 to 1. Received: {label}"):
            features.class_mapper(model, "relu1")(view, label)
