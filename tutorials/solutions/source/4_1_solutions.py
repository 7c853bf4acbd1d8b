# %% [markdown]
# # 4.1 Data augmentation: solutions
#
# Exercise 4 of [chapter 4.1](../4_1_data_augmentation.ipynb): `ten_crops` in five lines of NumPy, compared with the
# library's.

# %%
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import numpy as np

from keras_alexnet.data import augmentation
from keras_alexnet.data.drawings import petals


# %%
def ten_crops(picture, size=224):
    last, middle = len(picture) - size, (len(picture) - size) // 2
    places = [(0, 0), (0, last), (last, 0), (last, last), (middle, middle)]
    five = [picture[y : y + size, x : x + size] for y, x in places]
    return np.stack(five + [crop[:, ::-1] for crop in five])


# %%
flower = petals.draw_one(3, 0)
ours, library = ten_crops(flower), augmentation.ten_crops(flower, 224).numpy()
print(ours.shape)
assert np.array_equal(ours, library)
