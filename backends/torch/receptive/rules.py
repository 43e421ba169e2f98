"""What the outputs of each aten operator read: windows, all of an axis, the same place, or copies of single values."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
from crosslens.receptive import operators as ops
from crosslens.receptive.dependence import Dependence, concatenated, product, united
from crosslens.receptive.indices import padded
from torch import fx

from .probes import Shapes, UnknownFormError, constant, followed, linear_along_axes, moved

__all__ = ["RULES", "Rule", "elementwise", "nothing_known", "view"]

Rule: TypeAlias = Callable[[fx.Node, Sequence[Any], Mapping[str, Any], Shapes], Iterable[Dependence]]
"""From the node, its arguments (a `Dependence`, a number, or the node of a constant) and the shapes of its outputs."""


MOST_FACTORS = 4096
"""Numbers of a constant factor up to which it is looked through for zeros."""


def _filled(args: Sequence[Any], *defaults: Any) -> list[Any]:
    """The arguments after the first, with defaults for those left out."""
    return [*args[1:], *defaults[len(args) - 1 :]]


def _each(value: Any, count: int) -> list[int]:
    values = list(value) if isinstance(value, list | tuple) else [value]
    return values * count if len(values) == 1 else values


def elementwise(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    """Each output reads its own place of inputs that broadcast.

    Args:
        node: the operator.
        args: its arguments.
        kwargs: those by name.
        shapes: of its outputs.
    """
    parts = [each for each in (*args, *kwargs.values()) if isinstance(each, Dependence)]
    return [united(parts, shape) for shape in shapes]


def _scaled(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    """A product: where a constant factor is 0, as the weights of a resizing are at edges, nothing is read."""
    (made,) = elementwise(node, args, kwargs, shapes)
    factors = [each for each in args if isinstance(each, fx.Node)]
    if factors and (value := factors[0].meta.get("val")) is not None and value.numel() <= MOST_FACTORS:
        factor = constant(factors[0], node.graph.owning_module)
        made = made.where((factor != 0).numpy(force=True)) if not bool((factor != 0).all()) else made
    yield made


def _convolution(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    x, (weight, _, stride, padding, dilation, transposed, _, groups) = followed(args), args[1:]
    kernel = weight.meta["val"].shape[2:]
    count = len(kernel)
    windows = [
        ops.Window(axis + 2, shapes[0][axis + 2], int(kernel[axis]), s, p, d)
        for axis, (s, p, d) in enumerate(
            zip(_each(stride, count), _each(padding, count), _each(dilation, count), strict=True)
        )
    ]
    x = ops.grouped(x, 1, groups, shapes[0][1])
    yield (ops.slide_transposed if transposed else ops.slide)(x, windows)


def _pool(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    x, (kernel, stride, padding, dilation) = followed(args), _filled(args, None, [], 0, 1)[:4]
    return [_pooled(x, kernel, stride or kernel, padding, dilation, shape) for shape in shapes]


def _average_pool(
    node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes
) -> Iterable[Dependence]:
    x, (kernel, stride, padding) = followed(args), _filled(args, None, [], 0)[:3]
    yield _pooled(x, kernel, stride or kernel, padding, 1, shapes[0])


def _pooled(x: Dependence, kernel: Any, stride: Any, padding: Any, dilation: Any, shape: Sequence[int]) -> Dependence:
    count = len(kernel) if len(kernel) > 1 else len(shape) - 2
    numbers = zip(*(_each(each, count) for each in (kernel, stride, padding, dilation)), strict=True)
    first = len(shape) - count
    return ops.slide(x, [ops.Window(first + n, shape[first + n], k, s, p, d) for n, (k, s, p, d) in enumerate(numbers)])


def _adaptive(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    x = followed(args)
    count = len(_each(args[1], 1))
    sizes = shapes[0][-count:]
    if set(sizes) == {1}:
        return [x.reduced(range(-count, 0))] * len(shapes)
    for n, size in enumerate(sizes):
        x = ops.adaptive_pool(x, len(x.shape) - count + n, size)
    return [x] * len(shapes)


def _reduction(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    x = followed(args)
    names = [each.name for each in node.target._schema.arguments]
    dim = dict(zip(names, args, strict=False)).get("dim", kwargs.get("dim"))
    axes = range(len(x.shape)) if dim is None or dim == [] else _each(dim, 1)
    return [x.reduced(list(axes)).reshaped(shape) for shape in shapes]


def _softmax(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    yield ops.normalised(followed(args), [args[1]])


def _cumulative(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    return [ops.normalised(followed(args), [args[1]])] * len(shapes)


def _batch_norm(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    x = followed(args)
    if "no_training" not in str(node.target) and args[5] is not False:
        x = ops.normalised(x, range(2, len(x.shape)))
    yield x


def _layer_norm(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    yield ops.normalised(followed(args), range(-len(args[1]), 0))


def _group_norm(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    yield ops.group_normalised(followed(args), int(args[6]))


def _dependence(value: Any) -> Dependence | None:
    return value if isinstance(value, Dependence) else None


def _product(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    yield product(_dependence(args[0]), _dependence(args[1]), shapes[0])


def _sum_and_product(
    node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes
) -> Iterable[Dependence]:
    added, a, b = map(_dependence, args[:3])
    parts = [product(a, b, shapes[0])] if a is not None or b is not None else []
    yield united([*parts, *([added] if added is not None else [])], shapes[0])


def _attention(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    """Of queries, keys and values (N, heads, T, d): each query reads all keys, all values and its own row of a mask."""
    queries, keys, values = map(_dependence, args[:3])
    mask = _dependence(args[3]) if len(args) > 3 else _dependence(kwargs.get("attn_bias"))
    parts = [each.reduced([-2, -1]) for each in (keys, values) if each is not None]
    parts += [each.reduced([-1]) for each in (queries, mask) if each is not None]
    yield united(parts, shapes[0])


def view(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    """The same values under another shape, or some of them.

    Args:
        node: the operator.
        args: its arguments.
        kwargs: those by name.
        shapes: of its outputs.
    """
    return moved(node, args, kwargs, shapes)


def _reshape(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    yield followed(args).reshaped(shapes[0])


def _same(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    if args[0].shape != shapes[0]:
        raise UnknownFormError
    yield followed(args)


def _permute(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    yield followed(args).transposed(args[1])


def _transpose(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    x, (a, b) = followed(args), [axis % len(args[0].shape) for axis in _filled(args, 0, 1)[:2]]
    order = list(range(len(x.shape)))
    order[a], order[b] = b, a
    yield x.transposed(order)


def _expand(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    yield followed(args).broadcast(shapes[0])


def _slice(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    x, (axis, start, stop, step) = followed(args), _filled(args, 0, None, None, 1)
    places = np.arange(x.shape[axis])[slice(start, stop, step)]
    yield x.taps(axis, places[:, None], step)


def _select(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    x, axis, place = followed(args), args[1], args[2]
    yield x.taps(axis, np.array([[place % x.shape[axis]]])).reshaped(shapes[0])


def _split(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    x, axis, start = followed(args), _filled(args, None, 0)[1], 0
    for shape in shapes:
        yield x.taps(axis, np.arange(start, start + shape[axis])[:, None])
        start += shape[axis]


def _cat(node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes) -> Iterable[Dependence]:
    axis = args[1] if len(args) > 1 else kwargs.get("dim", 0)
    lengths = [
        each.shape[axis] if isinstance(each, Dependence) else int(each.meta["val"].shape[axis]) for each in args[0]
    ]
    yield concatenated([_dependence(each) for each in args[0]], axis, lengths)


def _constant_pad(
    node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes
) -> Iterable[Dependence]:
    x, pads = followed(args), args[1]
    for n in range(len(pads) // 2):
        if pads[2 * n] or pads[2 * n + 1]:
            axis = len(x.shape) - 1 - n
            x = x.taps(axis, padded(x.shape[axis], pads[2 * n], pads[2 * n + 1]))
    yield x


def nothing_known(
    node: fx.Node, args: Sequence[Any], kwargs: Mapping[str, Any], shapes: Shapes
) -> Iterable[Dependence]:
    """Nothing is known of an operator that no rule names.

    Args:
        node: the operator.
        args: its arguments.
        kwargs: those by name.
        shapes: of its outputs.

    Raises:
        UnknownFormError: always.
    """
    raise UnknownFormError


_SAME = "alias as_strided clone contiguous detach lift_fresh lift_fresh_copy"
_ELEMENTWISE = "_prelu_kernel copy hardswish log_sigmoid_forward prelu rsub where _to_copy native_dropout bernoulli"
_RESHAPES = "_reshape_alias _unsafe_view flatten reshape squeeze unflatten unsqueeze view"
_MOVES = "_unsafe_index channel_shuffle flip gather index index_select pixel_shuffle pixel_unshuffle repeat roll unfold"
_LINEAR = "reflection_pad1d reflection_pad2d reflection_pad3d replication_pad1d replication_pad2d replication_pad3d"
_SIZES = "bilinear2d bicubic2d nearest1d nearest2d nearest3d linear1d trilinear3d"
_REDUCTIONS = "all amax amin any argmax argmin logsumexp max mean min norm prod std sum var var_mean linalg_vector_norm"
_ATTENTION = ["flash_attention_for_cpu", "attention_math", "flash_attention", "efficient_attention", "cudnn_attention"]
RULES: Mapping[str, Rule] = {
    **dict.fromkeys(_ELEMENTWISE.split(), elementwise),
    **dict.fromkeys(_SAME.split(), _same),
    "mul": _scaled,
    "convolution": _convolution,
    **dict.fromkeys((f"max_pool{n}d_with_indices" for n in (2, 3)), _pool),
    **dict.fromkeys((f"avg_pool{n}d" for n in (1, 2, 3)), _average_pool),
    **dict.fromkeys((f"_adaptive_avg_pool{n}d" for n in (2, 3)), _adaptive),
    **dict.fromkeys((f"adaptive_{kind}_pool{n}d" for kind in ("avg", "max") for n in (1, 2, 3)), _adaptive),
    **dict.fromkeys(_REDUCTIONS.split(), _reduction),
    **dict.fromkeys(("_softmax", "_log_softmax"), _softmax),
    **dict.fromkeys(("cumsum", "cumprod", "sort"), _cumulative),
    **dict.fromkeys(("native_batch_norm", "_native_batch_norm_legit_no_training"), _batch_norm),
    "native_layer_norm": _layer_norm,
    "native_group_norm": _group_norm,
    **dict.fromkeys(("mm", "bmm"), _product),
    **dict.fromkeys(("addmm", "baddbmm"), _sum_and_product),
    **dict.fromkeys((f"_scaled_dot_product_{kind}" for kind in _ATTENTION), _attention),
    "scaled_dot_product_attention": _attention,
    **dict.fromkeys(_RESHAPES.split(), _reshape),
    "permute": _permute,
    **dict.fromkeys(("transpose", "t"), _transpose),
    "expand": _expand,
    "slice": _slice,
    "select": _select,
    **dict.fromkeys(("split", "split_with_sizes", "unsafe_split", "unsafe_split_with_sizes"), _split),
    "cat": _cat,
    "constant_pad_nd": _constant_pad,
    **dict.fromkeys(_MOVES.split(), moved),
    **dict.fromkeys(_LINEAR.split(), linear_along_axes),
    **dict.fromkeys((f"upsample_{kind}" for kind in _SIZES.split()), linear_along_axes),
    **dict.fromkeys(
        ("_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa", "_upsample_nearest_exact2d"), linear_along_axes
    ),
}
"""By name without the overload; other operators read the same place where torch calls them pointwise."""
