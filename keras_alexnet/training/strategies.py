"""Devices for training (paper section 3.2).

The paper put half of the channels on each of two GPUs, and so does `TowersStrategy`. `tf.distribute.MirroredStrategy`,
and on JAX `keras.distribution.DataParallel`, put the whole network on each device and give it a share of the batch.
With one weird trick, on JAX, each device has only a part of the fully connected layers. The result is the same as on
one device.
"""

import contextlib
import functools
import json
import math
import os
import typing

import keras

from keras_alexnet.arguments import lookup
from keras_alexnet.models import architectures
from keras_alexnet.models.summary import sketch
from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.recipes.fields import check_fields
from keras_alexnet.recipes.options import STRATEGIES
from keras_alexnet.text import plural
from keras_alexnet.training import one_weird_trick

if typing.TYPE_CHECKING:
    import tensorflow as tf


class Strategy:
    """How training is distributed over devices. This base class is for one device, on any Keras backend.

    Attributes:
        replicas: Number of devices that share a batch.
        devices: Number of devices that train.
        is_chief: Whether this process writes the run's files.
        is_alone: Whether this process trains without other processes.
    """

    replicas: int = 1
    devices: int = 1
    is_chief: bool = True
    is_alone: bool = True

    def prepare(self, recipe: Recipe) -> None:
        """Prepare to train with this recipe. Call this before the other methods.

        Raises:
            ValueError: If the batch size is not divisible by the number of devices, or these devices cannot train the
                network.
        """
        if recipe.batch_size % self.replicas:
            raise ValueError(
                f"`batch_size` must be divisible by the number of devices, {self.replicas}. "
                f"Received: batch_size={recipe.batch_size}"
            )

    def scope(self) -> contextlib.AbstractContextManager:
        """Return the context in which the network and its optimizer are created."""
        return contextlib.nullcontext()

    def training_scope(self) -> contextlib.AbstractContextManager:
        """Return the context in which the network is trained.

        `tf.distribute` needs none. In its scope, work that only the chief does, such as saving, would wait for the
        other workers.
        """
        return contextlib.nullcontext()

    def adapt(self, network: keras.Model) -> keras.Model:
        """Return the network in the form that `fit` needs here. One that is compiled keeps its optimizer.

        It may be the same object, changed.
        """
        return network

    def evaluation_batch_size(self, pictures: int, largest: int) -> int:
        """Return a batch size with which all devices can evaluate.

        Args:
            pictures: Number of pictures to evaluate on.
            largest: Largest batch size that fits into memory.
        """
        return largest


class DistributedStrategy(Strategy):
    """Several devices on one or more machines, with a strategy of `tf.distribute`."""

    def __init__(self, strategy: "tf.distribute.Strategy") -> None:
        self._strategy = strategy
        self.replicas = self.devices = strategy.num_replicas_in_sync

    def scope(self) -> contextlib.AbstractContextManager:
        return self._strategy.scope()

    def adapt(self, network: keras.Model) -> keras.Model:
        network._maybe_symbolic_build = functools.partial(_build_from_one_replica, network)
        return network

    def evaluation_batch_size(self, pictures: int, largest: int) -> int:
        """Return the largest size with which every replica has a picture in every batch, if there is one.

        TensorFlow gives each replica an equal share and the last ones what is left. On a CPU, convolutions can fail
        without a picture.
        """

        def reaches_all(batch, size):
            return batch > (self.replicas - 1) * math.ceil(size / self.replicas)

        sizes = (size for size in range(largest, 0, -1) if reaches_all(size, size))
        fitting = (size for size in sizes if reaches_all(pictures % size or size, size))
        return next(fitting, largest)


def _build_from_one_replica(network, iterator=None, data_batch=None):
    """Let Keras infer the shapes of a batch from the part of one replica.

    Keras 3.15 averages the parts of all replicas instead, which fails if their sizes differ. This function replaces
    its method on the object, because a subclass would be named in saved files.
    """
    if iterator is not None:
        _, _, batches = next(iter(iterator))
        local = network.distribute_strategy.experimental_local_results
        data_batch = keras.tree.map_structure(lambda values: local(values)[0], next(batches))
    with network.distribute_strategy.scope():
        network._symbolic_build(data_batch=data_batch)


class JaxDataParallel(Strategy):
    """Several devices of this machine on JAX, with `keras.distribution.DataParallel`.

    Args:
        devices: Names of the devices, as `keras.distribution.list_devices` returns them.
    """

    def __init__(self, devices: list[str]) -> None:
        self._distribution = _DataParallel(devices=devices)
        self.replicas = self.devices = len(devices)

    def scope(self) -> contextlib.AbstractContextManager:
        return self._distribution.scope()

    training_scope = scope

    def evaluation_batch_size(self, pictures: int, largest: int) -> int:
        """Keras splits all batches like the first, so all or none must be divisible by the number of devices."""
        return largest if pictures % self.replicas == 0 else max(1, largest - 1)


class OneWeirdTrick(JaxDataParallel):
    """Several devices of this machine on JAX that also share the fully connected layers.

    Args:
        devices: Names of the devices, as `keras.distribution.list_devices` returns them.

    Source: see `training.one_weird_trick`.
    """

    def __init__(self, devices: list[str]) -> None:
        self._devices = devices
        self.replicas = self.devices = len(devices)

    def prepare(self, recipe: Recipe) -> None:
        super().prepare(recipe)
        net = architectures.get(recipe.architecture)
        self._distribution = _ModelParallel(layout_map=one_weird_trick.layouts(net, self._devices))


class _AnyBatch:
    """Gives every device the whole batch if its size is not divisible by their number."""

    def get_data_layout(self, data_shape):
        if data_shape[0] % self.device_mesh.shape[0]:
            return keras.distribution.TensorLayout([None] * len(data_shape), self.device_mesh)
        return super().get_data_layout(data_shape)


class _DataParallel(_AnyBatch, keras.distribution.DataParallel):
    pass


class _ModelParallel(_AnyBatch, keras.distribution.ModelParallel):
    pass


class TowersStrategy(Strategy):
    """The two towers of the paper on two devices of this machine, by `training.towers`.

    Args:
        names: Names of the devices, such as `["GPU:0", "GPU:1"]`.

    Source: section 3.2.
    """

    devices = 2

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def prepare(self, recipe: Recipe) -> None:
        super().prepare(recipe)
        from keras_alexnet.training import towers

        towers.check(sketch(recipe.architecture, input_shape=(recipe.crop_size, recipe.crop_size, 3)))

    def scope(self) -> contextlib.AbstractContextManager:
        """Create the network in CPU memory, because it may not fit on one device."""
        import tensorflow as tf

        return tf.device("CPU:0")

    def adapt(self, network: keras.Model) -> keras.Model:
        from keras_alexnet.training import towers

        return towers.split(network, self._names)


class MultiWorkerStrategy(DistributedStrategy):
    """Several processes, each with all of its devices. `TF_CONFIG` lists them."""

    is_alone = False

    def __init__(self, strategy: "tf.distribute.Strategy") -> None:
        super().__init__(strategy)
        self.is_chief = (strategy.cluster_resolver.task_id or 0) == 0

    def adapt(self, network: keras.Model) -> keras.Model:
        for step in ("train_step", "test_step"):
            setattr(network, step, _logs_as_vectors(getattr(network, step)))
        return super().adapt(network)


def _logs_as_vectors(step):
    """Make the logs of a step vectors of one number: Keras 3.15 averages those of workers along an axis."""

    @functools.wraps(step)
    def with_vectors(data):
        return {name: keras.ops.reshape(value, (1,)) for name, value in step(data).items()}

    return with_vectors


def create_strategy(devices: int | None = None, virtual_devices: int | None = None, kind: str = "mirrored") -> Strategy:
    """Create the strategy for this machine.

    It also lets TensorFlow allocate GPU memory as needed, not all at once.

    Args:
        devices: Number of devices to train on; None for all GPUs, or the CPU if there is none.
        virtual_devices: Split the CPU into this many logical devices, to try this without GPUs. This must happen before
            TensorFlow uses the CPU.
        kind: "mirrored"; "multiworker" for several processes on one or more machines, each with its own `TF_CONFIG`
            and with all of its GPUs; "one_weird_trick", on JAX, to share the fully connected layers as well; or
            "towers", on TensorFlow, for the paper's two towers.

    Returns:
        A `Strategy` for one device, or one that wraps `tf.distribute.MirroredStrategy`,
        `tf.distribute.MultiWorkerMirroredStrategy`, `training.towers` or, on JAX, `keras.distribution.DataParallel` or
        `keras.distribution.ModelParallel`.

    Raises:
        ValueError: If the strategy is unknown, a number of devices is not an integer of at least 1, there are fewer
            devices than requested, `TF_CONFIG` does not list the workers, or this backend does not support it.

    Source: section 3.2.
    """
    check_fields(Options, {"devices": devices, "virtual_devices": virtual_devices})
    backend = keras.backend.backend()
    able = lookup(STRATEGIES, kind, "strategy")
    if backend not in able and (kind != "mirrored" or (devices or 1) > 1 or virtual_devices):
        what, instead = "Training on several devices", ""
        if kind != "mirrored":
            what, instead = f"The strategy {kind}", ", or choose another strategy"
        raise ValueError(
            f"{what} needs another backend: set KERAS_BACKEND to {' or '.join(able)}{instead}. "
            f"Received: KERAS_BACKEND={backend}"
        )
    if backend == "jax":
        names = _jax_devices(virtual_devices)
        count = _checked_count(devices or virtual_devices or len(names), names)
        if kind == "one_weird_trick":
            return OneWeirdTrick(_several(names[:count], kind))
        return Strategy() if count == 1 else JaxDataParallel(names[:count])
    if backend != "tensorflow":
        return Strategy()
    import tensorflow as tf

    _let_memory_grow()
    if kind == "multiworker":
        _check_workers(devices, virtual_devices)
        return MultiWorkerStrategy(tf.distribute.MultiWorkerMirroredStrategy())
    names = _tensorflow_devices(virtual_devices)
    if kind == "towers":
        return TowersStrategy(_two(names, devices or virtual_devices))
    count = _checked_count(devices or virtual_devices or len(names), names)
    return Strategy() if count == 1 else DistributedStrategy(tf.distribute.MirroredStrategy(names[:count]))


def _let_memory_grow() -> None:
    """Let TensorFlow take the memory of GPUs as it needs it, unless it has started already."""
    import tensorflow as tf

    with contextlib.suppress(RuntimeError):
        for gpu in tf.config.get_visible_devices("GPU"):
            tf.config.experimental.set_memory_growth(gpu, True)


def _tensorflow_devices(virtual_devices: int | None) -> list[str]:
    """Return the names of TensorFlow's GPUs, or else of its CPU, after splitting the CPU if requested."""
    import tensorflow as tf

    if virtual_devices:
        (cpu,) = tf.config.list_physical_devices("CPU")
        try:
            tf.config.set_visible_devices([], "GPU")  # precision and compilation are then chosen for the CPU
            tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * virtual_devices)
        except RuntimeError as error:
            raise ValueError(f"`virtual_devices` must be set before TensorFlow is used. Received: {error}") from error
    device_type = "GPU" if tf.config.get_visible_devices("GPU") else "CPU"
    return [device.name for device in tf.config.list_logical_devices(device_type)]


def _jax_devices(virtual_devices: int | None) -> list[str]:
    """Return the names of JAX's devices, after splitting the CPU if requested."""
    import jax

    if virtual_devices:
        try:
            jax.config.update("jax_num_cpu_devices", virtual_devices)
            jax.config.update("jax_platforms", "cpu")  # precision is then chosen for the CPU
        except RuntimeError as error:
            raise ValueError(f"`virtual_devices` must be set before JAX is used. Received: {error}") from error
    return keras.distribution.list_devices("cpu" if virtual_devices else None)


def _checked_count(count: int, names: list[str]) -> int:
    if count > len(names):
        kind = "GPU" if "gpu" in names[0].lower() else "CPU"
        raise ValueError(
            f"This machine has {plural(len(names), f'{kind} device')}: use at most that many, "
            f"or try `virtual_devices`={count} on the CPU. Received: devices={count}"
        )
    return count


def _several(names: list[str], kind: str) -> list[str]:
    if len(names) < 2:
        raise ValueError(
            f"The strategy {kind} needs at least two devices: to try it on the CPU, use `virtual_devices`=2. "
            f"Received: {len(names)}"
        )
    return names


def _two(names: list[str], asked: int | None) -> list[str]:
    if asked not in (None, 2) or len(names) < 2:
        raise ValueError(
            "The strategy towers needs two devices, one per tower: leave out `devices` on GPUs, or use "
            f"`virtual_devices`=2 to try it on the CPU. Received: {asked or len(names)}"
        )
    return names[:2]


def _check_workers(devices: int | None, virtual_devices: int | None) -> None:
    if devices or virtual_devices:
        raise ValueError(
            "With the strategy multiworker every worker uses all of its devices: leave out `devices` and "
            f"`virtual_devices`. Received: devices={devices}, virtual_devices={virtual_devices}"
        )
    try:
        cluster = json.loads(os.environ.get("TF_CONFIG", "{}"))
        address = cluster["cluster"]["worker"][cluster["task"]["index"]]
    except (ValueError, KeyError, IndexError, TypeError):
        address = None
    if not address:
        raise ValueError(
            'TF_CONFIG must list the workers and the index of this one: {"cluster": {"worker": ["host1:2222", '
            f'"host2:2222"]}}, "task": {{"type": "worker", "index": 0}}}}. Received: {os.environ.get("TF_CONFIG")}'
        )
