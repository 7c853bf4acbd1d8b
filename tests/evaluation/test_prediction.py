import io
import shutil

import keras
import numpy as np
import pytest
from PIL import Image

from keras_alexnet.data import picture_files
from keras_alexnet.data.statistics import mean_and_std
from keras_alexnet.evaluation import predict
from keras_alexnet.evaluation.classifier import Classifier
from keras_alexnet.evaluation.predictions import PANEL_PICTURES, Prediction, label_of, summary

PICTURE = np.random.default_rng(0).integers(0, 256, (76, 76, 3), np.uint8)


@pytest.fixture
def folder(tmp_path):
    """Pictures of many modes, and files with picture names that are not pictures."""
    picture = Image.fromarray(PICTURE)
    inside = tmp_path / "pictures" / "daisy"
    inside.mkdir(parents=True)
    for name, mode in (("cmyk.jpg", "CMYK"), ("gray.jpg", "L"), ("palette.bmp", "P"), ("alpha.png", "RGBA")):
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


def test_bad_pictures_are_named_and_the_others_are_classified(small_run, folder):
    files = picture_files.picture_files([folder])
    predictions = predict.predict(Classifier.from_run(small_run), files)
    assert [each.file for each in predictions] == files
    problems = {each.file.name: each.problem for each in predictions if each.problem}
    assert problems.keys() == {"text.jpg", "cut.png", "huge.png"}
    assert "cannot identify" in problems["text.jpg"]
    assert "truncated" in problems["cut.png"]
    good = [each for each in predictions if not each.problem]
    assert len(good) == 8
    assert all(each.probabilities.sum() == pytest.approx(1, abs=1e-5) for each in good)
    assert {small_run.read_classes()[each.label] for each in good} == {"daisy"}


def test_a_picture_in_another_format_says_what_to_do(small_run, tmp_path):
    (tmp_path / "a.heic").write_bytes(bytes.fromhex("0000002466747970") + b"heic")
    (only,) = predict.predict(Classifier.from_run(small_run), [tmp_path / "a.heic"], views=1)
    assert only.problem == "a format that cannot be read: convert it to JPEG"


def test_a_broken_header_does_not_stop_the_other_pictures(small_run, tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    Image.fromarray(PICTURE).save(tmp_path / "b.jpg", dpi=(72, 72), exif=b"Exif\0\0II*\0")
    good, bad = predict.predict(Classifier.from_run(small_run), [tmp_path / "a.png", tmp_path / "b.jpg"], views=1)
    assert good.problem is None
    assert bad.problem


def test_without_a_readable_picture_the_prediction_is_a_problem(small_run, tmp_path):
    (tmp_path / "a.png").write_bytes(b"")
    (only,) = predict.predict(Classifier.from_run(small_run), [tmp_path / "a.png"], views=1)
    assert only.probabilities is None
    assert only.problem == "the file is empty"


def test_a_missing_file_and_a_folder_are_problems(small_run, tmp_path):
    (tmp_path / "b.png").mkdir()
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    problems = [each.problem for each in predict.predict(Classifier.from_run(small_run), files, views=1)]
    assert problems == ["No such file or directory", "Is a directory"]


def test_a_failure_that_is_not_the_pictures_keeps_its_cause(small_run, tmp_path, monkeypatch):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")

    def no_memory(*_):
        raise MemoryError("no memory for 100 MB")

    monkeypatch.setattr(predict.decoding, "needs_rewriting", no_memory)
    (only,) = predict.predict(Classifier.from_run(small_run), [tmp_path / "a.png"], views=1)
    assert only.problem == "no memory for 100 MB"


def test_a_picture_is_prepared_as_in_evaluation(small_run, tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    classifier = Classifier.from_run(small_run)
    (seen,) = predict.predict(classifier, [tmp_path / "a.png"], views=1)
    center = PICTURE[4:71, 4:71].astype(np.float32) - 128  # (76 - 67) // 2 = 4
    np.testing.assert_allclose(seen.probabilities, classifier.model.predict_on_batch(center[None])[0], atol=1e-6)
    assert seen.label is None


def test_one_path_is_not_a_list_of_letters(small_run):
    with pytest.raises(TypeError, match=r"must be a list of paths\. Received: 'a\.png'"):
        predict.predict(Classifier.from_run(small_run), "a.png")


def test_a_picture_that_failed_only_once_is_not_called_broken(tmp_path):
    Image.fromarray(PICTURE).save(tmp_path / "a.png")
    assert "run the command again" in predict._problem(tmp_path / "a.png")


def test_damaged_jpeg_data_are_named_in_one_line(small_run, tmp_path, capfd):
    file = io.BytesIO()
    Image.fromarray(PICTURE).save(file, "JPEG")
    (tmp_path / "a.jpg").write_bytes(file.getvalue()[:-2] + bytes(65) + file.getvalue()[-2:])
    (only,) = predict.predict(Classifier.from_run(small_run), [tmp_path / "a.jpg"], views=1)
    assert only.problem is None
    words = capfd.readouterr().err
    assert "decoded as far as possible. libjpeg's first warning: Corrupt JPEG data" in words
    assert words.count("Corrupt") == 1


def test_the_summary_has_both_accuracies_with_more_than_five_classes(tmp_path):
    ranks = {"first": [0.5, 0.1, 0.1, 0.1, 0.1, 0.1], "sixth": [0.0, 0.2, 0.2, 0.2, 0.2, 0.2]}
    predictions = [Prediction(tmp_path / name, 0, np.float32(shares)) for name, shares in ranks.items()]
    expected = "2 pictures; top-1 accuracy 50.0 % (1 of 2), top-5 accuracy 50.0 % (1 of 2)"
    assert summary(predictions) == expected


@pytest.mark.slow
def test_panel_shows_at_most_sixteen_pictures(small_run, tmp_path):
    files = [tmp_path / f"{n:02}.png" for n in range(PANEL_PICTURES + 2)]
    for file in files:
        Image.fromarray(PICTURE).save(file)
    predictions = [Prediction(file, None, np.float32([0.2, 0.5, 0.3])) for file in files]
    figure = predict.panel(predictions, small_run.read_classes())
    assert len([axes for axes in figure.axes if axes.images]) == PANEL_PICTURES


def test_a_network_file_inside_a_run_has_its_class_names(small_run):
    last = small_run.folder / "last" / "epoch-00002.keras"
    last.parent.mkdir()
    shutil.copy(small_run.best, last)
    for file in (small_run.best, last):
        assert Classifier.open(file).class_names == small_run.read_classes()


def test_a_network_that_keras_saved_gets_defaults(small_run, tmp_path):
    keras.models.load_model(small_run.best).save(tmp_path / "alone.keras")
    classifier = Classifier.open(tmp_path / "alone.keras")
    assert classifier.class_names == ("class 0", "class 1", "class 2")
    assert (classifier.recipe.crop_size, classifier.recipe.resize_size) == (67, 76)
    mean, std = mean_and_std(classifier.statistics, classifier.recipe)
    np.testing.assert_allclose(mean, [123.68, 116.779, 103.939], rtol=1e-6)
    assert std.tolist() == [1, 1, 1]


def test_the_summary_leaves_out_top_5_of_five_classes(tmp_path):
    (only,) = [Prediction(tmp_path / "a.png", 4, np.float32([0.3, 0.3, 0.2, 0.1, 0.1]))]
    assert summary([only]) == "1 picture; top-1 accuracy 0.0 % (0 of 1)"


def test_a_picture_may_be_deep_in_the_folder_of_its_class(tmp_path):
    for folder in ("daisy/2025/05", "rose/2026", "other"):
        (tmp_path / folder).mkdir(parents=True)
    names = ("daisy/2025/05/a.jpg", "rose/2026/a.jpg", "other/a.jpg")
    found = [label_of(tmp_path / name, ("daisy", "rose")) for name in names]
    assert found == [0, 1, None]


def test_other_folders_above_a_picture_do_not_count(tmp_path):
    """Such as the home folder of a user called Rose."""
    (tmp_path / "rose/photos").mkdir(parents=True)
    found = [label_of(tmp_path / name, ("daisy", "rose")) for name in ("rose/photos/a.jpg", "rose/a.jpg")]
    assert found == [None, 1]


def test_a_network_alone_is_no_classifier(small_run):
    for other in (Classifier.from_run(small_run).model, small_run, "runs/a"):
        with pytest.raises(TypeError, match=r"`classifier` must be a Classifier, such as .*Received: classifier="):
            predict.predict(other, ["a.png"])


def test_files_must_be_paths(small_run):
    with pytest.raises(TypeError, match=r"`files\[1\]` must be a path, .*Received: files\[1\]=3"):
        predict.predict(Classifier.from_run(small_run), ["a.png", 3])
