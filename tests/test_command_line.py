import pytest

from keras_alexnet.command_line import Parser, add_flags, given_fields, one_line_errors
from keras_alexnet.recipes import Options, Recipe


def parse(dataclass, *argv):
    parser = Parser(prog="fit.py")
    add_flags(parser, dataclass)
    return given_fields(parser.parse_args(argv), dataclass)


def test_flags_that_are_not_given_stay_out():
    assert parse(Recipe) == {}


def test_values_have_the_type_of_their_field():
    assert parse(Recipe, "--batch-size", "32", "--learning-rate", "0.1", "--augmentation", "crop", "mirror") == {
        "batch_size": 32,
        "learning_rate": 0.1,
        "augmentation": ("crop", "mirror"),
    }
    assert parse(Options, "--devices", "2", "--data-dir", "x") == {"devices": 2, "data_dir": "x"}
    assert parse(Recipe, "--augmentation") == {"augmentation": ()}


@pytest.mark.parametrize("argv", [["--batch-size", "many"], ["--batch-sise", "3"]])
def test_wrong_flags_are_one_line(argv, capsys):
    with pytest.raises(SystemExit) as stop:
        parse(Recipe, *argv)
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_errors_do_not_steer_the_terminal(capsys):
    with pytest.raises(SystemExit), one_line_errors(Parser(prog="fit.py")):
        raise ValueError("Received: \x1b[2Jconv1")
    assert capsys.readouterr().err == "fit.py: Received: \\x1b[2Jconv1\n"


def test_errors_of_the_library_are_one_line(capsys):
    with pytest.raises(SystemExit) as stop, one_line_errors(Parser(prog="fit.py")):
        raise ValueError("Expected this.\n  Received: that")
    assert stop.value.code == 2
    assert capsys.readouterr().err == "fit.py: Expected this. Received: that\n"
