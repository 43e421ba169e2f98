"""Backward rules at rectifiers in all their forms: layers, activations, keras.ops, tf.nn.

TensorFlow's own operations (Relu, Relu6, LeakyRelu) get another gradient by `gradient_override_map`. A `GradientTape`
ignores that map in silence; this backend differentiates by `tf.gradients`, which obeys it. Rectifiers that are built of
several operations (PReLU, ReLU with a slope and a maximum, clip) are replaced as functions while one thread traces. A
rectifier that neither way reaches is refused, never silently left exact.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from itertools import product
from typing import Any

import keras
import tensorflow as tf
from crosslens.errors import ModelError
from crosslens.model import BACKWARD_RULES
from keras.src.activations.activations import ReLU
from keras.src.backend.tensorflow import nn as keras_nn

from .layers.layer_calls import replace_attribute

__all__ = ["SCOPE", "Rectifiers", "apply_rule", "has_ruled_rectifiers", "refusing_functions"]

SCOPE = "crosslens_rectifier"
"""Stands in the names of operations that a rule has wrapped."""
_OPERATIONS = {
    "Relu": lambda op, dy: tf.raw_ops.ReluGrad(gradients=dy, features=op.outputs[0]),
    "Relu6": lambda op, dy: tf.raw_ops.Relu6Grad(gradients=dy, features=op.outputs[0]),
    "LeakyRelu": lambda op, dy: tf.raw_ops.LeakyReluGrad(
        gradients=dy, features=op.inputs[0], alpha=op.get_attr("alpha")
    ),
}
_OWN = "_gradient_op_type"
_TENSOR_NAMES = ("x", "t")
_here = threading.local()


class Rectifiers:
    """One trace under one rule: the rectifiers that are built of several operations."""

    def __init__(self, rule: str) -> None:
        self.rule = rule
        self.met = 0
        self.inside = False

    def __call__(self, f: Callable[[Any], Any], x: Any) -> Any:
        """`f(x)` with the backward rule; the outermost rectifier counts, those that it is built of do not."""
        if self.inside or not (tf.is_tensor(x) and x.dtype.is_floating):
            return f(x)
        self.met += 1
        with self._within():
            return _with_rule(f, self.rule)(x)

    def exactly(self, call: Callable[[], Any]) -> Any:
        """Call a function that is built of a rectifier but is not one (hard sigmoid is relu6(x + 3) / 6)."""
        if self.inside:
            return call()
        with self._within():
            return call()

    @contextmanager
    def _within(self) -> Iterator[None]:
        self.inside = True
        try:
            with tf.name_scope(SCOPE), _graph().gradient_override_map({kind: kind for kind in _OPERATIONS}):
                yield
        finally:
            self.inside = False


def _with_rule(f: Callable[[Any], Any], rule: str) -> Callable[[Any], Any]:
    """An elementwise rectifier f with the backward rule of `Model.modified`."""

    @tf.custom_gradient  # type: ignore[untyped-decorator]
    def rectify(x: Any) -> Any:
        with tf.name_scope(SCOPE):
            y = f(x)

        def gradient(dy: Any, variables: Any = None) -> Any:
            dx = _by_rule(rule, lambda dy: _derivative(f, x, dy), dy)
            return dx if variables is None else (dx, [None] * len(variables))

        return y, gradient

    return rectify  # type: ignore[no-any-return]


def _by_rule(rule: str, derivative: Callable[[Any], Any], dy: Any) -> Any:
    """The formula of `Model.modified`, with `derivative` for the product with f'."""
    if rule in {"guided", "deconvnet"}:
        dy = tf.where(dy > 0, dy, tf.zeros_like(dy))
    return dy if rule in {"deconvnet", "linear"} else derivative(dy)


def _register(rule: str, kind: str) -> None:
    @tf.RegisterGradient(_gradient_name(rule, kind))  # type: ignore[untyped-decorator]
    def gradient(op: Any, dy: Any) -> Any:
        return _by_rule(rule, lambda dy: _OPERATIONS[kind](op, dy), dy)


def _gradient_name(rule: str, kind: str) -> str:
    return f"Crosslens{rule.title()}{kind}"


for _rule, _kind in product(BACKWARD_RULES[1:], _OPERATIONS):
    _register(_rule, _kind)


def _graph() -> Any:
    return tf.compat.v1.get_default_graph()


def _derivative(f: Callable[[Any], Any], x: Any, dy: Any) -> Any:
    with tf.GradientTape() as tape, tf.name_scope(SCOPE):
        tape.watch(x)
        y = f(x)
    return tape.gradient(y, x, dy)


@contextmanager
def apply_rule(rectifiers: Rectifiers) -> Iterator[None]:
    """Within the block, rectifiers called in this thread go through `rectifiers`. Hold the tracing lock."""
    with ExitStack() as stack:
        for owner, name in _rectifier_functions():
            stack.enter_context(replace_attribute(owner, name, _intercept(owner.__dict__[name])))
        for name in ("hard_sigmoid", "hard_silu"):
            stack.enter_context(replace_attribute(keras_nn, name, _keep_exact(getattr(keras_nn, name))))
        kinds = {kind: _gradient_name(rectifiers.rule, kind) for kind in _OPERATIONS}
        stack.enter_context(_graph().gradient_override_map(kinds))
        stack.enter_context(refusing_functions("another backward rule"))
        _here.rectifiers = rectifiers
        try:
            yield
        finally:
            del _here.rectifiers


def _rectifier_functions() -> Iterator[tuple[Any, str]]:
    yield ReLU, "static_call"
    yield keras.layers.PReLU, "call"
    yield tf, "clip_by_value"


def _intercept(original: Any) -> Any:
    if isinstance(original, staticmethod):
        return staticmethod(_intercept(original.__func__))

    def call(*args: Any, **kwargs: Any) -> Any:
        rectifiers = getattr(_here, "rectifiers", None)
        if rectifiers is None:
            return original(*args, **kwargs)
        named = next((name for name in _TENSOR_NAMES if name in kwargs), None)
        if named:
            x = kwargs.pop(named)
            return rectifiers(lambda x: original(*args, **{named: x}, **kwargs), x)
        owner, (x, *rest) = _split(args)
        return rectifiers(lambda x: original(*owner, x, *rest, **kwargs), x)

    return call


def _split(args: tuple[Any, ...]) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """A method's own object apart from what it is called on."""
    return (args[:1], args[1:]) if isinstance(args[0], keras.Layer) else ((), args)


def _keep_exact(original: Any) -> Any:
    def call(*args: Any, **kwargs: Any) -> Any:
        rectifiers = getattr(_here, "rectifiers", None)
        if rectifiers is None:
            return original(*args, **kwargs)
        return rectifiers.exactly(lambda: original(*args, **kwargs))

    return call


@contextmanager
def refusing_functions(what: str) -> Iterator[None]:
    """Within the block, a `tf.function` of the network's own is refused: it would keep what is traced into it."""
    function = type(tf.function(lambda: None))
    original = function.__call__
    thread = threading.get_ident()

    def call(self: Any, *args: Any, **kwargs: Any) -> Any:
        module = getattr(self.python_function, "__module__", None) or ""
        if threading.get_ident() == thread and not module.startswith(("keras.", "crosslens.")):
            raise ModelError(
                f"the network calls the tf.function {self.__name__!r}, into which {what} cannot reach; "
                "wrap a model that calls the plain function instead"
            )
        return original(self, *args, **kwargs)

    with replace_attribute(function, "__call__", call):
        yield


def has_ruled_rectifiers(graph: Any) -> bool:
    """Whether a traced graph holds rectifiers of TensorFlow's own under the rule.

    Raises:
        ModelError: it holds some that are not, named in the message.
    """
    definition = graph.as_graph_def()
    nodes = [*definition.node, *(node for f in definition.library.function for node in f.node_def)]
    outside = [node for node in nodes if node.op in _OPERATIONS and SCOPE not in node.name]
    missed = [node.name for node in outside if not node.attr[_OWN].s.startswith(b"Crosslens")]
    if missed:
        names = ", ".join(missed[:4])
        raise ModelError(
            f"the backward rule cannot reach the rectifiers {names} inside a loop or a compiled function; "
            "call them outside it"
        )
    return bool(outside)
