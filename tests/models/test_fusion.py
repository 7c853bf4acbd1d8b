"""Compiled where the backend would not compile, and left alone where asked."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_alexnet.models.fusion import fused, fuses, unfused

on_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="other backends run it as it is")


def counted():
    """A function to fuse, and how often it was run in Python."""
    runs = []

    def squared(x):
        runs.append(x)
        return x * x

    return squared, runs


def test_does_the_same():
    x = np.arange(4, dtype="float32")
    squared, _ = counted()
    np.testing.assert_array_equal(ops.convert_to_numpy(fused(squared)(ops.convert_to_tensor(x))), x * x)


def test_may_assign_to_variables():
    variable = keras.Variable(np.ones(3, "float32"))
    fused(lambda variable, step: variable.assign(variable + step))(variable, ops.convert_to_tensor(2.0))
    np.testing.assert_array_equal(ops.convert_to_numpy(variable), [3, 3, 3])


@on_tensorflow
@pytest.mark.parametrize(("shared", "compilations"), [(True, 1), (False, 2)])
def test_is_compiled_once_where_shared(shared, compilations):
    squared, runs = counted()
    x = ops.ones(3)
    for _ in range(2):
        function = fused(squared, shared=shared)
        function(x)
        function(x)
    assert len(runs) == compilations


@on_tensorflow
def test_runs_as_it_is_for_exports():
    squared, runs = counted()
    function = fused(squared)
    with unfused():
        assert not fuses()
        function(ops.ones(3))
        function(ops.ones(3))
    assert len(runs) == 2


@on_tensorflow
def test_is_compiled_again_afterwards():
    with pytest.raises(KeyError), unfused():
        raise KeyError
    assert fuses()
    squared, runs = counted()
    function = fused(squared)
    function(ops.ones(3))
    function(ops.ones(3))
    assert len(runs) == 1
