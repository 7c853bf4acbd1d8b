"""How the user calls the commands: `python scripts/fit.py` in a checkout, `keras-alexnet fit` after an installation.

Messages and help texts name the commands as the running one was called, so that their advice can be pasted.
"""

import pathlib
import re
import shlex
import sys

CONSOLE = "keras-alexnet"  # the console script of the package
MODULE = "keras_alexnet.commands"
_SCRIPT = re.compile(r"python scripts/(\w+)\.py")  # as in help texts


def call_of(command: str) -> str:
    """Return how to call a command, as a shell needs it.

    Args:
        command: Name of a module in `keras_alexnet.commands`, such as "fit".

    Example:
        >>> call_of("fit")
        'python scripts/fit.py'
    """
    program = pathlib.Path(sys.argv[0])
    if program.stem == CONSOLE:
        return f"{CONSOLE} {command}"
    if _is_module(program):
        return f"python -m {MODULE} {command}"
    scripts = program.parent if program.parent.name == "scripts" else pathlib.Path("scripts")
    return f"python {shlex.quote(str(scripts / f'{command}.py'))}"


def name_of(script: str) -> str:
    """Return the name of a program for its messages.

    Args:
        script: File name of its script.

    Example:
        >>> name_of("fit.py")
        'fit.py'
    """
    program = pathlib.Path(sys.argv[0])
    called_by_name = program.stem == CONSOLE or _is_module(program)
    return f"{CONSOLE} {script.removesuffix('.py')}" if called_by_name else script


def with_calls(text: str) -> str:
    """Return a help text with each `python scripts/NAME.py` as the user calls it."""
    return _SCRIPT.sub(lambda found: call_of(found[1]), text)


def own_call() -> str:
    """Return the command that started this process, with its arguments, as a shell needs it."""
    program = pathlib.Path(sys.argv[0])
    if program.stem == CONSOLE:
        return shlex.join([CONSOLE, *sys.argv[1:]])
    if _is_module(program):
        return shlex.join(["python", "-m", MODULE, *sys.argv[1:]])
    return shlex.join(["python", *sys.argv])


def _is_module(program: pathlib.Path) -> bool:
    return program.name == "__main__.py" and program.parent.name == "commands"
