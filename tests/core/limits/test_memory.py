import numpy as np
import pytest
from crosslens.errors import CrosslensError, MemoryLimitError, ParameterError
from crosslens.limits import memory


@pytest.fixture(autouse=True)
def _default_limit():
    yield
    memory.set_memory_limit(None)


@pytest.mark.parametrize(
    ("text", "size"),
    [
        ("8GB", 8 * 10**9),
        ("500 mb", 5 * 10**8),
        ("1.5GiB", 3 << 29),
        ("2K", 2000),
        (12345, 12345),
        ("1T", 10**12),
    ],
)
def test_sizes_are_read_as_people_write_them(text, size):
    assert memory.parse_memory(text) == size


@pytest.mark.parametrize("text", ["", "8XB", "-1GB", "0", "nan", "1e9", "GB", "1" * 400, "8GB;", None])
def test_what_is_no_size_is_refused_with_what_is_one(text):
    with pytest.raises(ParameterError, match=r"8GB, 500MB or 1\.5GiB"):
        memory.parse_memory(text)


def test_more_than_the_limit_is_refused_before_it_is_taken():
    memory.set_memory_limit(memory.resident_memory() + 10**8)
    memory.check_memory(10**6, "a small array", "nothing")
    with pytest.raises(MemoryLimitError, match=r"^the picture would take 5\.9 GB .*: cut it; --memory-limit") as told:
        memory.check_memory(5_900_000_000, "the picture", "cut it")
    assert isinstance(told.value, CrosslensError)
    assert isinstance(told.value, MemoryError)
    assert "\n" not in str(told.value)


def test_sizes_beyond_all_machines_are_one_line():
    with pytest.raises(MemoryLimitError, match="1e"):
        memory.check_memory(10**30, "an array", "make it smaller")


def test_the_default_is_less_than_what_is_free(monkeypatch):
    monkeypatch.delenv(memory.ENVIRONMENT, raising=False)
    memory.set_memory_limit(None)
    free, taken = memory.free_memory(), memory.resident_memory()
    assert taken < memory.memory_limit() < taken + free


def test_the_environment_states_a_limit(monkeypatch):
    memory.set_memory_limit(None)
    monkeypatch.setenv(memory.ENVIRONMENT, "3GB")
    assert memory.memory_limit() == 3 * 10**9
    memory.set_memory_limit(None)
    monkeypatch.setenv(memory.ENVIRONMENT, "much")
    with pytest.raises(ParameterError, match=memory.ENVIRONMENT):
        memory.memory_limit()


@pytest.mark.skipif(not memory.resident_memory(), reason="this system does not tell what a process has")
def test_resident_memory_follows_what_is_taken():
    before = memory.resident_memory()
    array = np.ones(4 << 20)
    assert memory.resident_memory() - before > 0.9 * array.nbytes
