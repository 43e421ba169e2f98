"""An objective on another model, whose layers have other names."""

import numpy as np
from crosslens.objective import channel, layer
from crosslens.objective.renamed_layers import RenamedLayers

MAPS = np.random.default_rng(0).normal(size=(2, 3, 4, 5))
BOTH = channel("a", 1) - 0.5 * layer("b")
RENAMED = RenamedLayers(BOTH, {"a": "other a"})


def test_it_reads_the_new_names_and_gives_cotangents_by_them():
    here, there = {"a": MAPS, "b": 2 * MAPS}, {"other a": MAPS, "b": 2 * MAPS}
    assert RENAMED.layers == {"other a", "b"}
    np.testing.assert_array_equal(RENAMED.value(there), BOTH.value(here))
    value, cotangents = RENAMED.value_and_cotangents(there)
    np.testing.assert_array_equal(value, BOTH.value(here))
    np.testing.assert_array_equal(cotangents["other a"], BOTH.cotangents(here)["a"])
    assert set(cotangents) == {"other a", "b"}


def test_its_text_has_the_new_names():
    assert str(RENAMED) == str(BOTH).replace("'a'", "'other a'")
