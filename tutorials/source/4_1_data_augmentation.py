# %% [markdown]
# # 4.1 Data augmentation
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 4.1 | `augmentation.py`, `pipeline.py` | half a minute, drawn flowers |
#
# **The paper says:** random crops of 224 out of 256 pixels and their mirror images make the training set 2048 times as
# large. Noise along the principal components of the colors lowers the top-1 error by over 1 %. At test time, ten views
# are averaged.
#
# **Predict first.** (1) On how many places can a square of 224 lie in one of 256? (2) Does the lighting noise change
# every pixel of an image by the same color, or each by its own? (3) Which moves colors more, the text's noise or that
# of the authors' code?

# %%
# %matplotlib inline
import numpy as np
import tensorflow as tf
from ipywidgets import interact

from keras_alexnet import runs
from keras_alexnet.data import augmentation
from keras_alexnet.data.drawings import petals
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.experiments import ablations
from keras_alexnet.plotting import charts, diagrams, figures, panels

pictures, labels = petals.draw(60, seed=4)
flower = pictures[list(labels).index(petals.CLASS_NAMES.index("pansy"))]

# %% [markdown]
# ## Crops and mirrors
#
# A crop is a slice; a mirror image is a slice that runs backwards.

# %%
views = [augmentation.mirror(augmentation.random_crop(flower, 224, (0, n)), (1, n)).numpy() for n in range(200)]
corners = {(y, x) for y in range(33) for x in range(33)}
places = [flower[y : y + 224, x : x + 224] for y, x in corners]
crops = {hash(place.tobytes()) for place in places} | {hash(place[:, ::-1].tobytes()) for place in places}
assert all(hash(view.tobytes()) in crops for view in views)
print(f"{len(corners)} places, with mirror images {2 * len(corners)}; the text counts {32 * 32 * 2}")

# %% [markdown]
# A square of 224 fits into 256 on 33 places along each axis, not 32. The authors' code draws from all 33. Views of one
# picture are much alike, of course: "2048 times" is not 2048 times the information.

# %%
panels.views(flower, views[:16])

# %% [markdown]
# The same seed gives the same view, so that a run can be made again:

# %%
again = augmentation.random_crop(flower, 224, (0, 7))
assert np.array_equal(again, augmentation.random_crop(flower, 224, (0, 7)))
assert not np.array_equal(again, augmentation.random_crop(flower, 224, (0, 8)))

# %% [markdown]
# ## Lighting: along which colors do pictures differ?
#
# Take all pixels as points in the cube of red, green and blue. The eigenvectors of their covariance are the axes along
# which they vary. In photographs, and here, the first is nearly grey: pictures differ most in lightness.

# %%
colors = pictures.reshape(-1, 3).astype(float)
eigenvalues, eigenvectors = np.linalg.eigh(np.cov(colors.T, bias=True))

squares = tf.data.Dataset.from_tensor_slices((pictures, labels))
statistics = Statistics.measure(squares)  # the library's, in one pass, of any number of pictures
assert np.allclose(statistics.eigenvalues, eigenvalues, rtol=1e-4)
assert np.allclose(np.abs(statistics.eigenvectors), np.abs(eigenvectors), atol=1e-4)

sample = colors[np.random.default_rng(0).choice(len(colors), 600, replace=False)]
diagrams.color_axes(sample, colors.mean(axis=0), eigenvalues, eigenvectors)

# %% [markdown]
# For each image three numbers are drawn, one an axis, and the **whole image** moves by one color. Text and code differ
# in how far:
#
# - the text multiplies by the eigenvalue $\lambda$. That is a variance, so it depends on the unit of the pixels;
# - the authors' code multiplies by $\sqrt\lambda$, a deviation, and then divides everything by 1.1.

# %%
seed = (3, 0)
alpha = tf.random.stateless_normal((3,), seed, stddev=0.1).numpy()
by_hand = {
    "text": flower + eigenvectors @ (alpha * eigenvalues / 255),  # pixels on 0 to 1, then back to grey levels
    "source": (flower + eigenvectors @ (alpha * np.sqrt(eigenvalues))) / 1.1,
}
for form, expected in by_hand.items():
    assert np.allclose(augmentation.lighting(flower, seed, eigenvalues, eigenvectors, form), expected, atol=1e-2)
for name, deviations in (("text", eigenvalues / 255), ("source", np.sqrt(eigenvalues))):
    print(f"{name}: the first axis moves by {0.1 * deviations[-1]:.1f} grey levels, one deviation of the noise")

# %% [markdown]
# What is each axis for? Each slider is one of the three numbers, each picture the flower moved along one axis, the last
# along all three, with the color that is added above it. The paper draws numbers of about 0.1, too small to see. In
# JupyterLab the sliders move; on a page you see where they start.


# %%
@interact(first=(-1.0, 1.0), second=(-1.0, 1.0), third=(-1.0, 1.0), form=["source", "text"])
def along_axes(first=0.5, second=0.5, third=0.5, form="source"):
    far = np.sqrt(eigenvalues) if form == "source" else eigenvalues / 255
    upwards = eigenvectors * np.sign(eigenvectors.sum(axis=0))  # an axis has two ends: the lighter one is positive
    alone = (upwards * far)[:, ::-1] * [first, second, third]  # the longest axis first
    moves = {"first axis": alone[:, 0], "second": alone[:, 1], "third": alone[:, 2], "all": alone.sum(axis=1)}
    figure = figures.sheet(8, 2.1, f"A flower as it is, moved along each color axis, and along all, {form}'s form")
    for axes, (name, color) in zip(figure.subplots(1, 5), [("as it is", np.zeros(3)), *moves.items()], strict=True):
        figures.bare(axes).imshow(np.clip(flower + color, 0, 255).astype("uint8")[::2, ::2])
        axes.set_title(f"{name}\n{', '.join(f'{part:+.0f}' for part in color)}", size=9)
    return figure


# %%
strong = 0.4  # four times the paper's, or one would hardly see it
figure = figures.sheet(8, 3, "Lighting noise: one flower in six draws, above as in the text, below as in the source")
for row, form in zip(figure.subplots(2, 6), by_hand, strict=True):
    row[0].set_ylabel(form)
    for n, axes in enumerate(row):
        lit = augmentation.lighting(flower, (n, 1), eigenvalues, eigenvectors, form, strong)
        lit = lit * (1 + strong) if form == "source" else lit
        figures.bare(axes).imshow(np.clip(lit, 0, 255).astype("uint8")[::2, ::2])
figure

# %% [markdown]
# On ImageNet the largest $\sqrt\lambda$ is 121.78 grey levels. The source's noise moves the first axis by a tenth of
# that. The text's, on pixels of 0 to 1, moves it by half as much. So do the constants that most code copies: 0.2175 and
# two more:

# %%
root = 121.78
source, text, copied = 0.1 * root, 0.1 * root**2 / 255, 0.1 * 0.2175 * 255
print(f"source {source:.1f}, text {text:.1f}, copied constants {copied:.1f} grey levels")
assert round(copied, 1) == 5.5 and round(source / text, 1) == 2.1

# %% [markdown]
# ## Ten views
#
# Four corners, the centre, and their mirror images. The network's probabilities for the ten are averaged.

# %%
ten = augmentation.ten_crops(flower, 224).numpy()
assert np.array_equal(ten[0], flower[:224, :224]) and np.array_equal(ten[4], flower[16:240, 16:240])
assert np.array_equal(ten[5:], ten[:5, :, ::-1])
figure = figures.sheet(8, 3.2, "Ten views of a flower: four corners and the centre, and below each its mirror image")
for axes, view in zip(figure.subplots(2, 5).flat, ten, strict=True):
    figures.bare(axes).imshow(view[::2, ::2])
figure

# %% [markdown]
# ## What else there is
#
# None of these is in the paper. Our recipe for 1020 flowers uses rotation, scaling, translation and the turn upside
# down, for there are few pictures. Torchvision's uses the resized crop.

# %%
others = {
    "as it is": flower,
    "rotation": augmentation.affine(flower, (0, 2), rotation=25.0),
    "scaling": augmentation.affine(flower, (0, 3), scaling=0.4),
    "translation": augmentation.affine(flower, (0, 4), translation=0.2),
    "noise": augmentation.noise(flower, (0, 5), std=25.0),
    "upside down": flower[::-1],
    "resized crop": augmentation.random_resized_crop(flower, len(flower), (0, 7)),
}
figure = figures.sheet(8, 1.6, f"One flower: {', '.join(others)}")
for axes, (name, view) in zip(figure.subplots(1, len(others)), others.items(), strict=True):
    figures.bare(axes).imshow(np.clip(view, 0, 255).astype("uint8")[::2, ::2])
    axes.set_title(name, size=9)
figure

# %% [markdown]
# ## What it is worth
#
# The network has been trained on the 1020 pictures of Flowers-102 with crops, mirror images and lighting noise, and
# without some of them, from three seeds each: `python scripts/fit.py --dataset oxford_flowers102 --recipe ablation`,
# and `--augmentation lighting`, which sees the same central square of each picture in every epoch.

# %%
recorded = {run.folder.name: run for run in runs.find("../results")}
ways = {"crops and mirrors": "ablation", "neither": "ablation_no_crop_no_mirror"}
charts.overfitting({way: [recorded[f"{name}-{seed}"].read_log() for seed in range(3)] for way, name in ways.items()})

# %%
rows = [runs.summary(run) for run in recorded.values()]
print(f"without crops and mirrors\n{ablations.describe(rows, 'no_crop_no_mirror')}\n")
print(f"without lighting noise\n{ablations.describe(rows, 'no_lighting')}")

# %% [markdown]
# Without crops and mirror images the pictures are learned by heart sooner, and the errors on new ones are higher with
# each of the seeds. But they scatter: the interval around the mean of three holds zero.
#
# Of the lighting noise, with which the paper gains over 1 point, nothing can be seen here: the mean is near zero.
# Colors tell flowers apart more than ImageNet's things, so there may be less to gain. Three seeds cannot say.

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
found = ablations.differences(rows)
assert min(found["no_crop_no_mirror"].points) > 0 > found["no_crop_no_mirror"].interval[0]
assert abs(found["no_lighting"].mean) < 0.5

# %% [markdown]
# ## Exercises
#
# 1. Why is the same color added to all pixels of an image, and not another one to each?
# 2. The text's noise on pixels of 0 to 255 instead of 0 to 1: how far would ImageNet's first axis move?
# 3. Which of these would spoil a data set of printed digits?
#
# <details><summary>Answers</summary>
#
# 1. It stands for another light, and light falls on the whole scene. A color a pixel would be noise, which the
#    convolutions average away.
# 2. By 0.1 x 121.78 squared, 1483 grey levels: nothing would be left of the picture. An eigenvalue has the unit of the
#    pixels squared.
# 3. Mirror images and turning upside down: a 2 is not a mirrored 2, and with both a 6 becomes a 9.
#
# </details>

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert round(0.1 * 121.78**2) == 1483
