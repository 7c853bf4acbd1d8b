"""The paper's update rule, compared with a computation by hand, and its schedule."""

import dataclasses
import re

import keras
import numpy as np
import pytest
from keras import ops

from keras_alexnet.recipes import RECIPES, Recipe
from keras_alexnet.training.optimizers import PaperSGD
from keras_alexnet.training.schedules import (
    bias_factor,
    divided_learning_rate,
    layer_factors,
    learning_rate,
    step_factor,
)

COMPILED = keras.backend.backend() == "jax"  # elsewhere that takes longer than the steps
STEPS = 3
RATE = 0.01


def random(*shape, seed=0):
    return np.random.default_rng(seed).normal(0, 1, shape).astype("float32")


def trained(optimizer, kernel, bias, gradients):
    """Kernel and bias after one step per pair of gradients."""
    variables = [keras.Variable(kernel), keras.Variable(bias)]
    optimizer.build(variables)
    for pair in gradients:
        optimizer.apply([ops.convert_to_tensor(gradient) for gradient in pair], variables)
    return [ops.convert_to_numpy(variable) for variable in variables]


GRADIENTS = [(random(4, 3, seed=10 + n), random(3, seed=20 + n)) for n in range(STEPS)]


@pytest.mark.parametrize("factor", [1.0, 2.0])
def test_three_steps_match_a_computation_by_hand(factor):
    w, b = random(4, 3), random(3)
    kernel, bias = trained(PaperSGD(RATE, bias_learning_rate_factor=factor), w, b, GRADIENTS)
    v_w = v_b = 0
    for g_w, g_b in GRADIENTS:
        v_w = 0.9 * v_w - 0.0005 * RATE * w - RATE * g_w
        v_b = 0.9 * v_b - factor * RATE * g_b  # no decay on biases
        w, b = w + v_w, b + v_b
    np.testing.assert_allclose(kernel, w, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(bias, b, rtol=1e-5, atol=1e-7)


def two_layers():
    """A network of two fully connected layers, "body" and "head"."""
    image = keras.Input((4,))
    return keras.Model(image, keras.layers.Dense(2, name="head")(keras.layers.Dense(3, name="body")(image)))


def test_a_layer_with_a_factor_learns_as_with_a_rate_of_its_own():
    """The "head" learns as with ten times the rate, the "body" as with the rate itself."""
    start = [random(*variable.shape, seed=n) for n, variable in enumerate(two_layers().trainable_variables)]
    gradients, after = [random(*array.shape, seed=9) for array in start], {}
    for name, rate, factors in (("both", RATE, {"head": 10.0}), ("body", RATE, None), ("head", 10 * RATE, None)):
        model = two_layers()
        model.set_weights(start)
        optimizer = PaperSGD(rate, learning_rate_factors=factors, bias_learning_rate_factor=2.0)
        optimizer.build(model.trainable_variables)
        for _ in range(STEPS):
            optimizer.apply([ops.convert_to_tensor(array) for array in gradients], model.trainable_variables)
        after[name] = model.get_weights()
    for n, own in enumerate(("body", "body", "head", "head")):
        assert np.abs(after["both"][n] - start[n]).max() > 0
        np.testing.assert_allclose(after["both"][n], after[own][n], rtol=1e-5, atol=1e-7)


def test_factors_of_layers_are_saved(tmp_path):
    model = two_layers()
    model.compile(PaperSGD(RATE, learning_rate_factors={"head": 10.0}), "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    assert loaded.optimizer.learning_rate_factors == {"head": 10.0}
    for each in (model, loaded):
        gradients = [ops.convert_to_tensor(random(*variable.shape)) for variable in each.trainable_variables]
        each.optimizer.apply(gradients, each.trainable_variables)
    for one, other in zip(model.get_weights(), loaded.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("decay_into", ["velocity", "weights"])
def test_layers_without_weight_decay_are_saved_and_do_not_decay(decay_into, tmp_path):
    model = two_layers()
    model.compile(PaperSGD(RATE, weight_decay=0.1, decay_into=decay_into, no_weight_decay=("body",)), "mse")
    model.optimizer.build(model.trainable_variables)
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    before = loaded.get_weights()
    loaded.optimizer.apply([ops.zeros(each.shape) for each in before], loaded.trainable_variables)
    factors = (1, 1, 1 - 0.1 * RATE, 1)  # body's kernel and bias, head's kernel and bias
    for start, after, factor in zip(before, loaded.get_weights(), factors, strict=True):
        np.testing.assert_allclose(after, start * factor, rtol=1e-6)


@pytest.mark.parametrize("setting", [{"learning_rate_factors": {"haed": 10.0}}, {"no_weight_decay": ("haed",)}])
def test_a_name_without_a_layer_is_told(setting):
    with pytest.warns(UserWarning, match="should name layers with trainable weights. Received: haed$"):
        PaperSGD(**setting).build(two_layers().trainable_variables)


def test_an_optimizer_from_before_there_were_factors_of_layers_loads():
    config = PaperSGD(RATE).get_config()
    del config["learning_rate_factors"]
    assert PaperSGD.from_config(config).learning_rate_factors == {}


def test_a_factor_below_zero_is_refused():
    with pytest.raises(ValueError, match=r"of at least 0\. Received: learning_rate_factors\['fc8'\]=-1"):
        PaperSGD(learning_rate_factors={"fc8": -1})


def test_decoupled_decay_matches_a_computation_by_hand():
    w = random(4, 3)
    kernel, _ = trained(PaperSGD(RATE, weight_decay=0.1, decay_into="weights"), w, random(3), GRADIENTS)
    velocity = 0
    for gradient, _ in GRADIENTS:
        velocity = 0.9 * velocity - RATE * gradient
        w = w + velocity - 0.1 * RATE * w
    np.testing.assert_allclose(kernel, w, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("decay_into", ["velocity", "weights"])
def test_scalars_and_vectors_count_as_biases(decay_into):
    start, gradient = [np.float32(3), random(3)], [np.float32(0.5), random(3, seed=1)]
    optimizer = PaperSGD(RATE, weight_decay=0.1, bias_learning_rate_factor=2.0, decay_into=decay_into)
    received = trained(optimizer, *start, [gradient])
    for value, slope, after in zip(start, gradient, received, strict=True):
        np.testing.assert_allclose(after, value - 2 * RATE * slope, rtol=1e-6)


@pytest.mark.parametrize("decay_into", ["velocity", "weights"])
@pytest.mark.parametrize("by", ["variable", "name"])
def test_excluded_variables_do_not_decay(decay_into, by):
    one, other = (keras.Variable(random(4, 3), name=name) for name in ("one", "other"))
    optimizer = PaperSGD(RATE, weight_decay=0.1, decay_into=decay_into)
    optimizer.exclude_from_weight_decay(**{"variable": {"var_list": [one]}, "name": {"var_names": ["one"]}}[by])
    optimizer.build([one, other])
    optimizer.apply([ops.zeros((4, 3))] * 2, [one, other])
    np.testing.assert_array_equal(ops.convert_to_numpy(one), random(4, 3))
    np.testing.assert_allclose(ops.convert_to_numpy(other), random(4, 3) * (1 - 0.1 * RATE), rtol=1e-6)


@pytest.mark.parametrize("setting", ["momentum", "weight_decay", "bias_learning_rate_factor"])
def test_settings_that_change_between_steps_take_effect(setting):
    before = {"momentum": 0.9, "weight_decay": 0.1, "bias_learning_rate_factor": 1.0}
    w, b = random(4, 3), random(3)
    variables = [keras.Variable(w), keras.Variable(b)]
    optimizer = PaperSGD(RATE, **before)
    v_w = v_b = 0
    for settings, (g_w, g_b) in zip((before, before | {setting: 0.5}), GRADIENTS, strict=False):
        setattr(optimizer, setting, settings[setting])
        optimizer.apply([ops.convert_to_tensor(g_w), ops.convert_to_tensor(g_b)], variables)
        v_w = settings["momentum"] * v_w - settings["weight_decay"] * RATE * w - RATE * g_w
        v_b = settings["momentum"] * v_b - settings["bias_learning_rate_factor"] * RATE * g_b
        w, b = w + v_w, b + v_b
    np.testing.assert_allclose(ops.convert_to_numpy(variables[0]), w, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(ops.convert_to_numpy(variables[1]), b, rtol=1e-5, atol=1e-7)


def sparse(values, rows, height):
    """A sparse gradient of the backend, as for an embedding; rows may occur twice."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        return tf.IndexedSlices(tf.constant(values), tf.constant(rows), (height, values.shape[1]))
    if keras.backend.backend() == "jax":
        from jax.experimental import sparse as jax_sparse

        return jax_sparse.BCOO((values, np.array(rows)[:, None]), shape=(height, values.shape[1]))
    pytest.skip("Keras has no sparse gradients on this backend")


@pytest.mark.parametrize("decay_into", ["velocity", "weights"])
def test_sparse_gradients_are_those_of_all_rows(decay_into):
    start, values, rows = random(6, 3), random(3, 3, seed=1), [4, 0, 4]
    dense = np.zeros((6, 3), "float32")
    np.add.at(dense, rows, values)
    received = []
    for gradient in (sparse(values, rows, 6), ops.convert_to_tensor(dense)):
        variable, optimizer = keras.Variable(start), PaperSGD(RATE, weight_decay=0.1, decay_into=decay_into)
        for _ in range(2):
            optimizer.apply([gradient], [variable])
        received.append(ops.convert_to_numpy(variable))
    np.testing.assert_allclose(received[0], received[1], rtol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("decay_into", ["velocity", "weights"])
def test_trains_an_embedding(decay_into):
    model = keras.Sequential([keras.Input((4,), dtype="int32"), keras.layers.Embedding(10, 3), keras.layers.Flatten()])
    model.compile(PaperSGD(RATE, decay_into=decay_into), "mse")
    before = model.get_weights()[0]
    model.fit(np.array([[1, 2, 2, 3]]), np.ones((1, 12)), verbose=0)
    moved = np.abs(model.get_weights()[0] - before).max(axis=1)
    assert moved[[1, 2, 3]].min() > 10 * moved[[0, 4, 5, 6, 7, 8, 9]].max()  # the others decay


@pytest.mark.slow
def test_is_momentum_with_half_the_decay_as_l2():
    def network(**kwargs):
        keras.utils.set_random_seed(1)
        model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(4, **kwargs), keras.layers.Dense(3, **kwargs)])
        return model

    x, y = random(16, 5), random(16, 3, seed=1)
    ours, theirs = network(), network(kernel_regularizer=keras.regularizers.L2(0.1 / 2))
    ours.compile(PaperSGD(RATE, weight_decay=0.1), "mse", jit_compile=COMPILED)
    theirs.compile(keras.optimizers.SGD(RATE, momentum=0.9), "mse", jit_compile=COMPILED)
    for model in (ours, theirs):
        model.fit(x, y, batch_size=4, epochs=2, shuffle=False, verbose=0)
    for one, other in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-7)


def test_learning_rate_may_change_and_be_a_schedule():
    schedule = keras.optimizers.schedules.PiecewiseConstantDecay([0], [RATE, RATE / 10])
    scheduled = trained(PaperSGD(schedule, momentum=0), random(4, 3), random(3), GRADIENTS[:2])
    optimizer = PaperSGD(RATE, momentum=0)
    first = trained(optimizer, random(4, 3), random(3), GRADIENTS[:1])
    by_hand = trained(PaperSGD(RATE / 10, momentum=0), *first, GRADIENTS[1:2])
    np.testing.assert_allclose(scheduled[0], by_hand[0], rtol=1e-6)


def first_and_second(**settings):
    keras.utils.set_random_seed(2)
    layers = [keras.layers.Dense(4, name="first"), keras.layers.Dense(3, name="second")]
    model = keras.Sequential([keras.Input((5,)), *layers])
    model.compile(PaperSGD(RATE, bias_learning_rate_factor=2.0, **settings), "mse", jit_compile=COMPILED)
    return model


def test_a_layer_learns_at_a_rate_of_its_own():
    """In the first step the layer changes by a tenth, the other one as before."""
    x, y, moves = random(8, 5), random(8, 3, seed=1), []
    for factors in ({}, {"first": 0.1}):
        model = first_and_second(learning_rate_factors=factors)
        before = model.get_weights()
        model.train_on_batch(x, y)
        moves.append([after - old for old, after in zip(before, model.get_weights(), strict=True)])
    for usual, own, factor in zip(*moves, (0.1, 0.1, 1, 1), strict=True):
        np.testing.assert_allclose(own, factor * usual, rtol=1e-4, atol=1e-7)


@pytest.mark.slow
def test_a_frozen_layer_keeps_its_weights_and_its_velocity():
    """Momentum does not move a frozen layer."""
    x, y = random(8, 5), random(8, 3, seed=1)
    model = first_and_second()
    model.fit(x, y, epochs=2, verbose=0)
    model.optimizer.learning_rate_factors = {"first": 0.0}
    model.make_train_function(force=True)

    def state():
        velocities = [ops.convert_to_numpy(velocity) for velocity in model.optimizer.velocities]
        return [array for pair in zip(model.get_weights(), velocities, strict=True) for array in pair]

    before = state()
    model.fit(x, y, epochs=2, verbose=0)
    same = [np.array_equal(old, new) for old, new in zip(before, state(), strict=True)]
    assert same == [True] * 4 + [False] * 4


def compiled():
    keras.utils.set_random_seed(2)
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(3)])
    model.compile(PaperSGD(RATE, bias_learning_rate_factor=2.0), "mse", jit_compile=COMPILED)
    return model


@pytest.mark.slow
def test_resumed_is_unbroken(tmp_path):
    x, y = random(16, 5), random(16, 3, seed=1)
    unbroken, broken = compiled(), compiled()
    unbroken.fit(x, y, epochs=4, shuffle=False, verbose=0)
    broken.fit(x, y, epochs=2, shuffle=False, verbose=0)
    broken.save(tmp_path / "last.keras")
    resumed = keras.models.load_model(tmp_path / "last.keras")
    velocities = [ops.convert_to_numpy(velocity) for velocity in resumed.optimizer.velocities]
    assert all(np.abs(velocity).max() > 0 for velocity in velocities)
    resumed.fit(x, y, epochs=2, shuffle=False, verbose=0)
    for one, other in zip(resumed.get_weights(), unbroken.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_config_makes_the_optimizer_again():
    factors = {"conv1": 0.1}
    optimizer = PaperSGD(0.1, 0.8, 0.01, 2.0, "weights", name="again", learning_rate_factors=factors, clipnorm=1.0)
    assert PaperSGD.from_config(optimizer.get_config()).get_config() == optimizer.get_config()


@pytest.mark.parametrize("weight_decay", [{}, {"weight_decay": None}])
def test_config_of_version_0_1_0_makes_the_optimizer(weight_decay):
    """In version 0.1.0 the argument was `decay`, and `weight_decay` was Keras's own."""
    config = PaperSGD(0.1, 0.8, bias_learning_rate_factor=2.0, decay_into="weights").get_config()
    del config["weight_decay"], config["learning_rate_factors"]
    optimizer = PaperSGD.from_config(config | weight_decay | {"decay": 0.01})
    assert optimizer.get_config() == config | {"weight_decay": 0.01, "learning_rate_factors": {}}


def test_weight_decay_by_its_names():
    assert PaperSGD(decay=0.01).weight_decay == 0.01
    assert PaperSGD(weight_decay=None).weight_decay == 0
    assert PaperSGD(decay=0).weight_decay == 0


def test_weight_decay_may_become_none():
    w, b = random(4, 3), random(3)
    optimizer = PaperSGD(RATE, momentum=0.0)
    optimizer.weight_decay = None
    kernel, _ = trained(optimizer, w, b, GRADIENTS[:1])
    np.testing.assert_allclose(kernel, w - RATE * GRADIENTS[0][0], rtol=1e-5, atol=1e-7)


def test_a_constant_learning_rate_needs_no_errors():
    assert learning_rate(Recipe(learning_rate=0.02, divisions=0), [{}, {}]) == 0.02


def test_two_optimizers_have_variables_of_different_names():
    variable = keras.Variable(random(2, 2), name="kernel")
    optimizers = [PaperSGD(), PaperSGD()]
    for optimizer in optimizers:
        optimizer.build([variable])
    paths = [each.path for optimizer in optimizers for each in optimizer.variables]
    assert len(set(paths)) == len(paths) == 6


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("learning_rate", float("nan")),
        ("learning_rate", -0.1),
        ("momentum", 1.0),
        ("momentum", -0.1),
        ("momentum", "0.9"),
        ("momentum", None),
        ("weight_decay", -1.0),
        ("weight_decay", float("nan")),
        ("weight_decay", "0.0005"),
        ("weight_decay", np.array([0.1, 0.2])),
        ("bias_learning_rate_factor", -1.0),
        ("bias_learning_rate_factor", float("inf")),
        ("bias_learning_rate_factor", True),
        ("learning_rate_factors", "fc8"),
        ("learning_rate_factors", [0.1]),
        ("learning_rate_factors", {8: 0.1}),
        ("decay_into", "biases"),
        ("no_weight_decay", "fc8"),  # not the layers f, c and 8
        ("no_weight_decay", None),
        ("no_weight_decay", [8]),
    ],
)
def test_impossible_settings_are_refused(setting, value):
    with pytest.raises(ValueError, match=rf"^`{setting}` must be .*Received: {re.escape(f'{setting}={value!r}')}$"):
        PaperSGD(**{setting: value})


@pytest.mark.parametrize("factor", ["2", float("nan"), None])
def test_a_factor_of_a_layer_must_be_a_number(factor):
    with pytest.raises(ValueError, match=rf"finite number.*Received: learning_rate_factors\['fc8'\]={factor!r}"):
        PaperSGD(learning_rate_factors={"fc8": factor})


@pytest.mark.parametrize(
    ("errors", "divisions"),
    [
        ([], 0),
        ([0.9], 0),
        ([0.9, 0.8, 0.7], 0),  # still improving
        ([0.9, 0.9], 0),  # waits once
        ([0.9, 0.9, 0.9], 1),
        ([0.9, 0.9, 0.9, 0.9], 1),  # waits again from the start
        ([0.9, 0.9, 0.9, 0.9, 0.9], 2),
        ([0.9, 0.9, 0.8, 0.9, 0.9], 1),  # an improvement ends the waiting
        ([float("nan")] * 2, 1),  # no improvement either
        ([0.9] * 100, 3),  # three times and no more
    ],
)
def test_rate_is_divided_when_errors_stop_improving(errors, divisions):
    assert divided_learning_rate(0.01, errors, patience=2) == pytest.approx(0.01 / 10**divisions)


def test_rate_depends_only_on_the_log():
    errors = random(40).tolist()
    rates = [divided_learning_rate(0.01, errors[:n], patience=3, divisions=2) for n in range(len(errors))]
    assert rates == sorted(rates, reverse=True)
    assert sorted(set(rates)) == pytest.approx([0.0001, 0.001, 0.01])


def test_rate_is_divided_after_the_epochs_that_a_recipe_names():
    recipe = Recipe(learning_rate=0.01, divide_after=(2, 3), patience=1)
    rows = [{"val_top1_error": 0.5}] * 5  # never better, which does not count
    rates = [learning_rate(recipe, rows[:n]) for n in range(6)]
    assert rates == pytest.approx([0.01, 0.01, 0.001, 0.0001, 0.0001, 0.0001])


def test_rate_follows_the_errors_where_a_recipe_names_no_epochs():
    rows = [{"val_top1_error": error} for error in (0.9, 0.8, 0.8)]
    assert learning_rate(Recipe(learning_rate=0.01, patience=1), rows) == pytest.approx(0.001)


def test_biases_keep_their_rate_when_that_of_the_weights_is_divided():
    source = Recipe(bias_learning_rate_factor=2.0, divide_after=(25, 51, 79), bias_divide_after=())
    later = dataclasses.replace(source, bias_divide_after=(79,))
    for finished, own, divided in ((0, 0.02, 0.02), (25, 0.02, 0.02), (78, 0.02, 0.02), (79, 0.02, 0.002)):
        rows = [{}] * finished
        rates = [learning_rate(recipe, rows) * bias_factor(recipe, rows) for recipe in (source, later)]
        assert rates == pytest.approx([own, divided])
    together = dataclasses.replace(source, bias_divide_after=None)
    assert {bias_factor(together, [{}] * finished) for finished in range(90)} == {2.0}


def test_a_layer_is_divided_and_then_frozen():
    recipe = Recipe(divide_layer_after=("conv1:2", "conv1:3", "conv2:3"), freeze_layer_after=("conv1:4",))
    assert [layer_factors(recipe, finished) for finished in range(5)] == [
        {},
        {},
        {"conv1": 0.1},
        {"conv1": pytest.approx(0.01), "conv2": 0.1},
        {"conv1": 0.0, "conv2": 0.1},
    ]


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("source_155", 0.02, 0.000005),
        ("source_156", 0.02, 0.00001),
        ("source_157", 0.04, 0.000005),
        ("source_158", 0.04, 0.000002),
    ],
)
def test_the_exponential_schedule_falls_by_the_same_share_at_every_step(name, first, last):
    recipe = RECIPES[name]
    rates = [learning_rate(recipe, []) * step_factor(recipe, step, 1000) for step in range(1001)]
    assert (rates[0], rates[-1]) == pytest.approx((first, last))
    np.testing.assert_allclose(np.divide(rates[1:], rates[:-1]), (last / first) ** (1 / 1000), rtol=1e-9)
