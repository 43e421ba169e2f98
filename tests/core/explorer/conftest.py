"""A real browser and a made-up site, each made once for all tests of pages."""

import shutil
from importlib.util import find_spec

import pytest

from . import made_up_site
from .browser import Browser

NEEDED = "needs Debian's chromium and chromium-driver, and selenium"


@pytest.fixture(scope="session")
def browser():
    """Headless Chromium without a network; it ends with the tests."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver or not find_spec("selenium"):
        pytest.skip(NEEDED)
    with Browser(chromium, driver) as started:
        yield started


@pytest.fixture(scope="session")
def made_up(tmp_path_factory):
    """The folder of a whole site whose every text is hostile."""
    folder = tmp_path_factory.mktemp("made_up") / "site"
    made_up_site.write(folder)
    return folder
