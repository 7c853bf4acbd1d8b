"""Archive finished runs in this repository, without their networks. For maintainers.

python scripts/archive.py runs/a runs/b --pages    archive two runs, then update the pages that show results
python scripts/archive.py --pages                  update only the pages
"""

import _command  # noqa: F401  first, so that Ctrl-C leaves no traceback from here on

# isort: split
import pathlib

from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.commands.__main__ import run
from keras_alexnet.experiments import archive, page
from keras_alexnet.runs import Run

ROOT = pathlib.Path(__file__).resolve().parents[1]


def build_parser() -> Parser:
    """Build the parser of the command line."""
    parser = Parser(prog="archive.py", description=__doc__)
    parser.add_argument("runs", nargs="*", metavar="RUN", help="a finished run folder")
    parser.add_argument("--folder", default="results", help="the folder of the archive (default: results)")
    parser.add_argument("--replace", action="store_true", help="replace an archived run that has other results")
    parser.add_argument(
        "--pages",
        "--readme",
        action="store_true",
        help="write README.md in that folder, and for results/ also the numbers on other pages of this repository",
    )
    return parser


def main(argv: list[str] | None = None) -> None:
    """Archive runs. The exit status is 0 on success, 2 for wrong input."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    with one_line_errors(parser):
        if not arguments.runs and not arguments.pages:
            raise ValueError("Expected a run folder to archive, or --pages. Received: neither")
        for folder in arguments.runs:
            say(f"Archived {folder} in {archive.add(Run.open(folder), arguments.folder, arguments.replace)}")
        if arguments.pages:
            say(f"Wrote {page.write(arguments.folder)}")
            if pathlib.Path(arguments.folder).resolve() == ROOT / "results":
                for path in page.write_numbers(ROOT, archive.rows(arguments.folder)):
                    say(f"Wrote {path}")


if __name__ == "__main__":
    run(main)
