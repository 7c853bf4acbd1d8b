"""Operator fusion: several elementwise operations in one pass over memory."""

import contextlib
import contextvars
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import keras

# What traces a network to write it to a file. Programs that read such files know no XLA-compiled functions.
_EXPORTERS = ("keras.src.export", "tensorflow.lite", "tensorflow.python.saved_model", "tf2onnx")

# True or False where a caller decides, None where fusion is left out only while an exporter is tracing. A context
# variable, so that an export in one thread leaves a training in another alone.
_decided = contextvars.ContextVar("fusion", default=None)


@contextlib.contextmanager
def fusion(enabled: bool) -> Iterator[None]:
    """Turn fusion on or off inside a `with` block, whatever is being traced there."""
    token = _decided.set(enabled)
    try:
        yield
    finally:
        _decided.reset(token)


def unfused() -> contextlib.AbstractContextManager[None]:
    """Turn fusion off inside a `with` block.

    Keras's `export`, `tf.saved_model.save`, `tf.lite` and `tf2onnx` need no such block: they are recognized. It is for
    a `tf.function` of your own that is traced before it is exported.
    """
    return fusion(enabled=False)


def fuses() -> bool:
    """Return whether elementwise operations in a row become one pass over memory, here and now."""
    backend, decided = keras.backend.backend(), _decided.get()
    if backend != "tensorflow":
        return backend == "jax"  # compiles everything that it traces
    return not _is_traced_for_export() if decided is None else decided


def _is_traced_for_export() -> bool:
    """Return whether an exporter called the function that TensorFlow traces now.

    Keras has no other sign of it: an export calls the network as `predict` does. The call stack is searched once per
    layer and trace, and never while operations run eagerly.
    """
    import tensorflow as tf  # loaded already: it is the backend

    if tf.executing_eagerly():
        return False
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_EXPORTERS):
            return True
        frame = frame.f_back
    return False


def fused(function: Callable[..., Any], shared: bool = False) -> Callable[..., Any]:
    """Compile a pure function of tensors where the backend would not do so by itself.

    JAX compiles the whole training step. TensorFlow on the CPU must not: XLA's gradient of max pooling is ten times
    slower there than TensorFlow's own. Without XLA, however, TensorFlow writes every intermediate array to memory. So
    the functions that consist of little but such arrays are compiled one by one. Other backends run `function` as is.

    Args:
        function: Takes and returns tensors, and may assign to variables that it is given.
        shared: Whether all callers share what is compiled for this function. It then stays in memory.

    Returns:
        A function that does the same.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    return _compiled_once(function) if shared else _compiled(function)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    import tensorflow as tf  # loaded already: it is the backend

    compiled = tf.function(function, jit_compile=True, autograph=False)

    def run(*tensors: Any) -> Any:
        has_variables = any(isinstance(x, keras.Variable) for x in tensors)
        # A tf.function takes the first of several mirrored variables of a shape for all of them.
        if not fuses() or (has_variables and tf.distribute.has_strategy()):
            return function(*tensors)
        return compiled(*(x.value if isinstance(x, keras.Variable) else x for x in tensors))

    return run


_compiled_once = functools.cache(_compiled)
