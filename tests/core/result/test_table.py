"""Tables: rows as text, columns as arrays of a saved file."""

import json

import numpy as np
import pytest
from crosslens.errors import ImageError
from crosslens.result.table import Table

TABLE = Table({"unit": np.arange(3), "mean": np.array([0.5, 1.23456, 2.0])}, method="mean_activation")


def test_text_has_a_line_for_each_row_and_says_how_many_are_left():
    assert TABLE.text().splitlines() == ["unit  mean", "0     0.5", "1     1.235", "2     2"]
    assert TABLE.text(1).splitlines() == ["unit  mean", "0     0.5", "... and 2 more"]


def test_a_saved_table_holds_its_columns(tmp_path):
    with np.load(TABLE.save(tmp_path / "table.npz")) as saved:
        np.testing.assert_array_equal(saved["mean"], TABLE.columns["mean"])
        assert json.loads(str(saved["record"]))["columns"] == ["unit", "mean"]


def test_a_table_is_not_a_picture(tmp_path):
    with pytest.raises(ImageError, match=r"cannot save a table as 'table\.png'; use \.npz"):
        TABLE.save(tmp_path / "table.png")


def test_its_representation_is_one_line():
    assert repr(TABLE) == "<Table of mean_activation: 3 rows of unit, mean>"
