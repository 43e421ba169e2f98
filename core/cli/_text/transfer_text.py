"""A transfer matrix as text on the terminal."""

from ...robustness.transfer_matrix import COUNTED, Transfer
from .tables import table

__all__ = ["matrix_text"]


def matrix_text(result: Transfer) -> str:
    """The matrix, the disputes, and what counts."""
    rate, low, high, count, of = (result.matrix(name) for name in ("rate", "low", "high", "fooled", "images"))

    def cell(s: int, t: int) -> str:
        known = f"{rate[s, t]:.3f} ({low[s, t]:.2f} to {high[s, t]:.2f}, {count[s, t]} of {of[s, t]})"
        return known if of[s, t] else "no image"

    rows = [(source, *(cell(s, t) for t in range(len(rate)))) for s, source in enumerate(result.models)]
    parts = [f"{result.attack}: share of pictures that fool", table(["made on", *result.models], rows)]
    if disputes := result.dispute_rows():
        shown = [[f"{v:.2e}" if isinstance(v, float) else str(v) for v in row.values()] for row in disputes]
        parts.append("Copies of one network that disagree:\n" + table(list(disputes[0]), shown))
    return "\n\n".join([*parts, COUNTED])
