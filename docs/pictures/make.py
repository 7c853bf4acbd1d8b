"""Make the pictures of README and of the site: `python docs/pictures/make.py`.

Most are cut out of the chapters' figures: run it after these have changed.
"""

import base64
import io
import json
import pathlib

import numpy as np
from PIL import Image, ImageOps

from keras_alexnet.data.drawings import formulas

HERE = pathlib.Path(__file__).resolve().parent
TUTORIALS = HERE.parents[1] / "tutorials"
THUMBNAIL = (288, 192)
ROW = (480, 230)

# The chapter, which of its figures, and which part of it: left, top, right, bottom as shares of its size.
WHOLE = (0, 0, 1, 1)
THUMBNAILS = {
    "1_0_introduction": (0, (0, 0, 0.5, 0.5)),
    "2_0_the_dataset": (2, (0, 0, 0.6, 1)),
    "3_1_relu_nonlinearity": (2, WHOLE),
    "3_2_training_on_multiple_gpus": (0, WHOLE),
    "3_3_local_response_normalization": (0, WHOLE),
    "3_4_overlapping_pooling": (1, (0, 0, 0.5, 1)),
    "3_5_overall_architecture": (2, (0, 0, 1, 0.84)),
    "4_1_data_augmentation": (0, (0, 0, 1, 1)),
    "4_2_dropout": (0, WHOLE),
    "5_0_details_of_learning": (2, WHOLE),
    "6_0_results": (0, WHOLE),
    "6_1_qualitative_evaluations": (1, (0.015, 0, 0.484, 1)),
    "7_0_discussion": (0, WHOLE),
    "8_0_the_authors_lab_notebook": (1, WHOLE),
}
PICTURES = {
    "predictions": ("1_0_introduction", 0, (0, 0, 1, 0.5)),
    "network": ("3_5_overall_architecture", 2, (0, 0.02, 1, 0.8)),
    "kernels": ("6_1_qualitative_evaluations", 1, (0.01, 0, 0.96, 1)),
}


def figures(chapter: str) -> list[Image.Image]:
    """Read the figures that a built chapter shows, in order."""
    notebook = json.loads((TUTORIALS / f"{chapter}.ipynb").read_text(encoding="utf-8"))
    outputs = [output for cell in notebook["cells"] for output in cell.get("outputs", ())]
    data = [data for output in outputs for kind, data in output.get("data", {}).items() if kind.startswith("image/")]
    return [Image.open(io.BytesIO(base64.b64decode("".join(each)))).convert("RGB") for each in data]


def cut(chapter: str, number: int, part: tuple[float, float, float, float], size: tuple[int, int]) -> Image.Image:
    """Cut a part out of a figure and set it in the middle of white."""
    figure = figures(chapter)[number]
    figure = figure.crop([round(share * side) for share, side in zip(part, figure.size * 2, strict=True)])
    return ImageOps.pad(figure, size, Image.Resampling.LANCZOS, color="white")


def drawn() -> Image.Image:
    """Return three pictures of each of four classes of every family of the drawn pictures, a family in each row."""
    numbers = {family: range(0, count, count // 4) for family, (_, count) in formulas.FAMILIES.items()}
    labels = [[formulas.CLASS_NAMES.index(f"{family}_{n:02}") for n in list(numbers[family])[:4]] for family in numbers]
    rows = [[formulas.draw_one(label, index=index) for label in row for index in range(3)] for row in labels]
    return Image.fromarray(np.concatenate([np.concatenate(row, axis=1) for row in rows])).reduce(2)


def main() -> None:
    """Write all pictures."""
    drawn().save(HERE / "drawn.jpg", quality=85)
    for chapter, (number, part) in THUMBNAILS.items():
        cut(chapter, number, part, THUMBNAIL).quantize(128).save(HERE / f"{chapter}.png", optimize=True)
    for name, (chapter, number, part) in PICTURES.items():
        cut(chapter, number, part, ROW).quantize(256).save(HERE / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main()
