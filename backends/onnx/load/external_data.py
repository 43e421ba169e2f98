"""Weights in a file beside the model: only the bytes that a tensor needs, of an ordinary file in the model's folder."""

from pathlib import Path

from crosslens.limits.memory import check_memory
from onnx import TensorProto, checker, external_data_helper

from ..ir.tensor_values import byte_count

__all__ = ["load_external_data"]


def load_external_data(tensor: TensorProto, folder: str) -> None:
    """Read a tensor's bytes into the tensor, in place. onnx opens the file, inside the folder only, by no link.

    Raises:
        ValueError, OSError: it is not an ordinary file in the folder, or holds other bytes than the tensor needs.
        MemoryLimitError: there is no room for them.
    """
    needed = byte_count(tensor)
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location, called = entries.get("location", ""), f"the external weights {tensor.name[:80]!r}"
    path = Path(folder, location)
    if "\0" in location or not location or (path.exists() and not path.is_file()):
        raise ValueError(f"{called} are in {location[:200]!r}, which is not an ordinary file beside the model")
    if entries.get("length", str(needed)) != str(needed):
        raise ValueError(
            f"{called} are said to be {entries['length'][:40]} bytes of {location[:200]!r}, but their type and dims "
            f"take {needed}"
        )
    check_memory(needed, called, "take a smaller network")
    if "length" not in entries:
        tensor.external_data.add(key="length", value=str(needed))
    try:
        external_data_helper.load_external_data_for_tensor(tensor, folder)
    except (OSError, RuntimeError, ValueError, checker.ValidationError) as error:
        said = str(error).strip().partition("\n")[0]
        raise ValueError(f"{called} cannot be read from {location[:200]!r}: {said}") from error
