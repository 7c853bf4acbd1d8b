"""`python scripts/fit.py --help`; the command itself is keras_alexnet/commands/fit.py."""

from _command import run

if __name__ == "__main__":
    run("fit")
