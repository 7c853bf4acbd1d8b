"""Run a command of `keras_alexnet.commands`, or say what to install. Scripts import this module first."""

import os
import signal
import sys

if os.path.dirname(os.path.abspath(sys.argv[0])) == os.path.dirname(os.path.abspath(__file__)):  # a script, not a test
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # until the command handles it: no traceback during an import


def run(name: str) -> None:
    """Run the command and exit with its status."""
    try:
        from keras_alexnet.commands import __main__ as commands

        module = commands.load(name)
    except ModuleNotFoundError as error:
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        sys.exit(
            f"{name}.py: The package {error.name} is not installed. Run `make install` in {root}, then activate the "
            f"environment: `. {os.path.join(root, '.venv', 'bin', 'activate')}`"
        )
    commands.run(module.main)
