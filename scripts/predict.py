"""`python scripts/predict.py --help`; the command itself is keras_alexnet/commands/predict.py."""

from _command import run

if __name__ == "__main__":
    run("predict")
