"""Build the files for the page that runs a network in the browser: the network, and ONNX Runtime from npm.

python scripts/build_browser.py             into build/browser, from where `make site` takes it
python scripts/build_browser.py --out DIR

Existing files are kept. The network is a small AlexNet that is trained on drawn flowers, in a minute or two.
Without npm, or without a connection to it, one line says so and the site is built without the page.
"""

import _command  # noqa: F401  first, so that Ctrl-C leaves no traceback from here on

# isort: split
import dataclasses
import json
import pathlib
import shutil
import subprocess
import tarfile
import tempfile
from typing import TYPE_CHECKING

from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.commands.__main__ import run
from keras_alexnet.files import atomic_write, temporary_folder, write_text
from keras_alexnet.text import percent

if TYPE_CHECKING:  # TensorFlow takes seconds
    from keras_alexnet.data.datasets import Dataset
    from keras_alexnet.evaluation.classifier import Classifier

OUT = pathlib.Path(__file__).resolve().parents[1] / "build" / "browser"
RUNTIME = "onnxruntime-web@1.30.0"
RUNTIME_FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
HIDDEN = (512, 512)  # in place of 4096, or the file would have 97 MB
EPOCHS = 5
LARGEST = 10_000_000  # bytes of the network
LEFT_OUT = "The site is built without the page that runs a network in the browser"


def build_parser() -> Parser:
    """Build the parser of the command line."""
    parser = Parser(prog="build_browser.py", description=__doc__)
    parser.add_argument("--out", default=OUT, metavar="FOLDER", type=pathlib.Path, help="(default: build/browser)")
    return parser


def fetch_runtime(out: pathlib.Path) -> None:
    """Copy the files of ONNX Runtime for browsers out of its npm package.

    Raises:
        ValueError: If npm is missing, or cannot fetch it.
    """
    if all((out / name).exists() for name in RUNTIME_FILES):
        return
    npm = shutil.which("npm")
    if npm is None:
        raise ValueError(f"{LEFT_OUT}. Received: no npm")
    with temporary_folder(tempfile.gettempdir()) as folder:
        command = [npm, "pack", RUNTIME, "--silent", "--pack-destination", folder]
        done = subprocess.run(command, capture_output=True, text=True)
        archives = list(folder.glob("*.tgz"))
        if done.returncode or not archives:
            reason = (done.stderr.strip() or "nothing").splitlines()[0]
            raise ValueError(f"{LEFT_OUT}. Received: {reason}")
        with tarfile.open(archives[0]) as archive:
            for name in RUNTIME_FILES:
                with archive.extractfile(f"package/dist/{name}") as source, atomic_write(out / name) as temporary:
                    temporary.write_bytes(source.read())


def write_network(out: pathlib.Path) -> None:
    """Train the network and write `petals.onnx`, with `petals.json` that says what it is and how good.

    Raises:
        ValueError: If the file is too large.
    """
    if (out / "petals.json").exists():
        return
    import numpy as np
    import onnx

    from keras_alexnet.data import augmentation, datasets, pipeline  # after the flags: TensorFlow takes seconds
    from keras_alexnet.demo import examples
    from keras_alexnet.evaluation import evaluate
    from keras_alexnet.export import onnx as onnx_format
    from keras_alexnet.export.serving import serving_model

    data = datasets.load("petals")
    classifier = train(data)
    test = pipeline.resize_pictures(data.splits["test"], classifier.recipe.resize_size)
    probabilities, labels = evaluate.probabilities(classifier.model, classifier.batches(test))
    answers = probabilities[1].argmax(axis=1)
    small = onnx_format.with_small_weights(onnx_format.convert(serving_model(classifier)), "float16")
    if small.ByteSize() > LARGEST:
        raise ValueError(f"Expected a network of at most {LARGEST} bytes. Received: {small.ByteSize()}")
    onnx.save(small, out / "petals.onnx")
    (answer,) = onnx_format.load(out / "petals.onnx")
    crops = test.map(lambda picture, _: augmentation.central_crop(picture, classifier.recipe.crop_size))
    received = answer(np.stack(list(crops.as_numpy_iterator())))
    facts = {
        "classes": list(data.class_names),
        "examples": list(examples.NAMES),
        "crop_size": classifier.recipe.crop_size,
        "resize_size": classifier.recipe.resize_size,
        "bytes": small.ByteSize(),
        "pictures": len(labels),
        "accuracy": float((answers == labels).mean()),
        "agreement": float((received.argmax(axis=1) == answers).mean()),
        "difference": float(np.abs(received - probabilities[1]).max()),
    }
    write_text(out / "petals.json", json.dumps(facts, indent=2) + "\n")


def train(data: "Dataset") -> "Classifier":
    """Return the paper's network with fewer hidden units, trained on drawn flowers from the drawn kernels."""
    import keras

    import keras_alexnet
    from keras_alexnet.data import pipeline
    from keras_alexnet.data.statistics import Statistics
    from keras_alexnet.evaluation.classifier import Classifier
    from keras_alexnet.models.architectures import ARCHITECTURES
    from keras_alexnet.recipes import RECIPES

    keras.utils.set_random_seed(0)
    recipe = dataclasses.replace(RECIPES["petals"], epochs=EPOCHS)
    net = dataclasses.replace(ARCHITECTURES["paper"], hidden=HIDDEN, dropout=recipe.dropout)
    shape = (recipe.crop_size, recipe.crop_size, 3)
    model = keras_alexnet.build(net, weights="drawn", input_shape=shape, classes=len(data.class_names))
    pictures = pipeline.resize_pictures(data.splits["train"], recipe.resize_size)
    statistics = Statistics.measure(pictures)
    batches = pipeline.training_batches(pictures, statistics, recipe, 0, range(EPOCHS))
    rate = keras.optimizers.schedules.CosineDecay(0.003, len(batches))
    model.compile(keras_alexnet.PaperSGD(rate), "sparse_categorical_crossentropy", jit_compile=False)
    model.fit(batches, shuffle=False, verbose=0)
    return Classifier(model, tuple(data.class_names), recipe, statistics)


def write_examples(out: pathlib.Path) -> None:
    """Draw the pictures that a visitor can choose."""
    from PIL import Image

    from keras_alexnet.demo import examples

    for name, pixels in examples.drawn().items():
        Image.fromarray(pixels).save(out / f"petals_{name}.png")


def main(argv: list[str] | None = None) -> None:
    """Build; the exit status is 0 also without npm, 2 for wrong input."""
    parser = build_parser()
    out = parser.parse_args(argv).out
    with one_line_errors(parser):
        out.mkdir(parents=True, exist_ok=True)
        try:
            fetch_runtime(out)
        except ValueError as error:
            say(error)
            return
        write_network(out)
        write_examples(out)
    facts = json.loads((out / "petals.json").read_text(encoding="utf-8"))
    accuracy, agreement = percent(facts["accuracy"]), percent(facts["agreement"])
    say(
        f"{out / 'petals.onnx'}: {facts['bytes'] / 1e6:.1f} MB, {accuracy} of {facts['pictures']} test pictures right, "
        f"{agreement} answered as by Keras"
    )


if __name__ == "__main__":
    run(main)
