"""Unusual pictures are read correctly, broken ones are reported and skipped."""

import pathlib
import resource

import numpy as np
import pytest
import tensorflow as tf
from bad_pictures import COLOR, broken, encoded, mutated, odd, picture

from keras_alexnet.commands import evaluate, fit
from keras_alexnet.data import datasets, decoding, image_folder, picture_files, readable
from keras_alexnet.evaluation import predict
from keras_alexnet.evaluation.classifier import Classifier

ODD, BROKEN = odd(), broken()


@pytest.fixture
def corpus(tmp_path):
    """Return a folder with all of them in one of two classes, a link that leads out of it, and good pictures."""
    folder = tmp_path / "corpus"
    for name in ("a", "b"):
        (folder / name).mkdir(parents=True)
        for number in range(12):
            (folder / name / f"good-{number}.png").write_bytes(encoded(picture(seed=number), "PNG"))
    for name, contents in (ODD | BROKEN).items():
        (folder / "a" / name).write_bytes(contents)
    (tmp_path / "outside.png").write_bytes(encoded(picture(), "PNG"))
    (folder / "a" / "link.png").symlink_to(tmp_path / "outside.png")
    return folder


def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def test_training_names_broken_pictures_and_reads_the_rest(corpus, monkeypatch, capsys):
    """With the limit on the share of broken pictures lifted."""
    monkeypatch.setattr(readable, "MAX_BAD_SHARE", 1.0)
    before = peak()
    splits = readable.read(image_folder.find(corpus))
    names = {picture.path.rsplit("/", 1)[1] for picture in splits["all"]}
    said = capsys.readouterr().err
    assert names == {*ODD, *(f"good-{number}.png" for number in range(12))}
    assert [name for name in BROKEN if f"/a/{name} (" not in said] == []
    said = [line for line in said.splitlines() if not line.startswith(("Using ", "Ignored "))]
    assert len(said) == len(BROKEN) + 1
    assert peak() - before < 600e6  # the bombs are of 1.2 GB each


def test_unusual_pictures_are_read_correctly(corpus, monkeypatch):
    monkeypatch.setattr(readable, "MAX_BAD_SHARE", 1.0)
    splits = readable.read(image_folder.find(corpus))
    resized = datasets._read_files(splits["all"]).map(lambda contents, _: decoding.load_resized(contents, 18))
    gray, half_white = np.full(3, np.dot(COLOR, (0.299, 0.587, 0.114))), (np.array(COLOR) + 255) / 2
    other = dict.fromkeys(("gray.jpg", "gray.png", "gray-alpha.png", "16-bit.png", "16-bit.tif", "one-bit.png"), gray)
    other |= dict.fromkeys(("alpha.webp", "alpha.tif", "alpha.avif"), half_white)
    for file, image in zip(splits["all"], resized.as_numpy_iterator(), strict=True):
        expected = other.get(pathlib.Path(file.path).name, COLOR)
        # single pixels have all of the noise, palettes their steps
        np.testing.assert_allclose(image.mean(axis=(0, 1)), expected, atol=25, err_msg=file.path)


def test_more_than_one_percent_is_refused(corpus):
    with pytest.raises(ValueError, match=rf"Received: {len(BROKEN)} of "):
        readable.read(image_folder.find(corpus))


def test_prediction_names_broken_pictures(corpus, small_run):
    files = picture_files.picture_files([corpus / "a"])
    predictions = predict.predict(Classifier.from_run(small_run), files, views=1)
    bad = {each.file.name for each in predictions if each.problem}
    assert bad == set(BROKEN)
    assert all(np.isfinite(each.probabilities).all() for each in predictions if not each.problem)


def fuzz(count, seed, tmp_path):
    """Return how many of the mutated files were read; each is refused or resized."""
    random, found = np.random.default_rng(seed), []
    originals = [encoded(picture(), "JPEG"), encoded(picture(), "PNG"), encoded(picture(), "JPEG", progressive=True)]
    originals += [encoded(picture(), "TIFF", compression="tiff_lzw"), encoded(picture(), "AVIF")]
    file = tmp_path / "fuzz.jpg"
    for number in range(count):
        file.write_bytes(mutated(originals[number % len(originals)], random))
        result = readable._try((str(file), 0))
        if not isinstance(result, str):
            contents = file.read_bytes()
            found.append(decoding.rewrite(contents) if result.needs_rewriting else contents)
    files = tf.data.Dataset.from_tensor_slices(found)
    resized = list(
        files.map(lambda contents: decoding.load_resized(contents, 18), tf.data.AUTOTUNE).as_numpy_iterator()
    )
    assert all(image.shape == (18, 18, 3) for image in resized)
    assert len(resized) == len(found)
    return len(found)


def test_a_hundred_mutated_files(tmp_path):
    assert 5 < fuzz(100, 0, tmp_path) < 95


@pytest.mark.slow
def test_two_thousand_mutated_files(tmp_path):
    assert 100 < fuzz(2100, 1, tmp_path) < 2000


@pytest.mark.slow
def test_training_and_evaluation_skip_broken_pictures(corpus, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(readable, "MAX_BAD_SHARE", 1.0)
    run = str(tmp_path / "run")
    network = ["--architecture", "figure_1", "--size", "16", "--side", "18", "--batch-size", "8", "--epochs", "1"]
    fit.main(["--dataset", str(corpus), "--run", run, *network])
    evaluate.main([run, "--split", "all", "--views", "1"])
    output = capsys.readouterr()
    assert f"{len(ODD) + 24} pictures of the all split" in output.out
    assert [name for name in BROKEN if output.err.count(f"/a/{name} (") != 2] == []


@pytest.mark.parametrize(("pictures", "refused"), [(100, False), (99, True), (5, True)])
def test_one_unreadable_picture_of_a_hundred_is_left_out_but_not_of_fewer(pictures, refused, monkeypatch, capsys):
    found = {f"{n}.png": readable.Picture(f"{n}.png", 0, False, 9) for n in range(1, pictures)}
    monkeypatch.setattr(readable, "_try", lambda entry: found.get(entry[0], "the file is empty"))
    entries = [(f"{n}.png", 0) for n in range(pictures)]
    if refused:
        with pytest.raises(ValueError, match=rf"Received: 1 of {pictures} pictures: 0\.png \(the file is empty\)"):
            readable._check(entries)
    else:
        assert readable._check(entries) == found
        assert "Left out 1 of 100 pictures" in capsys.readouterr().err
