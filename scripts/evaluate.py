"""`python scripts/evaluate.py --help`; the command itself is keras_alexnet/commands/evaluate.py."""

from _command import run

if __name__ == "__main__":
    run("evaluate")
