"""The table of `crosslens.model.kernel_rules.KernelRule` at one linear map, in TensorFlow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import tensorflow as tf
from crosslens.arrays import as_numpy
from crosslens.model.kernel_rules import Branch, KernelRule

from ..weights import Weight
from .linear_map import LinearMap
from .sweep import pull_back

__all__ = ["KernelBackward", "KernelTable"]


@dataclass(frozen=True)
class KernelTable:
    """A rule with its kernels as TensorFlow's tensors, made once for all functions that are traced."""

    rule: KernelRule
    kernels: Sequence[Sequence[Any]]
    """By branch and kernel, in the layout that the network stores."""

    @classmethod
    def of(cls, rule: KernelRule, weight: Weight) -> "KernelTable":
        """The table of a rule for a layer whose kernel in the network is `weight`."""
        with tf.init_scope():
            kernels = [
                [tf.constant(weight.inside(as_numpy(kernel)), weight.variable.dtype) for _, kernel in branch.kernels]
                for branch in rule.branches
            ]
        return cls(rule, kernels)

    @property
    def is_exact(self) -> bool:
        """Whether the rule is the gradient: R / z where nothing is added to z, so that z cancels."""
        rule = self.rule
        (first, *others) = rule.branches
        own = not first.kernels and first.weight == 1 and first.side == "any"
        return own and not others and rule.stabiliser == 0 and not rule.local and rule.gain is None


class KernelBackward:
    """The backward pass of one linear map by a table."""

    def __init__(self, found: LinearMap, table: KernelTable, absorbed: list[tuple[Any, Any]] | None) -> None:
        """To `absorbed` is added what biases and the stabiliser took, each summed over all but the batch; or None."""
        self._map, self._table, self._absorbed = found, table, absorbed
        rule = table.rule
        self._gain = None if rule.gain is None else found.along_outputs(rule.gain)
        self._shift = None if rule.shift is None else found.along_outputs(rule.shift)

    def __call__(self, dy: Any) -> Any:
        """The gradient at x (or its relevance, of a local rule) for that at y."""
        if self._table.is_exact and self._absorbed is None:
            return self._map.pull(dy)
        z = self._z()
        parts = [part for place in range(len(self._table.kernels)) for part in self._branch(place, z, dy)]
        if self._absorbed is not None:
            relevance = self._relevance(dy)
            self._account(tf.zeros_like(relevance), relevance)
        return tf.add_n(parts) if len(parts) > 1 else parts[0]

    def _z(self) -> Any:
        """The output of the layer with the normalisation that counts as part of it."""
        z = self._map.end
        z = z if self._gain is None else z * self._gain
        return z if self._shift is None else z + self._shift

    def _relevance(self, dy: Any) -> Any:
        """R = z dy / gain, written so that a small gain does no harm."""
        y = self._map.end
        if self._shift is not None:
            y = y + (self._shift if self._gain is None else tf.math.divide_no_nan(self._shift, self._gain))
        return y * self._where_gain(dy)

    def _where_gain(self, dy: Any) -> Any:
        """dy, and 0 where the gain is 0."""
        return dy if self._gain is None else tf.where(self._gain == 0, tf.zeros_like(dy), dy)

    def _branch(self, place: int, z: Any, dy: Any) -> Iterator[Any]:
        branch = self._table.rule.branches[place]
        dy = _on_side(branch.side, z, dy)
        if branch.kernels:
            yield from self._with_kernels(branch, self._table.kernels[place], dy)
        else:
            yield self._own(branch, z, dy)

    def _own(self, branch: Branch, z: Any, dy: Any) -> Any:
        """K' of R / z, with z for the branch's output: the products with the gain cancel."""
        ratio = self._where_gain(dy)
        if stabiliser := self._table.rule.stabiliser:
            size = tf.abs(z)  # z / stabilised(z) is |z| / (|z| + stabiliser)
            ratio *= size / (size + stabiliser)
        if self._absorbed is not None:
            share = self._divided(self._relevance(dy), z)
            self._keep(branch, share, z)
        dx = self._map.pull(_times(branch.weight, ratio))
        return dx * self._map.start if self._table.rule.local else dx

    def _with_kernels(self, branch: Branch, kernels: Sequence[Any], dy: Any) -> Iterator[Any]:
        inputs = [self._input(signs) for signs, _ in branch.kernels]
        products = [self._map.apply(u, kernel) for (u, _), kernel in zip(inputs, kernels, strict=True)]
        y = tf.add_n(products) if len(products) > 1 else products[0]
        y = y if branch.bias is None else y + self._map.along_outputs(branch.bias)
        share = self._divided(self._relevance(dy), y)
        if self._absorbed is not None:
            self._keep(branch, share, y)
        seed = _times(branch.weight, share)
        for (u, part), product in zip(inputs, products, strict=True):
            mask = u if self._table.rule.local else part
            if mask is not None:
                (dx,) = pull_back([product], [seed], [u], stop=True)
                yield dx if mask is _ALL else dx * mask

    def _input(self, signs: Any) -> tuple[Any, Any]:
        """What a kernel reads, and where that is x: `_ALL`, a mask, or None for nowhere."""
        x = self._map.start
        if not isinstance(signs, str):
            constants = tf.broadcast_to(self._map.along_inputs(signs), tf.shape(x))
            return self._map.with_border(constants, self._table.rule.border), None
        if signs == "any":
            return tf.identity(x), _ALL
        u = tf.maximum(x, 0) if signs == "positive" else tf.minimum(x, 0)
        return u, tf.cast(x > 0 if signs == "positive" else x < 0, x.dtype)

    def _divided(self, numerator: Any, y: Any) -> Any:
        """By y with the stabiliser; 0 where that is 0."""
        stabiliser = self._table.rule.stabiliser
        if stabiliser == 0:
            return tf.math.divide_no_nan(numerator, y)
        return numerator / (y + tf.where(y >= 0, tf.constant(stabiliser, y.dtype), tf.constant(-stabiliser, y.dtype)))

    def _keep(self, branch: Branch, share: Any, y: Any) -> None:
        """Take from the account at `ABSORBED` what one branch passes on, and what its bias takes."""
        taken = tf.zeros_like(share) if branch.bias is None else share * self._map.along_outputs(branch.bias)
        self._account(_times(branch.weight, taken), _times(-branch.weight, share * y))

    def _account(self, bias: Any, rest: Any) -> None:
        assert self._absorbed is not None
        self._absorbed.append((bias, rest))


_ALL = object()


def _on_side(side: str, z: Any, dy: Any) -> Any:
    if side == "any":
        return dy
    return tf.where(z > 0 if side == "positive" else z < 0, dy, tf.zeros_like(dy))


def _times(weight: float, values: Any) -> Any:
    return values if weight == 1 else values * tf.constant(weight, values.dtype)
