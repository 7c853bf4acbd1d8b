"""Traces of TensorFlow's profiler, for profile_step.py and trace_towers.py."""

import tempfile
from collections.abc import Callable, Iterator
from typing import Any

from keras_alexnet.files import temporary_folder


def trace(call: Callable[[], Any]) -> Iterator[tuple[Any, Any, Any]]:
    """Trace a call, and yield each event with its plane and its line, which are messages of `xplane_pb2`."""
    import tensorflow as tf
    from tensorflow.tsl.profiler.protobuf import xplane_pb2

    options = tf.profiler.experimental.ProfilerOptions(host_tracer_level=2, python_tracer_level=0)
    with temporary_folder(tempfile.gettempdir()) as folder:
        with tf.profiler.experimental.Profile(str(folder), options):
            call()
        (file,) = folder.rglob("*.xplane.pb")
        space = xplane_pb2.XSpace.FromString(file.read_bytes())
    for plane in space.planes:
        for line in plane.lines:
            for event in line.events:
                yield plane, line, event
