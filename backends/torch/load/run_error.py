"""The error of a network that does not run: torch's reason, and what to type next."""

import inspect
import re
import typing
from collections.abc import Mapping, Sequence
from typing import Any

from crosslens.errors import CrosslensError, ImageError, ModelError
from torch import nn

from .held_inputs import forward_parameters, held_shapes

__all__ = ["run_error"]

_SIZES = re.compile(
    r"shapes cannot be multiplied|size mismatch|is invalid for input of size|must match the size|Expected size"
    r"|channels|too small|greater than actual input size|Sizes of tensors must match|output size is too small|view size"
    r"|normalized_shape|expanded size|not divisible|running_mean should contain|split_with_sizes|cannot reshape|stride"
)
"""Parts of torch's messages where an image has another size than a layer was built for."""


def run_error(network: Any, shape: tuple[int, ...], error: BaseException) -> CrosslensError:
    """The error of a network that does not run on a batch.

    Args:
        network: a `ModuleNetwork` or its like.
        shape: of the batch.
        error: what was raised.

    Returns:
        ImageError where the network runs on images of another size, else ModelError.
    """
    if isinstance(error, SystemExit):
        return ModelError(
            f"the network's forward method ends the program (sys.exit({error.code!r})); take that out of it"
        )
    reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
    own = network.input.example_shape
    if shape[1:] == own:
        advice = _advice(network, reason)
        return ModelError(
            f"the network does not run on a batch of shape {shape}: {reason}" + (advice and f". {advice}")
        )
    return ImageError(f"the network runs on {own}, but not on images of shape {shape}: {reason}")


def _advice(network: Any, reason: str) -> str:
    """What to type; empty where that is unknown."""
    given = getattr(network, "arguments", None)
    if given is not None:
        return f"Its other inputs hold arrays of shape {held_shapes(given)}" if held_shapes(given) else ""
    net: nn.Module = network.net
    takes = [p for p in forward_parameters(net).values() if p.kind not in {p.VAR_KEYWORD, p.VAR_POSITIONAL}]
    if takes and _is_container(takes[0]):
        name = takes[0].name
        typed = f"wrap(net, inputs={{{name!r}: [None]}})"
        return f"It takes {name!r}, a list or mapping; give it with None for the image, {typed}"
    if _SIZES.search(reason):
        return "If it takes another size, say so: wrap(net, input_shape=(C, H, W))"
    return ""


def _is_container(parameter: inspect.Parameter) -> bool:
    """Whether an annotation says that a list, a tuple or a mapping is taken."""
    kind = parameter.annotation
    if isinstance(kind, str):
        return bool(re.match(r"(typing\.)?(list|tuple|dict|sequence|mapping|iterable)\b", kind, re.IGNORECASE))
    origin = typing.get_origin(kind) or kind
    return isinstance(origin, type) and issubclass(origin, list | tuple | dict | Sequence | Mapping)
