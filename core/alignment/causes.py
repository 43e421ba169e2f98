"""What is wrong at the first layer that differs: hypotheses, each shown by the numbers or not named."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from ..arrays import as_numpy
from ..model.base import Model
from ..model.preprocessing import PRESETS, Preprocess
from .matcher import Pair, Twins, family
from .padding_faults import window_starts
from .similarity import Values, agreement
from .weight_faults import altered_weights

__all__ = ["Cause", "cause_at", "cause_of_pictures"]

RECONCILED = 1e-4
"""A hypothesis holds if it brings the relative error below this, or to a hundredth of what it was."""


@dataclass(frozen=True)
class Cause:
    """What is wrong at a layer, as far as the numbers show it."""

    kind: str
    """preprocessing, pictures, resize, weights, transposed, channels, padding, epsilon, rectifier, float16, bfloat16,
    int8 or unknown."""
    text: str
    """In words, with the evidence."""
    layer: str
    """Where, as the first model calls it."""


@dataclass(frozen=True)
class _Place:
    """The pair in question, and the two networks' values around it."""

    twins: Twins
    pair: Pair
    between_a: tuple[str, ...]
    """The first model's layers after the last matched one, up to and with the pair's; without what only echoes it."""
    between_b: tuple[str, ...]
    before: tuple[Pair, ...]
    """The pairs before it."""
    want: Values
    """The first model's activation, in the second's layout."""
    got: Values
    """The second model's, with the first one's activations handed over before it."""

    @property
    def error(self) -> float:
        return agreement(self.want, self.got)[1]

    def holds(self, want: Values, got: Values) -> bool:
        left = agreement(want, got)[1]
        return left < RECONCILED or left < self.error / 100


def cause_at(twins: Twins, pairs: list[Pair], n: int) -> Cause:
    """Why the n-th pair differs, given that none before it does."""
    place = _place(twins, pairs, n)
    tests = (_preprocessing, _precision, _weights, _rectifier, _channels, _padding, _resize)
    for test in tests:
        found = test(place)
        if found is not None:
            return found
    kind = twins.b.layers[place.pair.b].kind
    text = (
        f"what {kind} computes differs, with the same input; its weights, where both networks show them, are the same"
    )
    return Cause("unknown", text, place.pair.a)


def _place(twins: Twins, pairs: list[Pair], n: int) -> _Place:
    pair, before = pairs[n], pairs[:n]
    sides = []
    for order, mine, done in (
        (list(twins.of_a), pair.a, {p.a for p in before}),
        (list(twins.of_b), pair.b, {p.b for p in before}),
    ):
        here = order.index(mine)
        start = max((k + 1 for k in range(here) if order[k] in done), default=0)
        sides.append(tuple(order[start : here + 1]))
    got = twins.healed(before, [pair.b])[pair.b]
    return _Place(twins, pair, sides[0], sides[1], tuple(before), twins.handed(pair), got)


def _preprocessing(place: _Place) -> Cause | None:
    """Each known preprocessing in place of the second model's own, and each other channel order."""
    b = place.twins.b
    if place.before or not b.input.is_image:
        return None
    x = as_numpy(place.twins.x)
    for name, candidate in _candidates(place.twins.a, b):
        seen = b._forward(_as_if(x, b.preprocess, candidate), (place.pair.b,), {})[place.pair.b]
        if place.holds(place.want, as_numpy(seen)):
            text = f"wrong preprocessing: {_difference(b.preprocess, candidate)}; as {name} the layer agrees"
            return Cause("preprocessing", text, "<input>")
    return None


def _candidates(a: Model, b: Model) -> Iterator[tuple[str, Preprocess]]:
    known = {"the first model's": a.preprocess, **{f"{name!r}": preset for name, preset in PRESETS.items()}}
    for name, preset in known.items():
        for order in ("RGB", "BGR") if b.input.shape[0] == 3 else (preset.order,):
            turned = Preprocess(preset.scale, preset.mean, preset.std, order)
            channels = b.input.example_shape[0]
            if turned != b.preprocess and all(len(v) in {1, channels} for v in (turned.mean, turned.std)):
                yield (name if order == preset.order else f"{name} in {order}"), turned


def _as_if(x: Values, own: Preprocess, other: Preprocess) -> Values:
    """Images that `own` turns into what `other` makes of `x`."""
    (gain, offset), (other_gain, other_offset) = ([v.astype(np.float64) for v in p.along(x)] for p in (own, other))
    wanted = other_gain * (x[:, ::-1] if other.reverses else x) + other_offset
    back = (wanted - offset) / gain
    return np.ascontiguousarray(back[:, ::-1] if own.reverses else back, np.float32)


def _difference(own: Preprocess, right: Preprocess) -> str:
    """What of a preprocessing is wrong: order, range, mean or std."""
    parts = []
    if own.reverses != right.reverses:
        parts.append(f"channels are {own.order}, right is {right.order}")
    if own.scale != right.scale and (own.mean, own.std) == (right.mean, right.std):
        parts.append(f"the range is 0..{own.scale:g}, right is 0..{right.scale:g}")
    elif (own.scale, own.mean, own.std) != (right.scale, right.mean, right.std):
        parts += [
            f"{what} is {_short(mine)}, right is {_short(theirs)}"
            for what, mine, theirs in (
                ("scale", own.scale, right.scale),
                ("mean", own.mean, right.mean),
                ("std", own.std, right.std),
            )
            if mine != theirs
        ]
    return ", ".join(parts)


def _short(value: float | tuple[float, ...]) -> str:
    return f"{value:g}" if isinstance(value, float | int) else "(" + ", ".join(f"{v:g}" for v in value) + ")"


def _precision(place: _Place) -> Cause | None:
    """Values that only half precision or 8 bits hold, in the second network and not in the first."""
    a, b = place.twins.a, place.twins.b
    quantised = [name for name, layer in b.layers.items() if "quantize" in layer.kind.lower()]
    if quantised and not any("quantize" in layer.kind.lower() for layer in a.layers.values()):
        text = f"int8: {len(quantised)} layers round to 8 bits, {quantised[0]!r} first, and the reference has none"
        return Cause("int8", text, place.pair.a)
    seen = place.want, place.twins.of_b[place.pair.b]
    held = _kernels(place.twins.a, place.between_a), _kernels(b, place.between_b)
    for kind, rounded in (("float16", _half), ("bfloat16", _brain)):
        for what, mine, theirs in (("value", *seen), ("weight", *held)):
            if theirs.size and mine.size and (rounded(theirs) == theirs).all() and not (rounded(mine) == mine).all():
                text = f"{kind}: every {what} here is one that {kind} holds, the reference's are not"
                return Cause(kind, text, place.pair.a)
    return None


def _kernels(model: Model, layers: tuple[str, ...]) -> Values:
    """All weights of these layers, one after the other."""
    held = [as_numpy(values).ravel() for layer in layers for values in model.weights(layer).values()]
    return np.concatenate(held) if held else np.zeros(0, np.float32)


def _half(values: Values) -> Values:
    with np.errstate(over="ignore"):
        return values.astype(np.float16).astype(np.float32)


def _brain(values: Values) -> Values:
    bits = np.ascontiguousarray(values, np.float32).view(np.uint32)
    return np.asarray((bits & np.uint32(0xFFFF0000)).view(np.float32))


def _weights(place: _Place) -> Cause | None:
    found = altered_weights(place.twins, place.between_a, place.between_b, place.pair)
    return Cause(*found) if found else None


def _rectifier(place: _Place) -> Cause | None:
    """The layer, or one just before it, cuts off values on one side and not on the other."""
    twins = place.twins
    for name in place.between_a[:-1]:
        if family(twins.a.layers[name].kind) == "rectifier" and name not in set(place.between_b):
            text = f"a rectifier is missing: nothing in the second network does what {name!r} does"
            return Cause("rectifier", text, name)
    cuts: dict[str, Callable[[Values], Values]] = {
        "max(x, 0)": lambda v: np.maximum(v, 0),
        "min(max(x, 0), 6)": lambda v: np.clip(v, 0, 6),
    }
    for words, cut in cuts.items():
        if place.holds(place.want, cut(place.got)):
            text = f"a rectifier is missing: with {words} the second network's values are the reference's"
            return Cause("rectifier", text, place.pair.a)
        if place.holds(cut(place.want), place.got):
            return Cause("rectifier", f"a rectifier too many: the values are {words} of the reference's", place.pair.a)
    return None


def _channels(place: _Place) -> Cause | None:
    """The same maps in another order."""
    want, got = place.want, place.got
    if want.ndim < 2 or not 1 < want.shape[1] <= 4096:
        return None
    order = _matching_channels(want, got)
    if order is None or not place.holds(want, got[:, order]):
        return None
    moved = [k for k, other in enumerate(order) if k != other]
    some = ", ".join(f"{order[k]} for {k}" for k in moved[:3])
    text = f"channels are swapped: {len(moved)} of {len(order)} stand at another place ({some})"
    return Cause("channels", text, place.pair.a)


def _matching_channels(want: Values, got: Values) -> list[int] | None:
    """For each channel of `want` the one of `got` with nearest values; None unless each is taken once."""
    a, b = (np.moveaxis(v, 1, 0).reshape(v.shape[1], -1).astype(np.float64) for v in (want, got))
    a, b = (v[:, :: max(1, v.shape[1] // 2048)] for v in (a, b))
    far = (a**2).sum(axis=1)[:, None] + (b**2).sum(axis=1)[None] - 2 * a @ b.T
    far[np.diag_indices_from(far)] -= 1e-9 * (1 + np.abs(far).max())  # its own place where channels are alike
    order = far.argmin(axis=1)
    return [int(k) for k in order] if len(set(order.tolist())) == len(order) else None


def _padding(place: _Place) -> Cause | None:
    """Weights are the same, but the border, or the place that a window starts at, is not."""
    kind = family(place.twins.a.layers[place.pair.a].kind) or family(place.twins.b.layers[place.pair.b].kind)
    if place.want.ndim != 4 or not {kind, *_families(place)} & {"convolution", "pooling"}:
        return None
    height, width = place.want.shape[2:]
    rim = max(1, min(height, width) // 4)
    inside = (slice(None), slice(None), slice(rim, height - rim), slice(rim, width - rim))
    if height > 2 and width > 2 and place.holds(place.want[inside], place.got[inside]):
        text = "wrong padding: the maps differ along the border only, inside they agree"
        return Cause("padding", text, _window(place))
    starts = window_starts(place.twins, place.before, place.pair, place.want, place.got)
    if starts is None or starts[0] == starts[1]:
        return None
    text = (
        f"wrong padding: {starts[1][0]} rows above and {starts[1][1]} columns to the left, the reference has "
        f"{starts[0][0]} and {starts[0][1]}; with the same weights and input that gives its values"
    )
    return Cause("padding", text, _window(place))


def _window(place: _Place) -> str:
    """The convolution or pooling of a step, which may end in a normalisation."""
    windows = {"convolution", "pooling"}
    found = [n for n in place.between_a if family(place.twins.a.layers[n].kind) in windows]
    return found[-1] if found else place.pair.a


def _families(place: _Place) -> set[str]:
    return {family(place.twins.a.layers[name].kind) for name in place.between_a}


def _resize(place: _Place) -> Cause | None:
    kinds = {family(m.layers[n].kind) for m, n in ((place.twins.a, place.pair.a), (place.twins.b, place.pair.b))}
    if "resize" not in kinds:
        return None
    text = "wrong resize: the same maps are enlarged by another rule (corners, half pixels, nearest or linear)"
    return Cause("resize", text, place.pair.a)


def cause_of_pictures(a: Values, b: Values) -> Cause:
    """What two pipelines do differently to the same pictures (N, C, H, W)."""
    turned = b[:, ::-1]
    if agreement(a, turned)[1] < RECONCILED:
        return Cause("preprocessing", "the pictures' channels are in reverse order (BGR for RGB)", "<input>")
    gains = [np.polyfit(a[:, c].ravel(), b[:, c].ravel(), 1) for c in range(a.shape[1])]
    fitted = np.stack([np.polyval(gain, a[:, c]) for c, gain in enumerate(gains)], axis=1)
    if agreement(fitted, b)[1] < RECONCILED:
        said = ", ".join(f"{gain:.4g} x + {offset:.4g}" for gain, offset in gains)
        return Cause(
            "preprocessing", f"the pictures' range differs: by channel they are {said} of the others", "<input>"
        )
    correlation, difference = agreement(a, b)
    if correlation > 0.5:
        text = (
            f"wrong resize: the pictures are alike (correlation {correlation:.3f}) but not the same (relative L2 "
            f"{difference:.1e}), and no change of colours explains it: another filter, antialiasing or crop"
        )
        return Cause("resize", text, "<input>")
    return Cause("pictures", f"the pictures are others (correlation {correlation:.2f})", "<input>")
