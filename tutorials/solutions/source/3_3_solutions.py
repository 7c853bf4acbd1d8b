# %% [markdown]
# # 3.3 Local response normalization: solutions
#
# Exercise 3 of [chapter 3.3](../3_3_local_response_normalization.ipynb): train `build("paper", input_shape=(67, 67, 3),
# classes=10)` on drawn flowers for five epochs. What does norm1 multiply by before and after?

# %%
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import keras

from keras_alexnet import PaperSGD, build, preprocess_input
from keras_alexnet.data.drawings import petals

# %%
pictures, labels = petals.draw(160, seed=0)
inputs = preprocess_input(pictures[:, 94:161, 94:161])  # (160, 67, 67, 3)
keras.utils.set_random_seed(0)
model = build("paper", input_shape=(67, 67, 3), classes=10)
loss = "sparse_categorical_crossentropy"
model.compile(PaperSGD(0.0025), loss, jit_compile=False)
norm1 = model.get_layer("norm1")
probe = keras.Model(model.input, [norm1.input, norm1.output])


# %%
def mean_factor():
    before, after = probe.predict(inputs[:16], verbose=0)
    active = before > 0
    return (after[active] / before[active]).mean()


# %%
at_start = mean_factor()
losses = model.fit(inputs, labels, 32, epochs=5, verbose=0).history["loss"]
at_end = mean_factor()
print("losses", [round(value, 2) for value in losses])
print(f"norm1 multiplies by {at_start:.3f} before, {at_end:.3f} after")
print(f"a constant would be {2**-0.75:.3f}")
assert abs(at_start - 2**-0.75) < 0.02 and abs(at_end - at_start) < 0.02

# %% [markdown]
# After so short a training nothing has changed. Normalization acts on large activations, and those must grow first.
