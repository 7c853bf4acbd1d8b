"""Whether a network may have been trained on its evaluation pictures, from the identity fields."""

import dataclasses
import json

import pytest

from keras_alexnet.data.identity import DataIdentity, digest_of, identity_of, may_share_training_pictures

SPLITS = ("train", "validation", "test")
PETS = DataIdentity("folder", "/home/me/pets", None, None, (), SPLITS, 1, {"train": 8, "validation": 1, "test": 1}, "a")
TOYS = DataIdentity("tfds", "toys", "1.0.0", None, SPLITS, (), None, {"train": 40, "validation": 7, "test": 5}, "b")
TWO_SPLITS = dataclasses.replace(
    TOYS, official=("train", "test"), drawn_by_seed=("train", "validation"), split_seed=1, digest="c"
)


def changed(identity, **fields):
    return dataclasses.replace(identity, **fields)


@pytest.mark.parametrize(
    ("old", "new", "split", "shares"),
    [
        (PETS, PETS, "test", False),
        (PETS, PETS, "all", False),
        (PETS, changed(PETS, split_seed=10), "test", True),
        (changed(PETS, digest=None), changed(PETS, split_seed=10), "test", True),
        (PETS, changed(PETS, digest="z"), "test", True),
        (PETS, changed(PETS, name="/elsewhere/pets", digest="z"), "all", False),
        (PETS, changed(PETS, name="/elsewhere/pets", split_seed=2), "test", True),
        (PETS, changed(PETS, name="/elsewhere/pets"), "test", False),
        (PETS, changed(PETS, official=SPLITS, drawn_by_seed=(), split_seed=None), "test", True),
        (changed(PETS, digest=None), changed(PETS, sizes={"train": 9, "validation": 1, "test": 1}), "test", True),
        (changed(PETS, digest=None), PETS, "test", False),
        (PETS, changed(PETS, test_share=0.2), "test", True),
        (PETS, changed(PETS, validation_share=0.2), "train", True),
        (PETS, changed(PETS, copies=2), "test", True),
        (PETS, TOYS, "test", False),
        (TOYS, changed(TOYS, version="1.0.1", digest="z"), "all", False),
        (TOYS, changed(TOYS, variant="flipped"), "test", True),
        (TOYS, changed(TOYS, variant="train+validation"), "test", True),
        (TOYS, TWO_SPLITS, "test", True),
        (TOYS, changed(TOYS, name="others", variant="flipped"), "test", False),
        (TWO_SPLITS, TWO_SPLITS, "validation", False),
        (TWO_SPLITS, changed(TWO_SPLITS, split_seed=10), "test", False),
        (TWO_SPLITS, changed(TWO_SPLITS, split_seed=10), "validation", True),
        (TWO_SPLITS, changed(TWO_SPLITS, split_seed=10), "all", True),
        (TWO_SPLITS, changed(TWO_SPLITS, validation_share=0.2), "validation", True),
        (TWO_SPLITS, changed(TWO_SPLITS, validation_share=0.2), "test", False),
        (TWO_SPLITS, changed(TWO_SPLITS, version="1.0.1"), "validation", True),
        (TWO_SPLITS, changed(TWO_SPLITS, digest="z"), "validation", True),
        (changed(TWO_SPLITS, digest=None), TWO_SPLITS, "validation", False),
        (DataIdentity("petals", "petals", split_seed=0), DataIdentity("petals", "petals", split_seed=1), "all", False),
    ],
)
def test_data_that_may_share_training_pictures(old, new, split, shares):
    assert may_share_training_pictures(old, new, split) == shares


@pytest.mark.parametrize("identity", [PETS, TOYS, TWO_SPLITS])
def test_json_round_trip(identity):
    assert identity_of(json.loads(json.dumps(identity.as_json()))) == identity


@pytest.mark.parametrize(
    ("identity", "words"),
    [
        (changed(PETS, test_share=0.25, validation_share=0.05), "70 : 5 : 25 by class, seed 1"),
        (changed(PETS, test_share=0), "90 : 10 : 0 by class, seed 1"),
        (changed(TWO_SPLITS, validation_share=0.15), "official train, test; validation is 15 % of train, seed 1"),
        (
            changed(TOYS, official=("train", "validation"), sizes={"train": 40, "validation": 7}, test_share=0),
            "official train, validation",
        ),
    ],
)
def test_shares_in_words(identity, words):
    assert identity.splits_in_words == words


def test_a_run_from_before_there_were_shares_is_read():
    fields = {
        name: value
        for name, value in PETS.as_json().items()
        if name not in ("test_share", "validation_share", "copies")
    }
    assert identity_of(fields) == PETS


def test_other_fields_are_refused():
    with pytest.raises(ValueError, match=r"source, name, version.* Received: source, seeds"):
        identity_of({"source": "folder", "seeds": [1]})


DESCRIBED = [
    (
        "oxford_flowers102 2.1.1: 102 classes; train 1020, validation 1020, test 6149 pictures (official train, "
        "validation, test)",
        DataIdentity(
            "tfds",
            "oxford_flowers102",
            "2.1.1",
            None,
            SPLITS,
            (),
            None,
            {"train": 1020, "validation": 1020, "test": 6149},
        ),
    ),
    (
        "oxford_flowers102:train+validation 2.1.1: 102 classes; train 2040, test 6149 pictures (official train and "
        "validation are trained on)",
        DataIdentity(
            "tfds", "oxford_flowers102", "2.1.1", "train+validation", SPLITS, (), None, {"train": 2040, "test": 6149}
        ),
    ),
    (
        "oxford_flowers102:flipped 2.1.1: 102 classes; train 6149, validation 1020, test 1020 pictures (flipped: "
        "official test and train change places)",
        DataIdentity(
            "tfds",
            "oxford_flowers102",
            "2.1.1",
            "flipped",
            SPLITS,
            (),
            None,
            {"train": 6149, "validation": 1020, "test": 1020},
        ),
    ),
    (
        "cifar10:3.0.2 3.0.2: 10 classes; train 22500, validation 2500, test 1000 pictures (official train, test; "
        "validation is a tenth of train, seed 12)",
        DataIdentity(
            "tfds",
            "cifar10",
            "3.0.2",
            None,
            ("train", "test"),
            ("train", "validation"),
            12,
            {"train": 22500, "validation": 2500, "test": 1000},
        ),
    ),
    (
        "toys/secret 1.0.0: 2 classes; train 36, validation 4, test 7 pictures (official train, validation; validation "
        "is taken as test; validation is a tenth of train, seed 0)",
        DataIdentity(
            "tfds",
            "toys/secret",
            "1.0.0",
            None,
            ("train", "validation"),
            ("train", "validation"),
            0,
            {"train": 36, "validation": 4, "test": 7},
        ),
    ),
    (
        "/no/such/pets: 2 classes; train 16, validation 2, test 2 pictures (80 : 10 : 10 by class, seed 3)",
        DataIdentity("folder", "/no/such/pets", None, None, (), SPLITS, 3, {"train": 16, "validation": 2, "test": 2}),
    ),
    (
        "petals: 10 classes; train 640, validation 160, test 160 pictures (drawn with seed 4)",
        DataIdentity("petals", "petals", None, None, (), SPLITS, 4, {"train": 640, "validation": 160, "test": 160}),
    ),
    ("something else: of another form", DataIdentity("other", "something else")),
]


@pytest.mark.parametrize(("sentence", "identity"), DESCRIBED)
def test_sentences_of_old_runs_are_read(sentence, identity):
    assert identity_of(sentence) == identity


@pytest.mark.parametrize(("sentence", "identity"), DESCRIBED[:-1])
def test_sentence_says_the_same_today(sentence, identity):
    assert sentence.endswith(f"pictures ({identity.splits_in_words})")


@pytest.mark.parametrize("spelling", ["pets", "./pets", "{}/pets", "{}/sub/../pets"])
@pytest.mark.parametrize(("seed", "shares"), [(1, False), (10, True)])
def test_a_folder_is_the_same_however_it_is_spelled(spelling, seed, shares, tmp_path, monkeypatch):
    for name in ("pets", "sub"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    sentence = "classes; train 8, validation 1, test 1 pictures (80 : 10 : 10 by class, seed 1)"
    old = identity_of(f"{spelling.format(tmp_path)}: 2 {sentence}")
    new = changed(PETS, name=str(tmp_path / "pets"), split_seed=seed)
    assert may_share_training_pictures(old, new, "test") == shares


@pytest.mark.parametrize(("name", "shares"), [("/data/pets", True), ("/data/cats", False)])
def test_a_relative_path_of_another_folder_is_compared_by_its_end(name, shares, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    old = identity_of("../pets: 2 classes; train 8, validation 1, test 1 pictures (80 : 10 : 10 by class, seed 1)")
    assert may_share_training_pictures(old, changed(PETS, name=name, split_seed=2), "test") == shares


def test_digest_depends_on_every_entry_and_not_on_their_order():
    entries = [("train", "daisy/1.jpg", 10), ("test", "daisy/2.jpg", 11)]
    assert digest_of(entries) == digest_of(reversed(entries))
    for other in (("train", "daisy/1.jpg", 11), ("test", "daisy/1.jpg", 10), ("train", "daisy/3.jpg", 10)):
        assert digest_of([other, entries[1]]) != digest_of(entries)
