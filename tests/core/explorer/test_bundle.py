"""The committed bundle is what its sources build: proved without Node, by the digest in its first line."""

import hashlib
import re
from importlib.resources import files
from pathlib import Path

import pytest

WEB = Path(__file__).parents[3] / "core/explorer/web"
BUNDLE = files("crosslens") / "explorer/web/bundle"
MOST = 450_000
"""Bytes of the script; all of it is read before the first page is drawn."""


def digest_of_sources():
    """SHA-256 of every source's path and content, sorted by path, each ended by a zero byte."""
    paths = [path for path in (WEB / "src").rglob("*") if path.is_file()]
    paths += [WEB / name for name in ("build.mjs", "package.json", "page.html", "tsconfig.json")]
    digest = hashlib.sha256()
    for name, path in sorted((path.relative_to(WEB).as_posix(), path) for path in paths):
        digest.update(f"{name}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()


@pytest.mark.parametrize("name", ["explorer.js", "explorer.css"])
def test_the_bundle_is_built_from_these_sources(name):
    first = (BUNDLE / name).read_text().split("\n", 1)[0]
    assert first == f"/* crosslens explorer, built from {digest_of_sources()} */", "run `make explorer`"


def test_the_page_is_the_template():
    assert (BUNDLE / "page.html").read_bytes() == (WEB / "page.html").read_bytes()


def test_each_bundled_package_stands_with_a_free_licence():
    text = (BUNDLE / "LICENSES.txt").read_text()
    named = re.findall(r"^(\S+) \d+\.\d+\.\d+ \((MIT|ISC|BSD-[23]-Clause|Apache-2\.0|0BSD)\)$", text, re.MULTILINE)
    assert "preact" in {name for name, _ in named}
    assert len(named) == text.count("-" * 80)
    assert "the package holds no licence file" not in text


def test_the_script_can_stand_inline_and_is_small():
    script = (BUNDLE / "explorer.js").read_text()
    assert "</script" not in script.lower()
    assert "<!--" not in script
    assert len(script) < MOST


def test_versions_are_exact_and_no_lock_file_is_kept():
    package = (WEB / "package.json").read_text()
    versions = re.findall(r'^ {4}"[^"]+": "([^"]+)"', package, re.MULTILINE)
    assert all(re.fullmatch(r"\d+\.\d+\.\d+", version) for version in versions)
    assert len(versions) > 4
    assert not list(WEB.glob("*lock*"))
