"""The layers on any Keras backend."""

import json
import re

import keras
import numpy as np
import pytest
from keras import ops
from references import convolved, normalized_over_channels, normalized_within_maps

from keras_alexnet.models.layers import (
    AdaptiveAveragePooling2D,
    GaussianSubsampling,
    GroupedConv2D,
    GroupedDense,
    GroupedFlatten,
    LocallyConnected2D,
    PaperDropout,
)
from keras_alexnet.models.normalization import LocalResponseNormalization, SpatialResponseNormalization

BACKEND = keras.backend.backend()
SHAPE = (2, 5, 6, 8)
LAYERS = {
    "norm": lambda **kwargs: LocalResponseNormalization(3, 1.0, 0.1, 0.5, groups=2, **kwargs),
    "spatial norm": lambda **kwargs: SpatialResponseNormalization(3, 2.0, 0.2, 0.6, **kwargs),
    "grouped convolution": lambda **kwargs: GroupedConv2D(4, 3, padding="same", groups=2, **kwargs),
    "local convolution": lambda **kwargs: LocallyConnected2D(4, 3, **kwargs),
    "grouped product": lambda **kwargs: GroupedDense(4, groups=2, **kwargs),
    "dropout of the paper": lambda **kwargs: PaperDropout(0.4, seed=1, **kwargs),
}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS)


def random(*shape, scale=1.0):
    return np.random.default_rng(0).normal(0, scale, shape).astype("float32")


def numbers(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


def gradient(function, x, upstream):
    """Gradient of `sum(upstream * function(x))` as the backend takes it."""
    if BACKEND == "tensorflow":
        import tensorflow as tf

        x = tf.constant(x)
        with tf.GradientTape() as tape:
            tape.watch(x)
            total = tf.reduce_sum(upstream * function(x))
        return tape.gradient(total, x).numpy()
    if BACKEND == "jax":
        import jax

        return np.array(jax.grad(lambda x: (upstream * function(x)).sum())(x))
    x = ops.convert_to_tensor(x).requires_grad_()
    (ops.convert_to_tensor(upstream) * function(x)).sum().backward()
    return ops.convert_to_numpy(x.grad)


def numerical_gradient(function, x, upstream, step=1e-5):
    """The same in double precision, by central differences."""
    x = x.astype("float64")
    slopes = np.empty_like(x)
    for place in np.ndindex(x.shape):
        move = np.zeros_like(x)
        move[place] = step
        slopes[place] = (upstream * (function(x + move) - function(x - move))).sum() / (2 * step)
    return slopes


# The contract of every layer


@every_layer
def test_config_makes_the_layer_again(make):
    config = make(name="again").get_config()
    assert type(make()).from_config(config).get_config() == config
    serialized = keras.saving.serialize_keras_object(make(name="again"))
    assert keras.saving.deserialize_keras_object(serialized).get_config() == config


@every_layer
@pytest.mark.parametrize("sides", [SHAPE[1:3], (None, None)], ids=["known sizes", "any size"])
def test_symbolic_shape_is_the_eager_one(make, sides):
    layer = make()
    if isinstance(layer, LocallyConnected2D) and None in sides:
        pytest.skip("it has kernels for every position, see test_local_convolution_needs_maps_of_known_size")
    symbol = layer(keras.Input((*sides, SHAPE[-1])))
    assert symbol.shape[1:3] == sides
    assert symbol.shape[3] == layer(random(*SHAPE)).shape[3]
    assert tuple(layer(random(*SHAPE)).shape[:3]) == SHAPE[:3]


def small_model(*layers):
    image = keras.Input(SHAPE[1:])
    x = keras.layers.Conv2D(8, 3, padding="same")(image)
    for layer in layers:
        x = layer(x)
    return keras.Model(image, keras.layers.Dense(3, dtype="float32")(keras.layers.Flatten()(x)))


@pytest.mark.slow
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_network_of_all_layers_trains_under_every_policy(policy):
    """Each of them passes the gradient on to the first kernel."""
    keras.config.set_dtype_policy(policy)
    try:
        model = small_model(*(make() for make in LAYERS.values()))
    finally:
        keras.config.set_dtype_policy("float32")
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("sgd", loss, jit_compile=BACKEND == "jax")
    before = numbers(model.layers[1].kernel)
    assert np.isfinite(model.train_on_batch(random(*SHAPE), np.array([0, 1])))
    assert np.abs(numbers(model.layers[1].kernel) - before).max() > 0


@every_layer
@pytest.mark.parametrize(("policy", "digits"), [("mixed_bfloat16", 2e-2), ("mixed_float16", 2e-3)])
def test_half_precision_is_close(make, policy, digits):
    x = random(*SHAPE)
    full, half = make(), make(dtype=policy)
    expected = numbers(full(x))
    half.build(SHAPE)
    half.set_weights(full.get_weights())
    assert keras.backend.standardize_dtype(half(x).dtype) == policy.removeprefix("mixed_")
    assert np.abs(numbers(half(x)) - expected).max() < digits * np.abs(expected).max()


@every_layer
def test_file_gives_identical_numbers(make, tmp_path):
    model = small_model(make())
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    x = random(*SHAPE)
    np.testing.assert_array_equal(numbers(loaded(x)), numbers(model(x)))


# Response normalization

CONSTANTS = {
    "paper": (5, 2.0, 1e-4, 0.75, 1),
    "strong, in groups": (5, 1.0, 0.3, 0.75, 2),
    "tflearn": (11, 1.0, 1e-4, 0.75, 1),
    "other exponent": (3, 1.0, 0.3, 0.5, 1),
}
constants = pytest.mark.parametrize("constants", CONSTANTS.values(), ids=CONSTANTS)


@constants
def test_norm_is_the_formula(constants):
    x = random(1, 2, 2, 12, scale=10)
    expected = normalized_over_channels(x.astype("float64"), *constants)
    np.testing.assert_allclose(numbers(LocalResponseNormalization(*constants)(x)), expected, rtol=2e-6)


@constants
def test_gradient_of_norm_is_the_slope(constants):
    x, upstream = random(1, 2, 2, 12), random(1, 2, 2, 12)[..., ::-1].copy()
    slopes = numerical_gradient(lambda x: normalized_over_channels(x, *constants), x, upstream)
    np.testing.assert_allclose(gradient(LocalResponseNormalization(*constants), x, upstream), slopes, atol=2e-6)


def test_spatial_norm_is_the_formula():
    x = random(1, 5, 4, 2, scale=10)
    expected = normalized_within_maps(x.astype("float64"), 3, 1.0, 0.3, 0.75)
    layer = SpatialResponseNormalization(3, 1.0, 0.3, 0.75)
    np.testing.assert_allclose(numbers(layer(x)), expected, rtol=2e-6)


@pytest.mark.slow
def test_gradient_of_spatial_norm_is_the_slope():
    x, upstream = random(1, 5, 4, 2), random(1, 5, 4, 2)[..., ::-1].copy()
    slopes = numerical_gradient(lambda x: normalized_within_maps(x, 3, 1.0, 0.3, 0.75), x, upstream)
    layer = SpatialResponseNormalization(3, 1.0, 0.3, 0.75)
    np.testing.assert_allclose(gradient(layer, x, upstream), slopes, atol=2e-6)


@pytest.mark.skipif(BACKEND != "tensorflow", reason="the reference is TensorFlow's")
def test_norm_and_its_gradient_are_those_of_tensorflow():
    import tensorflow as tf

    x, upstream = random(2, 4, 4, 16, scale=30), random(2, 4, 4, 16)[::-1].copy()
    layer = LocalResponseNormalization(5, 2.0, 1e-3, 0.75)

    def reference(x):
        return tf.nn.lrn(x, depth_radius=2, bias=2.0, alpha=1e-3, beta=0.75)

    np.testing.assert_allclose(layer(x), reference(x), rtol=1e-5)
    np.testing.assert_allclose(gradient(layer, x, upstream), gradient(reference, x, upstream), rtol=1e-4, atol=1e-5)


def test_norm_is_that_of_torch_with_alpha_times_window():
    torch = pytest.importorskip("torch")
    x = random(2, 4, 4, 16, scale=30)
    reference = torch.nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
    expected = reference(torch.tensor(x).permute(0, 3, 1, 2)).permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(numbers(LocalResponseNormalization()(x)), expected, rtol=1e-5)


def test_norm_takes_any_rank():
    x = random(6, 8)
    expected = normalized_over_channels(x, 5, 2.0, 1e-4, 0.75)
    np.testing.assert_allclose(numbers(LocalResponseNormalization()(x)), expected, rtol=1e-6)


@pytest.mark.parametrize("beta", [0.75, 0.9])
def test_double_precision(beta):
    if keras.backend.backend() == "jax":
        pytest.skip("JAX has no float64 by default")
    x = 30 * random(2, 6, 6, 16).astype("float64")
    received = LocalResponseNormalization(beta=beta, dtype="float64")(x)
    expected = normalized_over_channels(x, 5, 2.0, 1e-4, beta)
    np.testing.assert_allclose(ops.convert_to_numpy(received), expected, rtol=1e-13)
    received = SpatialResponseNormalization(3, 1.0, 1e-3, beta, dtype="float64")(x)
    padded = np.pad(x**2, ((0, 0), (1, 1), (1, 1), (0, 0)))
    sums = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2)).sum((-2, -1))
    np.testing.assert_allclose(ops.convert_to_numpy(received), x / (1 + 1e-3 * sums) ** beta, rtol=1e-13)


def test_groups_do_not_see_each_other():
    x = random(1, 2, 2, 8)
    other = x.copy()
    other[..., 4:] = 100
    layer = LocalResponseNormalization(alpha=0.5, groups=2)
    np.testing.assert_array_equal(numbers(layer(x))[..., :4], numbers(layer(other))[..., :4])


@pytest.mark.parametrize("make", [LocalResponseNormalization, SpatialResponseNormalization])
def test_squares_do_not_overflow_in_half_precision(make):
    x = np.full((1, 3, 3, 8), 1000.0, "float16")  # its square is beyond float16's 65504
    y = numbers(make(dtype="float16")(x))
    assert np.isfinite(y).all()
    assert (y > 0).all()


@pytest.mark.parametrize("make", [LocalResponseNormalization, SpatialResponseNormalization])
@pytest.mark.parametrize("window", [4, 0, -1, 2.5, 5.0, "5", True, None, np.array([5])])
def test_window_must_be_an_odd_integer(make, window):
    with pytest.raises(ValueError, match=re.escape(f"Received: window={window!r}")):
        make(window=window)


@pytest.mark.parametrize("groups", [2.0, 0, "2", True, np.array([2])])
def test_groups_must_be_an_integer(groups):
    with pytest.raises(ValueError, match=r"`groups` must be an integer of at least 1\. Received: groups="):
        LocalResponseNormalization(groups=groups)
    assert LocalResponseNormalization(groups=2)(random(1, 2, 2, 8)).shape == (1, 2, 2, 8)  # nothing of it is kept


@pytest.mark.parametrize("make", [LocalResponseNormalization, SpatialResponseNormalization])
@pytest.mark.parametrize("constant", ["k", "alpha", "beta"])
@pytest.mark.parametrize("value", [True, None, "2", 1j, np.ones(8), np.array(2.0), float("nan"), np.inf])
def test_constants_must_be_finite_numbers(make, constant, value):
    message = f"`{constant}` must be a finite number. Received: {constant}={value!r}"
    with pytest.raises(ValueError, match=re.escape(message)):
        make(**{constant: value})


@pytest.mark.any_backend
@pytest.mark.parametrize("make", [LocalResponseNormalization, SpatialResponseNormalization])
@pytest.mark.parametrize("dtype", ["complex64", "complex128"])
def test_norm_takes_real_numbers_only(make, dtype):
    with pytest.raises(ValueError, match=r"must be real numbers\. Received: dtype=complex"):
        make()(np.ones((1, 5, 5, 8), dtype))


@pytest.mark.any_backend
def test_norm_takes_one_input_with_channels():
    with pytest.raises(ValueError, match="expected min_ndim=1"):
        LocalResponseNormalization()(np.float32(1))
    with pytest.raises(ValueError, match="expects 1 input"):
        LocalResponseNormalization()([random(2, 8), random(2, 8)])


@pytest.mark.parametrize("make", [LocalResponseNormalization, SpatialResponseNormalization])
def test_numbers_of_numpy_are_numbers(make):
    plain, of_numpy = make(5, 1, 0.5, 2), make(np.int64(5), np.int32(1), np.float32(0.5), np.float64(2))
    assert json.dumps(of_numpy.get_config() | {"name": ""}) == json.dumps(plain.get_config() | {"name": ""})
    x = random(1, 6, 6, 8)
    np.testing.assert_array_equal(numbers(of_numpy(x)), numbers(plain(x)))


@pytest.mark.parametrize("shape", [(8,), (6, 8), (2, 6, 6, 8)], ids=["places", "rank 3", "rank 5"])
def test_spatial_norm_takes_rank_4_only(shape):
    with pytest.raises(ValueError, match="expected ndim=4"):
        SpatialResponseNormalization()(random(2, *shape))
    with pytest.raises(ValueError, match="expected ndim=4"):
        SpatialResponseNormalization()(keras.Input(shape))


@pytest.mark.parametrize("make", [LocalResponseNormalization, SpatialResponseNormalization])
def test_norm_is_built_from_the_start_and_passes_masks_on(make):
    layer = make()
    assert layer.built
    assert layer.supports_masking
    mask = ops.ones((2, 5), "bool")
    assert layer.compute_mask(random(*SHAPE), mask) is mask


def test_whole_numbers_become_floats():
    numbers = np.array([[1, 2, 30]])
    received = ops.convert_to_numpy(LocalResponseNormalization(alpha=1.0)(numbers))
    floats = ops.convert_to_numpy(LocalResponseNormalization(alpha=1.0)(numbers.astype("float32")))
    np.testing.assert_array_equal(received, floats)
    assert received.min() > 0


@pytest.mark.parametrize("groups", [3, 16])
def test_groups_must_divide_the_channels(groups):
    for x in (random(1, 2, 2, 8), keras.Input((2, 2, 8))):
        with pytest.raises(ValueError, match=f"Received: 8 channels, groups={groups}"):
            LocalResponseNormalization(groups=groups)(x)


@pytest.mark.parametrize("make", [lambda: LocalResponseNormalization(), lambda: GroupedDense(8, groups=2)])
def test_an_unknown_number_of_channels_is_refused(make):
    with pytest.raises(ValueError, match=r"The number of (channels|inputs) must be known"):
        make()(keras.Input((None,)))


# Grouped convolution


@pytest.mark.parametrize(
    ("groups", "padding", "strides"), [(1, "same", 1), (2, "same", 1), (2, "valid", 2), (4, "same", 2)]
)
def test_grouped_convolution_is_that_of_keras(groups, padding, strides):
    x = random(2, 7, 7, 8)
    arguments = {"filters": 12, "kernel_size": 3, "padding": padding, "strides": strides, "groups": groups}
    layer, reference = GroupedConv2D(**arguments), keras.layers.Conv2D(**arguments)
    expected = numbers(reference(x))
    layer.build(x.shape)
    layer.set_weights(reference.get_weights())
    np.testing.assert_allclose(numbers(layer(x)), expected, atol=1e-5)


def test_grouped_convolution_is_the_sum_by_loop():
    x, bias = random(2, 5, 5, 6), random(4)
    layer = GroupedConv2D(4, 3, groups=2)
    layer.build(x.shape)
    kernel = random(3, 3, 3, 4)
    layer.set_weights([kernel, bias])
    np.testing.assert_allclose(numbers(layer(x)), convolved(x, kernel, bias, groups=2), atol=1e-5)


@pytest.mark.parametrize("policy", ["float32", "mixed_float16"])
def test_grouped_convolution_channels_first(policy):
    """Keras's own layer does this on TensorFlow's CPU with two groups or more, though not with one."""
    x = random(2, 7, 7, 8)
    last = GroupedConv2D(4, 3, groups=2)
    expected = numbers(last(x)).transpose(0, 3, 1, 2)
    first = GroupedConv2D(4, 3, groups=2, data_format="channels_first", dtype=policy)
    first.build((2, 8, 7, 7))
    first.set_weights(last.get_weights())
    tolerance = 1e-5 if policy == "float32" else 1e-2
    np.testing.assert_allclose(numbers(first(x.transpose(0, 3, 1, 2).copy())), expected, atol=tolerance)


@every_layer
@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_a_batch_of_no_images(make, policy):
    layer = make(dtype=policy)
    assert tuple(layer(np.zeros((0, *SHAPE[1:]), "float32")).shape[:3]) == (0, *SHAPE[1:3])


def test_grouped_convolution_has_the_config_of_keras():
    arguments = {"filters": 4, "kernel_size": 3, "groups": 2, "activation": "relu", "name": "conv2"}
    assert GroupedConv2D(**arguments).get_config() == keras.layers.Conv2D(**arguments).get_config()


@pytest.mark.parametrize(("filters", "channels"), [(5, 8), (4, 7)])
def test_groups_must_divide_filters_and_channels(filters, channels):
    with pytest.raises(ValueError, match=r"[Rr]eceived:?.*groups=2"):
        GroupedConv2D(filters, 3, groups=2)(random(1, 5, 5, channels))


# Layers behind the convolutions of two towers


def test_flattening_keeps_the_groups_apart():
    x = random(2, 3, 4, 6)
    layer = GroupedFlatten(2, name="flatten")
    expected = np.concatenate([x[..., :3].reshape(2, -1), x[..., 3:].reshape(2, -1)], axis=1)
    np.testing.assert_array_equal(numbers(layer(x)), expected)
    assert layer(keras.Input((3, 4, 6))).shape == (None, 72)
    assert GroupedFlatten.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize("groups", [1, 2, 3])
def test_grouped_dense_is_one_product_per_group(groups):
    x, bias = random(2, 12), random(6)
    layer = GroupedDense(6, groups, activation="relu")
    layer.build(x.shape)
    kernel = random(12 // groups, 6)
    layer.set_weights([kernel, bias])
    own = [slice(g * 12 // groups, (g + 1) * 12 // groups) for g in range(groups)]
    units = [slice(g * 6 // groups, (g + 1) * 6 // groups) for g in range(groups)]
    products = [x[:, inputs] @ kernel[:, outputs] for inputs, outputs in zip(own, units, strict=True)]
    np.testing.assert_allclose(numbers(layer(x)), np.maximum(np.concatenate(products, 1) + bias, 0), atol=1e-5)


@pytest.mark.parametrize(
    ("make", "received"),
    [
        (lambda: GroupedDense(5, groups=2), "5 units, groups=2"),
        (lambda: GroupedDense(4, groups=2)(random(1, 7)), "7 inputs, groups=2"),
        (lambda: GroupedFlatten(2)(random(1, 2, 2, 7)), "7 channels, groups=2"),
        (lambda: GroupedFlatten(0), "groups=0"),
    ],
)
def test_groups_must_divide_units_and_inputs(make, received):
    with pytest.raises(ValueError, match=f"Received: {received}"):
        make()


# Other kernels at every position


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_local_convolution_is_the_sum_by_loop(policy):
    x = random(2, 4, 5, 3)
    layer = LocallyConnected2D(2, 3, dtype=policy)
    layer.build(x.shape)
    kernel, bias = random(4, 5, 27, 2, scale=0.3), random(40)
    layer.set_weights([kernel, bias])
    padded, expected = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0))), np.zeros((2, 4, 5, 2))
    for image, row, column, filter in np.ndindex(expected.shape):
        total = bias[(row * 5 + column) * 2 + filter]
        for down, right, channel in np.ndindex(3, 3, 3):
            weight = kernel[row, column, (down * 3 + right) * 3 + channel, filter]
            total += padded[image, row + down, column + right, channel] * weight
        expected[image, row, column, filter] = total
    np.testing.assert_allclose(numbers(layer(x)), expected, atol=1e-5 if policy == "float32" else 3e-2)
    assert layer(keras.Input((4, 5, 3))).shape == (None, 4, 5, 2)


def test_local_convolution_with_equal_kernels_is_that_of_keras():
    x, shared = random(2, 4, 5, 3), keras.layers.Conv2D(2, 3, padding="same")
    expected = numbers(shared(x))
    kernel, _ = shared.get_weights()
    layer = LocallyConnected2D(2, 3)
    layer.build(x.shape)
    layer.set_weights([np.broadcast_to(kernel.reshape(27, 2), (4, 5, 27, 2)), np.zeros(40, "float32")])
    np.testing.assert_allclose(numbers(layer(x)), expected, atol=1e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [((0, 3), "filters=0"), ((4, 2), "kernel_size=2"), ((True, 3), "filters=True")],
)
def test_impossible_local_convolution_is_refused(arguments, message):
    with pytest.raises(ValueError, match=f"Received: {message}"):
        LocallyConnected2D(*arguments)


def test_local_convolution_needs_maps_of_known_size():
    with pytest.raises(ValueError, match=r"must be known\. Received: input_shape=\(None, None, 5, 3\)"):
        LocallyConnected2D(4, 3)(keras.Input((None, 5, 3)))


# A small copy of the image


@pytest.mark.parametrize("policy", ["float32", "mixed_bfloat16"])
def test_subsampling_is_the_weighted_mean_around_each_pixel_that_is_kept(policy):
    x = random(2, 9, 13, 3)
    layer = GaussianSubsampling(5, std=2.0, step=4, dtype=policy)
    bell = np.exp(-(np.arange(-2, 3) ** 2) / 8)
    weights = np.outer(bell, bell) / bell.sum() ** 2
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)))
    expected = [
        [(padded[:, row : row + 5, column : column + 5] * weights[..., None]).sum((1, 2)) for column in (0, 4, 8, 12)]
        for row in (0, 4, 8)
    ]
    expected = np.moveaxis(expected, 2, 0)  # (2, 3, 4, 3)
    np.testing.assert_allclose(numbers(layer(x)), expected, atol=1e-6 if policy == "float32" else 2e-2)
    assert layer(keras.Input((9, 13, 3))).shape == (None, 3, 4, 3)
    assert layer(keras.Input((None, 13, 3))).shape == (None, None, 4, 3)
    assert GaussianSubsampling.from_config(layer.get_config()).get_config() == layer.get_config()


@pytest.mark.parametrize(("setting", "value"), [("window", 4), ("std", "wide"), ("step", 0)])
def test_impossible_subsampling_is_refused(setting, value):
    with pytest.raises(ValueError, match=f"Received: {setting}={value!r}"):
        GaussianSubsampling(**{setting: value})


# Dropout as in the paper


@pytest.mark.parametrize("rate", [0.0, 0.3, 0.5])
def test_paper_dropout_scales_at_test_time_and_not_in_training(rate):
    x = np.abs(random(4, 1000)) + 1
    layer, keras_layer = PaperDropout(rate, seed=3), keras.layers.Dropout(rate, seed=3)
    np.testing.assert_allclose(numbers(layer(x)), x * (1 - rate), rtol=1e-6)
    trained, scaled_up = numbers(layer(x, training=True)), numbers(keras_layer(x, training=True))
    np.testing.assert_array_equal(trained > 0, scaled_up > 0)  # the same units
    np.testing.assert_allclose(trained[trained > 0], x[trained > 0], rtol=1e-6)
    assert np.mean(trained == 0) == pytest.approx(rate, abs=0.03)


# Adaptive average pooling


def averaged(x, places):
    """Each output position is the mean of all input positions that it overlaps."""
    height, width = x.shape[1:3]
    y = np.empty((len(x), places, places, x.shape[-1]))
    for row, column in np.ndindex(places, places):
        rows = slice(row * height // places, -(-(row + 1) * height // places))
        columns = slice(column * width // places, -(-(column + 1) * width // places))
        y[:, row, column] = x[:, rows, columns].mean((1, 2))
    return y


@pytest.mark.parametrize("sides", [(1, 1), (1, 3), (3, 1), (2, 2), (6, 6), (13, 7)])
def test_adaptive_average_pooling_is_the_mean_by_loop(sides):
    x = random(2, *sides, 4)
    layer = AdaptiveAveragePooling2D(6)
    image = keras.Input(x.shape[1:])
    model = keras.Model(image, layer(image))
    assert model.output_shape == (None, 6, 6, 4)
    np.testing.assert_allclose(numbers(layer(x)), averaged(x, 6), atol=1e-6)
    np.testing.assert_allclose(model.predict_on_batch(x), averaged(x, 6), atol=1e-6)
