"""Compiled where the backend would not compile, and left alone where asked."""

import keras
import numpy as np
import pytest
from keras import ops

from keras_alexnet.fusion import fused, unfused

on_tensorflow = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="other backends run it as it is")


def squared(x):
    return x * x


def test_does_the_same():
    x = np.arange(4, dtype="float32")
    np.testing.assert_array_equal(ops.convert_to_numpy(fused(squared)(ops.convert_to_tensor(x))), x * x)


def test_may_assign_to_variables():
    variable = keras.Variable(np.ones(3, "float32"))
    fused(lambda variable, step: variable.assign(variable + step))(variable, ops.convert_to_tensor(2.0))
    np.testing.assert_array_equal(ops.convert_to_numpy(variable), [3, 3, 3])


@on_tensorflow
def test_is_compiled_once_where_shared():
    assert fused(squared) is not squared
    assert fused(squared, shared=True) is fused(squared, shared=True)
    assert fused(squared) is not fused(squared)


def test_left_alone_for_exports():
    with unfused():
        assert fused(squared) is squared
        assert fused(squared, shared=True) is squared


@on_tensorflow
def test_compiles_again_afterwards():
    with pytest.raises(KeyError), unfused():
        raise KeyError
    assert fused(squared, shared=True) is not squared
