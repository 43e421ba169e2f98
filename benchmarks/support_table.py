"""What runs where, measured: `python -m benchmarks.support_table` writes the table into RESULTS.md.

Each method runs on one small network with the same weights in each framework (the conformance suite's); a cell is the
largest difference from torch's values over their largest magnitude.
"""

import numpy as np
from crosslens.plugins import image_methods, method_class

from tests.conformance.test_methods import run, usual_network
from tests.conformance.zoo import BUILDERS

from .results import put


def rows() -> list[str]:
    others = [name for name in BUILDERS if name != "torch"]
    lines = [f"| method | torch | {' | '.join(others)} |", "|--" * (2 + len(others)) + "|"]
    for name in image_methods():
        if method_class(name).needs_attention:  # on a transformer: tests/methods/attention/test_attention.py
            lines.append(f"| `{name}` | transformers |" + " transformers |" * len(others))
            continue
        network = usual_network(name)
        reference = run(name, "torch", network)
        scale = np.abs(reference).max()
        cells = [f"{np.abs(run(name, other, network) - reference).max() / scale:.0e}" for other in others]
        lines.append(f"| `{name}` | reference | {' | '.join(cells)} |")
    return lines


def main() -> None:
    lines = rows()
    print("\n".join(lines))
    put("support table", lines)


if __name__ == "__main__":
    main()
