"""Archive finished runs in this repository, without their networks. For maintainers.

python scripts/archive.py runs/a runs/b --readme    archive two runs, then update the results page
python scripts/archive.py --readme                  update only the results page
"""

import _command  # noqa: F401  first, so that Ctrl-C leaves no traceback from here on

# isort: split
import argparse

from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.commands.__main__ import run
from keras_alexnet.experiments import archive, page
from keras_alexnet.runs import Run


def parser() -> Parser:
    """Return the command line."""
    line = Parser(prog="archive.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    line.add_argument("runs", nargs="*", metavar="RUN", help="a finished run folder")
    line.add_argument("--folder", default="results", help="the folder of the archive (default: results)")
    line.add_argument("--replace", action="store_true", help="replace an archived run that has other results")
    line.add_argument("--readme", action="store_true", help="write README.md in that folder, from all archived runs")
    return line


def main(argv: list[str] | None = None) -> None:
    """Archive runs. The exit status is 0 on success, 2 for wrong input."""
    line = parser()
    arguments = line.parse_args(argv)
    with one_line_errors(line):
        if not arguments.runs and not arguments.readme:
            raise ValueError("Expected a run folder to archive, or --readme. Received: neither")
        for folder in arguments.runs:
            say(f"Archived {folder} in {archive.add(Run.open(folder), arguments.folder, arguments.replace)}")
        if arguments.readme:
            say(f"Wrote {page.write(arguments.folder)}")


if __name__ == "__main__":
    run(main)
