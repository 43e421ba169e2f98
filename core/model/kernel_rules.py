"""Backward rules for single linear layers, as tables of plain arrays: made in core, run by a backend.

A layer computes y = K x + b; a rule says how the gradient dy at y becomes the gradient dx at x. With g the gain and s
the shift of a normalisation behind the layer that counts as part of it (1 and 0 where there is none), z = g y + s is
what the rule is about, and R = z dy / g is its relevance (0 where g is 0). Each branch i has an output of its own,

    y_i = sum of K_e u_e over its kernels, + its bias,      or z where it has no kernels,

with u_e the input, its positive or negative part, or a constant. It gets the relevance R_i, which is R where z has the
branch's side, else 0, and passes back

    dx = sum over i of weight_i * sum over e of m_e * K_e' (R_i / stabilised(y_i)),

K_e' being the transposed linear map and m_e 1 where u_e is x, else 0 (the part's mask); in a local rule u_e itself, so
that dx is a relevance and no gradient. stabilised(v) = v + stabiliser * sign(v) with sign(0) = 1; a quotient by 0 is 0.
Layer-wise relevance propagation and excitation backpropagation are such tables (Bach et al. 2015, Montavon et al. 2019,
Zhang et al. 2018).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from ..arrays import Array
from ..errors import ParameterError, unknown_name

__all__ = ["SIDES", "SIGNS", "Branch", "KernelRule"]

SIGNS = ("any", "positive", "negative")
"""Which inputs a kernel reads: all, or the positive or negative part."""
SIDES = SIGNS
"""Which outputs z a branch takes part in: all, those above 0, or those below 0."""


@dataclass(frozen=True)
class Branch:
    """One term of a rule: its share, its kernels by the inputs that they read, its bias."""

    kernels: tuple[tuple[str | Array, Array], ...] = ()
    """(inputs, kernel): inputs are one of `SIGNS`, or constants (in,), one for each input channel, in place of x at
    every position (a border of zeros stays one); kernels are in the layout of `Model.weights`. None: the layer's own
    kernel on its own input, at no further cost."""
    weight: float = 1.0
    bias: Array | None = None
    """(out,); None for no bias. Where there are no kernels, the part of z that does not depend on the input, of which
    only the accounts at `ABSORBED` are kept."""
    side: str = "any"
    """One of `SIDES`."""


@dataclass(frozen=True)
class KernelRule:
    """The backward rule of one layer with a kernel, for `Model.modified(kernels={layer: rule})`."""

    branches: tuple[Branch, ...]
    stabiliser: float = 0.0
    gain: Array | None = None
    """(out,) of a normalisation behind the layer; None for 1."""
    shift: Array | None = None
    """(out,), as `gain`; None for 0."""
    border: tuple[tuple[int, int], ...] = ()
    """By axis of positions, how many of x at each end were put around it by a layer before (ZeroPadding2D):
    constants are 0 there, as in a border of the layer's own. () for none."""
    local: bool = False
    """Whether dx is the relevance of x and not a gradient. For layers below which nothing is propagated further."""

    def check(self, layer: str, shape: tuple[int, ...], inputs: int | None = None) -> None:
        """Refuse a table that does not fit the layer's kernel.

        Args:
            layer: its name, for messages.
            shape: of its kernel, (out, in / groups, kh, kw) or (out, in).
            inputs: the number of its input channels, where it is known.

        Raises:
            ParameterError: no branch, an unknown sign or side, a stabiliser below 0, or an array of another shape.
        """
        if not self.branches:
            raise ParameterError(f"the kernel rule for layer {layer!r} has no branch; give at least one")
        if not self.stabiliser >= 0:
            raise ParameterError(f"the stabiliser of the rule for layer {layer!r} is {self.stabiliser}; give 0 or more")
        for name in self._signs():
            if name not in SIGNS:
                raise ParameterError(unknown_name("sign", name, SIGNS))
        for kind, values, right in self._arrays(shape, inputs):
            if tuple(values.shape) != right:
                raise ParameterError(
                    f"a {kind} of the rule for layer {layer!r} has shape {tuple(values.shape)}; give {right}"
                )

    def _signs(self) -> Iterator[str]:
        for branch in self.branches:
            yield branch.side
            yield from (inputs for inputs, _ in branch.kernels if isinstance(inputs, str))

    def _arrays(self, shape: tuple[int, ...], inputs: int | None) -> Iterator[tuple[str, Array, tuple[int, ...]]]:
        """What it is, the array, and the shape that is right."""
        for kind, values in (("gain", self.gain), ("shift", self.shift)):
            if values is not None:
                yield kind, values, shape[:1]
        for branch in self.branches:
            if branch.bias is not None:
                yield "bias", branch.bias, shape[:1]
            for constants, kernel in branch.kernels:
                yield "kernel", kernel, shape
                if not isinstance(constants, str):
                    yield "constant input", constants, (inputs or constants.shape[0],)
