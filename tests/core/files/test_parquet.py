"""Tables as Parquet: plain types that pandas reads back, the same bytes for the same columns."""

import sys

import numpy as np
import pytest
from crosslens.errors import ParameterError
from crosslens.files.parquet_file import write_parquet
from crosslens.result.table import Table

COLUMNS = {
    "unit": np.arange(3, dtype=np.int32),
    "mean": np.array([0.5, np.nan, 2.0]),
    "half": np.array([1, 2, 3], np.float16),
    "name": np.array(["a", "", "cat"]),
    "dead": np.array([True, False, False]),
    "quantiles": np.arange(6, dtype=np.float32).reshape(3, 2),
}


def test_pandas_reads_plain_types(tmp_path):
    pandas = pytest.importorskip("pandas")
    read = pandas.read_parquet(Table(COLUMNS).save_into(tmp_path)[0])
    assert list(read.dtypes.astype(str))[:3] == ["int64", "float64", "float32"]
    assert read["name"].tolist() == ["a", "", "cat"]
    assert read["dead"].tolist() == [True, False, False]
    np.testing.assert_array_equal(read["mean"], COLUMNS["mean"])
    np.testing.assert_array_equal(np.stack(read["quantiles"]), COLUMNS["quantiles"])


def test_the_same_columns_give_the_same_bytes(tmp_path):
    first, second = (write_parquet(COLUMNS, tmp_path / name) for name in ("a.parquet", "b.parquet"))
    assert first.read_bytes() == second.read_bytes()


def test_without_pyarrow_the_error_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ParameterError, match=r"pip install 'crosslens\[data\]'"):
        write_parquet(COLUMNS, tmp_path / "table.parquet")
