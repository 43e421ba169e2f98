"""The boundary of this backend: whatever fails inside becomes an error of one line that names the node.

A rule, an upgrade or a definition of a fused operator is a function that is given the node. So the innermost call on
the way to the failure that has a node among its parameters was working on it, and nothing else has to say so.
"""

from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import cached_property, wraps
from types import FunctionType, TracebackType
from typing import Any, TypeVar

from crosslens.errors import CrosslensError, MemoryLimitError, ModelError
from crosslens.occlusion import NoStagesError
from crosslens.receptive.fields import NoFieldsError
from onnx import NodeProto

from .ir.graph import DynamicShapeError, Node
from .ir.onnxruntime_errors import in_one_line
from .runtime.traced_array import NotTraceableError

__all__ = ["one_line_errors", "readable_failures"]

_FORESEEN = (CrosslensError, DynamicShapeError, NoFieldsError, NoStagesError, NotTraceableError)
"""What callers know and answer to."""
Wrapped = TypeVar("Wrapped", bound=type)


@contextmanager
def readable_failures(doing: str) -> Iterator[None]:
    """Turn what was not foreseen inside the `with` block into one line; KeyboardInterrupt passes.

    Args:
        doing: as the message says it: "cannot `doing`: at Conv 'conv1': ...".

    Raises:
        ModelError: names the node, if one was being worked on, and what is wrong.
        MemoryLimitError: there is not enough memory.
    """
    try:
        yield
    except _FORESEEN:
        raise
    except MemoryError as error:
        raise MemoryLimitError(
            f"cannot {doing}: {_where(error)}there is not enough memory; take smaller images or a smaller network"
        ) from error
    except Exception as error:
        raise ModelError(f"cannot {doing}: {_where(error)}{in_one_line(_reason(error))}") from error


def one_line_errors(doing: str, *, but: Collection[str] = ()) -> Callable[[Wrapped], Wrapped]:
    """A decorator of classes: their methods and properties fail by `readable_failures` only.

    Args:
        doing: as for `readable_failures`.
        but: methods that call functions of the user's, whose errors are the user's.
    """

    def decorate(decorated: Wrapped) -> Wrapped:
        for name, member in list(vars(decorated).items()):
            if name not in but and (not name.startswith("__") or name == "__init__"):
                setattr(decorated, name, _guarded(decorated, name, member, doing))
        return decorated

    return decorate


def _guarded(owner: type, name: str, member: Any, doing: str) -> Any:
    if isinstance(member, FunctionType):
        return _guarded_call(member, doing)
    if isinstance(member, cached_property):
        guarded: cached_property[Any] = cached_property(_guarded_call(member.func, doing))
        guarded.__set_name__(owner, name)
        return guarded
    if isinstance(member, property) and member.fget is not None:
        return property(_guarded_call(member.fget, doing), doc=member.__doc__)
    return member


def _guarded_call(call: Callable[..., Any], doing: str) -> Callable[..., Any]:
    @wraps(call)
    def guarded(*args: Any, **options: Any) -> Any:
        with readable_failures(doing):
            return call(*args, **options)

    return guarded


def _reason(error: BaseException) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"a name or text in it is not UTF-8: {error.object[:40]!r}"
    if isinstance(error, RecursionError):
        return "it is nested too deeply"
    text = str(error).strip().partition("\n")[0]
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _where(error: BaseException) -> str:
    node = _node_at(error.__traceback__)
    return "" if node is None else f"at {in_one_line(_label(node), 120)}: "


def _node_at(trace: TracebackType | None) -> Node | NodeProto | None:
    """The node that the innermost call with such a parameter was given."""
    found = None
    while trace is not None:
        frame = trace.tb_frame
        code, values = frame.f_code, frame.f_locals
        given = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        found = next((v for name in given if isinstance(v := values.get(name), Node | NodeProto)), found)
        trace = trace.tb_next
    return found


def _label(node: Node | NodeProto) -> str:
    """Operator and name, or the first output; a name that is not UTF-8 cannot be read."""
    try:
        op, outputs = (node.op, node.outputs) if isinstance(node, Node) else (node.op_type, node.output)
        return f"{op} {node.name or next(iter(outputs), '')!r}"
    except UnicodeDecodeError:
        return "a node whose name is not UTF-8"
