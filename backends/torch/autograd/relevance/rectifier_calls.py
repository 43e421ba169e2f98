"""Which calls are rectifiers, whose gradient `Model.modified(relu=)` may have changed."""

from .function_calls import FunctionCall

__all__ = ["is_clip_from_zero", "is_rectifier"]

_LOWEST = {"clamp": "min", "clip": "min", "clamp_min": "min", "hardtanh": "min_val"}


def is_rectifier(call: FunctionCall) -> bool:
    """Whether it is ReLU, ReLU6, LeakyReLU, PReLU, or a clip from 0."""
    if call.name in {"relu", "relu6", "leaky_relu", "prelu", "prelu_kernel"}:
        return True
    lowest = call.argument(1, _LOWEST[call.name]) if call.name in _LOWEST else None
    return isinstance(lowest, int | float) and not isinstance(lowest, bool) and lowest == 0


def is_clip_from_zero(call: FunctionCall) -> bool:
    """Whether it is ReLU, ReLU6, or another clip from 0, of one tensor."""
    slopes = {"leaky_relu", "prelu", "prelu_kernel"}
    return len(call.varying) == 1 and call.name not in slopes and is_rectifier(call)
