# %% [markdown]
# # 6 Results: solutions
#
# The exercises of [chapter 6](../6_0_results.ipynb) that write code or train something.
#
# ## Exercise 3
#
# Average five networks geometrically, as the mean of the log-probabilities. Is the error lower? (To save time, there are
# three, which see 300 flowers twelve times, as in the chapter.)

# %%
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import keras
import numpy as np

from keras_alexnet import PaperSGD, build, figure_1
from keras_alexnet.data.drawings import petals
from keras_alexnet.evaluation import metrics


# %%
def shrink(pictures):  # (n, 256, 256, 3) -> (n, 32, 32, 3)
    blocks = pictures.reshape(len(pictures), 32, 8, 32, 8, 3)
    return blocks.mean(axis=(2, 4)).astype("float32") - 128


pictures, labels = petals.draw(300, seed=0)
others, truth = petals.draw(300, seed=1)
train, test = shrink(pictures), shrink(others)


# %%
def one_network(weights_seed, batches_seed):
    keras.utils.set_random_seed(weights_seed)
    model = build(figure_1(), classes=10)
    loss = "sparse_categorical_crossentropy"
    model.compile(PaperSGD(0.003), loss, jit_compile=False)
    for n in range(12):
        order = np.random.default_rng((batches_seed, n)).permutation(300)
        seen, names = train[order], labels[order]
        model.fit(seen, names, batch_size=32, shuffle=False, verbose=0)
    return model.predict(test, batch_size=300, verbose=0)


def error(probabilities):
    return metrics.top_k_error(probabilities, truth, 1)


# %%
three = np.stack([one_network(n, n) for n in range(3)])  # (3, 300, 10)
arithmetic = three.mean(axis=0)
geometric = np.exp(np.log(three).mean(axis=0))
geometric /= geometric.sum(axis=1, keepdims=True)  # they must add up to 1
alone = np.mean([error(each) for each in three])
print(f"alone: {alone:.1%}")
for name, mean in (("arithmetic", arithmetic), ("geometric", geometric)):
    print(f"{name}: {error(mean):.1%}")
different = arithmetic.argmax(axis=1) != geometric.argmax(axis=1)
print(f"the two means name different classes for {different.mean():.0%}")
assert different.mean() < 0.2 and max(error(arithmetic), error(geometric)) < 1

# %% [markdown]
# The two means differ on a few pictures only, and 300 pictures cannot tell which is better.
#
# ## Exercise 4
#
# Estimate the 95 % interval of an error without a formula: draw as many pictures as there are, with replacement, count the
# errors, and repeat. (This is called the *bootstrap*.) Compare it with `metrics.interval`.

# %%
wrong = arithmetic.argmax(axis=1) != truth  # (300,)
random = np.random.default_rng(0)
again = wrong[random.integers(0, 300, (5000, 300))].mean(axis=1)  # (5000,)
by_hand = np.percentile(again, [2.5, 97.5])
by_library = metrics.interval(int(wrong.sum()), 300)
for name, (low, high) in (("drawn", by_hand), ("formula", by_library)):
    print(f"{name}: {low:.1%} to {high:.1%}")
assert np.allclose(by_hand, by_library, atol=0.01)

# %% [markdown]
# ## Exercise 5
#
# Train networks that start from the *same* weights and see the pictures in another order. Do they still gain from
# being averaged?

# %%
same = np.stack([one_network(0, n) for n in range(3)])
gains = {}
for name, group in (("other weights", three), ("same weights", same)):
    mean = np.mean([error(each) for each in group])
    gains[name] = mean - error(group.mean(axis=0))
    answers = group.argmax(axis=2)
    apart = np.mean([a != b for a in answers for b in answers]) * 3 / 2
    print(f"{name}: alone {mean:.0%}, gain {100 * gains[name]:.1f}", end="")
    print(f" points; two of them differ on {apart:.0%} of the pictures")
    assert apart > 0.1

# %% [markdown]
# The order of the pictures alone makes networks that disagree on many pictures, but these networks are wrong on most of
# them, and networks that guess disagree in any case. What an average gains depends on how much they disagree; with 300
# pictures, a point or two more or less means nothing.
