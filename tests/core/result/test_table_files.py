"""Tables as .csv and .parquet: what pandas and pyarrow read back is what the table holds."""

import csv

import crosslens
import numpy as np
import pytest
from crosslens import Table
from crosslens.errors import ParameterError

RNG = np.random.default_rng(0)
COLUMNS = {
    "unit": np.arange(7),
    "name": np.array(['a,"b"', "c\nd", "é", "", "e", "f", "g"]),
    "mean": RNG.normal(size=7).astype(np.float32),
    "sum": RNG.normal(size=7) * 1e10,
    "dead": RNG.random(7) > 0.5,
    "place": RNG.integers(0, 9, (7, 2)),
}
TABLE = Table(COLUMNS)


def test_a_csv_holds_each_number_exactly(tmp_path):
    with TABLE.save(tmp_path / "t.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["unit", "name", "mean", "sum", "dead", "place_0", "place_1"]
    assert [row["name"] for row in rows] == COLUMNS["name"].tolist()
    np.testing.assert_array_equal([np.float32(row["mean"]) for row in rows], COLUMNS["mean"])
    np.testing.assert_array_equal([float(row["sum"]) for row in rows], COLUMNS["sum"])
    np.testing.assert_array_equal([[int(row["place_0"]), int(row["place_1"])] for row in rows], COLUMNS["place"])
    assert (tmp_path / "t.csv").read_bytes() == TABLE.encode(".csv")


def test_pandas_reads_both(tmp_path):
    pandas, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    from_csv = pandas.read_csv(TABLE.save(tmp_path / "t.csv"), keep_default_na=False)
    from_parquet = pandas.read_parquet(TABLE.save(tmp_path / "t.parquet"))
    for name in ("unit", "name", "sum", "dead"):
        assert from_csv[name].tolist() == from_parquet[name].tolist() == COLUMNS[name].tolist()
    assert from_parquet["mean"].dtype == np.float32
    np.testing.assert_array_equal(np.stack(from_parquet["place"]), COLUMNS["place"])


def test_only_npz_is_read_back(tmp_path):
    TABLE.save(tmp_path / "t.csv")
    with pytest.raises(ParameterError, match=r"holds no whole result, only .npz does: pandas.read_csv"):
        crosslens.load(tmp_path / "t.csv")
