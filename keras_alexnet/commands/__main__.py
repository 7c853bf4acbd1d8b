"""Entry point of `keras-alexnet NAME ...` and `python -m keras_alexnet.commands NAME ...`."""

import functools
import importlib
import pathlib
import signal
import sys
import types
import warnings
from collections.abc import Callable
from typing import NoReturn

from keras_alexnet.command_line import prepare_streams, quiet_terminal
from keras_alexnet.interrupts import exit_on_signals

COMMANDS = sorted(path.stem for path in pathlib.Path(__file__).parent.glob("[!_]*.py"))


def load(name: str) -> types.ModuleType:
    """Import the module of a command."""
    return importlib.import_module(f"keras_alexnet.commands.{name}")


def run(command: Callable[[], int | None]) -> NoReturn:
    """Run the `main` of a command with the arguments of the process, and exit with its status."""
    prepare_streams()
    quiet_terminal()
    warnings.filterwarnings("ignore", module=r"PIL\.TiffImagePlugin")  # about damaged EXIF data, which is left out
    with exit_on_signals():
        sys.exit(command())


def main() -> None:
    """Run the command named by the first argument, and exit with its status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the command handles it: no traceback during an import
    name = sys.argv[1].replace("-", "_") if len(sys.argv) > 1 else ""
    if name not in COMMANDS:
        wanted = name not in ("", "__help", "_h")
        print(f"usage: keras-alexnet {{{','.join(COMMANDS)}}} ...", file=sys.stderr if wanted else sys.stdout)
        sys.exit(2 if wanted else 0)
    run(functools.partial(load(name).main, sys.argv[2:]))


if __name__ == "__main__":
    main()
