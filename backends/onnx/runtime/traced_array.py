"""An objective's own array code, run on stand-ins that write down what is done to them: what a graph can then repeat.

So an objective is defined once, in `crosslens.objective`, and computed within the network's session where its code
needs no values to go on. Numbers and arrays that it holds are inputs: another picture or weight needs no new session.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import prod
from types import EllipsisType
from typing import Any, TypeAlias

import numpy as np
from crosslens.arrays import as_numpy

from ..ir.graph import BOOL, FLOAT

__all__ = ["Sheet", "StandIn", "Step", "UnwritableError"]

Shape: TypeAlias = tuple[int, ...]


class UnwritableError(Exception):
    """The code looks at values, or uses what has no operator here: it is run on arrays instead."""


@dataclass(frozen=True)
class Step:
    """One operator: inputs by position on the sheet, then constant vectors of integers; no operator for an input."""

    op: str
    inputs: tuple[int, ...] = ()
    ints: tuple[Shape, ...] = ()
    settings: tuple[tuple[str, Any], ...] = ()
    shape: Shape = ()
    elem: int = FLOAT


@dataclass
class Sheet:
    """What was written down; also the array API namespace and the device of its stand-ins."""

    steps: list[Step] = field(default_factory=list)
    given: dict[int, np.ndarray[Any, Any]] = field(default_factory=dict)
    """Float32 values by position, of what the code brought along."""
    _places: dict[Any, int] = field(default_factory=dict)
    _held: list[Any] = field(default_factory=list)
    __name__ = "crosslens.backends.onnx.runtime.traced_objective"
    float32, float64, int64 = np.float32, np.float64, np.int64

    def write(
        self, op: str, *inputs: "StandIn", ints: Sequence[Shape] = (), shape: Shape, elem: int = FLOAT, **settings: Any
    ) -> "StandIn":
        """The result of an operator; the same step is written down once."""
        numbers = tuple(x.place for x in inputs)
        step = Step(op, numbers, tuple(ints), tuple(sorted(settings.items())), shape, elem)
        if step not in self._places:
            self._places[step] = self._next(step)
        return StandIn(self, self._places[step], shape, elem)

    def entry(self, name: str, shape: Shape) -> "StandIn":
        """A layer's activation."""
        return StandIn(self, self._next(Step(f"layer {name}", shape=shape)), shape, FLOAT)

    def bring(self, values: Any) -> "StandIn":
        """A number or an array as an input; the same one once."""
        key = ("number", float(values)) if isinstance(values, int | float) else ("array", id(values))
        if key not in self._places:
            plain = as_numpy(values) if hasattr(values, "__array_namespace__") else values
            array = np.atleast_1d(np.asarray(plain, np.float32))
            self._places[key] = self._next(Step("", shape=array.shape))
            self.given[self._places[key]] = np.ascontiguousarray(array)
            self._held.append(values)
        place = self._places[key]
        return StandIn(self, place, self.given[place].shape, FLOAT)

    def _next(self, step: Step) -> int:
        self.steps.append(step)
        return len(self.steps) - 1

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise UnwritableError(f"no operator for {name}")

    def asarray(self, values: Any, dtype: Any = None, device: Any = None) -> "StandIn":
        if isinstance(values, StandIn):
            return values if dtype is None else self.astype(values, dtype)
        return self.bring(values)

    def arange(self, stop: int, device: Any = None) -> "StandIn":
        return self.bring(np.arange(stop))

    def astype(self, x: "StandIn", dtype: Any) -> "StandIn":
        if not np.issubdtype(dtype, np.floating):
            raise UnwritableError("there are no whole numbers here")
        return x if x.elem == FLOAT else self.write("Cast", x, shape=x.shape, to=FLOAT)

    def abs(self, x: "StandIn") -> "StandIn":
        return self.write("Abs", x, shape=x.shape)

    def sign(self, x: "StandIn") -> "StandIn":
        return self.write("Sign", x, shape=x.shape)

    def sqrt(self, x: "StandIn") -> "StandIn":
        return self.write("Sqrt", x, shape=x.shape)

    def zeros_like(self, x: "StandIn") -> "StandIn":
        return self._filled(x, 0.0)

    def ones_like(self, x: "StandIn") -> "StandIn":
        return self._filled(x, 1.0)

    def _filled(self, x: "StandIn", value: float) -> "StandIn":
        return self.write("Expand", self.bring(value), ints=[x.shape], shape=x.shape)

    def where(self, condition: "StandIn", a: "StandIn", b: "StandIn") -> "StandIn":
        return self.write("Where", condition, a, b, shape=np.broadcast_shapes(condition.shape, a.shape, b.shape))

    def clip(self, x: "StandIn", *bounds: float | None, **named: float | None) -> "StandIn":
        low, high = (*bounds, None, None)[:2] if bounds else (named.get("min"), named.get("max"))
        if low is not None:
            x = self.write("Max", x, self.bring(low), shape=x.shape)
        return x if high is None else self.write("Min", x, self.bring(high), shape=x.shape)

    def sum(self, x: "StandIn", axis: int | Shape | None = None, keepdims: bool = False) -> "StandIn":
        named = range(x.ndim) if axis is None else (axis,) if isinstance(axis, int) else axis
        axes = {a % x.ndim for a in named}
        kept = tuple(1 if i in axes else n for i, n in enumerate(x.shape) if keepdims or i not in axes)
        return self.write("ReduceSum", x, ints=[tuple(sorted(axes))], shape=kept, keepdims=int(keepdims))

    def reshape(self, x: "StandIn", shape: Shape) -> "StandIn":
        size = prod(x.shape) // prod(n for n in shape if n != -1)
        full = tuple(size if n == -1 else n for n in shape)
        return x if full == x.shape else self.write("Reshape", x, ints=[full], shape=full)

    def matrix_transpose(self, x: "StandIn") -> "StandIn":
        order = [*range(x.ndim - 2), x.ndim - 1, x.ndim - 2]
        return self.write("Transpose", x, shape=tuple(x.shape[i] for i in order), perm=tuple(order))

    def concat(self, parts: Sequence["StandIn"], axis: int) -> "StandIn":
        axis %= parts[0].ndim
        size = sum(part.shape[axis] for part in parts)
        shape = tuple(size if i == axis else n for i, n in enumerate(parts[0].shape))
        return self.write("Concat", *parts, shape=shape, axis=axis)


@dataclass(frozen=True, eq=False)
class StandIn:
    """An array of known shape without values: float32, or truths."""

    __array_ufunc__ = None
    """So that NumPy leaves its own numbers' arithmetic to the methods below."""

    device: Sheet
    place: int
    shape: Shape
    elem: int

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def dtype(self) -> Any:
        return np.float32 if self.elem == FLOAT else np.bool_

    def __array_namespace__(self, api_version: str | None = None) -> Sheet:
        return self.device

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        raise UnwritableError(f"no {name} of a stand-in")

    def _refused(self, *_: Any) -> Any:
        raise UnwritableError("the code looks at values")

    __bool__ = __float__ = __int__ = __index__ = __len__ = __iter__ = __setitem__ = __array__ = _refused

    def _two(self, op: str, other: Any, *, turned: bool = False, elem: int = FLOAT) -> "StandIn":
        there = other if isinstance(other, StandIn) else self.device.bring(other)
        pair = (there, self) if turned else (self, there)
        return self.device.write(op, *pair, shape=np.broadcast_shapes(self.shape, there.shape), elem=elem)

    def __neg__(self) -> "StandIn":
        return self.device.write("Neg", self, shape=self.shape)

    def __add__(self, other: Any) -> "StandIn":
        return self._two("Add", other)

    def __sub__(self, other: Any) -> "StandIn":
        return self._two("Sub", other)

    def __rsub__(self, other: Any) -> "StandIn":
        return self._two("Sub", other, turned=True)

    def __mul__(self, other: Any) -> "StandIn":
        return self._two("Mul", other)

    def __truediv__(self, other: Any) -> "StandIn":
        return self._two("Div", other)

    def __rtruediv__(self, other: Any) -> "StandIn":
        return self._two("Div", other, turned=True)

    def __pow__(self, other: Any) -> "StandIn":
        return self._two("Pow", other)

    def __gt__(self, other: Any) -> "StandIn":
        return self._two("Greater", other, elem=BOOL)

    def __lt__(self, other: Any) -> "StandIn":
        return self._two("Less", other, elem=BOOL)

    def __eq__(self, other: object) -> "StandIn":  # type: ignore[override]
        return self._two("Equal", other, elem=BOOL)

    __radd__, __rmul__ = __add__, __mul__
    __hash__ = object.__hash__

    def __matmul__(self, other: "StandIn") -> "StandIn":
        lead = np.broadcast_shapes(self.shape[:-2], other.shape[:-2])
        return self.device.write("MatMul", self, other, shape=(*lead, self.shape[-2], other.shape[-1]))

    def __getitem__(self, key: Any) -> "StandIn":
        cuts, shape = _cuts(self.shape, key if isinstance(key, tuple) else (key,))
        x = self
        if cuts:
            inner = tuple(cuts[i][1] - cuts[i][0] if i in cuts else n for i, n in enumerate(self.shape))
            starts, stops = (tuple(cut[end] for cut in cuts.values()) for end in (0, 1))
            x = self.device.write("Slice", self, ints=[starts, stops, tuple(cuts)], shape=inner)
        return self.device.reshape(x, shape)


def _cuts(shape: Shape, key: tuple[Any, ...]) -> tuple[Mapping[int, Shape], Shape]:
    """(start, stop) by axis of a basic index without steps, and the shape in the end."""
    named = sum(k is not None and k is not ... for k in key)
    full = [slice(None)] * (len(shape) - named)
    spread: list[Any] = []
    for k in key if any(isinstance(k, EllipsisType) for k in key) else (*key, ...):
        spread += full if k is ... else [k]
    cuts: dict[int, Shape] = {}
    out: list[int] = []
    axis = 0
    for k in spread:
        if k is None:
            out.append(1)
            continue
        start, stop, step = (k, k + 1, 1) if isinstance(k, int) else k.indices(shape[axis])
        if step != 1 or start < 0:
            raise UnwritableError("an index with steps, or from the end")
        if (start, stop) != (0, shape[axis]):
            cuts[axis] = (start, stop)
        out += [] if isinstance(k, int) else [stop - start]
        axis += 1
    return cuts, tuple(out)
