"""`python scripts/runs.py --help`; the command itself is keras_alexnet/commands/runs.py."""

from _command import run

if __name__ == "__main__":
    run("runs")
