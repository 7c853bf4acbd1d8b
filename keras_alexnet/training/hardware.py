"""What the devices of the Keras backend can do, and how to make them reproducible."""

import contextlib
from collections.abc import Iterator

import keras

from keras_alexnet.machine import processor


def is_tensorflow_on_cpu() -> bool:
    """Return whether TensorFlow is the backend and has no GPU."""
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.config.get_visible_devices("GPU")


def make_deterministic() -> None:
    """Make results reproducible bit for bit."""
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        tf.config.experimental.enable_op_determinism()


def fastest_precision() -> str:
    """Return "mixed_bfloat16" if the hardware multiplies bfloat16, else "float32".

    A CPU must have an instruction for it: without one, bfloat16 is emulated and many times slower.
    """
    capability = _gpu_capability()
    if capability is not None:
        return "mixed_bfloat16" if capability >= (8, 0) else "float32"
    _, features = processor()
    return "mixed_bfloat16" if {"avx512_bf16", "amx_bf16"} & {*features} else "float32"


@contextlib.contextmanager
def precision_as_before() -> Iterator[None]:
    """Leave the precision of other networks of the program as it was."""
    before = keras.config.dtype_policy()
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)


def _gpu_capability() -> tuple[int, int] | None:
    """Return the compute capability of the backend's first GPU, `(0, 0)` if it is unknown, None without a GPU."""
    if keras.backend.backend() == "jax":
        import jax

        device = jax.devices()[0]
        if device.platform != "gpu":
            return None
        parts = getattr(device, "compute_capability", "").split(".")  # of other makers a name, such as gfx942
        return tuple(map(int, parts)) if len(parts) == 2 and "".join(parts).isdecimal() else (0, 0)
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        for gpu in tf.config.get_visible_devices("GPU"):
            return tf.config.experimental.get_device_details(gpu).get("compute_capability", (0, 0))
    return None


def gpu_names() -> list[str]:
    """Return the names of the backend's GPUs, none on the CPU."""
    if keras.backend.backend() == "jax":
        import jax

        return [device.device_kind for device in jax.devices() if device.platform == "gpu"]
    if keras.backend.backend() == "tensorflow":
        import tensorflow as tf

        details = map(tf.config.experimental.get_device_details, tf.config.get_visible_devices("GPU"))
        return [each.get("device_name", "GPU") for each in details]
    return []
