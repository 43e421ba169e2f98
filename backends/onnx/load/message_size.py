"""How many messages a file would become: two bytes can be a node, and a node takes hundreds of bytes in memory."""

from crosslens.limits.memory import check_memory
from google.protobuf.descriptor import Descriptor, FieldDescriptor  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]
from onnx import ModelProto

from .protobuf_wire import fields

__all__ = ["refuse_many_messages"]

MOST_MESSAGES = 5_000_000
"""Maximum number of messages in a file; a network of 10,000 nodes has 100,000."""
BYTES_PER_MESSAGE = 400
"""Memory that an empty message takes, by protobuf and by Python together."""
UNCOUNTED = 4 << 20
"""Bytes of a file, weights apart, up to which nothing is counted: it can be two million messages at most."""
_SHORTEST = 2


def refuse_many_messages(content: bytes) -> None:
    """Refuse a file whose messages would not fit into memory, before they are made.

    Args:
        content: the file without its large weights.

    Raises:
        DecodeError: it is not protobuf, or has more than `MOST_MESSAGES` messages.
        MemoryLimitError: there is no room for them.
    """
    if len(content) > UNCOUNTED:
        check_memory(BYTES_PER_MESSAGE * _count(content), "the network's graph", "take a smaller network")


def _count(content: bytes) -> int:
    count, waiting = 1, [(ModelProto.DESCRIPTOR, 0, len(content))]
    while waiting:
        message, start, stop = waiting.pop()
        for field in fields(content, start, stop):
            inner = _message(message, field.number)
            count += inner is not None
            if inner is not None and field.end - field.content >= _SHORTEST:
                waiting.append((inner, field.content, field.end))
        if count > MOST_MESSAGES:
            raise DecodeError(f"it has more than {MOST_MESSAGES:,} parts")
    return count


def _message(around: Descriptor, number: int) -> Descriptor | None:
    """The kind of message that a field of this number holds; None for numbers, text and unknown fields."""
    field = around.fields_by_number.get(number)
    return field.message_type if field is not None and field.type == FieldDescriptor.TYPE_MESSAGE else None
