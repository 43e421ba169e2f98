"""Text and JSON files of any size and shape."""

import pytest
from crosslens.errors import MemoryLimitError, ModelError
from crosslens.limits.memory import resident_memory, set_memory_limit
from crosslens.reading.text_file import parse_json, read_json_file, read_text


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000, "{", "1" * 100_000, b"\xff\xfe\x00", "", '"\ud800'])
def test_what_is_no_json_is_a_value_error_of_one_line(text):
    with pytest.raises(ValueError, match=r"^[^\n]{3,300}$"):
        parse_json(text)


def test_what_json_would_take_is_estimated_before_it_is_parsed(tmp_path):
    """6 MB of empty lists are 140 MB of Python's."""
    (tmp_path / "x.json").write_text("[" + "[]," * 2_000_000 + "[]]")
    set_memory_limit(resident_memory() + 10**8)
    try:
        with pytest.raises(MemoryLimitError, match=r"x.json' would take"):
            read_json_file(tmp_path / "x.json", ModelError, "file of labels")
    finally:
        set_memory_limit(None)


def test_a_file_that_is_larger_than_such_files_are_is_not_read(tmp_path):
    with (tmp_path / "x.txt").open("wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(ModelError, match="larger than 16 MiB, which no file of labels is"):
        read_text(tmp_path / "x.txt", ModelError, "file of labels", 1 << 24)
