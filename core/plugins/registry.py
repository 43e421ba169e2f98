"""Finding plugins by their entry points: names from metadata at once, code only when something is asked for.

pluggy's own loader drops the second of two plugins with one name in silence, lets one failing import end every
command, accepts a misspelled hook and imports everything. This one refuses twins, names the guilty distribution, goes
on with the others, and imports one module when it is needed.
"""

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import MISSING, dataclass
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any, TypeVar

import pluggy

from ..errors import ModelError, ParameterError, PluginError, did_you_mean, unknown_name
from ..execution.notices import notice
from ..method.base import Method
from ..method.dataset import AnyMethod, DatasetMethod
from ..method.parameter import parameters
from ..method.preset import with_preset
from . import hookspecs
from .demo_network import DemoNetwork
from .familiar_names import familiar, nearest

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint  # it brings email and socket, which take a tenth of the start

__all__ = [
    "BACKENDS", "DEMO_NETWORKS", "METHODS", "STYLE_FILES", "STYLE_TRAINERS", "Listing", "Plugin", "backends",
    "demo_network", "demo_networks", "difference_of", "image_method_class", "image_methods", "is_method", "load",
    "method", "method_class", "methods", "plugin", "plugins", "with_parameters",
]  # fmt: skip

M = TypeVar("M", Method, DatasetMethod, AnyMethod)
METHODS = "crosslens.methods"
BACKENDS = "crosslens.backends"
DEMO_NETWORKS = "crosslens.demo_networks"
STYLE_FILES = "crosslens.style_files"
STYLE_TRAINERS = "crosslens.style_trainers"


@dataclass(frozen=True)
class Plugin:
    """One entry point: which distribution brings which module under which name."""

    group: str
    name: str
    module: str
    distribution: str
    version: str

    def __str__(self) -> str:
        return f"{self.name!r} of {self.distribution} {self.version}"


@cache
def plugins(group: str) -> tuple[Plugin, ...]:
    """All plugins of a group, from metadata alone; nothing is imported. Twins are both listed."""
    entries = {Plugin(group, point.name, point.value, name, version) for name, version, point in _entry_points(group)}
    return tuple(sorted(entries, key=lambda p: (p.distribution != "crosslens", p.distribution, p.name)))


def _entry_points(group: str) -> Iterator[tuple[str, str, "EntryPoint"]]:
    """Name and version of a distribution are looked up where it brings something: each look-up parses its metadata."""
    from importlib.metadata import distributions

    for distribution in distributions():
        if points := [point for point in distribution.entry_points if point.group == group]:
            name, version = distribution.metadata["Name"], distribution.version
            yield from ((name, version, point) for point in points)


def plugin(group: str, name: str) -> Plugin:
    """The only plugin of this name.

    Raises:
        PluginError: none has the name, or more than one distribution does.
    """
    known = plugins(group)
    matches = [p for p in known if p.name == name]
    if not matches:
        kind = group.rpartition(".")[2]
        hint = did_you_mean(name, [p.name for p in known])
        command = "methods" if kind == "methods" else "plugins"
        raise PluginError(f"no plugin named {name!r} among the {kind}.{hint} `crosslens {command}` lists them.")
    if len(matches) > 1:
        owners = " and ".join(f"{p.distribution} {p.version} ({p.module})" for p in matches)
        raise PluginError(f"{name!r} is claimed by {owners}; uninstall one of them")
    return matches[0]


@cache
def load(entry: Plugin) -> pluggy.PluginManager:
    """A plugin's hooks, its module imported and checked.

    Raises:
        PluginError: the import fails or a hook is misspelled; the message names the distribution.
    """
    manager = pluggy.PluginManager("crosslens")
    manager.add_hookspecs(hookspecs)
    try:
        module = import_module(entry.module)
        _refuse_misspelled(entry, module)
        manager.register(module, name=entry.name)
    except PluginError:
        raise
    except ImportError as error:
        missing = f"; is an extra missing? pip install 'crosslens[{entry.name.lstrip('.')}]'" * _ours(entry)
        raise PluginError(f"plugin {entry} cannot be imported: {error}{missing}") from error
    except Exception as error:
        raise PluginError(f"plugin {entry} is broken: {type(error).__name__}: {error}") from error
    return manager


def _ours(entry: Plugin) -> bool:
    return entry.distribution == "crosslens"


def _refuse_misspelled(entry: Plugin, module: ModuleType) -> None:
    hooks = {name for name in vars(hookspecs) if name.startswith("crosslens_")}
    written = {name for name in vars(module) if name.startswith("crosslens_")}
    for name in sorted(written - hooks):
        raise PluginError(f"plugin {entry} has no hook {name!r} to implement.{did_you_mean(name, hooks)}")
    if not any(hasattr(getattr(module, name), "crosslens_impl") for name in written):
        raise PluginError(f"plugin {entry} implements no hook; mark one of {sorted(hooks)} with @crosslens.hookimpl")


def method(name: str, *, preset: str | None = None, **values: Any) -> Any:
    """A `Method`, or a `DatasetMethod`, by name, with its parameters.

    Args:
        name: one of `crosslens.methods()`; other spellings ("GradCAM"), and names that other libraries use ("ig"), mean
            the same method. Where theirs differs ("saliency"), it is said once how, through `logging`.
        preset: a library, "captum" for example, whose default output is to be reproduced: its values of the parameters
            that are not given, and its steps on the values; `crosslens methods NAME` lists those there are.
        values: the method's parameters.

    >>> method("grad_cam").name
    'grad_cam'

    Raises:
        PluginError: no such method, or its plugin fails.
        ParameterError: the method has no such parameter or preset, or one without a default is not given.
    """
    kind = method_class(_text(name))
    if difference := difference_of(name):
        notice(difference)
    if preset:
        kind = with_preset(kind, preset)
    return with_parameters(kind, values)


def _text(name: object) -> str:
    if isinstance(name, str):
        return name
    if isinstance(name, Method | DatasetMethod):
        raise ParameterError(f"this is a method already, {name.name}: call it, method(model, images)")
    what = name.__name__ if isinstance(name, type) else type(name).__name__
    raise ParameterError(f"a method is asked for by its name, 'grad_cam' for example; this is {what}")


def image_method_class(name: str) -> type[Method]:
    """The class of a method on single images by name.

    Raises:
        PluginError: no such method, or one that works over a data set.
    """
    kind = method_class(name)
    if issubclass(kind, DatasetMethod):
        raise PluginError(
            f"{name} works over a data set, not on single images: run it with `crosslens run {name} MODEL DATA`"
        )
    return kind


def image_methods() -> tuple[str, ...]:
    """The names of all methods on single images, those over a data set left out; imports every method's module."""
    return tuple(name for name in methods() if issubclass(method_class(name), Method))


def method_class(name: str) -> type[AnyMethod]:
    """The class of a method by name, on single images or over a data set; imports its module only.

    A name that no method has may be another spelling of one, or an alias: then all modules of methods are imported.

    Raises:
        PluginError: no such method, or its plugin fails.
    """
    if name not in methods() and (found := familiar(name, methods(), _loadable_classes)):
        name = found.name
    elif name not in methods() and (text := nearest(name, _loadable_classes())):
        raise PluginError(text)
    return _class_of(plugin(METHODS, name), name)


def is_method(name: str) -> bool:
    """Whether a method has this name, in any spelling, or as an alias."""
    return name in methods() or familiar(name, methods(), _loadable_classes) is not None


def difference_of(name: str) -> str:
    """How what other libraries call so differs from the method that the name means here; empty where it does not."""
    found = None if name in methods() else familiar(name, methods(), _loadable_classes)
    return f"{name!r} is {found.name} here: {found.difference}" if found and found.difference else ""


@cache
def _loadable_classes() -> tuple[type[AnyMethod], ...]:
    """The classes of all methods; those of a plugin that fails, which `crosslens plugins` names, are left out."""
    classes = []
    for name in methods():
        with suppress(PluginError):
            classes.append(_class_of(plugin(METHODS, name), name))
    return tuple(classes)


def _class_of(entry: Plugin, name: str) -> type[AnyMethod]:
    classes = [each for group in load(entry).hook.crosslens_methods() for each in group]
    for each in classes:
        if each.name == name:
            return each  # type: ignore[no-any-return]
    names = [each.name for each in classes]
    raise PluginError(f"plugin {entry} brings the methods {names}, none called {name!r} as its entry point says")


def with_parameters(kind: type[M], values: Mapping[str, Any]) -> M:
    """A method of this class with these parameters.

    Raises:
        ParameterError: the method has no such parameter, or one without a default is not given.
    """
    known = [p.name for p in parameters(kind)]
    for name in values:
        if name not in known:
            raise ParameterError(unknown_name("parameter", name, known, of=kind.name))
    missing = [p.name for p in parameters(kind) if p.default is p.default_factory is MISSING and p.name not in values]
    if missing:
        raise ParameterError(f"{kind.name} needs {', '.join(f'{name}=' for name in missing)}: it has no default")
    return kind(**values)


def methods() -> tuple[str, ...]:
    """The names of all methods there are; nothing is imported."""
    return _names(METHODS)


def backends() -> tuple[str, ...]:
    """The root modules whose objects, and the suffixes whose files, can be wrapped; nothing is imported."""
    return _names(BACKENDS)


def demo_networks() -> Mapping[str, DemoNetwork]:
    """The networks of "demo:NAME" by name; no framework is imported.

    Raises:
        PluginError: a plugin fails, or two of them offer one name.
    """
    networks: dict[str, DemoNetwork] = {}
    for each in plugins(DEMO_NETWORKS):
        hook = load(plugin(DEMO_NETWORKS, each.name)).hook.crosslens_demo_networks
        for network in (network for offered in hook() for network in offered):
            if network.name in networks:
                raise PluginError(f"the demo network {network.name!r} of {each} is offered by another plugin already")
            networks[network.name] = network
    return networks


def demo_network(name: str) -> DemoNetwork:
    """The network of "demo:NAME".

    Raises:
        ModelError: no plugin offers one of this name.
    """
    networks = demo_networks()
    if name not in networks:
        raise ModelError(unknown_name("demo network", name, sorted(networks)))
    return networks[name]


def _names(group: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(p.name for p in plugins(group)))


class Listing(ModuleType):
    """A package that answers like the function of its name: `crosslens.methods()` works before and after its import.

    The import system puts the package in the function's place as soon as one of its modules is imported.
    """

    def __call__(self) -> tuple[str, ...]:
        return _names(self.__name__)
