import io
import shutil

import numpy as np
import pytest
from PIL import Image

from keras_alexnet.data import picture_files, pipeline
from keras_alexnet.evaluation import predict
from keras_alexnet.evaluation.classifier import Classifier

SQUARE = np.random.default_rng(0).integers(0, 256, (76, 76, 3), np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Pictures of many modes, and what only calls itself a picture."""
    picture = Image.fromarray(SQUARE)
    inside = tmp_path / "pictures" / "daisy"
    inside.mkdir(parents=True)
    for name, mode in (("cmyk.jpg", "CMYK"), ("grey.jpg", "L"), ("palette.bmp", "P"), ("alpha.png", "RGBA")):
        picture.convert(mode).save(inside / name)
    exif = Image.Exif()
    exif[0x0112] = 6
    picture.save(inside / "turned.jpg", exif=exif)
    Image.new("I;16", (90, 80), 40_000).save(inside / "sixteen.png")
    picture.resize((1, 1)).save(inside / "dot.png")
    picture.resize((300, 7)).save(inside / "wide.jpg")
    (inside / "text.jpg").write_text("no picture")
    (inside / "cut.png").write_bytes((inside / "alpha.png").read_bytes()[:500])
    Image.new("1", (20_000, 10_000)).save(inside / "huge.png")
    (inside / "notes.txt").write_text("not even by its name")
    return inside.parent


def test_bad_pictures_are_named_and_the_others_done(small_run, folder):
    files = picture_files.picture_files([folder])
    predictions = predict.predict(Classifier.of_run(small_run), files)
    assert [each.file for each in predictions] == files
    problems = {each.file.name: each.problem for each in predictions if each.problem}
    assert problems.keys() == {"text.jpg", "cut.png", "huge.png"}
    assert "cannot identify" in problems["text.jpg"]
    assert problems["cut.png"].startswith("cannot be decoded: Invalid PNG data")
    good = [each for each in predictions if not each.problem]
    assert len(good) == 8
    assert all(each.probabilities.sum() == pytest.approx(1, abs=1e-5) for each in good)
    assert {small_run.read_classes()[each.label] for each in good} == {"daisy"}


def test_a_broken_header_is_one_pictures_problem(small_run, tmp_path):
    Image.fromarray(SQUARE).save(tmp_path / "a.png")
    Image.fromarray(SQUARE).save(tmp_path / "b.jpg", dpi=(72, 72), exif=b"Exif\0\0II*\0")
    good, bad = predict.predict(Classifier.of_run(small_run), [tmp_path / "a.png", tmp_path / "b.jpg"], views=1)
    assert good.problem is None
    assert bad.problem


def test_nothing_readable(small_run, tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (only,) = predict.predict(Classifier.of_run(small_run), [tmp_path / "a.png"], views=1)
    assert only.probabilities is None
    assert "cannot identify" in only.problem


def test_a_picture_is_seen_as_in_evaluation(small_run, tmp_path):
    Image.fromarray(SQUARE).save(tmp_path / "a.png")
    classifier = Classifier.of_run(small_run)
    (seen,) = predict.predict(classifier, [tmp_path / "a.png"], views=1)
    centre = SQUARE[4:71, 4:71].astype(np.float32) - 128  # (76 - 67) // 2 = 4
    np.testing.assert_allclose(seen.probabilities, classifier.model.predict_on_batch(centre[None])[0], atol=1e-6)
    assert seen.label is None


def test_a_picture_that_failed_only_once_is_not_called_broken(tmp_path):
    Image.fromarray(SQUARE).save(tmp_path / "a.png")
    assert "run the command again" in predict._problem(tmp_path / "a.png")


def test_damaged_jpeg_data_are_counted_in_one_line(small_run, tmp_path, capfd):
    file = io.BytesIO()
    Image.fromarray(SQUARE).save(file, "JPEG")
    (tmp_path / "a.jpg").write_bytes(file.getvalue()[:-2] + bytes(65) + file.getvalue()[-2:])
    (only,) = predict.predict(Classifier.of_run(small_run), [tmp_path / "a.jpg"], views=1)
    assert only.problem is None
    said = capfd.readouterr().err
    assert "Damaged JPEG data were decoded as far as possible in 1 of 1 pictures" in said
    assert "Corrupt" not in said


def test_panel_shows_no_more_than_fits(small_run, tmp_path):
    files = [tmp_path / f"{n:02}.png" for n in range(predict.SHOWN + 2)]
    for file in files:
        Image.fromarray(SQUARE).save(file)
    predictions = [predict.Prediction(file, None, np.float32([0.2, 0.5, 0.3])) for file in files]
    figure = predict.panel(predictions, small_run.read_classes())
    assert len([axes for axes in figure.axes if axes.images]) == predict.SHOWN


def test_a_network_file_in_a_run_knows_its_classes(small_run):
    last = small_run.folder / "last" / "epoch-00002.keras"
    last.parent.mkdir()
    shutil.copy(small_run.best, last)
    for file in (small_run.best, last):
        assert Classifier.of_file(file).class_names == small_run.read_classes()


def test_a_network_file_by_itself_has_the_usual(small_run, tmp_path):
    alone = shutil.copy(small_run.best, tmp_path / "alone.keras")
    classifier = Classifier.of_file(alone)
    assert classifier.class_names == ("class 0", "class 1", "class 2")
    assert (classifier.recipe.crop_size, classifier.recipe.resize_size) == (67, 76)
    mean, std = pipeline.mean_and_std(classifier.statistics, classifier.recipe)
    np.testing.assert_allclose(mean, [123.68, 116.779, 103.939], rtol=1e-6)
    assert std.tolist() == [1, 1, 1]
