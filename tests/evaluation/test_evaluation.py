import dataclasses
import json
import pathlib

import keras
import numpy as np
import pytest
from PIL import Image

from keras_alexnet.data import datasets, pipeline
from keras_alexnet.evaluation import evaluate
from keras_alexnet.evaluation.classifier import Classifier
from keras_alexnet.runs import Run


@pytest.fixture
def data(small_run):
    return datasets.load(small_run.read_options().dataset)


def own_ten_views(picture, size):
    """Four corners and the center, then their mirror images, in NumPy."""
    rest = len(picture) - size
    corners = [(0, 0), (0, rest), (rest, 0), (rest, rest), (rest // 2, rest // 2)]
    views = [picture[top : top + size, left : left + size] for top, left in corners]
    return views + [view[:, ::-1] for view in views]


def test_ten_views_average_ten_predictions(small_run, data):
    classifier = Classifier.from_run(small_run)
    pictures = pipeline.resize_pictures(data.splits["test"], 76)
    by_views, labels = evaluate.probabilities(classifier.model, classifier.batches(pictures, views=10))
    assert labels.tolist() == [int(label) for _, label in pictures]
    for n, (picture, _) in enumerate(pictures.as_numpy_iterator()):
        views = [view.astype(np.float32) - 128 for view in own_ten_views(picture, 67)]
        singly = np.concatenate([classifier.model.predict_on_batch(view[None]) for view in views])
        np.testing.assert_allclose(by_views[10][n], singly.mean(axis=0), atol=1e-6)
        np.testing.assert_allclose(by_views[1][n], singly[4], atol=1e-6)


@pytest.mark.slow
def test_one_view_is_the_central_one_of_ten(small_run, data):
    classifier = Classifier.from_run(small_run)
    pictures = pipeline.resize_pictures(data.splits["test"], 76)
    ten, _ = evaluate.probabilities(classifier.model, classifier.batches(pictures, views=10))
    one, _ = evaluate.probabilities(classifier.model, classifier.batches(pictures, views=1))
    assert one.keys() == {1}
    np.testing.assert_allclose(one[1], ten[1], atol=1e-6)


def test_logits_become_probabilities(small_run, data):
    classifier = Classifier.from_run(small_run)
    batches = list(classifier.batches(pipeline.resize_pictures(data.splits["test"], 76), views=10))
    expected, _ = evaluate.probabilities(classifier.model, batches)
    last = classifier.model.layers[-1]
    logits = keras.layers.Dense(3, name="logits")
    model = keras.Model(classifier.model.input, logits(last.input))
    logits.set_weights(last.get_weights())
    received, _ = evaluate.probabilities(model, batches)
    for views in (1, 10):
        np.testing.assert_allclose(received[views], expected[views], atol=1e-6)


def test_a_last_layer_in_half_precision_is_averaged_in_float32(small_run, data):
    classifier = Classifier.from_run(small_run)
    last = classifier.model.layers[-1]
    half = keras.layers.Dense(3, "softmax", name="half", dtype="bfloat16")
    model = keras.Model(classifier.model.input, half(last.input))
    half.set_weights(last.get_weights())
    batches = list(classifier.batches(pipeline.resize_pictures(data.splits["test"], 76), views=10))
    by_views, _ = evaluate.probabilities(model, batches)
    assert by_views[1].dtype == by_views[10].dtype == np.float32
    views = np.float32(model.predict_on_batch(np.asarray(batches[0][0])[0]))
    np.testing.assert_allclose(by_views[10][0], views.mean(axis=0), rtol=1e-6)


def test_a_linear_activation_after_the_softmax_leaves_probabilities(small_run, data):
    """Keras ends networks in mixed precision like this."""
    classifier = Classifier.from_run(small_run)
    cast = keras.layers.Activation("linear", dtype="float32")
    model = keras.Model(classifier.model.input, cast(classifier.model.output))
    batches = list(classifier.batches(pipeline.resize_pictures(data.splits["test"], 76)))
    expected, received = (evaluate.probabilities(each, batches)[0][1] for each in (classifier.model, model))
    np.testing.assert_allclose(received, expected, atol=1e-6)


def test_an_evaluation_is_saved_in_the_run(small_run, data):
    (evaluation,) = evaluate.evaluate_runs([small_run], data, "test")
    kept = small_run.read_evaluations("evaluation")["test"]
    assert kept == json.loads(json.dumps(evaluation.numbers()))
    assert (kept["pictures"], kept["averaged_views"]) == (12, "ten")
    assert {row["class"]: row["pictures"] for row in kept["classes"]} == dict.fromkeys(data.class_names, 4)
    assert kept["10_views"]["top5_error"] == 0


def test_the_result_is_not_that_of_a_network_which_replaced_the_evaluated_one(small_run, data, monkeypatch):
    """As training does in the middle of an evaluation."""
    measured = evaluate.probabilities

    def replace_and_measure(model, batches):
        model.layers[-1].bias.assign_add([1.0, 0.0, 0.0])
        model.save(small_run.best)
        return measured(model, batches)

    monkeypatch.setattr(evaluate, "probabilities", replace_and_measure)
    evaluate.evaluate_runs([small_run], data, "test")
    assert small_run.read_evaluations("evaluation") == {}


def test_a_loaded_classifier_is_used(small_run, data):
    classifier = Classifier.from_run(small_run)
    pictures = pipeline.resize_pictures(data.splits["test"], 76)
    expected = evaluate.evaluate_run(small_run, data, "test", pictures, views=1)
    small_run.best.unlink()
    received = evaluate.evaluate_run(small_run, data, "test", pictures, views=1, classifier=classifier)
    np.testing.assert_array_equal(received.best, expected.best)


@pytest.mark.slow
def test_an_ensemble_averages_probabilities(small_run, data, tmp_path):
    other = type(small_run).create(tmp_path / "other")
    for name in ("recipe.json", "classes.txt", "statistics.npz"):
        (other.folder / name).write_bytes((small_run.folder / name).read_bytes())
    model = keras.models.load_model(small_run.best)
    model.get_layer("fc8").kernel.assign(-model.get_layer("fc8").kernel)
    model.save(other.best)
    first, second, both = evaluate.evaluate_runs([small_run, other], data, "validation", views=1)
    np.testing.assert_allclose(both.by_views[1], (first.by_views[1] + second.by_views[1]) / 2, rtol=1e-6)
    assert np.abs(first.by_views[1] - second.by_views[1]).max() > 1e-3
    assert small_run.read_json("ensemble-validation.json")["runs"] == ["small-1", "other"]
    assert other.read_json("evaluation-validation.json")["runs"] == ["other"]
    assert [*small_run.read_evaluations("ensemble")] == ["validation"]
    keras.models.load_model(small_run.best).save(other.best)
    assert small_run.read_evaluations("ensemble") == {}  # `other` has another network now
    assert [*small_run.read_evaluations("evaluation")] == ["validation"]


def test_pictures_that_a_network_may_have_been_trained_on_are_refused(small_run, tmp_path):
    for label, name in enumerate(("daisy", "rose", "tulip")):
        (tmp_path / "flowers" / name).mkdir(parents=True)
        for n in range(10):
            Image.fromarray(np.full((76, 76, 3), 10 * label + n, np.uint8)).save(
                tmp_path / "flowers" / name / f"{n}.png"
            )
    small_run.write_classes(["daisy", "rose", "tulip"])
    provenance = small_run.read_json("recipe.json")
    first, second = (datasets.load(str(tmp_path / "flowers"), seed=seed) for seed in (0, 1))
    provenance["data"] = first.describe()
    small_run.write_json("recipe.json", provenance)
    evaluate.evaluate_runs([small_run], first, "test", views=1)
    with pytest.raises(ValueError, match=r"trained on\. .*seed 0\)\. Received: .*seed 1\)$"):
        evaluate.evaluate_runs([small_run], second, "test", views=1)


def test_identity_in_fields_is_compared_as_well(small_run, data):
    account = small_run.read_json("recipe.json")
    account["data"] = data.identity.as_json() | {"digest": "of other files"}
    small_run.write_json("recipe.json", account)
    with pytest.raises(ValueError, match=r"may contain pictures that .* was trained on"):
        evaluate.evaluate_runs([small_run], data, "test", views=1)
    account["data"] = data.identity.as_json()
    small_run.write_json("recipe.json", account)
    evaluate.evaluate_runs([small_run], data, "test", views=1)


@pytest.mark.slow
def test_classes_in_another_order_are_matched_by_name(small_run, data):
    small_run.write_classes(data.class_names[::-1])
    (backwards,) = evaluate.evaluate_runs([small_run], data, "test", views=1)
    small_run.write_classes(data.class_names)
    (forwards,) = evaluate.evaluate_runs([small_run], data, "test", views=1)
    np.testing.assert_array_equal(backwards.best, forwards.best[:, ::-1])


def test_a_run_that_gave_names_to_other_folders_is_refused(small_run, data):
    """Version 0.1.0 gave the names of --class-names to folders 0, 1, 10, 2 in this order."""
    made_with = small_run.read_json("recipe.json")
    made_with["options"]["class_names"] = "names.txt"
    same = dataclasses.replace(data, identity=dataclasses.replace(data.identity, digest="5b85"))
    small_run.write_json("recipe.json", made_with | {"data": same.identity.as_json()})
    evaluate.evaluate_runs([small_run], same, "test", views=1)
    small_run.write_classes(data.class_names[::-1])
    with pytest.raises(ValueError, match=r"class names in another order now.*: train again\. Received: "):
        evaluate.evaluate_runs([small_run], same, "test", views=1)


def test_classes_must_be_the_same(small_run, data):
    small_run.write_classes(["daisy", "lily", "tulip"])
    with pytest.raises(ValueError, match=r"not in both: <b>rose & co, lily$"):
        evaluate.evaluate_runs([small_run], data, "test")


def test_a_run_is_no_ensemble_with_itself(small_run, data):
    same = type(small_run)(small_run.folder / "last" / "..")
    with pytest.raises(ValueError, match=r"^Expected different runs\. Received: .*small-1 and .*small-1"):
        evaluate.evaluate_runs([small_run, same], data, "test")


def test_all_joins_the_splits(data):
    assert len(evaluate.pictures_of(data, "all")) == 36


def test_a_missing_split_is_named(data):
    with pytest.raises(ValueError, match=r"train, validation, test, all\. Received: dev"):
        evaluate.pictures_of(data, "dev")


def test_an_empty_split_is_refused(data):
    empty = datasets.Dataset("none", data.class_names, {"test": data.splits["test"].take(0)}, data.identity)
    with pytest.raises(ValueError, match="Expected pictures in the test split of none"):
        evaluate.pictures_of(empty, "test")


def test_results_on_other_data_have_their_own_file(small_run, data):
    other = datasets.Dataset("my flowers 2.0", data.class_names, data.splits, data.identity)
    evaluate.evaluate_runs([small_run], other, "test", views=1)
    assert small_run.read_json("evaluation-my-flowers-2.0-test.json")["data_name"] == data.identity.name


def test_a_folder_whose_name_begins_like_the_own_one_is_another(small_run, data):
    own = small_run.read_options().dataset
    stems = [
        evaluate.stem(small_run, datasets.Dataset(name, data.class_names, data.splits, data.identity), "test")
        for name in (own, f"{own} 2")
    ]
    assert stems == ["test", "pictures-2-test"]


def test_folders_of_the_same_name_have_their_own_files(small_run, data):
    files = []
    for path in ("/a/flowers", "/b/flowers", "/a/flowers"):
        identity = dataclasses.replace(data.identity, name=path)
        folder = datasets.Dataset(path, data.class_names, data.splits, identity)
        stem = evaluate.stem(small_run, folder, "test")
        small_run.write_json(f"evaluation-{stem}.json", {"data_name": path})
        files.append(stem)
    assert files == ["flowers-test", "flowers-2-test", "flowers-test"]


def test_the_columns_of_classes_in_any_order_are_found_by_their_names():
    """Of three that change places in turn; two that are exchanged would hide the opposite order."""
    names, wanted = ("daisy", "rose", "tulip"), ("tulip", "daisy", "rose")
    assert evaluate.class_positions(names, wanted) == [2, 0, 1]


# Wrong arguments


@pytest.mark.parametrize(
    ("runs", "error", "message"),
    [
        ("runs/a", TypeError, r"`runs` must be a list of runs, .*Received: runs='runs/a'"),
        (Run(pathlib.Path("a")), TypeError, r"`runs` must be a list of runs, .*Received: runs=Run\("),
        (["runs/a"], TypeError, r"`run` must be a Run, such as .*Received: run='runs/a'"),
        ([keras.Sequential()], TypeError, r"`run` must be a Run, .*Received: run=<Sequential"),
        ([], ValueError, r"`runs` must have at least one run\. Received: none"),
    ],
)
def test_runs_must_be_a_list_of_runs(runs, error, message, data):
    with pytest.raises(error, match=message):
        evaluate.evaluate_runs(runs, data, "test")


def test_data_and_split_must_be_a_data_set_and_a_name(small_run, data):
    for other in ("petals", data.splits["test"]):
        with pytest.raises(TypeError, match=r"`data` must be a Dataset, such as .*Received: data="):
            evaluate.evaluate_runs([small_run], other, "test")
        with pytest.raises(TypeError, match=r"`data` must be a Dataset, such as .*Received: data="):
            evaluate.evaluate_run(small_run, other, "test", data.splits["test"])
    with pytest.raises(TypeError, match=r"`split` must be the name of a split, .*Received: split=\['test'\]"):
        evaluate.evaluate_runs([small_run], data, ["test"])


def test_one_run_is_evaluated_with_its_classifier(small_run, data):
    pictures = data.splits["test"]
    with pytest.raises(TypeError, match=r"`run` must be a Run, such as .*Received: run='runs/a'"):
        evaluate.evaluate_run("runs/a", data, "test", pictures)
    model = keras.models.load_model(small_run.best)
    with pytest.raises(TypeError, match=r"`classifier` must be a Classifier, .*Received: classifier=<Functional"):
        evaluate.evaluate_run(small_run, data, "test", pictures, classifier=model)


@pytest.mark.parametrize("model", ["a.keras", None, np.ones(3)])
def test_probabilities_are_those_of_a_keras_model(model):
    with pytest.raises(TypeError, match=r"`model` must be a keras\.Model, .*Received: model="):
        evaluate.probabilities(model, [])


def test_probabilities_need_one_row_of_classes():
    image = keras.Input((4, 4, 3))
    maps, vector = keras.layers.ReLU()(image), keras.layers.Flatten()(image)
    for outputs in (maps, [vector, vector]):
        with pytest.raises(ValueError, match=r"`model` must return one row of classes per image\. Received: outputs"):
            evaluate.probabilities(keras.Model(image, outputs), [])


@pytest.mark.parametrize(
    "batches",
    [
        np.ones((2, 4, 4, 3), np.float32),  # an array instead of batches
        [np.ones((2, 4, 4, 3), np.float32)],
        [(np.ones((4, 4, 3), np.float32), 0)],  # a single picture
        [(np.ones((2, 4, 4, 3), np.float32), np.eye(2))],
        [(np.ones((2, 5, 4, 3), np.float32), np.arange(2))],
        [(np.ones((2, 4, 4, 3), np.float32), np.arange(3))],
    ],
    ids=["array", "no labels", "not in batches", "one-hot", "another size", "other labels"],
)
def test_probabilities_need_the_batches_of_the_pipeline(batches):
    image = keras.Input((4, 4, 3))
    model = keras.Model(image, keras.layers.Dense(2)(keras.layers.Flatten()(image)))
    with pytest.raises(ValueError, match=r"`batches` must be .*for images \(4, 4, 3\)\. Received: \["):
        evaluate.probabilities(model, batches)
