"""What is committed: no path of anyone's machine, no package registry's host, each dependency pinned."""

import re

import pytest

from .tree import ROOT, project, tracked

PLACES = [
    "/" + "work/",
    "/" + "tmp/",
    "/" + "root/",
    "/" + "home/",
    "/" + "Users/",
    "pypi" + r"\.org",
    "python" + "hosted" + r"\.org",
    "registry" + r"\.npmjs",
    "conda" + r"\.anaconda",
    "index" + "-url",
]
BARE = re.compile(r"(?<![\w.])(" + "|".join(PLACES) + ")")
LARGEST = 500_000


def texts():
    for path in tracked():
        data = (ROOT / path).read_bytes()
        if b"\0" not in data[:4096]:
            yield path, data.decode("utf-8")


def test_nothing_names_a_machine_or_a_registry():
    found = [
        f"{path}:{number}: {line.strip()[:80]}"
        for path, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if BARE.search(line)
    ]
    assert not found


SEEN = ["see " + "/" + "tmp/x", "https://" + "pypi" + ".org/simple", "--" + "index" + "-url x"]


@pytest.mark.parametrize("line", SEEN)
def test_the_pattern_finds_what_it_looks_for(line):
    assert BARE.search(line)


def test_no_file_is_large():
    large = [str(path) for path in tracked() if (ROOT / path).stat().st_size > LARGEST]
    assert not large


def test_nothing_is_left_to_do():
    words = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    assert not [f"{path}" for path, text in texts() if words.search(text)]


def test_every_dependency_is_pinned():
    pinned = {_plain(line.partition("==")[0]) for line in (ROOT / "constraints.txt").read_text().splitlines()}
    extras = project()["project"]["optional-dependencies"]
    needed = [*project()["project"]["dependencies"], *(line for lines in extras.values() for line in lines)]
    names = {_plain(re.match(r"[\w.-]+", line)[0]) for line in needed}
    assert names - {"crosslens"} <= pinned


def test_pins_are_exact():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and not line.startswith("#")]
    assert not [line for line in lines if not re.fullmatch(r"[\w.-]+==[\w.+!-]+( ;.*)?", line)]


def _plain(name):
    return re.sub(r"[-_.]+", "-", name).lower()
