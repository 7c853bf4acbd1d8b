"""Which devices train, and in what precision (paper section 3.2).

The paper put half of the channels on each of two GPUs. `tf.distribute.MirroredStrategy` puts the whole network on each
and half of the batch: the same result as on one device, and it works for any network.
"""

import json
import os
import pathlib

import keras
import tensorflow as tf


def strategy(devices=None, virtual_devices=None, kind="mirrored"):
    """The distribution strategy for this machine.

    Memory of GPUs is taken as it is needed, not all at once.

    Args:
        devices: How many devices train; None takes all GPUs, or the CPU where there is none.
        virtual_devices: Split the CPU in so many logical devices, to rehearse on a machine without GPUs. Must come
            before TensorFlow has touched the CPU.
        kind: "mirrored"; or "multiworker", for several processes on one machine or on several, each with its own place
            among them in `TF_CONFIG` and all of its GPUs.

    Returns:
        `tf.distribute.MultiWorkerMirroredStrategy` where asked for, else `MirroredStrategy` for more than one device,
        else TensorFlow's default strategy.

    Raises:
        ValueError: If there are fewer devices than asked for, `TF_CONFIG` does not name the workers, or Keras has
            another backend than TensorFlow.

    Source: section 3.2.
    """
    if keras.backend.backend() != "tensorflow":
        raise ValueError(
            "Expected the tensorflow backend of Keras; with another, call `fit` of what `build` gives. "
            f"Received: KERAS_BACKEND={keras.backend.backend()}"
        )
    gpus = tf.config.list_physical_devices("GPU")
    for gpu in gpus:
        tf.config.experimental.set_memory_growth(gpu, True)
    if kind == "multiworker":
        return _of_workers(devices, virtual_devices)
    if virtual_devices:
        _split_cpu(virtual_devices)
    kind = "CPU" if virtual_devices or not gpus else "GPU"
    names = [device.name for device in tf.config.list_logical_devices(kind)]
    wanted = devices or virtual_devices or len(names)
    if wanted > len(names):
        raise ValueError(
            f"Expected at most {len(names)} devices, for that is what this machine has ({kind}); "
            f"`--virtual-devices {wanted}` splits the CPU to rehearse. Received: devices={wanted}"
        )
    if wanted == 1:
        return tf.distribute.get_strategy()
    return tf.distribute.MirroredStrategy(names[:wanted])


def _of_workers(devices, virtual_devices):
    if devices or virtual_devices:
        raise ValueError(
            "With --strategy multiworker every worker takes what it has: leave out --devices and --virtual-devices. "
            f"Received: devices={devices}, virtual_devices={virtual_devices}"
        )
    try:
        cluster = json.loads(os.environ.get("TF_CONFIG", "{}"))
        place = cluster["cluster"]["worker"][cluster["task"]["index"]]
    except (ValueError, KeyError, IndexError, TypeError):
        place = None
    if not place:
        raise ValueError(
            'Expected TF_CONFIG to name the workers and which one this is: {"cluster": {"worker": ["host1:2222", '
            f'"host2:2222"]}}, "task": {{"type": "worker", "index": 0}}}}. Received: {os.environ.get("TF_CONFIG")}'
        )
    return tf.distribute.MultiWorkerMirroredStrategy()


def is_chief(strategy):
    """Whether this process writes: the only one, or the first worker of several."""
    return (strategy.cluster_resolver.task_id or 0) == 0 if strategy.cluster_resolver else True


def is_alone(strategy):
    """Whether this process trains without others."""
    return not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy)


@keras.saving.register_keras_serializable(package="keras_alexnet")
class WorkerModel(keras.Model):
    """A network that `fit` trains in several processes. Elsewhere it is a plain `keras.Model`.

    Keras 3.15 averages the logs of workers along an axis that scalars do not have, and to see the shape of a batch it
    averages batches that lie in other processes. Here logs are vectors of one number, and the batch is one's own.
    """

    def train_step(self, data):
        return self._vectors(super().train_step(data))

    def test_step(self, data):
        return self._vectors(super().test_step(data))

    def _vectors(self, logs):
        among_others = isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy)
        return {name: tf.reshape(value, (1,)) for name, value in logs.items()} if among_others else logs

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        if not isinstance(self.distribute_strategy, tf.distribute.MultiWorkerMirroredStrategy):
            super()._maybe_symbolic_build(iterator, data_batch)
            return
        own = self.distribute_strategy.experimental_local_results
        if iterator is not None:
            _, _, batches = next(iter(iterator))
            data_batch = tf.nest.map_structure(lambda values: own(values)[0], next(batches))
        with self.distribute_strategy.scope():
            self._symbolic_build(data_batch=data_batch)


def for_workers(model):
    """The network as `fit` needs it under the strategy in scope: a `WorkerModel` among several workers."""
    if isinstance(tf.distribute.get_strategy(), tf.distribute.MultiWorkerMirroredStrategy):
        return WorkerModel(model.input, model.output, name=model.name)
    return model


def _split_cpu(count):
    (cpu,) = tf.config.list_physical_devices("CPU")
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * count)


def fastest_precision():
    """`mixed_bfloat16` where the hardware multiplies bfloat16, else `float32`.

    The processor must say so itself: without its own instruction bfloat16 is emulated, many times slower.
    """
    gpus = tf.config.list_physical_devices("GPU")
    if gpus:
        capability = tf.config.experimental.get_device_details(gpus[0]).get("compute_capability", (0, 0))
        return "mixed_bfloat16" if capability >= (8, 0) else "float32"
    processor = pathlib.Path("/proc/cpuinfo")
    flags = processor.read_text() if processor.exists() else ""
    return "mixed_bfloat16" if "avx512_bf16" in flags or "amx_bf16" in flags else "float32"
