"""One result as text on the terminal, and as JSON without its arrays."""

from collections.abc import Mapping
from typing import Any

from ...arrays import as_numpy
from ...method.base import Method
from ...result import Attribution, Result, Synthesis
from ...result.scores import Scores
from ...result.table import Table
from .echo import echo

__all__ = ["result_record", "say_result", "short"]


def say_result(record: Mapping[str, Any], result: Result, method: Method, written: str) -> None:
    """Print the text for one result.

    Args:
        record: what `result_record` gives, and `model`, `image` and `target`.
        result: its layers and figures are printed.
        method: says whether there is a target.
        written: the last line, what was written where.
    """
    echo(f"{result.method} of {record['model']}" + (f" on {record['image']}" if record["image"] else ""))
    if method.needs_target:
        echo(f"explained: {_explanation_text(record)}")
    if layers := result.provenance["layers"]:
        echo(f"layer: {', '.join(layers)}" + " (the default)" * result.provenance["default_layer"])
    for name, value in result.figures().items():
        echo(f"{name}: {short(value)}")
    if isinstance(result, Table):
        echo(result.text())
    echo(written)


def result_record(result: Result) -> dict[str, Any]:
    """The result as JSON can hold it, without the arrays."""
    record: dict[str, Any] = {
        "method": result.method,
        "parameters": dict(result.parameters),
        "objective": result.provenance["objective"],
        "provenance": dict(result.provenance),
        "notes": list(result.notes),
    }
    if figures := result.figures():
        record |= {"figures": dict(figures)}
    if isinstance(result, Synthesis):
        record |= result.details()
    if isinstance(result, Table):
        record |= {"columns": {name: as_numpy(values).tolist() for name, values in result.columns.items()}}
    if isinstance(result, Scores):
        record |= {"values": as_numpy(result.values).tolist(), **result.details()}
    if isinstance(result, Attribution):
        values = as_numpy(result.values)
        record |= {"values": {"shape": values.shape, "least": float(values.min()), "largest": float(values.max())}}
        record |= {} if result.scores is None else {"score": float(as_numpy(result.scores)[0])}
    return record


def short(value: Any) -> str:
    """A figure in four digits; anything else as it is."""
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _explanation_text(record: Mapping[str, Any]) -> str:
    target = record["target"]
    score = f", score {record['score']:.4g}" if "score" in record else ""
    if not target:
        return f"{record['objective']}{score}"
    name = f"{target['label']} (class {target['class']})" if target["label"] else f"class {target['class']}"
    objective = str(record["objective"])
    place = f": {objective}" * (" at " in objective)
    if "probability" not in target:
        return f"{target['label'] or objective}, {target['score']:.4g}"
    return f"{name}, probability {target['probability']:.3f}{score}{place}"
