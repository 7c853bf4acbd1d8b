"""All settings of a training run, as named recipes (paper sections 4 and 5).

A recipe is data: the network, the preprocessing and the update rule. A run folder stores its recipe, so that the result
can be reproduced.
"""

from keras_alexnet.recipes.named import RECIPES
from keras_alexnet.recipes.options import Options
from keras_alexnet.recipes.recipe import Recipe

__all__ = ["RECIPES", "Options", "Recipe"]
