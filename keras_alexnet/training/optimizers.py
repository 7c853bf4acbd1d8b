"""The paper's update rule (section 5)."""

import warnings
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import keras
from keras import ops

from keras_alexnet.arguments import real_number
from keras_alexnet.models.fusion import compile_elementwise


@keras.saving.register_keras_serializable(package="keras_alexnet")
class PaperSGD(keras.optimizers.Optimizer):
    r"""Stochastic gradient descent with momentum and weight decay in the velocity.

    $$v \leftarrow m\,v - d\,\epsilon\,w - \epsilon\,\nabla L, \qquad w \leftarrow w + v$$

    `keras.optimizers.SGD(weight_decay=...)` applies decoupled weight decay, which is ten times weaker at a momentum of
    0.9, and applies it to biases too.

    A variable with fewer than two dimensions counts as a bias: it has the learning rate of biases and no weight decay.
    `no_weight_decay` and `exclude_from_weight_decay` exclude others; only the former is saved with the model.

    `momentum`, `weight_decay` and the two factors may be changed between steps. As with the momentum of Keras's SGD, a
    compiled training step keeps the old values until you call `model.compile` again, or
    `model.make_train_function(force=True)`.

    Args:
        learning_rate: The step epsilon, a float, a `LearningRateSchedule` or a function.
        momentum: Momentum m.
        weight_decay: Weight decay d, on kernels only, as in the authors' code; the text says "the weight w". None
            means 0.
        bias_learning_rate_factor: Factor of the learning rate of biases: 1 in the text, 2 in the authors' code.
        decay_into: "velocity", as above; or "weights" for decoupled weight decay, as in most later optimizers:
            $w \leftarrow w + v - d\,\epsilon\,w$.
        learning_rate_factors: Factors of the learning rate by layer name, such as `{"fc8": 10.0}` for a new last
            layer. Other layers have a factor of 1. A factor of 0 freezes a layer: neither its weights nor their
            velocity change, as in the authors' code.
        no_weight_decay: Names of layers without weight decay.
        name: Name of the optimizer and prefix of its variables; None for a new name.
        decay: The name of `weight_decay` in version 0.1.0; overrides it.
        **kwargs: Other arguments of `keras.optimizers.Optimizer`.

    Raises:
        ValueError: If `momentum` is not in [0, 1), the learning rate, `weight_decay` or a factor is not a finite number
            of at least 0, `decay_into` is unknown, or `learning_rate_factors` or `no_weight_decay` have no names.

    Example:
        >>> PaperSGD(learning_rate=0.01).get_config()["weight_decay"]
        0.0005

    Source: section 5, the update rule for weight w.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.9,
        weight_decay: float | None = 0.0005,
        bias_learning_rate_factor: float = 1.0,
        decay_into: str = "velocity",
        name: str | None = None,
        decay: float | None = None,
        learning_rate_factors: Mapping[str, float] | None = None,
        no_weight_decay: Sequence[str] = (),
        **kwargs: Any,
    ):
        weight_decay = weight_decay if decay is None else decay
        weight_decay = 0.0 if weight_decay is None else real_number(weight_decay, "weight_decay", least=0)
        if isinstance(learning_rate, float):  # Keras accepts NaN and negative ones, and refuses other types
            real_number(learning_rate, "learning_rate", least=0)
        super().__init__(learning_rate=learning_rate, weight_decay=weight_decay, name=name, **kwargs)
        if real_number(momentum, "momentum", least=0) >= 1:
            raise ValueError(f"`momentum` must be less than 1. Received: momentum={momentum!r}")
        if decay_into not in ("velocity", "weights"):
            raise ValueError(f'`decay_into` must be "velocity" or "weights". Received: decay_into={decay_into!r}')
        if not _are_names(no_weight_decay):
            raise ValueError(
                f"`no_weight_decay` must be a list of names. Received: no_weight_decay={no_weight_decay!r}"
            )
        self.momentum = float(momentum)
        self.decay_into = decay_into
        self.bias_learning_rate_factor = real_number(bias_learning_rate_factor, "bias_learning_rate_factor", least=0)
        self.learning_rate_factors = _factors(learning_rate_factors or {})
        self.no_weight_decay = tuple(no_weight_decay)
        self._moved = compile_elementwise(self._move)

    def build(self, variables: list[keras.Variable]) -> None:
        """Create a velocity of zeros for each variable, and remember its layer."""
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")
        self._paths = tuple(variable.path.split("/") for variable in variables)
        unknown = {*self.learning_rate_factors, *self.no_weight_decay}.difference(*self._paths)
        if unknown:  # no error: a layer may be frozen
            warnings.warn(
                "`learning_rate_factors` and `no_weight_decay` should name layers with trainable weights. "
                f"Received: {', '.join(sorted(unknown))}",
                stacklevel=2,
            )

    def _factor(self, path):
        """Return the factor of the innermost layer in a variable's path, such as `["fc8", "kernel"]`, that has one."""
        factors = self.learning_rate_factors
        return next((factors[name] for name in reversed(path) if name in factors), 1.0)

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Apply the rule to one variable."""
        index = self._get_variable_index(variable)
        velocity, factor = self.velocities[index], self._factor(self._paths[index])
        if factor == 0:
            return
        is_bias = len(variable.shape) < 2
        if factor != 1:
            learning_rate = learning_rate * factor
        if is_bias:
            learning_rate = learning_rate * self.bias_learning_rate_factor
        # Tensors, so that changed values reach the compiled function. A variable without weight decay has one fewer.
        settings = [learning_rate, self.momentum]
        has_decay = self._use_weight_decay(variable) and not set(self._paths[index]) & set(self.no_weight_decay)
        if has_decay and not is_bias:
            settings.append(0.0 if self.weight_decay is None else self.weight_decay)
        settings = [ops.cast(setting, variable.dtype) for setting in settings]
        self._moved(velocity, variable, _dense(gradient, variable), *settings)

    def _move(self, velocity, variable, gradient, learning_rate, momentum, weight_decay=None):
        """Apply the update rule."""
        if weight_decay is not None and self.decay_into == "velocity":
            gradient = gradient + weight_decay * variable
        new_velocity = momentum * velocity - learning_rate * gradient
        change = new_velocity
        if weight_decay is not None and self.decay_into == "weights":
            change = new_velocity - weight_decay * learning_rate * variable
        self.assign(velocity, new_velocity)
        self.assign_add(variable, change)

    def _apply_weight_decay(self, variables: list[Any]) -> None:
        """Do nothing: the update rule includes weight decay, which Keras would apply a second time."""

    def get_config(self) -> dict[str, Any]:
        """Return the arguments of `__init__`."""
        return {
            **super().get_config(),
            "momentum": self.momentum,
            "bias_learning_rate_factor": self.bias_learning_rate_factor,
            "decay_into": self.decay_into,
            "learning_rate_factors": dict(self.learning_rate_factors),
            "no_weight_decay": list(self.no_weight_decay),
        }


def _are_names(names):
    return isinstance(names, Collection) and not isinstance(names, str) and all(isinstance(each, str) for each in names)


def _factors(factors):
    """Return factors by layer name as floats, after checking them."""
    if not isinstance(factors, Mapping) or not _are_names(factors):
        raise ValueError(
            '`learning_rate_factors` must be a mapping from layer names to numbers, such as {"fc8": 10.0}. '
            f"Received: learning_rate_factors={factors!r}"
        )
    return {name: real_number(each, f"learning_rate_factors[{name!r}]", least=0) for name, each in factors.items()}


def _dense(gradient, variable):
    """Return a dense gradient. An embedding has gradients only for the rows in use, but momentum moves all rows."""
    gradient = ops.convert_to_tensor(gradient, sparse=False)  # JAX's sparse arrays
    if hasattr(gradient, "dense_shape"):  # TensorFlow's `IndexedSlices`; PyTorch's tensors have `indices` too
        gradient = ops.segment_sum(gradient.values, gradient.indices, num_segments=variable.shape[0])
    return ops.cast(gradient, variable.dtype)
