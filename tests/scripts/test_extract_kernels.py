"""Extracting kernels, as a command: what it refuses, and that it keeps a file that is there."""

import numpy as np
import pytest

import extract_kernels


@pytest.fixture
def trained(tmp_path):
    """A file with one convolution."""
    kernel = np.random.default_rng(0).normal(0, 0.05, (5, 5, 3, 8)).astype(np.float32)
    np.savez(tmp_path / "trained.npz", **{"conv1/kernel": kernel, "conv1/bias": np.zeros(8, np.float32)})
    return tmp_path / "trained.npz"


def refused(capsys, *flags):
    with pytest.raises(SystemExit) as stop:
        extract_kernels.main([str(flag) for flag in flags])
    words = capsys.readouterr().err
    assert stop.value.code == 2
    assert words.count("\n") == 1
    return words


def test_a_file_that_exists_is_kept_unless_it_may_be_replaced(trained, tmp_path, capsys):
    out = tmp_path / "kernels.npz"
    out.write_bytes(b"mine")
    assert "--overwrite" in refused(capsys, trained, "--out", out)
    assert out.read_bytes() == b"mine"
    extract_kernels.main([str(trained), "--out", str(out), "--overwrite"])
    with np.load(out) as kernels, np.load(trained) as source:
        assert kernels["conv1/kernel"].dtype == np.float16
        np.testing.assert_allclose(kernels["conv1/kernel"], source["conv1/kernel"], rtol=1e-3)
    assert "608 weights" in capsys.readouterr().out


def test_the_kernels_are_not_written_over_the_network_that_they_come_from(trained, capsys):
    before = trained.read_bytes()
    refused(capsys, trained, "--out", trained)
    assert trained.read_bytes() == before


def test_another_ending_is_refused(trained, tmp_path, capsys):
    assert "kernels.zip" in refused(capsys, trained, "--out", tmp_path / "kernels.zip")
