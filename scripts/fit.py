"""Train an AlexNet: see keras_alexnet/commands/fit.py, or `python scripts/fit.py --help`."""

from _command import run

if __name__ == "__main__":
    run("fit")
