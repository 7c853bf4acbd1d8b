"""The paper's update rule and its schedule (section 5)."""

import keras
from keras import ops

from keras_alexnet.models.fusion import fused


@keras.saving.register_keras_serializable(package="keras_alexnet")
class PaperSGD(keras.optimizers.Optimizer):
    r"""Stochastic gradient descent with momentum, the weight decay inside the velocity.

    $$v \leftarrow m\,v - d\,\epsilon\,w - \epsilon\,\nabla L, \qquad w \leftarrow w + v$$

    `keras.optimizers.SGD(weight_decay=...)` shrinks the weights beside the velocity: at a momentum of 0.9 that is ten
    times weaker, and it shrinks the biases too.

    Args:
        learning_rate: The step epsilon, a number or a `LearningRateSchedule`.
        momentum: Share m of the velocity that is kept.
        weight_decay: Weight decay d, on kernels alone, as in the authors' code. The text says "the weight w".
        bias_learning_rate_factor: What the learning rate of a bias is multiplied by: 1 in the text, 2 in the authors'
            code. A variable of one dimension is a bias.
        decay_into: "velocity", as above; or "weights", which shrink beside it, as in most later optimizers:
            $w \leftarrow w + v - d\,\epsilon\,w$.

    Raises:
        ValueError: If `momentum` is not in [0, 1), `weight_decay` or the factor is negative, or `decay_into` is
            unknown.

    Example:
        >>> PaperSGD(learning_rate=0.01).get_config()["weight_decay"]
        0.0005

    Source: section 5, the update rule for weight w.
    """

    def __init__(
        self,
        learning_rate=0.01,
        momentum=0.9,
        weight_decay=0.0005,
        bias_learning_rate_factor=1.0,
        decay_into="velocity",
        name="paper_sgd",
        **kwargs,
    ):
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, name=name, **kwargs)
        if not 0 <= momentum < 1:
            raise ValueError(f"`momentum` must be at least 0 and less than 1. Received: momentum={momentum}")
        if weight_decay < 0 or bias_learning_rate_factor < 0:
            raise ValueError(
                "`weight_decay` and `bias_learning_rate_factor` must not be negative. "
                f"Received: weight_decay={weight_decay}, bias_learning_rate_factor={bias_learning_rate_factor}"
            )
        if decay_into not in ("velocity", "weights"):
            raise ValueError(f'`decay_into` must be "velocity" or "weights". Received: decay_into={decay_into!r}')
        self.momentum = momentum
        self.decay_into = decay_into
        self.bias_learning_rate_factor = bias_learning_rate_factor
        self._moved = fused(self._move)

    def build(self, variables):
        """Make a velocity of zeros for each of `variables`."""
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")

    def _apply_weight_decay(self, variables):
        """Do nothing: the rule itself decays the weights, where Keras would shrink them once more."""

    @classmethod
    def from_config(cls, config, custom_objects=None):
        """Make an optimizer from its configuration. Until version 0.1.0 `weight_decay` was called `decay`."""
        config = dict(config)
        if "decay" in config:
            config["weight_decay"] = config.pop("decay")
        return super().from_config(config, custom_objects)

    def update_step(self, gradient, variable, learning_rate):
        """Apply the rule to one variable."""
        velocity = self.velocities[self._get_variable_index(variable)]
        self._moved(velocity, variable, gradient, ops.cast(learning_rate, variable.dtype))

    def _move(self, velocity, variable, gradient, learning_rate):
        """The rule itself."""
        gradient, shrink = ops.cast(gradient, variable.dtype), 0.0
        if len(variable.shape) == 1:
            learning_rate = learning_rate * self.bias_learning_rate_factor
        elif self.decay_into == "velocity":
            gradient = gradient + self.weight_decay * variable
        else:
            shrink = self.weight_decay * learning_rate * variable
        new_velocity = self.momentum * velocity - learning_rate * gradient
        self.assign(velocity, new_velocity)
        self.assign_add(variable, new_velocity - shrink)

    def get_config(self):
        """Everything `__init__` needs to make the optimizer again."""
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "bias_learning_rate_factor": self.bias_learning_rate_factor,
            "decay_into": self.decay_into,
        }
