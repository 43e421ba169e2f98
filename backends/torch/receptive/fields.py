"""Follow what the nodes of a recorded torch graph depend on, operator by operator."""

import operator
from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import torch
from crosslens.model import INPUT
from crosslens.receptive.dependence import Dependence
from crosslens.receptive.fields import Fields
from torch import Tensor, fx

from ..occlusion.recorded_graph import RecordedGraph
from .probes import UnknownFormError, size_for_one
from .rules import RULES, elementwise, nothing_known, view

__all__ = ["fields_of_graph"]

Made: TypeAlias = Dependence | Sequence[Dependence] | None


def fields_of_graph(recorded: RecordedGraph, shape: tuple[int, ...], channel_axes: Mapping[str, int]) -> Fields:
    """What each layer depends on.

    Args:
        recorded: the graph.
        shape: (C, H, W) of the images it was recorded for.
        channel_axes: of layers; 1 where one is missing.
    """
    known: dict[fx.Node, Made] = {recorded.image: Dependence.of_image((1, *shape))}
    for node in recorded.root.graph.nodes:
        if node.op == "call_function" and any(known.get(each) is not None for each in node.all_input_nodes):
            known[node] = _followed(node, known)
    made = {name: known.get(node) for name, node in recorded.layers.items()}
    fields = {
        name: _channels_first(each, channel_axes.get(name, 1))
        for name, each in made.items()
        if isinstance(each, Dependence)
    }
    return {INPUT: Dependence.of_image((1, *shape)), **fields}


def _channels_first(made: Dependence, axis: int) -> Dependence:
    rank = len(made.shape)
    order = [0, axis % rank, *(a for a in range(1, rank) if a != axis % rank)]
    return made if axis == 1 or rank < 4 else made.transposed(order)


def _followed(node: fx.Node, known: dict[fx.Node, Made]) -> Made:
    if node.target is operator.getitem:
        several, place = known.get(node.args[0]), node.args[1]
        return several[place] if isinstance(several, list) and isinstance(place, int) else None
    value = node.meta.get("val")
    values = list(value) if isinstance(value, tuple | list) else [value]
    shapes = [_shape(each) if isinstance(each, Tensor) else None for each in values]
    if all(each is None for each in shapes):
        return None  # a size
    made = _by_rule(node, known, [each or () for each in shapes])
    return made if isinstance(value, tuple | list) else made[0]


def _by_rule(node: fx.Node, known: dict[fx.Node, Made], shapes: list[tuple[int, ...]]) -> list[Dependence]:
    name = node.target._schema.name.removeprefix("aten::") if hasattr(node.target, "_schema") else str(node.target)
    args = fx.map_arg((node.args, node.kwargs), lambda each: _argument(each, known))
    rule = RULES.get(name) or (elementwise if _is_pointwise(node) else view if _is_view(node) else nothing_known)
    try:
        made = list(rule(node, args[0], args[1], shapes))
    except UnknownFormError:
        made = []
    read = [each for each in map(known.get, node.all_input_nodes) if isinstance(each, Dependence)]
    return made if len(made) == len(shapes) else [*made, *(_all(read, s, name) for s in shapes[len(made) :])]


def _all(read: Sequence[Dependence], shape: tuple[int, ...], name: str) -> Dependence:
    flat = [each.flat(shape, unknown=name) for each in read]
    return flat[0].union(*flat[1:])


def _argument(node: fx.Node, known: dict[fx.Node, Made]) -> Any:
    """A dependence, the number that a size is, or the node of a tensor that depends on no pixel."""
    made = known.get(node)
    if made is not None:
        return made
    value = node.meta.get("val")
    return size_for_one(value) if isinstance(value, torch.SymInt | int) else node


def _is_pointwise(node: fx.Node) -> bool:
    return torch.Tag.pointwise in getattr(node.target, "tags", ())


def _is_view(node: fx.Node) -> bool:
    schema = getattr(node.target, "_schema", None)
    return schema is not None and any(r.alias_info is not None and not r.alias_info.is_write for r in schema.returns)


def _shape(value: Tensor) -> tuple[int, ...]:
    return tuple(size_for_one(n) for n in value.shape)
