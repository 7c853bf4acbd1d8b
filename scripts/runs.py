"""List the runs in a folder, newest first: how their recipes differ, and their top-1 and top-5 errors.

python scripts/runs.py            those in runs/
python scripts/runs.py results    those on record
"""

import argparse

from keras_alexnet import runs, tables
from keras_alexnet.command_line import Parser, one_line_errors, say


def main(argv=None):
    """List; the exit status is 0 when done, 2 for wrong input."""
    line = Parser(prog="runs.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("folder", nargs="?", default="runs", help="a folder with run folders in it (default: runs)")
    arguments = line.parse_args(argv)
    with one_line_errors(line):
        say(tables.runs([runs.summary(run) for run in runs.find(arguments.folder)]))


if __name__ == "__main__":
    main()
