"""Running an `nn.Module` with hooks on its layers; afterwards everything in it is as it was."""

import copy
import threading
import warnings
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from crosslens.arrays import Array
from crosslens.errors import ModelError
from crosslens.model import InputSpec
from torch import Tensor, nn

from ..load.held_inputs import Arguments
from ..weights import read_weights, write_weights
from .attention import AttentionHooks
from .functions import FunctionHooks, FunctionLayer, ModuleCall, ResultKey, track_module_calls
from .kept_state import BufferGuard, in_eval_mode, without_parameter_gradients
from .listing import FunctionRecorder, LayerOutput, Listing

__all__ = [
    "LOCK",
    "LayerOutput",
    "ModuleNetwork",
    "deep_copy",
    "ignore_torch_deprecations",
    "select_output",
]

LOCK = threading.RLock()
"""Held while a network runs: threads share the hooks and modes of modules."""

ATTENTION_SUFFIX = "/attention"
"""Ends the name of a layer that is the weights of attention; a module's name has no slash."""
_CONTAINERS = frozenset({"Sequential", "ModuleList", "ModuleDict", "Module"})
OutputHook = Callable[[LayerOutput], Tensor | None]
"""Called with each output; returns what the network goes on with, or None to leave it unchanged."""


class ModuleNetwork:
    """A module, run in eval mode whatever mode it is in."""

    channels_last = False

    def __init__(
        self,
        net: nn.Module,
        spec: InputSpec,
        *,
        kinds: Mapping[str, str] | None = None,
        batch: int | None = None,
        arguments: Arguments | None = None,
    ) -> None:
        """Wrap a module.

        Args:
            net: the module, left as it is.
            spec: the images that it takes.
            kinds: the classes of modules, with the Python module that defines them, where `net` has others.
            batch: how many images it takes; None: any number.
            arguments: what else it is called with.
        """
        self.net, self.input, self.batch, self.arguments = net, spec, batch, arguments
        self._kinds = kinds or {}
        self._modules = self._modules_then = tuple(net.modules())
        self._given = self._modules  # the user's own, where this is a copy
        self._attending: tuple[str, ...] = ()
        self._calls: Mapping[ResultKey, FunctionLayer] = {}
        self._named = tuple(_named_modules(net))
        self._buffers = BufferGuard()

    @property
    def versions(self) -> Mapping[str, str]:
        """torch's."""
        return {"torch": torch.__version__}

    def list_layers(self, x: Tensor) -> Listing:
        """All layers, by one pass on a native batch; later passes count calls as this one did. Hold `LOCK`."""
        listing = Listing()
        listing.axes.add(x, 1, 0)
        attention: list[str] = []
        args, kwargs = self._call_arguments(x)

        def list_attention(weights: Tensor) -> Tensor:
            attention.append(_attention_name(listing.frames[-1], attention))
            if attention[-1]:
                listing.attention(LayerOutput(attention[-1], "Attention", None, weights))
            return weights

        with self._kept(), ExitStack() as hooks:
            self._register(hooks, None, listing.module)
            listing.frames = track_module_calls(hooks, self._named, self._is_closed)
            hooks.enter_context(AttentionHooks(list_attention))
            hooks.enter_context(FunctionRecorder(listing))
            listing.output = self.net(*args, **kwargs)
        self._attending, self._calls = tuple(attention), listing.calls
        self._modules_then = tuple(self.net.modules())  # some networks make modules in their first pass
        return listing

    def run(self, x: Tensor, names: Collection[str], hook: OutputHook, changed: Collection[str] = ()) -> Any:
        """Run on a native batch. Hold `LOCK`.

        Args:
            x: images as the network takes them.
            names: layers whose outputs `hook` gets.
            hook: see `OutputHook`.
            changed: those at which `hook` may return another tensor, which an in-place function must know beforehand.
        """
        args, kwargs = self._call_arguments(x)
        with self._kept(), ExitStack() as hooks:
            self._register(hooks, names, hook)
            if any(ATTENTION_SUFFIX in name for name in names):
                hooks.enter_context(AttentionHooks(self._attention_hook(names, hook)))
            calls = {turn: call for turn, call in self._calls.items() if call.name in names}
            if calls:
                frames = track_module_calls(hooks, self._named, self._is_closed)
                see = lambda name, kind, y: _or(hook(LayerOutput(name, kind, None, y)), y)  # noqa: E731
                hooks.enter_context(FunctionHooks(frames, calls, changed, see))
            return self.net(*args, **kwargs)

    @contextmanager
    def _kept(self) -> Iterator[None]:
        """Within this block the network is in eval mode and learns nothing; it is what it was afterwards."""
        modules = self._modules
        with in_eval_mode(modules), without_parameter_gradients(modules), self._buffers.kept(modules):
            yield

    def refuse_changed(self) -> None:
        """Refuse a network whose modules are not those that were wrapped: its layers are not the ones listed.

        Raises:
            ModelError: with the name of a module that is new, or gone.
        """
        now, then = tuple(self.net.modules()), self._modules_then
        if len(now) != len(then) or any(a is not b for a, b in zip(now, then, strict=True)):
            raise _changed_modules(self._named, tuple(_named_modules(self.net)))

    def _call_arguments(self, x: Tensor) -> tuple[Sequence[Any], Mapping[str, Any]]:
        """What the network is called with, its other inputs as given; made before functions are hooked."""
        return self.arguments.for_images(x) if self.arguments else ((x,), {})

    def with_module(self, net: nn.Module) -> "ModuleNetwork":
        """The same way to run another module, a copy of this one's."""
        twin = ModuleNetwork(net, self.input, kinds=self._kinds, batch=self.batch, arguments=self.arguments)
        twin._attending, twin._calls, twin._given = self._attending, self._calls, self._given
        return twin

    def part(self, layer: object) -> nn.Module | None:
        """The module here that an object is: a module of the network that was wrapped, or torch.compile's of one."""
        module = getattr(layer, "_orig_mod", layer) if isinstance(layer, nn.Module) else None
        return next((own for given, own in zip(self._given, self._modules, strict=True) if given is module), None)

    def _attention_hook(self, names: Collection[str], hook: OutputHook) -> Callable[[Tensor], Tensor]:
        """Called with the weights of one attention after another; the listing says which layer each of them is."""
        turns = iter(range(1 << 30))

        def see(weights: Tensor) -> Tensor:
            turn = next(turns)
            name = self._attending[turn] if turn < len(self._attending) else ""
            return _or(hook(LayerOutput(name, "Attention", None, weights)), weights) if name in names else weights

        return see

    def _is_closed(self, path: str, module: nn.Module) -> bool:
        """Whether a module is one of torch's that computes: its output is a layer, its functions are not."""
        kind = self._kinds.get(path, f"{type(module).__module__}.{type(module).__qualname__}")
        return kind.startswith(("torch.nn.", "torch.ao.nn.")) and kind.rpartition(".")[2] not in _CONTAINERS

    def _kind(self, path: str, module: nn.Module) -> str:
        return self._kinds.get(path, type(module).__name__).rpartition(".")[2]

    def _register(self, hooks: ExitStack, names: Collection[str] | None, hook: OutputHook) -> None:
        """Call `hook` with the outputs of these layers, or of all; what `hooks` closes ends that."""
        calls: Counter[str] = Counter()
        thread = threading.get_ident()
        wanted = None if names is None else {name.partition("#")[0] for name in names}

        def see(base: str, module: nn.Module, output: Any) -> Any:
            if threading.get_ident() != thread:
                return None
            calls[base] += 1
            name = base if calls[base] == 1 else f"{base}#{calls[base]}"
            if names is not None and name not in names:
                return None
            return hook(LayerOutput(name, self._kind(base, module), module, output))

        for base, module in self._named:
            if wanted is None or base in wanted:
                handle = nn.Module.register_forward_hook(module, lambda m, _, y, base=base: see(base, m, y))
                hooks.callback(handle.remove)

    def weights(self, source: Any) -> dict[str, Array]:
        """Copies of one layer's own parameters."""
        return {} if source is None else read_weights(source)

    def other_weights(self, sources: Collection[Any]) -> list[Array]:
        """Copies of the parameters and statistics of modules that are not among these."""
        listed = {id(source) for source in sources}
        return [
            values for module in self._modules if id(module) not in listed for values in read_weights(module).values()
        ]

    def with_weights(self, changed: Mapping[nn.Module, Mapping[str, Array]]) -> "ModuleNetwork":
        """A copy of the network with other parameters, by module.

        Raises:
            ModelError: the module cannot be copied, or a parameter is computed from others.
        """
        twin = self.with_module(deep_copy(self.net))
        for module, values in changed.items():
            write_weights(twin.counterpart(self, module), values)
        return twin

    def counterpart(self, other: "ModuleNetwork", source: Any) -> Any:
        """The module here that is the copy of `source` in the other network."""
        twins = dict(zip(other._modules, self._modules, strict=True))
        return twins.get(source)


def _changed_modules(before: Sequence[tuple[str, nn.Module]], now: Sequence[tuple[str, nn.Module]]) -> ModelError:
    """The error for modules that were replaced, added or removed since the network was wrapped."""
    known, there = {id(module) for _, module in before}, {id(module) for _, module in now}
    new = [
        f"{name!r} is another module now ({type(module).__name__})" for name, module in now if id(module) not in known
    ]
    gone = [f"{name!r} is gone" for name, module in before if id(module) not in there]
    what = (new or gone or ["their order is another"])[0]
    return ModelError(f"the network's modules changed since crosslens.wrap: {what}; wrap it again: crosslens.wrap(net)")


def _or(given: Tensor | None, y: Tensor) -> Tensor:
    return y if given is None else given


def _attention_name(frame: ModuleCall, taken: Collection[str]) -> str:
    """A name for the weights of attention; empty where a Softmax module computes them, which is a layer itself."""
    if isinstance(frame.module, nn.Softmax):
        return ""
    name = f"{frame.path}{ATTENTION_SUFFIX}"
    before = sum(other == name or other.startswith(f"{name}#") for other in taken)
    return name if not before else f"{name}#{before + 1}"


def deep_copy(net: nn.Module) -> nn.Module:
    """A deep copy of a module.

    Raises:
        ModelError: it holds something that cannot be copied.
    """
    try:
        with LOCK, ignore_torch_deprecations():
            return copy.deepcopy(net)
    except Exception as error:
        raise ModelError(f"the {type(net).__name__} cannot be copied, which changing it needs: {error}") from error


@contextmanager
def ignore_torch_deprecations() -> Iterator[None]:
    """Within this block torch 2.13 does not warn of its own code, which runs while it copies an exported program."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*LeafSpec.* is deprecated", FutureWarning)
        yield


def _named_modules(net: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Modules by name, without torch.compile's wrappers and without the "@" of an exported program's further calls.

    `nn.Module`'s own methods set hooks on a TorchScript module, which refuses them; on the modules inside none fires.
    """
    for name, module in net.named_modules():
        base = ".".join(part.partition("@")[0] for part in name.split(".") if part != "_orig_mod")
        if base and not hasattr(module, "_orig_mod"):
            yield base, module


def select_output(y: Any, chosen: int | str | None) -> Tensor:
    """The output to explain, of a tensor, a sequence, a mapping or a dataclass of tensors; (N,) as (N, 1).

    Raises:
        ModelError: there are several and none is chosen, or the chosen one does not exist; the message names them.
    """
    tensors = _named_outputs(y)
    names = list(tensors)
    if not tensors:
        raise ModelError(f"the network returns a {type(y).__name__} without a tensor; it must return one, or several")
    if chosen is None and len(tensors) > 1:
        raise ModelError(f"the network has {len(tensors)} outputs, {names}; choose one: wrap(net, output={names[0]!r})")
    if isinstance(chosen, int):
        if not 0 <= chosen < len(tensors):
            raise ModelError(f"output {chosen} is out of range; the network has {len(tensors)} outputs, {names}")
        chosen = names[chosen]
    if chosen is not None and chosen not in tensors:
        raise ModelError(f"the network has no output {chosen!r}; it has {names}")
    y = tensors[names[0] if chosen is None else chosen]
    if y.is_complex():
        raise ModelError(
            f"the network returns complex numbers ({y.dtype}), which have no order to explain; wrap a module that "
            "returns real ones: y.abs(), for example"
        )
    return y.unsqueeze(1) if y.ndim == 1 else y


def _named_outputs(y: Any) -> dict[str, Tensor]:
    if isinstance(y, Tensor):
        return {"output": y}
    if is_dataclass(y) and not isinstance(y, Mapping):
        y = {field.name: getattr(y, field.name) for field in fields(y)}
    if isinstance(y, Mapping):
        return {str(name): each for name, each in y.items() if isinstance(each, Tensor)}
    names = getattr(y, "_fields", None) or range(len(y) if isinstance(y, list | tuple) else 0)
    return {str(name): each for name, each in zip(names, y, strict=True) if isinstance(each, Tensor)} if names else {}
