"""Which instructions a processor has that make libraries compute in another order, and so give other last bits."""

import platform
from functools import cache
from pathlib import Path

__all__ = ["instruction_set"]

_MATTER = (
    "sse4_1", "avx", "f16c", "fma", "avx2", "avx_vnni", "avx512f", "avx512bw", "avx512dq", "avx512vl", "avx512_vnni",
    "avx512_bf16", "avx512_fp16", "amx_tile", "amx_int8", "amx_bf16", "asimd", "asimddp", "asimdhp", "sve", "sve2",
    "bf16", "i8mm",
)  # fmt: skip
"""Flags of /proc/cpuinfo by which onnxruntime, oneDNN, OpenBLAS and Eigen choose their kernels."""


@cache
def instruction_set() -> str:
    """The machine and these flags, as "x86_64 avx avx2 fma"; where the system lists none, what it says of itself.

    Workers that have the same give the same bits with the same number of threads.
    """
    flags = _flags()
    known = [each for each in _MATTER if each in flags] or [platform.processor()]
    return " ".join([platform.machine(), *known]).strip()


def _flags() -> frozenset[str]:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    listed = (line.partition(":") for line in lines)
    return next(
        (frozenset(text.split()) for name, _, text in listed if name.strip() in {"flags", "Features"}), frozenset()
    )
