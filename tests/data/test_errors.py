"""Messages of TensorFlow and libjpeg about files."""

import os

import pytest
import tensorflow as tf

from keras_alexnet.data import errors

CORRUPT = b"Corrupt JPEG data: 65 extraneous bytes before marker 0xd9\n"


def test_libjpeg_lines_are_collected_and_all_others_pass_at_once(capfd):
    with errors.libjpeg_warnings() as lines:
        os.write(2, b"\r 10%|#" + CORRUPT + b"an error of TensorFlow\n" + CORRUPT)
        os.write(2, b"without an end of line")
    assert lines == [CORRUPT.decode().strip()] * 2
    assert capfd.readouterr().err == "\r 10%|#an error of TensorFlow\nwithout an end of line"


def test_an_error_inside_fit_names_its_cause():
    told = "Graph execution error:\n\nDetected at node ReadFile defined at (most recent call last):\n"
    told += "<stack traces unavailable>\nError in user-defined function: /pictures/1.png; No such file or directory"
    assert errors.first_line(ValueError(told)).endswith("/pictures/1.png; No such file or directory")


def test_stderr_is_restored_after_an_exception(capfd):
    with pytest.raises(ZeroDivisionError), errors.libjpeg_warnings():
        1 / 0  # noqa: B018
    os.write(2, CORRUPT)
    assert capfd.readouterr().err == CORRUPT.decode()


def test_descriptors_are_closed():
    def count():
        return len(os.listdir("/proc/self/fd"))

    if not os.path.isdir("/proc/self/fd"):
        pytest.skip("no /proc")
    before = count()
    for _ in range(5):
        with errors.libjpeg_warnings():
            pass
    assert count() == before


def test_reading_names_the_cause_in_one_line():
    with (
        pytest.raises(OSError, match=r"^Expected data that can be read\. Received: pets: nowhere"),
        errors.reading("pets"),
    ):
        raise tf.errors.NotFoundError(None, None, "{{node ReadFile}} nowhere; No such file\n\t [[ReadFile]]")


def test_other_errors_pass_through_reading():
    with pytest.raises(tf.errors.InvalidArgumentError), errors.reading("pets"):
        raise tf.errors.InvalidArgumentError(None, None, "of the network")
