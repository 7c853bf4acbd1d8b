"""One-line errors for files that TensorFlow and libjpeg cannot read."""

import contextlib
import os
import re
import threading
from collections.abc import Iterator

import tensorflow as tf

# Warnings of libjpeg about a picture that it can decode.
LIBJPEG = re.compile(
    rb"(?:Corrupt JPEG data: |Premature end of JPEG file|Invalid SOS parameters for sequential JPEG|"
    rb"Inconsistent progression sequence for component |Warning: unknown JFIF revision number |"
    rb"Warning: unknown Adobe color transform code )[^\n]*\n"
)
# TensorFlow's log line about a picture that it cannot decode. It also raises an error, which the caller reports.
TENSORFLOW_PICTURE = re.compile(rb"E\d{4} [^\n]*\b(?:jpeg_mem|png_io)\.cc:[^\n]*\n")
END = b"\0end of libjpeg_warnings\0"


@contextlib.contextmanager
def reading(name: str) -> Iterator[None]:
    """Turn TensorFlow's errors about the files of a data set into one line.

    Args:
        name: Name of the data set.

    Raises:
        OSError: If the files cannot be read.
    """
    try:
        yield
    except tf.errors.OpError as error:
        if not is_about_data(error):
            raise
        raise OSError(f"Expected data that can be read. Received: {name}: {first_line(error)}") from error


def is_about_data(error: tf.errors.OpError) -> bool:
    """Return whether an error is about reading data and not about the network. An invalid argument may be either."""
    kinds = tf.errors.NotFoundError, tf.errors.DataLossError, tf.errors.PermissionDeniedError
    return isinstance(error, kinds) or "IteratorGetNext" in str(error)


PREAMBLES = ("Detected at", "Graph execution error", "File ", "<stack traces unavailable>")  # of TensorFlow's errors


def first_line(error: Exception) -> str:
    """Return the line of an error that states the cause, without positions in TensorFlow's graph.

    Example:
        >>> first_line(ValueError("{{function_node __wrapped__DecodeImage}} Input is empty. [Op:DecodeImage]"))
        'Input is empty.'
    """
    plain = re.sub(r"{{.*?}}|Error in user-defined function.*?iterator: \S+: | \[Op:\w+\]", "", str(error))
    lines = [line.strip() for line in plain.splitlines()]
    told = [line for line in lines if line and not line.startswith(PREAMBLES)]
    return (told or [type(error).__name__])[0][:200]


@contextlib.contextmanager
def libjpeg_warnings() -> Iterator[list[str]]:
    """Collect the warnings of libjpeg, which do not name the file, instead of printing them.

    libjpeg writes to file descriptor 2 from C. Inside the block that is a pipe. All other output is forwarded
    immediately.

    Yields:
        A list that contains the lines after the block.
    """
    try:
        terminal = os.dup(2)
    except OSError:  # stderr is closed
        yield []
        return
    lines, (outlet, inlet) = [], os.pipe()

    def pass_on():
        ended = False
        while not ended and (text := os.read(outlet, 1 << 16)):
            ended = text.endswith(END)
            text = text.removesuffix(END)
            lines.extend(found.decode(errors="replace").strip() for found in LIBJPEG.findall(text))
            _write(terminal, TENSORFLOW_PICTURE.sub(b"", LIBJPEG.sub(b"", text)))

    thread = threading.Thread(target=pass_on, daemon=True)
    thread.start()
    os.dup2(inlet, 2)
    try:
        yield lines
    finally:
        os.dup2(terminal, 2)
        os.write(inlet, END)
        thread.join()
        for descriptor in (inlet, outlet, terminal):
            os.close(descriptor)


def _write(descriptor, text):
    while text:
        text = text[os.write(descriptor, text) :]
