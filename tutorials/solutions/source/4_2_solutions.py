# %% [markdown]
# # 4.2 Dropout: solutions
#
# The exercises of [chapter 4.2](../4_2_dropout.ipynb) that write code or train something.
#
# ## Exercise 3
#
# `learn` with shares of 0.2 and 0.8. Which ends with the lowest validation loss? The network and the pictures are the
# chapter's.

# %%
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import itertools

import keras
import numpy as np

from keras_alexnet.data.drawings import petals
from keras_alexnet.models import PaperDropout

L = keras.layers


# %%
def small_flowers(count, seed):
    pictures, labels = petals.draw(count, seed)
    blocks = pictures.reshape(count, 16, 16, 16, 16, 3)
    small = blocks.mean(axis=(2, 4)).reshape(count, -1)  # (count, 768)
    return small / 64 - 2, labels


training, validation = small_flowers(150, 0), small_flowers(300, 1)


# %%
def learn(share, seed, epochs=30):
    """Return the lowest and the last validation loss."""
    keras.utils.set_random_seed(seed)
    model = keras.Sequential()
    for _ in range(2):
        model.add(L.Dense(256, "relu"))
        model.add(L.Dropout(share))
    model.add(L.Dense(10, "softmax"))
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    loss = "sparse_categorical_crossentropy"
    model.compile(optimizer, loss, jit_compile=False)
    return validate(model, epochs)


# %%
def validate(model, epochs):
    more = {"validation_data": validation, "validation_batch_size": 300}
    log = model.fit(*training, 32, epochs, verbose=0, **more).history
    return min(log["val_loss"]), log["val_loss"][-1]


last = {}
for share in (0.2, 0.8):
    for seed in (1, 2):
        lowest, last[share, seed] = learn(share, seed)
        print(f"share {share}, seed {seed}: lowest {lowest:.2f}", end=", ")
        print(f"last {last[share, seed]:.2f}")
assert all(last[0.8, seed] < last[0.2, seed] for seed in (1, 2))

# %% [markdown]
# At the end, the network that drops the most has the lower validation loss. But 2.30 is ln 10, which is chance: it has not
# learned anything in 30 epochs. By the lowest losses the other one is better. Look at both, and try more epochs and more
# seeds, before you decide.
#
# ## Exercise 4
#
# Write the paper's dropout as a Keras layer: it drops in training and halves at test time.


# %%
class Halving(keras.layers.Layer):
    def __init__(self):
        super().__init__()
        self.seeds = keras.random.SeedGenerator(0)

    def call(self, inputs, training=False):
        if not training:
            return inputs * 0.5
        drawn = keras.random.uniform(inputs.shape, seed=self.seeds)
        return inputs * keras.ops.cast(drawn < 0.5, inputs.dtype)


# %%
ours, library = Halving(), PaperDropout(0.5)
values = np.random.default_rng(0).gamma(1.0, 1.0, (100, 200))
values = keras.ops.cast(values, "float32")
for layer in (ours, library):
    kept = np.array(layer(values, training=True))
    share = (kept != 0).mean()
    assert np.allclose(kept[kept != 0], np.array(values)[kept != 0])
    assert np.allclose(layer(values, training=False), values * 0.5)
    print(f"{type(layer).__name__} keeps {share:.1%} in training")
    assert abs(share - 0.5) < 0.02

# %% [markdown]
# ## Exercise 5
#
# Average the 1024 networks of the chapter *arithmetically*. How far is that from the halved network?


# %%
def softmax(logits):
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


random = np.random.default_rng(0)
masks = np.array(list(itertools.product((0, 1), repeat=10)))  # (1024, 10)
activations = np.maximum(random.normal(size=(50, 10)), 0)
weights = random.normal(size=(10, 4))
every = softmax((masks[:, None] * activations) @ weights)  # (1024, 50, 4)
halved = softmax(0.5 * activations @ weights)
geometric = softmax(np.log(every).mean(axis=0))

# %%
off = {"geometric": geometric, "arithmetic": every.mean(axis=0)}
off = {name: np.abs(mean - halved).max() for name, mean in off.items()}
for name, difference in off.items():
    print(f"{name} mean: differs by up to {difference:.1e}")
assert off["geometric"] < 1e-9 < 0.01 < off["arithmetic"]

# %% [markdown]
# Halving is the geometric mean, and only near the arithmetic one, which is less sure: of two confident networks that
# contradict each other it makes one that is undecided.
