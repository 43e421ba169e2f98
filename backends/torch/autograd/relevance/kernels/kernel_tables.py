"""The table of `crosslens.model.kernel_rules.KernelRule` at one call of a linear map, as an autograd function.

Branches with kernels are computed in the backward pass, by autograd on the call itself with their kernels, so that any
stride, padding, dilation and number of axes is right. A branch with the layer's own kernel scales the gradient and
leaves the call its ordinary derivative.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from crosslens.arrays import Array, as_numpy
from crosslens.model.kernel_rules import SIDES, KernelRule
from torch import Tensor

from ..kept_values import KeptValue, KeptValues, same_memory
from .linear_calls import LinearCall
from .table_inputs import TableInputs, where_positive

__all__ = ["Table", "apply_table", "table"]


@dataclass(frozen=True)
class TableBranch:
    """A branch with its kernels in the layout of the call, by the inputs that they read: a sign or constants."""

    kernels: Sequence[tuple[str | Tensor, Tensor]]
    weight: float
    bias: Tensor | None
    side: str


@dataclass(frozen=True)
class Table:
    """A rule as tensors where the network computes; those by channel (out,)."""

    branches: Sequence[TableBranch]
    stabiliser: float
    gain: Tensor | None
    offset: Tensor | None
    """Shift / gain, and the layer's bias where the call is without it: what y + offset times gain makes z."""
    border: Sequence[tuple[int, int]]
    """Of zeros around x, by axis of positions."""
    local: bool

    @property
    def is_whole(self) -> bool:
        """Whether the branches' relevances, by their weights, add up to R."""
        shares = {side: sum(b.weight for b in self.branches if b.side in {"any", side}) for side in SIDES[1:]}
        return all(share == 1 for share in shares.values())

    @property
    def is_gradient(self) -> bool:
        """Whether dx is the ordinary gradient, by a stabiliser of 0."""
        first = self.branches[0]
        return (
            len(self.branches) == 1
            and not (first.kernels or self.stabiliser or self.local)
            and first.side == "any"
            and first.weight == 1
        )


def table(rule: KernelRule, call: LinearCall, bias: Array | None) -> Table:
    """A rule made ready for the calls that are like this one.

    Args:
        rule: of core, in arrays.
        call: a call of the layer.
        bias: the layer's, (out,), which the call may add itself.
    """

    def tensor(values: Array) -> Tensor:
        return torch.tensor(as_numpy(values), dtype=call.weight.dtype, device=call.weight.device)

    def kernel(values: Array) -> Tensor:
        return call.in_layout(tensor(values)).contiguous()

    def read(inputs: str | Array) -> str | Tensor:
        return inputs if isinstance(inputs, str) else tensor(inputs)

    gain = None if rule.gain is None else tensor(rule.gain)
    offset = None if rule.shift is None else tensor(rule.shift)
    if gain is not None and offset is not None:
        offset = torch.where(gain == 0, 0, offset / gain)
    if bias is not None and call.bias is None:
        offset = tensor(bias) if offset is None else offset + tensor(bias)
    branches = [
        TableBranch(
            [(read(inputs), kernel(values)) for inputs, values in branch.kernels],
            branch.weight,
            None if branch.bias is None else tensor(branch.bias),
            branch.side,
        )
        for branch in rule.branches
    ]
    stabiliser = float(torch.tensor(rule.stabiliser, dtype=call.weight.dtype))  # 0 where half precision has no less
    return Table(branches, stabiliser, gain, offset, rule.border, rule.local)


def apply_table(rule: Table, call: LinearCall, kept: KeptValues, absorbed: Tensor | None) -> Tensor:
    """The call's value, with the gradient that the table gives its input.

    Args:
        rule: the layer's.
        call: of the layer.
        kept: of the pass.
        absorbed: the leaf (N, 2) whose gradient adds up what biases and the stabiliser took; None if nobody asks.
    """
    if not call.x.requires_grad:
        return call.map(call.x, call.weight, call.bias)
    own = any(not branch.kernels for branch in rule.branches) and not rule.local
    if own:
        y = call.map(call.x, call.weight, call.bias)
    else:
        with torch.no_grad():
            y = call.map(call.x, call.weight, call.bias)
    if rule.is_gradient and absorbed is None:
        return y
    x = kept.keep(call.x) if rule.local or any(branch.kernels for branch in rule.branches) else None
    run = _Pass(rule, call, x)
    result: Tensor = _Ruled.apply(call.x if x else None, y, absorbed, run)
    run.y = kept.keep(result)
    return result


class _Pass:
    """One call, between its forward and its backward pass."""

    def __init__(self, rule: Table, call: LinearCall, x: KeptValue | None) -> None:
        self.rule, self.map, self.axis, self.x = rule, call.map, call.axis, x
        self.weight, self.bias = call.weight.detach(), None if call.bias is None else call.bias.detach()
        self.y: KeptValue

    def by_channel(self, values: Tensor, like: Tensor) -> Tensor:
        """(channels,) to broadcast along the channels of `like`."""
        shape = [1] * like.ndim
        shape[self.axis] = -1
        return values.reshape(shape)


class _Ruled(torch.autograd.Function):
    """The values of `y`; the table gives the gradients at `x`, and at `y` for the branches with the own kernel."""

    @staticmethod
    def forward(ctx: Any, x: Tensor | None, y: Tensor, absorbed: Tensor | None, call: _Pass) -> Tensor:
        ctx.call, ctx.rows = call, 0 if absorbed is None else absorbed.shape[0]
        return same_memory(y)

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> Any:
        with torch.no_grad():
            at_x, at_y, absorbed = _Backward(ctx.call, dy, ctx.rows if ctx.needs_input_grad[2] else 0).gradients()
        return at_x, at_y, absorbed, None


class _Backward:
    """One backward pass through a call. Memory is used again wherever it can be: new memory costs more than sums."""

    def __init__(self, call: _Pass, dy: Tensor, rows: int) -> None:
        self.call, self.rule, self.dy, self.rows = call, call.rule, dy, rows
        self.accounts = dy.new_zeros((rows, 2)) if rows else None
        gain = self.rule.gain
        self._dead = None if gain is None or bool(gain.all()) else call.by_channel(gain == 0, dy)

    @cached_property
    def z(self) -> Tensor:
        """g y + s."""
        return self._new_z() if self.rule.offset is not None or self.rule.gain is not None else self.call.y.tensor

    def _new_z(self, memory: Tensor | None = None) -> Tensor:
        z = self._new_y(memory)
        return z if self.rule.gain is None else z.mul_(self.call.by_channel(self.rule.gain, z))

    def _new_y(self, memory: Tensor | None = None) -> Tensor:
        """z / g, in memory of its own."""
        y, memory = self.call.y.tensor, torch.empty_like(self.dy) if memory is None else memory
        return memory.copy_(y) if self.rule.offset is None else torch.add(y, self._wide(self.rule.offset), out=memory)

    def _wide(self, values: Tensor) -> Tensor:
        return self.call.by_channel(values, self.dy)

    def gradients(self) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        """At x, at y, and at `absorbed`."""
        rule = self.rule
        own = [branch for branch in rule.branches if not branch.kernels]
        tables = [branch for branch in rule.branches if branch.kernels]
        at_y = sum((self._own(branch) for branch in own[1:]), self._own(own[0])) if own else None
        at_x = None
        if tables or rule.local:
            at_x = self._through(tables, at_y if rule.local else None)
        if self.accounts is not None and not rule.is_whole:
            self.accounts[:, 1] += self._by_image(self._relevance())
            for branch in rule.branches:
                at_side = self._at_side(branch.side, self._relevance())
                self.accounts[:, 1] -= branch.weight * self._by_image(at_side)
        return at_x, None if rule.local else at_y, self.accounts

    def _relevance(self, memory: Tensor | None = None) -> Tensor:
        """R: z dy / gain, 0 where the gain is 0."""
        if self.rule.offset is not None:
            return self._without_dead(self._new_y(memory).mul_(self.dy))
        memory = torch.empty_like(self.dy) if memory is None else memory
        return self._without_dead(torch.mul(self.call.y.tensor, self.dy, out=memory))

    def _without_dead(self, values: Tensor) -> Tensor:
        return values if self._dead is None else values.masked_fill_(self._dead, 0)

    def _own(self, branch: TableBranch) -> Tensor:
        """dy z / stabilised(z), at z's side."""
        if stabiliser := self.rule.stabiliser:  # v / (v + s sign v) = 1 - s / (|v| + s)
            below = self._new_z().abs_().add_(stabiliser)
            lost = torch.div(self.dy, below, out=below).mul_(stabiliser)
            lost = self._without_dead(self._at_side(branch.side, lost))
            if self.accounts is not None:
                self.accounts[:, 1] += branch.weight * self._times_z_per_gain(lost)
            at_side = self.dy if branch.side == "any" else self._at_side(branch.side, self.dy)
            at_y = self._without_dead(torch.sub(at_side, lost, out=lost))
        else:
            at_y = self._without_dead(self._at_side(branch.side, self.dy.masked_fill(self.z == 0, 0)))
        if self.accounts is not None and branch.bias is not None:
            bias = branch.bias if self.rule.gain is None else branch.bias / self.rule.gain
            self.accounts[:, 0] += branch.weight * self._by_channel(at_y) @ bias.nan_to_num(0, 0, 0)
        return at_y if branch.weight == 1 else at_y.mul_(branch.weight)

    def _times_z_per_gain(self, values: Tensor) -> Tensor:
        """The sum (N,) of the values times z / g, which is y + offset."""
        total = self._dot(values, self.call.y.tensor)
        offset = self.rule.offset
        return total if offset is None else total + self._by_channel(values) @ offset

    def _through(self, tables: Sequence[TableBranch], own: Tensor | None) -> Tensor | None:
        """The gradient at x of branches with kernels, and, in a local rule, of the own kernel."""
        call = self.call
        if call.x is None:
            return None
        x = call.x.tensor.to(call.weight.dtype)  # as an autocast inside the network does
        inputs = TableInputs(x, call.axis, self.rule.border, local=self.rule.local)
        starts, cotangents = list[Tensor](), list[Tensor]()
        for branch in tables:
            outputs, y = self._outputs(branch, inputs)
            c = self._shares(branch, y)
            starts += [each for each in outputs if each.requires_grad]
            cotangents += [c] * (len(starts) - len(cotangents))
        if own is not None:
            with torch.enable_grad():
                starts.append(call.map(inputs.leaf("any"), call.weight, None))
            cotangents.append(own)
        cotangents = [c.to(start.dtype) for start, c in zip(starts, cotangents, strict=True)]
        return inputs.gradient(starts, cotangents).to(call.x.tensor.dtype)

    def _outputs(self, branch: TableBranch, inputs: TableInputs) -> tuple[list[Tensor], Tensor]:
        """What each kernel of a branch gives, with its graph, and their sum with the bias, which may be overwritten."""
        outputs, bias = list[Tensor](), branch.bias
        with torch.enable_grad():
            for read, kernel in branch.kernels:
                u = inputs.read(read)
                if u is not None:
                    outputs.append(self.call.map(u, kernel, bias))
                    bias = None
        if not outputs:
            y = torch.zeros_like(self.dy)
            return outputs, y if bias is None else y.add_(self._wide(bias))
        y = outputs[0].detach()
        for each in outputs[1:]:
            y.add_(each.detach())
        return outputs, y

    def _shares(self, branch: TableBranch, y: Tensor) -> Tensor:
        """Weight times R_i / stabilised(y); `y` is overwritten."""
        stabiliser = self.rule.stabiliser
        if stabiliser:
            memory = torch.copysign(y.new_full((), stabiliser), y)
            y.add_(memory)
            c = self._at_side(branch.side, self._relevance(memory)).div_(y)
            if self.accounts is not None:  # R_i - y_i R_i / (y_i + s sign y_i)
                self.accounts[:, 1] += branch.weight * stabiliser * self._dot(c, y.sign_())
        else:
            relevance = self._at_side(branch.side, self._relevance())
            if self.accounts is not None:
                self.accounts[:, 1] += branch.weight * self._by_image(relevance.masked_fill(y != 0, 0))
            c = relevance.div_(y).masked_fill_(y == 0, 0)
        if self.accounts is not None and branch.bias is not None:
            self.accounts[:, 0] += branch.weight * self._by_channel(c) @ branch.bias
        return c if branch.weight == 1 else c.mul_(branch.weight)

    def _at_side(self, side: str, values: Tensor) -> Tensor:
        if side == "any":
            return values
        return where_positive(values, self.z if side == "positive" else -self.z)

    def _by_image(self, values: Tensor) -> Tensor:
        """The sum (N,) for each image, of values whose first axis is the batch, or the batch with other axes."""
        return self._rows(values, values).sum(1)

    def _by_channel(self, values: Tensor) -> Tensor:
        """The sum (N, C) over positions for each image and channel."""
        axis = self.call.axis % values.ndim
        others = [n for n in range(1, values.ndim) if n != axis]
        if values.shape[0] == self.rows:
            return values.sum(others) if others else values
        values = self._batch_first(values).movedim(axis, -1)
        return values.reshape(self.rows, -1, values.shape[-1]).sum(1)

    def _dot(self, a: Tensor, b: Tensor) -> Tensor:
        """The sum (N,) of products for each image."""
        return torch.bmm(self._rows(a, a)[:, None, :], self._rows(b, a)[:, :, None])[:, 0, 0]

    def _rows(self, values: Tensor, like: Tensor) -> Tensor:
        """(N, -1), in the order in which `like` lies in memory: no copy of channels that come last there."""
        values, like = self._batch_first(values), self._batch_first(like)
        order = sorted(range(1, like.ndim), key=lambda axis: -like.stride(axis))
        return values.permute(0, *order).reshape(self.rows, -1)

    def _batch_first(self, values: Tensor) -> Tensor:
        is_second = values.shape[0] % self.rows and values.ndim > 1 and values.shape[1] == self.rows
        return values.transpose(0, 1) if is_second else values
