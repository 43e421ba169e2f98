"""An exported program as a module: the tree of modules that torch rebuilds, or, where that fails, its operators."""

import copy
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import torch
from crosslens.errors import ModelError
from crosslens.model.other_inputs import hold_style_weights
from torch import Tensor, fx, nn
from torch.export import ExportedProgram
from torch.export.graph_signature import ConstantArgument, InputKind, InputSpec, OutputKind
from torch.utils import _pytree as pytree

from ..autograd.isolation import isolation
from ..layers.module_network import LOCK, ignore_torch_deprecations
from .held_inputs import Arguments, held_values

__all__ = ["program_arguments", "program_module"]

AGREEMENT = 1e-3
"""Relative to the largest output: more than rounding, less than another network's difference."""
_Failures = (AttributeError, AssertionError, RuntimeError, LookupError, TypeError, ValueError, StopIteration)


def program_module(program: ExportedProgram) -> nn.Module:
    """A module that computes what the program does, under the names of the module it was exported from.

    `torch.export.unflatten` rebuilds the tree of modules. Where it cannot, or the tree computes something else than the
    program's operators do, these run one after another: the layers are then functions of the root.
    """
    program = _with_own_graphs(program)
    flat = _prepare(OperatorsInOrder(program))
    try:
        tree = _prepare(_tree(program))
    except _Failures:
        return flat
    return tree if _agree(program, tree, flat) else flat


def _with_own_graphs(program: ExportedProgram) -> ExportedProgram:
    """The program with copies of its graphs, those of regions (autocast, no_grad) too: they are about to change."""
    own = copy.copy(program)
    own._graph_module = copy.deepcopy(program.graph_module)
    return own


def _tree(program: ExportedProgram) -> nn.Module:
    """The tree, without the call signatures that torch rebuilds wrongly for modules without operators."""
    plain = copy.copy(program)
    plain._module_call_graph = [copy.copy(entry) for entry in program.module_call_graph]
    for entry in plain._module_call_graph[1:]:
        entry.signature = None
    with LOCK, ignore_torch_deprecations():
        warnings.filterwarnings("ignore", "Attempted to insert a get_attr Node", UserWarning)
        return torch.export.unflatten(plain)


def _prepare(net: nn.Module) -> nn.Module:
    """Make a module fit to be copied and differentiated: in eval mode, without fake tensors, operators replaced."""
    for module in net.modules():
        module.training = False
        graph = getattr(module, "graph", None)
        for node in graph.nodes if isinstance(graph, fx.Graph) else ():
            node.meta = {}  # fake tensors, which cannot be copied
            node.target = _DIFFERENTIABLE.get(node.target, node.target)
        if isinstance(module, fx.GraphModule):
            module.recompile()
    return net


def _pass_arguments(*args: Any, **_: Any) -> tuple[Any, ...]:
    """In place of the marker of a preserved call of a module."""
    return args


def _differentiable_copy(like: Tensor, values: Tensor, non_blocking: bool = False) -> Tensor:
    """aten.copy, which a decomposed in-place write becomes."""
    return values.to(like.device, like.dtype, non_blocking=non_blocking).expand_as(like).clone()


_DIFFERENTIABLE: Mapping[Any, Any] = {
    torch.ops.aten.copy.default: _differentiable_copy,
    torch.ops.higher_order._export_tracepoint: _pass_arguments,
}
"""Operators that torch cannot differentiate, and functions that compute the same and can be."""


def _agree(program: ExportedProgram, tree: nn.Module, flat: nn.Module) -> bool:
    try:
        expected = _outputs(program, flat)
    except _Failures:
        return True  # the program itself does not run; the tree will raise the error
    try:
        outputs = _outputs(program, tree)
    except _Failures:
        return False
    return len(outputs) == len(expected) and all(_same(a, b) for a, b in zip(outputs, expected, strict=True))


def _outputs(program: ExportedProgram, net: nn.Module) -> list[Tensor]:
    args, kwargs = pytree.tree_unflatten(_example_inputs(program), program.module_call_graph[0].signature.in_spec)
    with LOCK, isolation(grad=False), torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return [y for y in pytree.tree_leaves(net(*args, **kwargs)) if isinstance(y, Tensor)]


def _same(y: Tensor, expected: Tensor) -> bool:
    if y.shape != expected.shape or y.dtype != expected.dtype:
        return False
    if not expected.is_floating_point() or not expected.numel():
        return bool((y == expected).all())
    limit = AGREEMENT * float(expected.double().nan_to_num().abs().max())
    return bool(torch.allclose(y.double(), expected.double(), rtol=0, atol=limit, equal_nan=True))


def _user_inputs(program: ExportedProgram) -> list[tuple[str, Any]]:
    """(name, fake tensor or constant) of each argument of the program, flat and in order."""
    values = {node.name: node.meta.get("val") for node in program.graph.nodes if node.op == "placeholder"}
    specs = [spec for spec in program.graph_signature.input_specs if spec.kind == InputKind.USER_INPUT]
    return [
        (str(s.arg.name), s.arg.value if isinstance(s.arg, ConstantArgument) else values.get(s.arg.name)) for s in specs
    ]


def _example_inputs(program: ExportedProgram) -> list[Any]:
    """Random arguments of the shapes and types that the program takes, flat; the same ones each time."""
    numbers = torch.Generator().manual_seed(0)
    return [_example(value, numbers) for _, value in _user_inputs(program)]


def _example(value: Any, numbers: torch.Generator) -> Any:
    if not isinstance(value, Tensor):
        return int(value) if isinstance(value, torch.SymInt) else value
    shape = [n if isinstance(n, int) else int(n.node.hint or 2) for n in value.shape]
    if not value.is_floating_point():
        return torch.ones(shape, dtype=value.dtype, device=value.device)
    return torch.rand(shape, generator=numbers).to(value.device, value.dtype)


def program_arguments(program: ExportedProgram, held: dict[str, Any] | None) -> tuple[Tensor, Arguments | None]:
    """A fake tensor of the image, and how to call the program; no arguments where it takes the image alone.

    Raises:
        ModelError: inputs of other names, all or none of several; what it takes and what to type.
    """
    takes = _user_inputs(program)
    tensors = {name: value for name, value in takes if isinstance(value, Tensor)}
    if not tensors:
        raise ModelError("the program takes no tensor; export a network that takes an image")
    held = {} if held is None else held
    hold_style_weights(held, {name: [n if type(n) is int else None for n in t.shape] for name, t in tensors.items()})
    image, values = held_values(list(tensors), held)
    if len(takes) == 1:
        return tensors[image], None
    flat = [values.get(name, value) for name, value in takes]
    args, kwargs = pytree.tree_unflatten(flat, program.module_call_graph[0].signature.in_spec)
    return tensors[image], Arguments(tuple(args), kwargs)


class OperatorsInOrder(nn.Module):
    """A program's graph, run operator by operator; it changes no tensor of the program."""

    def __init__(self, program: ExportedProgram) -> None:
        super().__init__()
        self.graph = copy.deepcopy(program.graph)
        self._call, self._signature = program.module_call_graph[0].signature, program.graph_signature
        self._names: list[str] = []
        for spec in self._signature.input_specs:
            self._names.append("" if spec.kind == InputKind.USER_INPUT else self._register(program, spec))
        for node in self.graph.nodes:
            if node.op == "get_attr":
                self._attach(str(node.target), program.graph_module)

    def _register(self, program: ExportedProgram, spec: InputSpec) -> str:
        """Register a parameter, buffer or constant with this module; its name here."""
        if spec.kind not in {InputKind.PARAMETER, InputKind.BUFFER, InputKind.CONSTANT_TENSOR}:
            raise ModelError(
                f"the program holds {spec.target!r}, a {spec.kind.name.lower()}; it must hold tensors only"
            )
        values = program.state_dict if spec.target in program.state_dict else program.constants
        name = f"tensor_{len(self._names)}"
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
        values = [next(given) if not name else self._copy(name) for name in self._names]
        results = fx.Interpreter(self, graph=self.graph).run(*values, enable_io_processing=False)
        specs = self._signature.output_specs
        outputs = [y for y, spec in zip(results, specs, strict=True) if spec.kind == OutputKind.USER_OUTPUT]
        return pytree.tree_unflatten(outputs, self._call.out_spec)

    def _copy(self, name: str) -> Tensor:
        tensor: Tensor = getattr(self, name)
        return tensor if name in self._parameters else tensor.clone()
