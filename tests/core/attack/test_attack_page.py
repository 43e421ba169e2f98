"""The attack that plugins.md shows is one: it runs, keeps the promises of a method, and finds what there is."""

import re

import numpy as np
import pytest
from crosslens.testing.tiny import TinyModel

from tests.meta.tree import ROOT

SECTION = (ROOT / "plugins.md").read_text().partition("## An attack")[2].partition("\n## ")[0]


@pytest.fixture(scope="module")
def attack():
    namespace = {"__name__": "page"}
    (block,) = re.findall(r"^```python\n(.*?)^```$", SECTION, re.MULTILINE | re.DOTALL)
    exec(compile(block, "plugins.md", "exec"), namespace)
    return namespace["RandomSearch"]


def test_it_fools_what_is_near_a_border(attack):
    images = np.random.default_rng(0).random((6, 3, 8, 8), dtype=np.float32)
    result = attack(eps=0.3, tries=30)(TinyModel(relu=True, seed=1), images)
    assert result.success.any()
    assert (result.distance <= 0.3).all()
    assert (result.queries <= 31).all()
    alone = attack(eps=0.3, tries=30)(TinyModel(relu=True, seed=1), images[2:3])
    assert alone.queries[0] == result.queries[2]
