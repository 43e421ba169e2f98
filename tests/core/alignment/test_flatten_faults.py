"""Dense layers whose maps are flattened in another order than their weights are for."""

from types import SimpleNamespace

import numpy as np
import pytest
from crosslens.alignment.flatten_faults import flatten_fault
from crosslens.alignment.suspect import Suspect

RNG = np.random.default_rng(0)
MAPS = RNG.normal(size=(2, 3, 4, 5)).astype(np.float32)
KERNEL, BIAS = RNG.normal(size=(7, 60)).astype(np.float32), RNG.normal(size=7).astype(np.float32)


def dense(order, cut=-np.inf):
    """One product after the other, with the maps read in an order of axes."""
    rows = [[sum(float(w) * float(v) for w, v in zip(k, m.transpose(order).ravel(), strict=True)) for k in KERNEL]
            for m in MAPS]  # fmt: skip
    return np.maximum(np.array(rows) + BIAS, cut).astype(np.float32)


def cause_of(expected, actual):
    model = SimpleNamespace(weights=lambda layer: {"kernel": KERNEL, "bias": BIAS})
    models = SimpleNamespace(a=model, b=model, of_a={"pool": MAPS, "fc": expected}, of_b={"pool": MAPS, "fc": actual})
    pairs = {name: SimpleNamespace(a=name, b=name) for name in ("pool", "fc")}
    return flatten_fault(Suspect(models, pairs["fc"], ("fc",), ("fc",), (pairs["pool"],), expected, actual))


FIRST, LAST = (0, 1, 2), (1, 2, 0)


@pytest.mark.parametrize("cut", [-np.inf, 0.0])
def test_a_missing_permute_before_a_dense_layer_is_named_with_what_to_do(cut):
    cause = cause_of(dense(FIRST, cut), dense(LAST, cut))
    assert (cause.kind, cause.layer) == ("flatten", "fc")
    assert cause.text.startswith("the maps (3 x 4 x 5) are flattened as (H, W, C), the weights are for (C, H, W)")
    assert "Put Permute((3, 1, 2)) in Keras before the flattening" in cause.text


def test_the_reverse_is_named_too():
    assert "Put x.permute(0, 2, 3, 1) in torch" in cause_of(dense(LAST), dense(FIRST)).text


def test_values_of_another_order_are_not_taken_for_it():
    assert cause_of(dense(FIRST), dense((0, 2, 1))) is None
    assert cause_of(dense(FIRST), 1.1 * dense(LAST)) is None
