"""Where a result came from: enough to repeat it, and to see why two differ."""

from collections.abc import Mapping
from datetime import UTC, datetime
from functools import cache
from hashlib import blake2b
from importlib.metadata import version
from typing import Any

import numpy as np

from .arrays import as_numpy
from .model import Model
from .objective import Objective

__all__ = ["described", "provenance"]


def provenance(model: Model, objective: Objective, seconds: float) -> Mapping[str, Any]:
    """Versions, the model's digest, the preprocessing, the objective and the time it took."""
    return {
        "crosslens": _own_version(),
        "backend": model.backend,
        "versions": dict(model.versions),
        "model": model.digest,
        "preprocess": vars(model.preprocess) | {},
        "objective": str(objective),
        "seconds": round(seconds, 4),
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
    }


@cache
def _own_version() -> str:
    """Read once: metadata takes a millisecond, as long as a small network."""
    return version("crosslens")


def described(value: Any) -> Any:
    """A parameter as JSON can hold it: arrays by shape and digest, models by digest, others as text."""
    if isinstance(value, np.generic):
        return value.item()
    if hasattr(value, "__array_namespace__") or isinstance(value, np.ndarray):
        values = np.ascontiguousarray(as_numpy(value))
        return {"shape": list(values.shape), "digest": blake2b(values.tobytes(), digest_size=16).hexdigest()}
    if isinstance(value, Model):
        return {"model": value.digest}
    if isinstance(value, Mapping):
        return {str(key): described(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [described(item) for item in value]
    return value if isinstance(value, bool | int | float | str | type(None)) else str(value)
