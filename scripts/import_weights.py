"""`python scripts/import_weights.py --help`; the command itself is keras_alexnet/commands/import_weights.py."""

from _command import run

if __name__ == "__main__":
    run("import_weights")
