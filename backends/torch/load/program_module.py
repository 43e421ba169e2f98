"""The module of an exported program: its tree of modules where torch rebuilds it right, else its operators in order."""

import copy
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from crosslens.errors import ModelError
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import ConstantArgument, InputKind, InputSpec, OutputKind
from torch.utils import _pytree as pytree

from ..autograd.isolation import isolation
from ..layers.module_network import LOCK, ignore_torch_deprecations
from .held_inputs import Arguments, held_values

__all__ = ["program_arguments", "program_module"]

AGREES = 1e-3
"""Of the largest output: more than rounding, less than another network."""
_Failures = (AttributeError, AssertionError, RuntimeError, LookupError, TypeError, ValueError, StopIteration)


def program_module(program: ExportedProgram) -> nn.Module:
    """A module that computes what the program does, under the names of the module it was exported from.

    `torch.export.unflatten` rebuilds the tree of modules. Where it cannot, or the tree computes something else than the
    program's operators do, these run one after another: the layers are then functions of the root.
    """
    program = _copied(program)
    flat = _prepared(OperatorsInOrder(program))
    try:
        tree = _prepared(_tree(program))
    except _Failures:
        return flat
    return tree if _agree(program, tree, flat) else flat


def _copied(program: ExportedProgram) -> ExportedProgram:
    """With graphs of its own, those of regions (autocast, no_grad) too, which are about to change."""
    own = copy.copy(program)
    own._graph_module = copy.deepcopy(program.graph_module)
    return own


def _tree(program: ExportedProgram) -> nn.Module:
    """The tree without preserved call signatures, which torch rebuilds wrongly for modules without operators."""
    plain = copy.copy(program)
    plain._module_call_graph = [copy.copy(entry) for entry in program.module_call_graph]
    for entry in plain._module_call_graph[1:]:
        entry.signature = None
    with LOCK, ignore_torch_deprecations():
        warnings.filterwarnings("ignore", "Attempted to insert a get_attr Node", UserWarning)
        return torch.export.unflatten(plain)


def _prepared(net: nn.Module) -> nn.Module:
    """In eval mode, to be copied, with a derivative for each operator that torch gives none but could."""
    for module in net.modules():
        module.training = False
        graph = getattr(module, "graph", None)
        for node in graph.nodes if isinstance(graph, fx.Graph) else ():
            node.meta = {}  # stand-ins for tensors, which cannot be copied
            node.target = _DIFFERENTIABLE.get(node.target, node.target)
        if isinstance(module, fx.GraphModule):
            module.recompile()
    return net


def _passed_on(*args: Any, **_: Any) -> tuple[Any, ...]:
    """What marks a preserved call of a module, which torch gives no derivative."""
    return args


def _copied_over(like: Tensor, values: Tensor, non_blocking: bool = False) -> Tensor:
    """aten.copy, which a decomposed in-place write becomes and which torch cannot differentiate."""
    return values.to(like.device, like.dtype, non_blocking=non_blocking).expand_as(like).clone()


_DIFFERENTIABLE: Mapping[Any, Any] = {
    torch.ops.aten.copy.default: _copied_over,
    torch.ops.higher_order._export_tracepoint: _passed_on,
}
"""What torch gives no derivative, and functions that compute the same and have one."""


def _agree(program: ExportedProgram, tree: nn.Module, flat: nn.Module) -> bool:
    try:
        expected = _outcome(program, flat)
    except _Failures:
        return True  # the program itself does not run; its user meets the error of the tree
    try:
        found = _outcome(program, tree)
    except _Failures:
        return False
    return len(found) == len(expected) and all(_same(a, b) for a, b in zip(found, expected, strict=True))


def _outcome(program: ExportedProgram, net: nn.Module) -> list[Tensor]:
    args, kwargs = pytree.tree_unflatten(_example_inputs(program), program.module_call_graph[0].signature.in_spec)
    with LOCK, isolation(grad=False), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return [y for y in pytree.tree_leaves(net(*args, **kwargs)) if isinstance(y, Tensor)]


def _same(found: Tensor, expected: Tensor) -> bool:
    if found.shape != expected.shape or found.dtype != expected.dtype:
        return False
    if not expected.is_floating_point() or not expected.numel():
        return bool((found == expected).all())
    limit = AGREES * float(expected.double().nan_to_num().abs().max())
    return bool(torch.allclose(found.double(), expected.double(), rtol=0, atol=limit, equal_nan=True))


def _user_inputs(program: ExportedProgram) -> list[tuple[str, Any]]:
    """(name, stand-in of a tensor, or a constant's value) of what the program is called with, flat and in order."""
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    specs = [spec for spec in program.graph_signature.input_specs if spec.kind == InputKind.USER_INPUT]
    return [
        (str(s.arg.name), s.arg.value if isinstance(s.arg, ConstantArgument) else values.get(s.arg.name)) for s in specs
    ]


def _example_inputs(program: ExportedProgram) -> list[Any]:
    """Numbers of the shapes and types that the program takes, flat; the same ones each time."""
    numbers = torch.Generator().manual_seed(0)
    return [_example(value, numbers) for _, value in _user_inputs(program)]


def _example(value: Any, numbers: torch.Generator) -> Any:
    if not isinstance(value, Tensor):
        return int(value) if isinstance(value, torch.SymInt) else value
    shape = [n if isinstance(n, int) else int(n.node.hint or 2) for n in value.shape]
    if not value.is_floating_point():
        return torch.ones(shape, dtype=value.dtype, device=value.device)
    return torch.rand(shape, generator=numbers).to(value.device, value.dtype)


def program_arguments(program: ExportedProgram, held: Mapping[str, Any] | None) -> tuple[Tensor, Arguments | None]:
    """The stand-in of the image, and how to call the program; no arguments where it takes the image alone.

    Raises:
        ModelError: inputs of other names, all or none of several; what it takes and what to type.
    """
    takes = _user_inputs(program)
    tensors = {name: value for name, value in takes if isinstance(value, Tensor)}
    if not tensors:
        raise ModelError("the program takes no tensor; export a network that takes an image")
    image, values = held_values(list(tensors), held or {})
    if len(takes) == 1:
        return tensors[image], None
    flat = [values.get(name, value) for name, value in takes]
    args, kwargs = pytree.tree_unflatten(flat, program.module_call_graph[0].signature.in_spec)
    return tensors[image], Arguments(tuple(args), kwargs)


class OperatorsInOrder(nn.Module):
    """A program's graph, operator by operator; it changes no tensor of the program."""

    def __init__(self, program: ExportedProgram) -> None:
        super().__init__()
        self.graph = copy.deepcopy(program.graph)
        self._call, self._signature = program.module_call_graph[0].signature, program.graph_signature
        self._holders: list[str] = []
        for spec in self._signature.input_specs:
            self._holders.append("" if spec.kind == InputKind.USER_INPUT else self._held(program, spec))
        for node in self.graph.nodes:
            if node.op == "get_attr":
                self._attach(str(node.target), program.graph_module)

    def _held(self, program: ExportedProgram, spec: InputSpec) -> str:
        """A parameter, buffer or constant as one of this module, by its name here."""
        if spec.kind not in {InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR}:
            raise ModelError(
                f"the program holds {spec.target!r}, a {spec.kind.name.lower()}; it must hold tensors only"
            )
        values = program.state_dict if spec.target in program.state_dict else program.constants
        name = f"tensor_{len(self._holders)}"
        if spec.kind == InputKind.PARAMETER:
            self.register_parameter(name, nn.Parameter(values[spec.target].detach(), requires_grad=False))
        else:
            self.register_buffer(name, values[spec.target])
        return name

    def _attach(self, target: str, owner: nn.Module) -> None:
        first = target.partition(".")[0]
        if first not in self._modules and first not in self._buffers:
            setattr(self, first, getattr(owner, first))

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """What the program returns; buffers that it overwrites are copies."""
        given: Iterator[Any] = iter(pytree.tree_leaves((args, kwargs), is_leaf=lambda leaf: leaf is None))
        values = [next(given) if not name else self._copy(name) for name in self._holders]
        found = fx.Interpreter(self, graph=self.graph).run(*values, enable_io_processing=False)
        specs = self._signature.output_specs
        mine = [y for y, spec in zip(found, specs, strict=True) if spec.kind == OutputKind.USER_OUTPUT]
        return pytree.tree_unflatten(mine, self._call.out_spec)

    def _copy(self, name: str) -> Tensor:
        tensor: Tensor = getattr(self, name)
        return tensor if name in self._parameters else tensor.clone()
