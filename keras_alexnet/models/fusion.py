"""Operator fusion: several elementwise operations in one pass over memory."""

import contextlib
import contextvars
import functools
import sys
from collections.abc import Callable, Iterator
from typing import Any

import keras

# Modules that trace a network to export it. Programs that read exported files do not support XLA-compiled functions.
_EXPORTERS = ("keras.src.export", "tensorflow.lite", "tensorflow.python.saved_model", "tf2onnx")

# True or False if a caller decides, None to turn fusion off only while an exporter is tracing. A context variable, so
# that an export in one thread does not affect training in another.
_decided = contextvars.ContextVar("fusion", default=None)


@contextlib.contextmanager
def set_fusion(enabled: bool) -> Iterator[None]:
    """Turn fusion on or off inside a `with` block, regardless of what is traced there.

    Keras's `export`, `tf.saved_model.save`, `tf.lite` and `tf2onnx` are recognized and need no `set_fusion(False)`. It
    is for your own `tf.function` that is traced before it is exported.
    """
    token = _decided.set(enabled)
    try:
        yield
    finally:
        _decided.reset(token)


def fusion_enabled() -> bool:
    """Return whether consecutive elementwise operations currently become one pass over memory."""
    backend, decided = keras.backend.backend(), _decided.get()
    if backend != "tensorflow":
        return backend == "jax"  # compiles everything that it traces
    return not _is_traced_for_export() if decided is None else decided


def _is_traced_for_export() -> bool:
    """Return whether an exporter called the function that TensorFlow is tracing.

    Keras has no flag for it: an export calls the network like `predict`. The call stack is searched once per layer and
    trace, and never in eager mode.
    """
    import tensorflow as tf  # already loaded, as the backend

    if tf.executing_eagerly():
        return False
    frame = sys._getframe()
    while frame is not None:
        if frame.f_globals.get("__name__", "").startswith(_EXPORTERS):
            return True
        frame = frame.f_back
    return False


def compile_elementwise(function: Callable[..., Any], shared: bool = False) -> Callable[..., Any]:
    """Compile a pure function of tensors if the backend does not do so itself.

    JAX compiles the whole training step. TensorFlow on the CPU must not, because XLA's gradient of max pooling is ten
    times slower there than TensorFlow's own. Without XLA, however, TensorFlow writes every intermediate array to
    memory, so elementwise functions are compiled one by one. Other backends run `function` unchanged.

    Args:
        function: Takes and returns tensors, and may assign to variables among its arguments.
        shared: Whether all callers share the compiled code of this function. It then stays in memory.

    Returns:
        An equivalent function.
    """
    if keras.backend.backend() != "tensorflow":
        return function
    return _compiled_once(function) if shared else _compiled(function)


def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    import tensorflow as tf  # already loaded, as the backend

    compiled = tf.function(function, jit_compile=True, autograph=False)

    def run(*tensors: Any) -> Any:
        has_variables = any(isinstance(x, keras.Variable) for x in tensors)
        # A tf.function uses the first of several mirrored variables of one shape for all of them.
        if not fusion_enabled() or (has_variables and tf.distribute.has_strategy()):
            return function(*tensors)
        return compiled(*(x.value if isinstance(x, keras.Variable) else x for x in tensors))

    return run


_compiled_once = functools.cache(_compiled)
