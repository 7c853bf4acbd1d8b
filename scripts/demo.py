"""`python scripts/demo.py --help`; the command itself is keras_alexnet/commands/demo.py."""

from _command import run

if __name__ == "__main__":
    run("demo")
