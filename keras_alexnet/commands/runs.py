"""List the runs in a folder, newest first, with their top-1 and top-5 errors in percent.

python scripts/runs.py                list the runs in runs/
python scripts/runs.py --settings     also list the settings in which they differ
"""

import sys

from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.experiments import archive
from keras_alexnet.reporting import tables


def build_parser() -> Parser:
    """Build the parser of the command line."""
    parser = Parser(prog="runs.py", description=__doc__)
    parser.add_argument(
        "folder", nargs="?", default="runs", help="a folder that contains run folders, or an archive (default: runs)"
    )
    parser.add_argument("--settings", action="store_true", help="list the settings that differ between the runs")
    return parser


def main(argv: list[str] | None = None) -> None:
    """List runs. The exit status is 0 on success, 2 for wrong input or a run that cannot be read."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    with one_line_errors(parser):
        problems = []
        rows = archive.rows(arguments.folder, problems.append)
        say(tables.runs(rows))
        if arguments.settings:
            say(f"\n{tables.settings(rows)}")
        for problem in problems:
            say(f"{parser.prog}: {problem}", file=sys.stderr)
    if problems:
        sys.exit(2)
