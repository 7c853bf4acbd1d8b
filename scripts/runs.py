"""List the runs in a folder, newest first: how their recipes differ, and their top-1 and top-5 errors.

python scripts/runs.py                                       those in runs/
python scripts/runs.py results --add runs/a runs/b --readme  put two on record, and write the page of results
"""

import argparse
import pathlib

from keras_alexnet import runs, tables
from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.files import written_aside

README = """# Runs on record

Each folder holds what a run left, but for its networks: the recipe with versions, commit and machine, the record of its
epochs, its results and figures. The command makes it again. Top-1 and top-5 errors in per cent. This page is written by
`python scripts/runs.py results --readme`.

{table}
"""


def main(argv=None):
    """List; the exit status is 0 when done, 2 for wrong input."""
    line = Parser(prog="runs.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("folder", nargs="?", default="runs", help="a folder with run folders in it (default: runs)")
    line.add_argument("--add", nargs="+", default=(), metavar="RUN", help="put a finished run on record in the folder")
    line.add_argument("--readme", action="store_true", help="write the results to README.md in the folder")
    arguments = line.parse_args(argv)
    with one_line_errors(line):
        for run in arguments.add:
            runs.keep(runs.Run.open(run), arguments.folder)
        rows = [runs.summary(run) for run in runs.find(arguments.folder)]
        say(tables.runs(rows))
        if arguments.readme:
            with written_aside(pathlib.Path(arguments.folder) / "README.md") as aside:
                aside.write_text(README.format(table=tables.record(rows)))


if __name__ == "__main__":
    main()
