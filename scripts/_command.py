"""Run one of the commands of `keras_alexnet.commands`, or say what to install."""

import pathlib
import signal
import sys


def run(name: str) -> None:
    """Run the command and exit with its status."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the command handles it: no traceback from within an import
    try:
        from keras_alexnet.commands import __main__ as commands

        module = commands.load(name)
    except ModuleNotFoundError as error:
        root = pathlib.Path(__file__).resolve().parents[1]
        sys.exit(
            f"{name}.py: The package {error.name} is not installed. Run `make install` in {root}, then activate the "
            f"environment: `. {root / '.venv' / 'bin' / 'activate'}`"
        )
    commands.run(module)
