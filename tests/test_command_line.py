import fcntl
import os
import shlex
import signal
import subprocess
import sys
import termios

import pytest

from keras_alexnet.command_line import Parser, add_flags, given_fields, one_line_errors
from keras_alexnet.recipes import Options, Recipe


def parse(dataclass, *argv):
    parser = Parser(prog="fit.py")
    add_flags(parser, dataclass)
    return given_fields(parser.parse_args(argv), dataclass)


def test_flags_that_are_not_given_stay_out():
    assert parse(Recipe) == {}


def test_values_have_the_type_of_their_field():
    assert parse(Recipe, "--batch-size", "32", "--learning-rate", "0.1", "--augmentation", "crop", "mirror") == {
        "batch_size": 32,
        "learning_rate": 0.1,
        "augmentation": ("crop", "mirror"),
    }
    assert parse(Options, "--devices", "2", "--data-dir", "x") == {"devices": 2, "data_dir": "x"}
    assert parse(Recipe, "--augmentation") == {"augmentation": ()}


@pytest.mark.parametrize("argv", [["--batch-size", "many"], ["--batch-sise", "3"]])
def test_wrong_flags_are_one_line(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        parse(Recipe, *argv)
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--dataset", ""], "Expected a value after --dataset: is a shell variable not set? Received: nothing"),
        ([""], "Expected a value: is a shell variable not set? Received: nothing"),
        (["--dataset="], "Expected a value: is a shell variable not set? Received: --dataset="),
    ],
)
def test_an_empty_argument_is_refused(argv, message, capsys):
    with pytest.raises(SystemExit) as stop:
        parse(Options, *argv)
    assert stop.value.code == 2
    assert capsys.readouterr().err == f"fit.py: {message}\n"


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_no_error(closed, tmp_path):
    code = (
        "import os, sys; from keras_alexnet.commands import __main__ as commands\n"
        "from keras_alexnet.command_line import say\n"
        "def command():\n"
        "    file = open(sys.argv[1], 'w'); say('out'); say('error', file=sys.stderr); file.write('x')\n"
        "commands.run(command)"
    )
    words = " ".join(map(shlex.quote, (sys.executable, "-c", code, str(tmp_path / "written"))))
    ended = subprocess.run(["bash", "-c", f"{words} {closed}"], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    assert "Traceback" not in ended.stderr
    assert (tmp_path / "written").read_text() == "x"  # no line went into the file


def test_characters_that_the_output_lacks_are_escaped():
    code = (
        "from keras_alexnet.commands import __main__ as commands\nfrom keras_alexnet.command_line import say\n"
        "commands.run(lambda: say('\\u82b1.jpg'))"
    )
    environment = os.environ | {"PYTHONIOENCODING": "cp1252"}
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment)
    assert (ended.returncode, ended.stdout) == (0, "\\u82b1.jpg\n"), ended.stderr


def test_errors_do_not_control_the_terminal(capsys):
    with pytest.raises(SystemExit), one_line_errors(Parser(prog="fit.py")):
        raise ValueError("Received: \x1b[2Jconv1")
    assert capsys.readouterr().err == "fit.py: Received: \\x1b[2Jconv1\n"


def test_errors_of_the_library_are_one_line(capsys):
    with pytest.raises(SystemExit) as stop, one_line_errors(Parser(prog="fit.py")):
        raise ValueError("Expected this.\n  Received: that")
    assert stop.value.code == 2
    assert capsys.readouterr().err == "fit.py: Expected this. Received: that\n"


def test_arguments_in_errors_of_the_library_become_flags(capsys):
    parser = Parser(prog="fit.py")
    add_flags(parser, Recipe)
    with pytest.raises(SystemExit), one_line_errors(parser):
        raise ValueError("Use a smaller `batch_size`, or none as `balance`, in `splits`. Received: batch_size=7")
    printed = "Use a smaller --batch-size, or none as --balance, in `splits`. Received: batch_size=7"
    assert capsys.readouterr().err == f"fit.py: {printed}\n"


def test_a_reader_that_ends_early_is_no_error():
    code = (
        "from keras_alexnet.command_line import Parser, one_line_errors, say\n"
        "with one_line_errors(Parser('test.py')):\n    for n in range(100_000):\n        say(n)"
    )
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(code)} | head -1; exit ${{PIPESTATUS[0]}}"
    ended = subprocess.run(["bash", "-c", command], capture_output=True, text=True)
    assert (ended.returncode, ended.stdout, ended.stderr) == (141, "0\n", "")


def test_a_backend_that_is_not_installed_is_one_line(monkeypatch, capsys):
    monkeypatch.setenv("KERAS_BACKEND", "jax")
    with pytest.raises(SystemExit) as stop, one_line_errors(Parser(prog="fit.py")):
        raise ModuleNotFoundError("No module named 'jax'", name="jax")
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert "pip install jax" in error
    assert error.endswith("Received: jax, from KERAS_BACKEND\n")
    assert error.count("\n") == 1
    with pytest.raises(ModuleNotFoundError), one_line_errors(Parser(prog="fit.py")):
        raise ModuleNotFoundError("No module named 'yaml'", name="yaml")


def run_python(code):
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_a_command_with_one_line_and_no_partial_file(name, status, tmp_path):
    answer = run_python(f"""
import os, signal
from keras_alexnet.interrupts import exit_on_signals
from keras_alexnet.files import atomic_write
with exit_on_signals(), atomic_write({str(tmp_path / "log.csv")!r}) as temporary:
    temporary.write_text("half")
    os.kill(os.getpid(), signal.{name})
""")
    assert (answer.returncode, answer.stdout, answer.stderr) == (status, "\nStopped.\n", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143)])
def test_a_signal_ends_a_command_whose_output_nobody_reads(name, status):
    """As in a pager that is not scrolled: the signal comes in the middle of a write."""
    code = """
from keras_alexnet.command_line import say
from keras_alexnet.interrupts import exit_on_signals
with exit_on_signals():
    while True: say("x" * 99)
"""
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        while waiting_bytes(process.stdout) < 2**15:  # of 2 ** 16 that fit
            pass
        while waiting_bytes(process.stdout) != (before := waiting_bytes(process.stdout)) or before < 2**15:
            pass
        process.send_signal(getattr(signal, name))
        assert process.wait(60) == status
        assert process.stderr.read() == b""


def waiting_bytes(pipe):
    """How many bytes have been written to a pipe and not read."""
    return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, bytes(4)), sys.byteorder)


QUIET = """
import ctypes, os, sys
from keras_alexnet.command_line import quiet_terminal
quiet_terminal()
def c_side(line): os.write(2, line.encode() + b"\\n")
"""


def test_info_messages_of_tensorflow_are_hidden():
    answer = run_python(
        QUIET
        + """
c_side("WARNING: All log messages before absl::InitializeLog() is called are written to STDERR")
c_side("I0000 00:00:1795658260.077469    2164 cudart_stub.cc:31] Could not find cuda drivers on your machine")
c_side("E0000 00:00:1795658270.421252    2164 node_def_util.cc:682] NodeDef has use_unbounded_threadpool")
"""
    )
    assert (answer.returncode, answer.stderr) == (0, "")


def test_the_encoding_of_stderr_stays():
    code = QUIET + "print('Bl\\u00fcten', file=sys.stderr)"
    environment = os.environ | {"PYTHONIOENCODING": "utf-8", "LC_ALL": "C", "PYTHONUTF8": "0"}
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, env=environment, timeout=120)
    assert (answer.returncode, answer.stderr.decode()) == (0, "Blüten\n")


def test_a_signal_ends_a_command_whose_reader_has_ended():
    """Ctrl-C also ends the `tee` that a command writes to."""
    code = (
        "import os, signal, sys\n"
        "from keras_alexnet.interrupts import exit_on_signals\n"
        "read, write = os.pipe()\n"
        "os.dup2(write, 1), os.close(write), os.close(read)\n"
        "with exit_on_signals():\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
    )
    answer = run_python(code)
    assert (answer.returncode, answer.stderr) == (130, "")


def test_other_lines_reach_the_terminal_even_when_the_process_crashes():
    answer = run_python(
        QUIET
        + """
print("of Python", file=sys.stderr)
c_side("E0000 00:00:1795658270.421252    2164 allocator.cc:1] out of memory")
os.abort()
"""
    )
    assert answer.returncode < 0
    assert sorted(answer.stderr.splitlines()) == [
        "E0000 00:00:1795658270.421252    2164 allocator.cc:1] out of memory",
        "of Python",
    ]


@pytest.mark.slow
def test_a_notebook_shows_errors_of_tensorflow_and_no_information():
    nbformat, nbclient = pytest.importorskip("nbformat"), pytest.importorskip("nbclient")
    cells = [
        "from keras_alexnet.command_line import quiet_terminal\nquiet_terminal()\nimport keras, os, tensorflow as tf",
        "print(float(keras.ops.sum(tf.ones(3))))",
        "written = os.write(2, b'E0000 00:00:1795658270.421252 2164 allocator.cc:1] out of memory\\n')\n"
        "import time; time.sleep(1)  # until the line has come through",
        "tf.matmul(tf.zeros((2, 3)), tf.zeros((2, 3)))",
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    ours = ("TF_CPP_MIN_LOG_LEVEL", "PYTEST_CURRENT_TEST")  # with the second a kernel leaves descriptor 2 alone
    environment = {name: text for name, text in os.environ.items() if name not in ours}
    nbclient.NotebookClient(notebook, kernel_name="python3", allow_errors=True, timeout=300).execute(env=environment)
    imported, computed, written, failed = (cell.outputs for cell in notebook.cells)
    assert imported == []
    assert [output.text for output in computed] == ["3.0\n"]
    assert "".join(output.text for output in written).endswith("out of memory\n")
    assert failed[-1].ename == "InvalidArgumentError"


def test_warnings_on_retracing_are_not_logged(caplog):
    quiet = run_python(
        QUIET
        + """
import logging
logging.getLogger("tensorflow").warning("5 out of the last 21 calls to <f> triggered tf.function retracing.")
logging.getLogger("tensorflow").warning("something else")
"""
    )
    assert quiet.stderr.splitlines() == ["something else"]


def test_a_default_of_zero_is_a_number_in_the_help(capsys):
    line = Parser("test.py")
    add_flags(line, Options)
    line.print_help()
    told = " ".join(capsys.readouterr().out.split())
    assert "augmentation and dropout (default: 0)" in told
    assert "slower (default: no)" in told


@pytest.mark.parametrize("words", [["--run=~/a"], ["--run", "~/a"]])
def test_the_home_folder_is_expanded_where_shells_leave_it_alone(words, monkeypatch):
    monkeypatch.setenv("HOME", "/home/me")
    parser = Parser(prog="fit.py")
    parser.add_argument("--run")
    assert parser.parse_args(words).run == "/home/me/a"
    assert parser.parse_args(["--run=a~b=~/c"]).run == "a~b=~/c"
