"""Serve the Gradio page on this machine."""

import concurrent.futures
import logging
import os
import pathlib
import socket
from collections.abc import Sequence

from keras_alexnet.demo import examples, style
from keras_alexnet.demo.explorer import Explorer
from keras_alexnet.demo.page import Page

LARGEST_FILE = "200mb"


def check_address(host: str, port: int) -> None:
    """Check that the page can be served at an address.

    Raises:
        ValueError: If the port is in use, or the host is not one of this machine's.
    """
    if not 0 < port < 1 << 16:
        raise ValueError(f"Expected a port from 1 to 65535. Received: {port}")
    try:
        with socket.create_server((host, port)):
            pass
    except OSError as error:
        raise ValueError(
            f"Expected a free port of this machine: give another with --port or --host. Received: {host}:{port}, "
            f"{error.strerror or error}"
        ) from error


def serve(explorers: Sequence[Explorer], host: str, port: int, folder: pathlib.Path) -> str:
    """Serve the page in the background until the process ends, and return its address.

    Nothing leaves this machine: there are no analytics, no downloaded fonts and no public link.

    Args:
        explorers: The networks.
        host: The address to listen at; "127.0.0.1" for this machine alone.
        port: The port.
        folder: Folder for the example pictures and for the uploaded ones.

    Raises:
        ValueError: If the address is not free.
    """
    check_address(host, port)
    # Gradio reads these when it is imported, which is inside functions of the page.
    os.environ |= {"GRADIO_ANALYTICS_ENABLED": "False", "HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1"}
    os.environ["GRADIO_TEMP_DIR"] = str(folder / "uploads")
    logging.getLogger("uvicorn.error").addFilter(_is_worth_logging)
    pool = concurrent.futures.ThreadPoolExecutor(1)
    for each in explorers:
        each.read_training_pictures(pool)
    page = Page(explorers, examples.write(folder))
    _, address, _ = page.blocks.launch(
        server_name=host,
        server_port=port,
        share=False,
        inbrowser=False,
        prevent_thread_lock=True,
        quiet=True,
        footer_links=[],
        max_file_size=LARGEST_FILE,
        enable_monitoring=False,
        ssr_mode=False,
        pwa=False,
        theme=style.theme(),
        css=style.STYLE,
        js=style.SCRIPT,
    )
    return address


def address_for_others(host: str, port: int) -> str | None:
    """Return the address by which other machines may reach the page; None if only this machine can."""
    return f"http://{socket.gethostname()}:{port}/" if host in ("0.0.0.0", "::") else None


def _is_worth_logging(record: logging.LogRecord) -> bool:
    """Return False for a visitor who leaves during an upload, which the server logs as an error."""
    return not record.exc_info or type(record.exc_info[1]).__name__ != "ClientDisconnect"
