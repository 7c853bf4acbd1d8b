"""Elementwise arithmetic in one pass over memory instead of one for each operation."""

import contextlib
import functools

import keras

_wanted = True


@contextlib.contextmanager
def unfused():
    """Within it fused functions run as they are: for networks that are traced to be exported.

    TFLite has no compiled functions, and TensorFlow Serving refuses those of a SavedModel on the CPU unless it is
    started with a flag of its own.
    """
    global _wanted
    before, _wanted = _wanted, False
    try:
        yield
    finally:
        _wanted = before


def fuses():
    """Whether elementwise operations in a row are made one pass over memory, here and now."""
    return {"jax": True, "tensorflow": _wanted}.get(keras.backend.backend(), False)


def fused(function, shared=False):
    """Compile a pure function of tensors where the backend would not do so by itself.

    JAX compiles the whole training step. TensorFlow on the CPU must not (XLA's gradient of max pooling is ten times
    slower there than TensorFlow's own), and without XLA writes every intermediate array to memory: so the functions
    that consist of little but such arrays are compiled by themselves. Other backends run `function` as it is.

    Args:
        function: Takes and gives tensors, and may assign to variables that it is given.
        shared: Whether all who ask for this function share what is compiled for it, which then stays in memory.

    Returns:
        A function that does the same.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    return _compiled_once(function) if shared else _compiled(function)


def _compiled(function):
    import tensorflow as tf  # loaded already: it is the backend

    compiled = tf.function(function, jit_compile=True)

    def run(*tensors):
        has_variables = any(isinstance(x, keras.Variable) for x in tensors)
        if not _wanted or (has_variables and tf.distribute.has_strategy()):
            return function(*tensors)  # a tf.function takes the first of several mirrored variables of a shape for all
        return compiled(*(x.value if isinstance(x, keras.Variable) else x for x in tensors))

    return run


_compiled_once = functools.cache(_compiled)
