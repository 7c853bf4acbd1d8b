"""Open a page on this machine to inspect trained networks with pictures of your own.

python scripts/demo.py runs/petals-1
python scripts/demo.py runs/petals-1 runs/petals-2      side by side
python scripts/demo.py caffe.keras --port 8000

The page needs Gradio: pip install 'keras-alexnet[demo]'. It sends nothing to other machines, and only this machine can
open it unless --host says otherwise. Ctrl-C ends it.
"""

import importlib.util
import tempfile
import threading

from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.files import temporary_folder
from keras_alexnet.text import plural


def build_parser() -> Parser:
    """Build the parser of the command line."""
    parser = Parser(prog="demo.py", description=__doc__)
    parser.add_argument(
        "networks", nargs="+", metavar="RUN_OR_KERAS", help="run folders or .keras files, shown side by side"
    )
    parser.add_argument(
        "--host",
        default="127.0.0.1",
        help="address to listen at; 0.0.0.0 accepts connections from other machines (default: 127.0.0.1)",
    )
    parser.add_argument("--port", type=int, default=7860, metavar="N", help="port to listen at (default: 7860)")
    parser.add_argument("--data-dir", metavar="FOLDER", help="where TFDS keeps its data (default: as in training)")
    return parser


def main(argv: list[str] | None = None) -> None:
    """Serve the page until a signal; the exit status is 2 for wrong input."""
    parser = build_parser()
    arguments = parser.parse_args(argv)
    with one_line_errors(parser):
        if importlib.util.find_spec("gradio") is None:
            raise ValueError("The page needs Gradio: pip install 'keras-alexnet[demo]'. Received: no gradio")
        from keras_alexnet.demo import server  # after the flags: TensorFlow takes seconds
        from keras_alexnet.demo.explorer import Explorer

        server.check_address(arguments.host, arguments.port)
        explorers = [Explorer.open(network, arguments.data_dir) for network in arguments.networks]
        say(f"Preparing {plural(len(explorers), 'network')} ...")
        for each in explorers:
            each.warm_up()
        with temporary_folder(tempfile.gettempdir()) as folder:
            address = server.serve(explorers, arguments.host, arguments.port, folder)
            others = server.address_for_others(arguments.host, arguments.port)
            elsewhere = f", or {others} on another machine" if others else ""
            say(f"Open {address} in a browser{elsewhere}. Press Ctrl-C to stop.")
            threading.Event().wait()
