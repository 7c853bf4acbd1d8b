# %% [markdown]
# # 7 Discussion: solutions
#
# The exercises of [chapter 7](../7_0_discussion.ipynb) that write code or train something.
#
# ## Exercise 3
#
# Initialize `build("paper", include_top=False)` by He's rule, and compare the std over pictures at conv5 with the text's
# and the source's.

# %%
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import keras
import numpy as np

from keras_alexnet import build, models
from keras_alexnet.data.drawings import petals

L = keras.layers
flowers = np.stack([petals.draw_one(n, 3) for n in range(10)])
inputs = models.preprocess_input(flowers[:, 14:241, 14:241])


# %%
def signal(model):
    to_conv5 = keras.Model(model.input, model.get_layer("conv5").output)
    return to_conv5.predict(inputs, verbose=0).std(axis=0).mean()


stds = {}
for start in ("text", "source"):
    keras.utils.set_random_seed(0)
    model = build("paper", include_top=False, initial_weights=start)
    stds[start] = signal(model)

# %%
random = np.random.default_rng(0)
for layer in model.layers:
    if layer.name.startswith("conv") and layer.weights:
        height, width, channels, _ = layer.kernel.shape
        std = np.sqrt(2 / (height * width * channels))  # inputs per unit
        layer.kernel.assign(random.normal(0, std, layer.kernel.shape))
stds["He"] = signal(model)
for start, std in stds.items():
    print(f"{start:7}std over pictures at conv5: {std:.3f}")
assert stds["text"] < stds["source"] < stds["He"]

# %% [markdown]
# With groups, the kernel's third size is the number of channels that it *sees*, so it counts the inputs of one unit. By
# He's rule the signal no longer fades.
#
# ## Exercise 4
#
# What do the shortcuts of a ResNet do about weak weights? Send random inputs through 20 layers of 100 units with weights of
# a std of 0.01, once as they are, and once with the input of each layer added to its output.


# %%
def through(shortcut, layers=20, units=100):
    random = np.random.default_rng(0)
    signal = random.normal(size=(200, units))
    for _ in range(layers):
        weights = random.normal(0, 0.01, (units, units))
        output = np.maximum(signal @ weights, 0)
        signal = signal + output if shortcut else output
    return signal.std(axis=0).mean()  # over the 200 inputs


plain, residual = through(False), through(True)
print(f"std at the end: {plain:.1e} plain, {residual:.2f} with shortcuts")
assert plain < 1e-15 and 0.5 < residual < 2

# %% [markdown]
# A layer that does nearly nothing is harmless if its input is passed on. So hundreds of layers can be trained.
#
# ## Exercise 5
#
# Train a network of three hidden layers from weights of a std of 0.001, with batch normalization and without, on 150 drawn
# flowers of 16 x 16 pixels.


# %%
def small_flowers(count, seed):
    pictures, labels = petals.draw(count, seed)
    blocks = pictures.reshape(count, 16, 16, 16, 16, 3)
    small = blocks.mean(axis=(2, 4)).reshape(count, -1)  # (count, 768)
    return small / 64 - 2, labels


training, loss = small_flowers(150, 0), "sparse_categorical_crossentropy"


# %%
def dense(units, activation=None):
    start = keras.initializers.RandomNormal(0, 0.001)
    return L.Dense(units, activation, kernel_initializer=start)


# %%
def train(normalize):
    keras.utils.set_random_seed(0)
    model = keras.Sequential()
    for _ in range(3):
        model.add(dense(128))
        model.add(L.BatchNormalization() if normalize else L.Identity())
        model.add(L.ReLU())
    model.add(dense(10, "softmax"))
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    model.compile(optimizer, loss, jit_compile=False)
    return model.fit(*training, 50, epochs=40, verbose=0).history["loss"]


# %%
losses = {"plain": train(False), "batch normalization": train(True)}
for name, each in losses.items():
    print(f"{name}: loss {each[0]:.3f} at first, {each[-1]:.3f} at the end")
print(f"chance: {np.log(10):.3f}")
assert losses["plain"][-1] > 2.25
assert losses["batch normalization"][-1] < 0.5

# %% [markdown]
# Without it the network stays at chance. With it the scale of the weights does not matter, because the output of every
# layer is scaled back.
