import dataclasses
import html.parser
import math
import re
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf
from chromium import chromium
from PIL import Image

from keras_alexnet.data import datasets, pipeline
from keras_alexnet.evaluation import evaluate, features, neighbors
from keras_alexnet.evaluation.chance import training_warning
from keras_alexnet.evaluation.classifier import Classifier
from keras_alexnet.reporting import report, run_figures, tables
from keras_alexnet.runs import Run


@pytest.fixture(scope="module")
def evaluated(_small_run, tmp_path_factory):
    """A run that was evaluated, with its figures and its report."""
    run = Run(shutil.copytree(_small_run.folder, tmp_path_factory.mktemp("evaluated") / "small-1"))
    data = datasets.load(run.read_options().dataset)
    (evaluation,) = evaluate.evaluate_runs([run], data, "test")
    run_figures.draw(run, evaluation)
    report.write(run)
    return run, evaluation


class Page(html.parser.HTMLParser):
    """The elements of a page with their attributes, and its text."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def attributes(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def page(evaluated):
    return Page((evaluated[0].folder / "report.html").read_text(encoding="utf-8"))


def test_all_figures_of_a_run_are_drawn(evaluated):
    names = {path.name for path in evaluated[0].figures.iterdir()}
    assert {"curves.png", "kernels.png", "test-confusion.png", "test-neighbors.jpg"} <= names
    assert names & {"test-right.jpg", "test-wrong.jpg"}


def test_class_names_are_escaped(page):
    assert "<b>rose & co" in page.text  # as the reader sees it
    assert not page.attributes("b")


def test_every_figure_is_part_of_the_page_and_described(page, evaluated):
    images = page.attributes("img")
    assert len(images) == len(list(evaluated[0].figures.iterdir()))
    assert all(image["src"].startswith("data:image/webp;base64,") for image in images)
    assert all(len(image["alt"]) > 20 for image in images)


def test_the_page_loads_nothing(page):
    addresses = [
        value for _, attributes in page.elements for name, value in attributes.items() if name in ("src", "href")
    ]
    assert [address for address in addresses if not address.startswith("data:")] == []
    assert not page.attributes("script")


def test_the_page_has_the_results(page, evaluated):
    numbers = evaluated[0].read_json("evaluation-test.json")
    assert f"{100 * numbers['10_views']['top1_error']:.1f} %" in page.text
    assert "37.5 %" in page.text  # the paper's
    assert evaluated[0].read_json("recipe.json")["command"] in page.text


def test_a_run_without_an_evaluation_has_a_report(small_run):
    page = Page(report.write(small_run).read_text(encoding="utf-8"))
    assert "python scripts/fit.py" in page.text
    assert not page.attributes("img")


def test_misclassified_pictures_are_listed_with_their_paths(page, evaluated):
    """The rows are counted here from the probabilities, picture by picture."""
    run, evaluation = evaluated
    wrong = []
    for path, shares, label in zip(evaluation.data.paths["test"], evaluation.best, evaluation.labels, strict=True):
        assert path.split("/")[-2] == evaluation.data.class_names[label]
        if max(shares) > shares[label]:
            wrong.append((float(max(shares)), path))
    assert len(wrong) > 2
    rows = run.read_mistakes()
    assert [(float(row["probability"]), row["path"]) for row in rows] == sorted(wrong, reverse=True)
    for row in rows:
        assert row["split"] == "test"
        assert row["picture"] == "/".join(row["path"].split("/")[-3:])
        assert row["class"] == row["path"].split("/")[-2]
        assert row["picture"] in page.text


def test_a_long_list_of_misclassified_pictures_is_truncated(small_run, evaluated):
    small_run.write_json("evaluation-test.json", evaluated[0].read_json("evaluation-test.json"))
    row = {"class": "daisy", "predicted": "tulip", "path": "/pictures"}
    rows = [row | {"picture": f"daisy/picture {n:03}.png", "probability": 0.9 - n / 1000} for n in range(60)]
    small_run.write_mistakes("test", rows)
    small_run.write_mistakes("validation", rows[:2])
    text = report_of(small_run).text
    assert "50 of 60, all in mistakes.csv" in text
    assert "picture 049" in text
    assert "picture 050" not in text
    small_run.write_mistakes("test", [])
    assert [row["split"] for row in small_run.read_mistakes()] == ["validation"] * 2
    assert "picture 000" not in report_of(small_run).text  # the validation was not evaluated


def test_identical_pictures_are_listed(small_run):
    assert "Identical pictures" not in report_of(small_run).text
    copies = {
        "files": 3,
        "trained_on": {"test": [["train/daisy/1.png", "test/daisy/<i>2.png"]]},
        "two_labels": [["daisy/5.png", "rose/6.png"]],
        "sizes": {"train": 10, "test": 4},
    }
    small_run.write_json("duplicates.json", copies)
    page = report_of(small_run)
    assert "3 files are copies of another." in page.text
    assert "1 of 4 test pictures are also training pictures" in page.text
    assert page.text.index("test/daisy/<i>2.png") < page.text.index("train/daisy/1.png")
    assert "rose/6.png" in page.text
    small_run.write_json("duplicates.json", copies | {"files": 1, "trained_on": {}, "two_labels": []})
    assert "No picture is in two classes or in two splits." in report_of(small_run).text


def test_an_ensemble_has_a_row(evaluated, small_run):
    numbers = evaluated[0].read_json("evaluation-test.json")
    small_run.write_json("evaluation-test.json", numbers)
    together = numbers["10_views"] | {"top1_error": 0.123}
    small_run.write_json("ensemble-test.json", numbers | {"runs": ["small-1", "small-2"], "10_views": together})
    first, _, others = Page(report.write(small_run).read_text(encoding="utf-8")).text.partition("Results")
    assert "ensemble of 2" in others
    assert "12.3 %" in others
    assert "12.3 %" not in first


@pytest.mark.slow
def test_results_of_an_earlier_network_are_left_out(evaluated, small_run):
    """Training can continue after an evaluation."""
    run = Run(shutil.copytree(evaluated[0].folder, small_run.folder.parent / "trained-on"))
    assert [each["stem"] for each in report.contents(run)["evaluations"]] == ["test"]
    network = keras.models.load_model(run.best)
    network.set_weights([2 * weights for weights in network.get_weights()])
    network.save(run.best)
    assert report.contents(run)["evaluations"] == []
    assert run.summary()["results"]["test"] == {}
    run.best.unlink()  # of an archived folder, where it cannot be compared
    assert [each["stem"] for each in report.contents(run)["evaluations"]] == ["test"]


def test_figures_of_an_earlier_evaluation_are_removed(evaluated, small_run):
    run, evaluation = Run(shutil.copytree(evaluated[0].folder, small_run.folder.parent / "again")), evaluated[1]
    perfect = np.eye(len(evaluation.data.class_names))[evaluation.labels]
    (run.figures / "test-wrong.jpg").write_bytes(b"of an evaluation with mistakes")
    (run.figures / "mine-wrong.jpg").write_bytes(b"of the user")
    run_figures.draw(run, dataclasses.replace(evaluation, by_views={10: perfect}))
    assert not (run.figures / "test-wrong.jpg").exists()
    assert (run.figures / "mine-wrong.jpg").exists()


def test_a_report_made_inside_the_run_folder_has_its_name(small_run, monkeypatch):
    monkeypatch.chdir(small_run.folder)
    assert report.contents(Run.open("."))["name"] == small_run.folder.name


def test_a_network_trained_without_flips_has_five_views(evaluated, small_run):
    run = Run(shutil.copytree(evaluated[0].folder, small_run.folder.parent / "five"))
    settings = run.read_json("recipe.json")
    settings["recipe"]["augmentation"] = ["crop"]
    run.write_json("recipe.json", settings)
    report.write(run)
    text = Page(run.report.read_text(encoding="utf-8")).text
    assert "five crops of each" in " ".join(text.split())
    assert text.count("ten crops") == 1  # those of the paper


def test_a_loaded_classifier_is_used(evaluated, small_run):
    classifier = Classifier.from_run(evaluated[0])
    small_run.best.unlink()
    run_figures.draw(small_run, evaluated[1], classifier)
    assert {path.name for path in small_run.figures.iterdir()} == {path.name for path in evaluated[0].figures.iterdir()}


def report_of(run):
    return Page(report.write(run).read_text(encoding="utf-8"))


def save_figure(run, name, **settings):
    run.figures.mkdir(exist_ok=True)
    Image.new("RGB", (60, 40), "white").save(run.figures / name, **settings)


@pytest.mark.parametrize(("dpi", "width"), [({}, "60"), ({"dpi": (0, 0)}, "60"), ({"dpi": (200, 200)}, "30")])
def test_a_figure_without_a_resolution_has_its_size_in_pixels(small_run, dpi, width):
    save_figure(small_run, "curves.png", **dpi)
    (image,) = report_of(small_run).attributes("img")
    assert image["width"] == width


def test_other_files_among_the_figures_are_ignored(small_run):
    save_figure(small_run, "mine.png")
    (small_run.figures / "notes.png").write_text("not a picture")
    assert report_of(small_run).attributes("img") == []


def log_of_losses(*losses):
    names = ("top1_error", "top5_error", "val_loss", "val_top1_error", "val_top5_error")
    return [
        {"epoch": n, "learning_rate": 0.01, "loss": loss} | dict.fromkeys(names, 0.66)
        for n, loss in enumerate(losses, 1)
    ]


@pytest.mark.parametrize(
    ("losses", "warning"),
    [
        ((15.0, 2.9e22), "Training diverged: the last loss is 2.9e+22, and that of guessing is 1.10."),
        ((1.2, float("nan")), "Training diverged: the last loss is nan"),
        ((15.0, *[1.099] * 4), "The network learned nothing: the last loss is 1.1, and that of guessing is 1.10."),
        ((15.0, 0.4), None),
    ],
)
def test_a_training_that_failed_has_a_warning(small_run, losses, warning):
    small_run.write_log(log_of_losses(*losses))
    page = report_of(small_run)
    alerts = [attributes for attributes in page.attributes("p") if attributes.get("role") == "alert"]
    assert len(alerts) == (warning is not None)
    assert warning is None or warning in page.text


def test_an_unbalanced_training_that_learned_only_the_frequencies_has_a_warning(small_run):
    """For 98, 1 and 1 pictures chance has a loss of 0.11 and an error of 2 %, far from 1.10 and 67 %."""
    small_run.write_log([row | {"top1_error": 0.02} for row in log_of_losses(*[0.112] * 6)])
    assert training_warning(small_run.read_log(), report.class_counts(small_run)) is None
    small_run.write_json("results.json", {"epochs": 6, "class_counts": [98, 1, 1]})
    assert (
        "The network learned nothing: the last loss is 0.112, and that of guessing is 0.11."
        in report_of(small_run).text
    )
    # Beside the cross-entropy of an evaluation stands that of guessing evenly, since its classes may be balanced.
    assert report.contents(small_run)["chance"] == pytest.approx(math.log(3))


def test_top5_is_left_out_with_five_classes_or_fewer(evaluated, page):
    assert "top-5" not in page.text
    assert "top-1 error" in page.text


def test_top5_is_shown_with_more_classes(evaluated, small_run):
    numbers = evaluated[0].read_json("evaluation-test.json")
    small_run.write_json("evaluation-test.json", numbers)
    small_run.write_classes([f"class {n}" for n in range(6)])
    assert "top-5 error, test" in report_of(small_run).text


def test_results_of_an_older_training_are_shown(evaluated, small_run):
    numbers = evaluated[0].read_json("evaluation-test.json")["10_views"] | {"top1_error": 0.321}
    small_run.write_json("results.json", {"epochs": 2, "validation_10_views": numbers})
    assert "32.1 %" in report_of(small_run).text
    newer = evaluated[0].read_json("evaluation-test.json")
    newer["10_views"] |= {"top1_error": 0.654}
    small_run.write_json("evaluation-validation.json", newer)
    text = report_of(small_run).text
    assert "65.4 %" in text
    assert "32.1 %" not in text


def test_data_in_fields_are_described(evaluated, small_run):
    provenance = small_run.read_json("recipe.json")
    provenance["data"] = evaluated[1].data.identity.as_json()
    small_run.write_json("recipe.json", provenance)
    assert evaluated[1].data.describe() in report_of(small_run).text


@pytest.mark.parametrize(
    ("weights", "start"),
    [(None, "random weights"), ("drawn", "learned from drawn pictures"), ("runs/a-1/best.keras", "the weights of a-1")],
)
def test_the_report_tells_what_training_started_from(small_run, weights, start):
    provenance = small_run.read_json("recipe.json")
    provenance["options"]["weights"] = weights
    small_run.write_json("recipe.json", provenance)
    assert f"from {'kernels that were ' * (weights == 'drawn')}{start}" in report_of(small_run).text


def test_settings_of_an_older_recipe_have_their_new_names(small_run):
    provenance = small_run.read_json("recipe.json")
    recipe = provenance["recipe"]
    recipe["size"], recipe["side"] = recipe.pop("crop_size"), recipe.pop("resize_size")
    small_run.write_json("recipe.json", provenance)
    assert "crop_size67227" in "".join(report_of(small_run).text.split())  # the run's value, and the paper's


def test_confusions_count_every_picture(evaluated):
    counts = run_figures.confusions(evaluated[1])
    assert counts.shape == (3, 3)
    assert counts.sum(axis=1).tolist() == [4, 4, 4]
    right = (evaluated[1].best.argmax(axis=1) == evaluated[1].labels).sum()
    assert np.trace(counts) == right


def test_wrong_pictures_are_the_most_confident(evaluated):
    evaluation = evaluated[1]
    indices = run_figures.wrong_indices(evaluation)
    confidence = evaluation.best[indices].max(axis=1)
    assert (np.diff(confidence) <= 0).all()
    assert (evaluation.best[indices].argmax(axis=1) != evaluation.labels[indices]).all()


def test_right_pictures_are_of_different_classes(evaluated):
    labels = evaluated[1].labels[run_figures.right_indices(evaluated[1])]
    assert len(set(labels.tolist())) == len(labels)


def test_pictures_are_found_by_their_indices(evaluated):
    pictures = evaluated[1].pictures
    every = [picture for picture, _ in pictures.as_numpy_iterator()]
    found = run_figures.pictures_at(pictures, [[7, 2], [7, 0]])
    assert found.keys() == {0, 2, 7}
    for index, picture in found.items():
        np.testing.assert_array_equal(picture, every[index])


@pytest.mark.slow
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_picture_is_not_its_own_neighbor(evaluated, monkeypatch, split):
    run, evaluation = evaluated
    shown = []
    monkeypatch.setattr(run_figures.panels, "neighbors", lambda queries, found, *_: shown.append((queries, found)))
    data = evaluation.data
    asked = [picture for picture, _ in pipeline.resize_pictures(data.splits[split], 76).take(3).as_numpy_iterator()]
    run_figures._neighbors(Classifier.from_run(run), data, asked, np.zeros(3, int))
    ((queries, found),) = shown
    assert [len(row) for row in found] == [run_figures.NEIGHBORS] * 3
    assert not any((query == near).all() for query, row in zip(queries, found, strict=True) for near in row)
    if split == "test":  # the nearest is shown, though there is one too many
        classifier = Classifier.from_run(run)
        corpus = neighbors.TrainingPictures.read(data.splits["train"], classifier)
        pairs = tf.data.Dataset.from_tensor_slices((np.stack(asked), np.zeros(3, int)))
        for row, descriptor in zip(found, features.descriptors(classifier, pairs), strict=True):
            np.testing.assert_array_equal(row[0], corpus.nearest(descriptor, 1)[0][0])


def contrast(one, other):
    """Return the contrast of two CSS colors by the formula of WCAG 2, 1 to 21; text needs 4.5."""
    lights = []
    for color in (one, other):
        levels = np.array([int(level) for level in re.findall(r"\d+", color)[:3]]) / 255
        linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
        lights.append(linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    return max(lights) / min(lights)


@pytest.mark.slow
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_in_a_browser(evaluated, width, scheme):
    messages, requests = [], []
    with chromium() as browser:
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto((evaluated[0].folder / "report.html").as_uri())
        loaded = page.eval_on_selector_all(
            "img", "images => images.map(image => image.naturalWidth > 0 && !!image.alt)"
        )
        overflow = page.evaluate("document.documentElement.scrollWidth") - width
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        colors = page.eval_on_selector_all(
            "main *, header *", "all => all.filter(e => e.innerText?.trim()).map(e => getComputedStyle(e).color)"
        )
    assert messages == []
    assert [address for address in requests if not address.startswith(("data:", "file:"))] == []
    assert len([address for address in requests if address.startswith("file:")]) == 1
    assert loaded
    assert all(loaded)
    assert overflow <= 0
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    assert len(set(colors)) > 1
    assert min(contrast(color, background) for color in set(colors)) >= 4.5


def test_the_page_has_both_results_of_the_paper(small_run):
    """Table 1, and section 6 for a single view: 39.0 and 18.3 %."""
    from keras_alexnet.reporting import report

    assert report.contents(small_run)["paper"] == {"10_views": (0.375, 0.17), "1_view": (0.39, 0.183)}


def test_each_error_has_its_own_interval():
    from keras_alexnet.reporting import tables

    one = {"top1_error": 0.5, "top1_interval": (0.4, 0.6), "top5_error": 0.2, "top5_interval": (0.1, 0.3)}
    one |= {"mean_class_error": 0.55, "negative_log_likelihood": 1.25}
    result = {"runs": ["a"], "classes": [{}] * 6, "1_view": one, "10_views": one | {"top1_error": 0.45}}
    _, _, first, second = tables.evaluations([result]).splitlines()
    assert first.split("  ")[0:1] + [cell.strip() for cell in first.split("  ") if "%" in cell] == [
        "a",
        "50.0 % (40.0 to 60.0)",
        "20.0 % (10.0 to 30.0)",
        "55.0 %",
    ]
    assert "45.0 % (40.0 to 60.0)" in second


def test_the_average_of_five_crops_is_not_called_ten():
    """A network that was trained without flips sees no mirror images."""
    from keras_alexnet.reporting import tables

    one = {"top1_error": 0.5, "top1_interval": (0.4, 0.6), "mean_class_error": 0.5, "negative_log_likelihood": 1.0}
    result = {"runs": ["a"], "classes": [{}] * 2, "averaged_views": "five", "1_view": one, "10_views": one}
    assert [line.split()[1] for line in tables.evaluations([result]).splitlines()[2:]] == ["one", "five"]
    del result["averaged_views"]  # of version 0.1.0
    assert tables.evaluations([result]).splitlines()[-1].split()[1] == "ten"


def test_the_hardest_classes_come_first_and_of_equal_errors_the_largest():
    rows = [("daisy", 4, 0.25), ("rose", 4, 0.75), ("tulip", 8, 0.75), ("lily", 9, 0.0), ("iris", 0, None)]
    result = {"classes": [dict(zip(("class", "pictures", "top1_error"), row, strict=True)) for row in rows]}
    words = "tulip (75 % of 8 wrong), rose (75 % of 4 wrong), daisy (25 % of 4 wrong)"
    assert tables.hardest_classes(result) == words


def test_the_hardest_classes_of_the_report_have_the_highest_errors():
    rows = [
        {"class": name, "pictures": 4, "top1_error": error} for name, error in (("a", 0.25), ("b", 0.75), ("c", 0.0))
    ]
    made = report._evaluation("test", {"runs": ["x"], "pictures": 12, "classes": rows, "1_view": {}})
    assert [[row["class"] for row in made[kind]] for kind in ("hardest", "easiest")] == [["b", "a"], ["c"]]
