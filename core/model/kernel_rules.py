"""Backward rules for single linear layers, as tables of plain arrays: made in core, run by a backend.

A layer y = K x + b is written as a sum of branches. Branch i computes y_i = K_i x_i + b_i, with x_i the inputs of one
sign, and keeps one side of y_i. Layer-wise relevance propagation and excitation backpropagation are such tables.
"""

from dataclasses import dataclass

from ..arrays import Array
from ..errors import ParameterError, unknown_name

__all__ = ["SIGNS", "Branch", "KernelRule"]

SIGNS = ("any", "positive", "negative")
"""Which inputs a kernel reads, and which outputs a branch keeps; the others count as 0."""


@dataclass(frozen=True)
class Branch:
    """One term of the sum: its weight in the backward pass, its kernels by the sign of the inputs, its bias."""

    kernels: tuple[tuple[str, Array], ...]
    """(sign of the inputs, kernel), each kernel in the layout of `Model.weights`."""
    weight: float = 1.0
    bias: Array | None = None
    """(out,); None for no bias."""
    side: str = "any"
    """The sign of the outputs that are kept."""


@dataclass(frozen=True)
class KernelRule:
    """The backward rule of one layer with a kernel, for `Model.modified(kernels={layer: rule})`."""

    branches: tuple[Branch, ...]

    def check(self, layer: str, shape: tuple[int, ...]) -> None:
        """Refuse a table that does not fit the layer's kernel, of shape (out, in / groups, kh, kw) or (out, in).

        Raises:
            ParameterError: it has no branch, an unknown sign, or an array of another shape.
        """
        if not any(branch.kernels for branch in self.branches):
            raise ParameterError(f"the kernel rule for layer {layer!r} has no kernel; give a branch with at least one")
        for branch in self.branches:
            for sign in (branch.side, *(sign for sign, _ in branch.kernels)):
                if sign not in SIGNS:
                    raise ParameterError(unknown_name("sign", sign, SIGNS))
            for kind, values, right in (
                *(("kernel", kernel, shape) for _, kernel in branch.kernels),
                *(("bias", bias, shape[:1]) for bias in (branch.bias,) if bias is not None),
            ):
                if tuple(values.shape) != right:
                    raise ParameterError(
                        f"a {kind} of the rule for layer {layer!r} has shape {tuple(values.shape)}; give {right}"
                    )
