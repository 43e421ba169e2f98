"""The data of a site as scripts: what a page reads is what was written, whatever its texts hold."""

import json
import re

import numpy as np
import pytest
from crosslens.explorer.data_folder import DataFolder, script, stamp_of
from crosslens.explorer.leaf import Leaf, write_leaves

HOSTILE = "</script><script>alert(1)</script><!-- \u2028 & \"quoted\" 'too' \\ \n"


def value_of(line):
    """What a JavaScript engine passes to `put`, which takes JSON as it is."""
    key, text = re.fullmatch(r'crosslens\.put\("([^"]+)", (.*)\);', line, re.DOTALL).groups()
    return key, json.loads(text)


def test_a_script_gives_back_its_value_and_ends_no_element():
    given = {"name": HOSTILE, "numbers": np.array([1.5, np.nan]), "flag": np.bool_(True), "list": (1, 2)}
    line = script("layers/3", given)
    assert value_of(line) == (
        "layers/3",
        {"name": HOSTILE, "numbers": [1.5, None], "flag": True, "list": [1, 2]},
    )
    assert not set("<>&\u2028\u2029") & set(line)


@pytest.mark.parametrize("key", ["../site", "units/../3", "units/3/12/4", "Units/3", "units/x", "", "/etc", "site.js"])
def test_a_key_that_is_no_word_with_numbers_names_no_file(tmp_path, key):
    with pytest.raises(ValueError, match="not a key"):
        DataFolder(tmp_path).path(key)


def test_a_file_is_there_with_its_own_stamp_only(tmp_path):
    data = DataFolder(tmp_path / "data")
    first, other = stamp_of("model", 1), stamp_of("model", 2)
    assert not data.has("units/3/12", first)
    data.write("units/3/12", {"unit": 12}, first)
    assert data.has("units/3/12", first)
    assert not data.has("units/3/12", other)
    assert data.numbers("units/3") == [12]
    assert data.numbers("pictures") == []


def test_an_interrupted_build_goes_on_and_makes_nothing_twice(tmp_path):
    made, data = [], DataFolder(tmp_path)

    def leaf(number, stops=False):
        def make():
            if stops:
                raise KeyboardInterrupt
            made.append(number)
            return {"number": number}

        return Leaf(f"pictures/{number}", "stamp", make)

    with pytest.raises(KeyboardInterrupt):
        write_leaves([leaf(0), leaf(1), leaf(2, stops=True)], data, lambda *_: None)
    write_leaves([leaf(0), leaf(1), leaf(2)], data, lambda *_: None)
    assert made == [0, 1, 2]
