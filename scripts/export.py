"""`python scripts/export.py --help`; the command itself is keras_alexnet/commands/export.py."""

from _command import run

if __name__ == "__main__":
    run("export")
