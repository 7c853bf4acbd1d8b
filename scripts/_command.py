"""Run one of the commands of `keras_alexnet.commands`, or say what to install."""

import importlib
import pathlib
import signal
import sys


def run(name: str) -> None:
    """Run the command and exit with its status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the command handles it: no traceback from within an import
    try:
        from keras_alexnet.command_line import exit_on_signals, quiet_terminal

        module = importlib.import_module(f"keras_alexnet.commands.{name}")
    except ModuleNotFoundError as error:
        root = pathlib.Path(__file__).resolve().parents[1]
        sys.exit(
            f"{name}.py: The package {error.name} is not installed. Run `make install` in {root}, then activate the "
            f"environment: `. {root / '.venv' / 'bin' / 'activate'}`"
        )
    quiet_terminal()
    with exit_on_signals():
        sys.exit(module.main())
