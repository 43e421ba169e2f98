"""How gradients of networks with rectifiers are compared."""

from collections.abc import Callable

import pytest

LARGEST_JUMP = 0.3
"""More than a flipped rectifier was ever seen to change (0.04 in EfficientNet-Lite0)."""


def close_on_some_picture(error: Callable[[int], float], tolerance: float, *, pictures: int = 8) -> None:
    """`error(seed)`, the relative error on one picture after the other, is below `tolerance` once.

    Where a rectifier's input is within rounding of its kink, two kernels of float32 fall on different sides of it, and
    the gradient jumps by up to some per cent. Which pictures have such an input depends on the processor: in
    EfficientNet-Lite0 every other one, in small networks hardly any. A fault of the code is in all of them.
    """
    errors = []
    for seed in range(pictures):
        errors.append(error(seed))
        assert errors[-1] < LARGEST_JUMP, f"picture {seed}: no flipped rectifier changes that much: {errors[-1]:.1e}"
        if errors[-1] < tolerance:
            return
    pytest.fail(f"none of {pictures} pictures agrees to {tolerance:.0e}: {[f'{e:.1e}' for e in errors]}")


@pytest.fixture(scope="session")
def somewhere_close():
    return close_on_some_picture
