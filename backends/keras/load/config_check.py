"""The description of a Keras model, read without Keras: refused where loading would run code or read other files.

Keras builds what the description names. Named may be: layers, operations and what they hold, by the modules in which
Keras XX
"""

import builtins
import re
from collections.abc import Iterator, Mapping
from typing import Any

import keras
from crosslens.errors import ModelError

__all__ = ["refuse_unsafe_config"]

_ALLOW = "if you trust where it comes from, open it all the same: wrap(path, trust=True)"
_ROOMS = r"(layers|models|initializers|regularizers|constraints|activations|ops|dtype_policies|quantizers|random)"
_CLASSES = re.compile(
    rf"keras|keras\.(api\.)?(_tf_keras\.keras\.)?({_ROOMS[1:-1]}|optimizers|losses|metrics|mixed_precision)(\.\w+)*"
    rf"|keras\.src\.({_ROOMS[1:-1]}|optimizers|losses|metrics|engine|mixed_precision|backend)(\.\w+)*"
    r"|keras\.engine(\.\w+)*"
)
_FUNCTIONS = re.compile(
    r"keras\.(src\.)?(activations|ops|initializers|regularizers|constraints|losses|metrics|random)(\.\w+)*"
)
_RUN_OTHERS = {
    "TFSMLayer": "loads a SavedModel from another place",
    "TorchModuleWrapper": "is a pickle",
    "JaxLayer": "is a program",
    "FlaxLayer": "is a program",
    "__typespec__": "names types of TensorFlow",
}
_NUMBERS = re.compile(r"bool|bfloat16|float(16|32|64)|u?int(8|16|32|64)|complex(64|128)")
_MOST_CALLS = 1_000_000


def refuse_unsafe_config(config: Any, path: object) -> None:
    """Refuse a description that names code, files, or more calls of layers than can be traced.

    Raises:
        ModelError: with the name.
    """
    for node in _nodes(config):
        name = str(node.get("class_name"))
        if name in {"Lambda", "__lambda__"} and _holds_code(node):
            raise ModelError(f"'{path}' holds a Lambda layer, Python code that loading would run; {_ALLOW}")
        if name in _RUN_OTHERS:
            raise ModelError(f"'{path}' holds a {name}, which {_RUN_OTHERS[name]}; {_ALLOW}")
        if "class_name" in node and not _is_known(node):
            raise ModelError(
                f"Keras cannot load '{path}': {_named(node)} is no layer or function of Keras that computes, and no "
                "class that you registered; if it is your own, load it with "
                "keras.models.load_model(path, custom_objects=...) and wrap that"
            )
        for key in ("vocabulary", "idf_weights"):
            if isinstance(node.get(key), str):
                raise ModelError(f"'{path}' reads the file {node[key][:80]!r} as its {key} when it is loaded; {_ALLOW}")
    calls = _calls(config)
    if calls > _MOST_CALLS:
        raise ModelError(f"'{path}' calls its layers {calls:.1e} times; at most {_MOST_CALLS:,} calls are traced")


def _holds_code(node: Mapping[str, Any]) -> bool:
    """Whether the function of a Lambda layer is Python byte code, not the name of one."""
    if node["class_name"] == "__lambda__":
        return True
    inner = node.get("config")
    function = inner.get("function") if isinstance(inner, dict) else None
    return not (isinstance(function, str) or (isinstance(function, dict) and function.get("class_name") == "function"))


def _is_known(node: Mapping[str, Any]) -> bool:
    """Whether what a node names may be built."""
    kind, module, inner = node["class_name"], node.get("module"), node.get("config")
    if not isinstance(kind, str) or not isinstance(module, str | None):
        return False
    if kind in {"__numpy__", "__tensor__"}:
        return isinstance(inner, dict) and bool(_NUMBERS.fullmatch(str(inner.get("dtype"))))
    if kind == "function":
        own = _is_registered(inner) or _is_registered(node.get("registered_name"))
        plain = module in {None, "builtins"} and not hasattr(builtins, str(inner))
        return isinstance(inner, str) and (own or plain or bool(_FUNCTIONS.fullmatch(module or "")))
    if module is None or _CLASSES.fullmatch(module):
        return True
    return _is_registered(node.get("registered_name") or kind)


def _is_registered(name: Any) -> bool:
    return isinstance(name, str) and keras.saving.get_registered_object(name) is not None


def _named(node: Mapping[str, Any]) -> str:
    name = node.get("config") if node["class_name"] == "function" else node["class_name"]
    return f"{node.get('module')}.{name}"[:120]


def _nodes(config: Any) -> Iterator[dict[str, Any]]:
    """Each mapping in a JSON document."""
    ahead = [config]
    while ahead:
        node = ahead.pop()
        if isinstance(node, dict):
            yield node
            ahead += node.values()
        elif isinstance(node, list):
            ahead += node


def _calls(node: Any) -> float:
    """How often layers are called: a model within a model runs all its layers each time it is called."""
    if isinstance(node, list):
        return sum(_calls(each) for each in node)
    if not isinstance(node, dict):
        return 0
    inner = sum(_calls(each) for key, each in node.items() if key not in {"inbound_nodes", "build_config"})
    places = node.get("inbound_nodes")
    return max(1, len(places)) * max(1.0, inner) if isinstance(places, list) else inner
