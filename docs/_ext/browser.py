"""The page that runs a network in the visitor's browser, where `scripts/build_browser.py` has made what it needs.

Without these files the page is left out, and so is every line of other pages that names it.
"""

import pathlib

PAGE = "in_the_browser"
FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm", "petals.onnx", "petals.json")
FOLDER = pathlib.Path(__file__).resolve().parents[2] / "build" / "browser"


def without_page(text: str) -> str:
    """Return the source of a page without the lines that name the page.

    Example:
        >>> without_page("own_pictures\\nin_the_browser\\nnetworks")
        'own_pictures\\nnetworks'
    """
    return "\n".join(line for line in text.split("\n") if PAGE not in line)


def _include(app, config):
    folder = pathlib.Path(config.browser_files)
    if all((folder / name).is_file() for name in FILES):
        config.html_static_path.append(str(folder))
    else:
        config.exclude_patterns.append(f"{PAGE}.md")
        app.connect("source-read", lambda app, name, source: source.__setitem__(0, without_page(source[0])))


def setup(app):
    """Decide before Sphinx looks for its sources."""
    app.add_config_value("browser_files", str(FOLDER), "html")
    app.connect("config-inited", _include)
