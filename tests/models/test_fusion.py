"""Operations are fused if the backend does not do so itself, but not in exported networks."""

import concurrent.futures
import dataclasses

import keras
import numpy as np
import pytest
from keras import ops
from references import normalized_over_channels

from keras_alexnet.models.alexnet import build
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.models.fusion import compile_elementwise, fusion_enabled, set_fusion
from keras_alexnet.models.normalization import LocalResponseNormalization, SpatialResponseNormalization

on_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="other backends run it as it is")


def counted():
    """A function to fuse, and a list that grows each time it runs in Python."""
    runs = []

    def squared(x):
        runs.append(x)
        return x * x

    return squared, runs


def test_does_the_same():
    x = np.arange(4, dtype="float32")
    squared, _ = counted()
    np.testing.assert_array_equal(ops.convert_to_numpy(compile_elementwise(squared)(ops.convert_to_tensor(x))), x * x)


def test_may_assign_to_variables():
    variable = keras.Variable(np.ones(3, "float32"))
    compile_elementwise(lambda variable, step: variable.assign(variable + step))(variable, ops.convert_to_tensor(2.0))
    np.testing.assert_array_equal(ops.convert_to_numpy(variable), [3, 3, 3])


@on_tensorflow
@pytest.mark.parametrize(("shared", "compilations"), [(True, 1), (False, 2)])
def test_is_compiled_once_where_shared(shared, compilations):
    squared, runs = counted()
    x = ops.ones(3)
    for _ in range(2):
        function = compile_elementwise(squared, shared=shared)
        function(x)
        function(x)
    assert len(runs) == compilations


@on_tensorflow
def test_runs_as_it_is_where_turned_off():
    squared, runs = counted()
    function = compile_elementwise(squared)
    with set_fusion(enabled=False):
        assert not fusion_enabled()
        function(ops.ones(3))
        function(ops.ones(3))
    assert len(runs) == 2


@on_tensorflow
def test_is_compiled_again_afterwards():
    with pytest.raises(KeyError), set_fusion(enabled=False):
        raise KeyError
    assert fusion_enabled()
    squared, runs = counted()
    function = compile_elementwise(squared)
    function(ops.ones(3))
    function(ops.ones(3))
    assert len(runs) == 1


@on_tensorflow
def test_other_threads_go_on_fusing():
    with set_fusion(enabled=False), concurrent.futures.ThreadPoolExecutor(1) as thread:
        assert thread.submit(fusion_enabled).result()
        assert not fusion_enabled()


@pytest.mark.parametrize(
    ("channels", "groups", "window"),
    [(8, 1, 5), (48, 1, 5), (48, 2, 5), (48, 3, 17), (48, 1, 19), (12, 1, 5), (12, 3, 3)],
    ids=["one block", "six", "groups", "a window of two blocks", "a larger one", "no blocks", "no blocks, groups"],
)
def test_unfused_normalization(channels, groups, window):
    """Exported networks sum by blocks of eight channels where the groups can be divided into them."""
    x = np.random.default_rng(channels + window).normal(0, 50, (2, 3, 4, channels)).astype("float32")
    layer = LocalResponseNormalization(window, 1.5, 2e-3, 0.75, groups)
    with set_fusion(enabled=False):
        received = ops.convert_to_numpy(layer(x))
    expected = normalized_over_channels(x.astype("float64"), window, 1.5, 2e-3, 0.75, groups)
    np.testing.assert_allclose(received, expected, rtol=2e-5)


# Exports of Keras and TensorFlow, which know nothing of this module

SIGNATURE = [keras.InputSpec(shape=(None, 6, 6, 8), dtype="float32")]


@pytest.fixture(scope="module")
def network():
    image = keras.Input((6, 6, 8))
    return keras.Model(image, SpatialResponseNormalization()(LocalResponseNormalization(groups=2)(image)))


def nodes(function):
    """All nodes of a traced function and of the functions that it calls."""
    graph = function.get_concrete_function().graph.as_graph_def()
    return [*graph.node, *(node for each in graph.library.function for node in each.node_def)]


def is_compiled(function):
    """Whether some part of a traced function is left to XLA."""
    library = function.get_concrete_function().graph.as_graph_def().library.function
    return any(each.attr["_XlaMustCompile"].b for each in [*nodes(function), *library])


def saved_by_keras(network, folder):
    network.export(folder, format="tf_saved_model", verbose=False)


def saved_by_an_archive(network, folder):
    archive = keras.export.ExportArchive()
    archive.track(network)
    archive.add_endpoint("serve", lambda images: network(images, training=False), SIGNATURE)
    archive.write_out(folder, verbose=False)


def saved_by_tensorflow(network, folder):
    import tensorflow as tf

    served = tf.function(lambda images: {"maps": network(images)}, input_signature=[tf.TensorSpec((None, 6, 6, 8))])
    tf.saved_model.save(network, folder, signatures={"serving_default": served})


@pytest.mark.slow
@on_tensorflow
@pytest.mark.parametrize("save", [saved_by_keras, saved_by_an_archive, saved_by_tensorflow])
def test_saved_models_hold_plain_operations(save, network, tmp_path):
    import tensorflow as tf

    x = np.random.default_rng(0).normal(0, 50, (2, 6, 6, 8)).astype("float32")
    expected = network.predict_on_batch(x)
    save(network, str(tmp_path / "network"))
    served = tf.saved_model.load(str(tmp_path / "network")).signatures["serving_default"]
    library = served.graph.as_graph_def().library.function
    assert [each.signature.name for each in library if each.attr["_XlaMustCompile"].b] == []
    (received,) = served(tf.constant(x)).values()
    np.testing.assert_allclose(received, expected, rtol=1e-5)


@on_tensorflow
def test_the_graph_that_keras_hands_to_tf2onnx_calls_no_functions(network):
    from keras.src.export.onnx import get_concrete_fn

    function = get_concrete_fn(network, SIGNATURE)
    assert [node.name for node in nodes(function) if "PartitionedCall" in node.op] == []


CONVERTERS = {"tensorflow": "tf2onnx", "jax": "jax2onnx", "torch": "onnxscript"}  # that Keras's `export` uses
NORMALIZED = [
    name
    for name, net in ARCHITECTURES.items()
    if any({"norm", "spatial_norm"} & set(row.then) for row in net.convolutions.values())
]


@pytest.mark.filterwarnings("ignore")  # of the converters
@pytest.mark.parametrize("name", NORMALIZED)
def test_onnx_by_keras_itself(name, tmp_path, request):
    if keras.backend.backend() == "torch" and name == "tflearn":
        reason = "PyTorch's exporter fails on Keras's max pooling with padding"
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip(CONVERTERS[keras.backend.backend()])
    net = ARCHITECTURES[name]
    model = build(dataclasses.replace(net, hidden=(16,) * len(net.hidden)), classes=5, input_shape=(67, 67, 3))
    images = np.random.default_rng(0).normal(0, 60, (1, 67, 67, 3)).astype("float32")
    expected = ops.convert_to_numpy(model(images))
    model.export(str(tmp_path / "network.onnx"), format="onnx", verbose=False)
    session = onnxruntime.InferenceSession(tmp_path / "network.onnx", providers=["CPUExecutionProvider"])
    (received,) = session.run(None, {session.get_inputs()[0].name: images})
    np.testing.assert_allclose(received, expected, atol=1e-5)


@on_tensorflow
def test_an_export_may_ask_for_fusion(network):
    def compiled(images):
        with set_fusion(enabled=True):
            return network(images)

    archive = keras.export.ExportArchive()
    archive.track(network)
    endpoint = archive.add_endpoint("compiled", compiled, SIGNATURE)
    archive._filter_and_track_resources()  # traces it
    assert is_compiled(endpoint)


@pytest.mark.slow
@on_tensorflow
def test_prediction_and_other_functions_stay_fused(network):
    import tensorflow as tf

    assert is_compiled(tf.function(network, input_signature=[tf.TensorSpec((None, 6, 6, 8))]))
    network.compile("sgd", "mse", jit_compile=False)
    network.predict_on_batch(np.zeros((2, 6, 6, 8), "float32"))
    (traced,) = network.predict_function._list_all_concrete_functions()
    assert any(each.attr["_XlaMustCompile"].b for each in traced.graph.as_graph_def().library.function)
