"""Concepts: names by category, and the numbers that label maps hold."""

import crosslens
import numpy as np
import pytest
from crosslens.data import Concepts, concepts_of
from crosslens.errors import ParameterError


def test_numbers_go_through_the_categories_in_order():
    concepts = Concepts.of({"shape": ["disc", "square"], "colour": ["red", "disc"]})
    assert len(concepts) == 4
    assert concepts.by_category == {"shape": (1, 2), "colour": (3, 4)}
    assert [concepts.label(n) for n in range(5)] == [
        "none", "disc (shape)", "square (shape)", "red (colour)", "disc (colour)",
    ]  # fmt: skip
    assert concepts.number("red") == 3
    assert concepts.number("disc (colour)") == concepts.number("disc", "colour") == 4
    assert repr(concepts) == "<Concepts: 4 concepts, 2 of shape, 2 of colour>"


def test_what_cannot_be_named_is_refused():
    concepts = Concepts.of({"shape": ["disc"], "colour": ["disc"]})
    with pytest.raises(ParameterError, match=r"'disc' is several concepts, disc \(shape\), disc \(colour\): say which"):
        concepts.number("disc")
    with pytest.raises(ParameterError, match=r"no concept 'disk'; there are disc, disc. Did you mean 'disc'"):
        concepts.number("disk")
    with pytest.raises(ParameterError, match=r"no category 'size'; there are shape, colour"):
        concepts.numbers("size")
    with pytest.raises(ParameterError, match=r"two concepts have one name, 'disc' of 'shape'"):
        Concepts.of({"shape": ["disc", "disc"]})
    with pytest.raises(ParameterError, match=r"there is no concept"):
        Concepts.of({"shape": []})


def test_a_source_without_concepts_is_told_what_would_have_some():
    with pytest.raises(ParameterError, match=r"crosslens shapes -o shapes makes one"):
        concepts_of(crosslens.data(np.zeros((1, 3, 8, 8), np.float32)))
