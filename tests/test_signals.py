"""Signals that arrive while a program prints."""

import os
import signal
import subprocess
import sys
import time

import pytest

PRINTING = """
from keras_alexnet.interrupts import exit_on_signals
print("started", flush=True)
with exit_on_signals():
    while True:
        print("a line " * 1000)
"""


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such pipes")
def test_a_signal_ends_a_program_whose_output_nobody_reads():
    """As in `predict.py ... | less`: the signal interrupts a print that waits, and printing again raises an error."""
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    command = [sys.executable, "-c", PRINTING]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=buffered) as process:
        assert process.stdout.readline() == b"started\n"
        time.sleep(0.5)  # until the pipe is full
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 130
        assert process.stderr.read() == b""
