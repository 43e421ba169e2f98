"""A made-up site and a browser, each made once for a file of tests."""

import pytest


@pytest.fixture(scope="session")
def made_up(tmp_path_factory):
    """A site on the disk: its `folder`, and the `MadeUp` that it was written from."""
    from .made_up_site import write

    folder = tmp_path_factory.mktemp("site")
    made = write(folder)
    made.folder = folder
    return made


@pytest.fixture(scope="module")
def browser(made_up):
    """Open at the made-up site."""
    pytest.importorskip("selenium")
    from .browser import CHROMIUM, DRIVER, Browser

    if not (CHROMIUM and DRIVER):
        pytest.skip("no Chromium with its driver here")
    tab = Browser()
    tab.folder = made_up.folder
    yield tab
    tab.driver.quit()
