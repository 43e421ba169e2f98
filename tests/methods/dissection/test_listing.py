"""A dissection as text: counts of a planted table, the best rows first; rows of layers that differ in basis."""

import numpy as np
import pytest
from crosslens.dissection.dissection import Dissection

CONCEPTS = ("red", "green", "disc")
CATEGORIES = ("colour", "colour", "shape")
IOUS = np.array([[0.01, 0, 0], [0.1, 0, 0.05], [0.2, 0, 0], [0, 0, 0.3], [0, 0.06, 0], [0, 0, 0]])
NULLS = np.array([[0.05, 0, 0], [0, 0, 0.05], [0, 0, 0], [0, 0, 0], [0, 0, 0.06], [0, 0, 0]])


def planted(nulls=NULLS):
    best = IOUS.argmax(axis=1)
    some = IOUS.max(axis=1) > 0
    return Dissection(
        {
            "layer": np.array(["a"] * 4 + ["b"] * 2),
            "basis": np.array(["units", "units", "directions", "directions", "units", "directions"]),
            "unit": np.array([0, 1, 0, 1, 0, 0]),
            "concept": np.where(some, np.array(CONCEPTS)[best], ""),
            "category": np.where(some, np.array(CATEGORIES)[best], ""),
            "iou": IOUS.max(axis=1),
            "null_concept": np.full(6, ""),
            "null_iou": np.full(6, np.nan) if nulls is None else nulls.max(axis=1),
            "threshold": np.ones(6),
            "detector": IOUS.max(axis=1) > 0.04,
        },
        concepts=CONCEPTS,
        categories=CATEGORIES,
        ious=IOUS,
        null_ious=nulls,
        minimum_iou=0.04,
    )


def test_text_counts_detectors_by_category_beside_chance_and_directions_then_lists_the_best():
    assert planted().text(2).splitlines() == [
        "a: 1 of 2 units detect 1 concept (by chance 2); 2 of 2 directions detect 2 concepts (by chance 0)",
        "category  units  by chance  directions  by chance  of each concept",
        "colour    1      1          1           0          red 1",
        "shape     0      1          1           0",
        "",
        "b: 1 of 1 units detect 1 concept (by chance 1); none of 1 directions detects a concept (by chance 0)",
        "category  units  by chance  directions  by chance  of each concept",
        "colour    1      0          0           0          green 1",
        "shape     0      1          0           0",
        "",
        "layer  basis       unit  concept  category  iou  null_concept  null_iou  threshold  detector",
        "a      directions  1     disc     shape     0.3                0         1          True",
        "a      directions  0     red      colour    0.2                0         1          True",
        "... and 4 more, of smaller IoU",
    ]


def test_text_without_a_null_has_none_of_its_columns():
    lines = planted(None).text().splitlines()
    assert lines[0] == "a: 1 of 2 units detect 1 concept; 2 of 2 directions detect 2 concepts"
    assert not any("null" in line or "nan" in line or "chance" in line for line in lines)


@pytest.mark.parametrize("places", [[0, 5], [2], [4, 3]])
def test_rows_of_layers_that_differ_in_basis_are_a_dissection(places):
    chosen = planted()[places]
    assert sum(len(chosen.rows_of(*each)) for each in [(n, b) for n in chosen.layers for b in chosen.bases]) == len(
        places
    )
    assert repr(chosen).startswith("<Dissection")
    assert chosen.layers[0] in chosen.text()
    assert set(chosen.figures()) == set(chosen.layers)
