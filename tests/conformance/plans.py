"""The zoo's networks as plans in NumPy: one set of weights for every framework, and the slow truth about them.

A plan is a list of steps. `tests/zoo/` holds one builder per framework; `forward` below runs a plan in float64, one tap
at a time, and is the oracle for all of them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache

import numpy as np
from crosslens import INPUT
from scipy.special import erf

CLASSES = 7
SHAPE = (3, 18, 18)
Weights = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Step:
    """One layer: kind, the steps it reads, and its weights as `Model.weights` names them."""

    name: str
    kind: str
    reads: tuple[str, ...]
    weights: Weights = field(default_factory=dict)
    stride: int = 1
    pad: int = 0
    size: int = 0
    groups: int = 1
    slope: float = 0.0


Plan = Sequence[Step]


class Draft:
    """A plan being written: each step reads the one before it if nothing else is said."""

    def __init__(self, seed: int) -> None:
        self.rng, self.steps = np.random.default_rng(seed), []

    def add(self, name: str, kind: str, *reads: str, **settings) -> None:
        before = self.steps[-1].name if self.steps else INPUT
        self.steps.append(Step(name, kind, reads or (before,), **settings))

    def normal(self, *shape: int, scale: float, mean: float = 0.0) -> np.ndarray:
        return (mean + scale * self.rng.standard_normal(shape)).astype(np.float32)

    def conv(self, name, width, out, size, *reads, bias=True, groups=1, gain=1.5, **settings) -> None:
        kernel = self.normal(out, width // groups, size, size, scale=gain / np.sqrt(size * size * width / groups))
        weights = {"kernel": kernel} | ({"bias": self.normal(out, scale=0.2)} if bias else {})
        self.add(name, "conv", *reads, weights=weights, groups=groups, **settings)

    def head(self, width: int) -> list[Step]:
        self.add("gap", "gap")
        kernel = self.normal(CLASSES, width, scale=1.5 / np.sqrt(width))
        self.add("fc", "linear", weights={"kernel": kernel, "bias": self.normal(CLASSES, scale=0.2)})
        return self.steps


def smooth() -> Plan:
    """SiLU and GELU; a stride that leaves a remainder, a depthwise convolution, a residual sum, an average pooling."""
    d = Draft(1)
    d.conv("conv1", 3, 6, 3, pad=1)
    d.add("act1", "silu")
    d.conv("conv2", 6, 8, 3, pad=1, stride=2)
    d.add("act2", "gelu")
    d.conv("depthwise", 8, 8, 3, pad=1, groups=8)
    d.add("act3", "silu")
    d.conv("point", 8, 8, 1)
    d.add("add", "add", "act2", "point")
    d.add("pool", "avg_pool", size=2, stride=2)
    d.conv("conv3", 8, 10, 3, pad=1)
    d.add("act4", "silu")
    return d.head(10)


def relu() -> Plan:
    """ReLU, ReLU6 and LeakyReLU; batch normalisation, an overlapping max pooling, channels put side by side."""
    d = Draft(2)
    d.conv("conv1", 3, 6, 3, pad=1, bias=False)
    statistics = {"mean": d.normal(6, scale=0.3), "variance": np.square(d.normal(6, scale=0.1, mean=1.0))}
    affine = {"scale": d.normal(6, scale=0.2, mean=2.0), "offset": d.normal(6, scale=0.3)}
    d.add("norm1", "norm", weights=affine | statistics)
    d.add("relu1", "relu")
    d.add("pool1", "max_pool", size=3, stride=2)
    d.conv("conv2", 6, 8, 3, pad=1, gain=4.0)
    d.add("relu2", "relu6")
    d.add("concat", "concat", "relu2", "pool1")
    d.conv("conv3", 14, 8, 3, pad=1, stride=2)
    d.add("relu3", "leaky_relu", slope=0.1)
    d.conv("conv4", 8, 10, 1)
    d.add("relu4", "relu")
    return d.head(10)


def pictures() -> Plan:
    """An image-to-image network without normalisation, whose output lies about mid-grey."""
    d = Draft(4)
    d.conv("conv1", 3, 6, 3, pad=1)
    d.add("act1", "silu")
    kernel, bias = d.normal(3, 6, 3, 3, scale=0.05), d.normal(3, scale=0.05, mean=0.5)
    d.add("conv2", "conv", weights={"kernel": kernel, "bias": bias}, pad=1)
    return d.steps


PLANS = {"smooth": smooth, "relu": relu}
PICTURE_PLANS = {"pictures": pictures}
"""For methods that need a picture as the output; no backend's promises are checked on them."""


@cache
def plan(name: str) -> Plan:
    return tuple((PLANS | PICTURE_PLANS)[name]())


def images(count: int = 2) -> np.ndarray:
    return np.random.default_rng(3).random((count, *SHAPE), dtype=np.float32)


def forward(steps: Plan, x: np.ndarray) -> dict[str, np.ndarray]:
    """Every activation by name, in float64."""
    found = {INPUT: x.astype(np.float64)}
    for step in steps:
        found[step.name] = _RUN[step.kind](step, *(found[name] for name in step.reads))
    return found


def gradient(steps: Plan, x: np.ndarray, c: np.ndarray) -> np.ndarray:
    """The gradient of <c, output> at one image, (C, H, W), by float64 central differences, one pixel at a time."""
    output, step = steps[-1].name, 1e-5
    moves = step * np.eye(x.size).reshape(-1, *x.shape)
    up, down = (forward(steps, x[None].astype(np.float64) + sign * moves)[output] @ c for sign in (1, -1))
    return ((up - down) / (2 * step)).reshape(x.shape)


def _conv(step: Step, x: np.ndarray) -> np.ndarray:
    kernel = step.weights["kernel"].astype(np.float64)
    out, width, size, _ = kernel.shape
    x = np.pad(x, ((0, 0), (0, 0), (step.pad,) * 2, (step.pad,) * 2))
    height, breadth = ((n - size) // step.stride + 1 for n in x.shape[2:])
    y = np.zeros((len(x), out, height, breadth))
    per_group = out // step.groups
    for o in range(out):
        first = o // per_group * width
        for i in range(size):
            for j in range(size):
                rows = slice(i, i + step.stride * (height - 1) + 1, step.stride)
                columns = slice(j, j + step.stride * (breadth - 1) + 1, step.stride)
                y[:, o] += np.einsum("nchw,c->nhw", x[:, first : first + width, rows, columns], kernel[o, :, i, j])
    return y + step.weights.get("bias", np.zeros(out)).reshape(1, -1, 1, 1)


def _pool(step: Step, x: np.ndarray, reduce) -> np.ndarray:
    height, breadth = ((n - step.size) // step.stride + 1 for n in x.shape[2:])
    y = np.zeros((*x.shape[:2], height, breadth))
    for i in range(height):
        for j in range(breadth):
            top, left = i * step.stride, j * step.stride
            y[:, :, i, j] = reduce(x[:, :, top : top + step.size, left : left + step.size], axis=(2, 3))
    return y


def _norm(step: Step, x: np.ndarray) -> np.ndarray:
    w = {name: values.astype(np.float64).reshape(1, -1, 1, 1) for name, values in step.weights.items()}
    return w["scale"] * (x - w["mean"]) / np.sqrt(w["variance"] + EPSILON) + w["offset"]


EPSILON = 1e-3
_RUN = {
    "conv": _conv,
    "norm": _norm,
    "linear": lambda s, x: x @ s.weights["kernel"].T.astype(np.float64) + s.weights["bias"],
    "silu": lambda s, x: x / (1 + np.exp(-x)),
    "gelu": lambda s, x: 0.5 * x * (1 + erf(x / np.sqrt(2))),
    "relu": lambda s, x: np.maximum(x, 0),
    "relu6": lambda s, x: np.clip(x, 0, 6),
    "leaky_relu": lambda s, x: np.where(x > 0, x, s.slope * x),
    "add": lambda s, a, b: a + b,
    "concat": lambda s, a, b: np.concatenate([a, b], axis=1),
    "avg_pool": lambda s, x: _pool(s, x, np.mean),
    "max_pool": lambda s, x: _pool(s, x, np.max),
    "gap": lambda s, x: x.mean(axis=(2, 3)),
}
