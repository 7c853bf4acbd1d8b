"""The learning rate range test."""

import dataclasses
import types

import numpy as np
import pytest
from small_pictures import save_splits

from keras_alexnet.data import datasets
from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.training import rate_finder


def test_the_range_test_raises_the_rate_and_averages_the_losses(tmp_path, monkeypatch):
    """The newest loss counts 0.2, each earlier one 0.8 times the one after it, and all weights together are 1."""
    folder = save_splits(tmp_path / "pictures", 18, train=(9, 9, 8), validation=(1, 1, 1), test=(1, 1, 1))
    given, rates = [1.1, 0.9, 1.0, 0.8, 0.9, 1.0, 60.0], []
    model = types.SimpleNamespace(optimizer=types.SimpleNamespace(), reset_metrics=lambda: None)

    def step(images, labels, return_dict):
        rates.append(model.optimizer.learning_rate)
        return {"loss": given[len(rates) - 1]}

    model.train_on_batch = step
    monkeypatch.setattr(rate_finder.trainer, "compiled_model", lambda *_: model)
    recipe = Recipe(architecture="figure_1", crop_size=16, resize_size=18, batch_size=8)
    losses = rate_finder.range_test(recipe, datasets.load(str(folder)), Options(precision="float32"))
    assert rates == pytest.approx(1e-4 * 1e5 ** (np.arange(7) / 99))
    means = [np.average(given[:n], weights=0.8 ** np.arange(n)[::-1]) for n in range(1, 8)]
    assert losses == pytest.approx(means)
    assert rate_finder.proposal(losses) == pytest.approx(rates[-1] / 10)


def test_pictures_are_neither_repeated_nor_mixed(monkeypatch):
    """Both make the loss jump."""
    tried = []
    monkeypatch.setattr(rate_finder, "range_test", lambda recipe, *_: tried.append(recipe) or [0.7, 70.0])
    given = Recipe(balance="repeat", mixup=0.4, cutmix=1.0)
    rate_finder.find(given, None, Options(), lambda line: None)
    assert tried == [dataclasses.replace(given, balance="none", mixup=0.0, cutmix=0.0)]
